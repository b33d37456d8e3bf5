"""Writes what the gate found for people: report.md, and report.html in one file; measures and judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_pipeline.evaluation.html_document import render_document
from model_pipeline.evaluation.page_content import showable
from model_pipeline.evaluation.page_markdown import escape
from model_pipeline.evaluation.wording import number
from model_pipeline.gating.plot import draw_intervals
from model_pipeline.gating.verdicts import Judged, Verdict

PLOT = "intervals.png"
HEAD = ("Figure", "Old", "New", "Difference and interval", "Margin or limit", "n", "Verdict")
SHORT_HEAD = ("Figure", "Old", "New", "Difference", "Verdict")
TOLD = {
    Verdict.PROMOTE: "Promote",
    Verdict.REFUSE: "Refuse",
    Verdict.TOO_FEW: "Too few data",
}

STYLE = """\
.passed { color: #00734f; } .failed { color: #b34700; } .few { color: #8a6100; }
"""
BODY = """\
<p class="soft">{{ page.about }}</p>
<p class="note"><strong>{{ page.verdict }}</strong></p>
<ul class="verdicts">
{% for reason in page.reasons %}
<li class="{{ 'better' if page.promoted else 'worse' }}">{{ reason }}</li>
{% endfor %}
</ul>
<h2>Figures</h2>
<div class="wide"><table>
<thead><tr>{% for name in head %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in page.rows %}
<tr><th scope="row">{{ row.cells[0] }}<small>{{ row.meaning }}</small></th>
{% for cell in row.cells[1:-1] %}<td>{{ cell }}</td>{% endfor %}<td class="{{ row.kind }}">{{ row.cells[-1] }}</td></tr>
{% endfor %}
</tbody></table></div>
{% if plot %}
<h2>Differences, new against old</h2>
<p class="soft">{{ page.plot_says }}</p>
<img src="data:image/png;base64,{{ plot | base64 }}" alt="{{ page.plot_says }}" style="max-width: 100%; height: auto">
{% endif %}
<h2>How to read this</h2>
<ul>
{% for line in page.reading %}
<li>{{ line }}</li>
{% endfor %}
</ul>
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    cells: tuple[str, ...]
    meaning: str
    kind: str


@dataclass(frozen=True, slots=True)
class GatePage:
    """Everything on the page; nothing in it is escaped."""

    title: str
    about: str
    promoted: bool
    verdict: str
    reasons: tuple[str, ...]
    rows: tuple[Row, ...]
    plot_says: str
    reading: tuple[str, ...]


def write_gate_pages(
    folder: Path,
    title: str,
    about: str,
    verdict: Verdict,
    reasons: Sequence[str],
    figures: Sequence[Judged],
    confidence: float,
) -> None:
    """Write report.md, report.html and the plot into `folder`. Raises `OSError`."""
    page = GatePage(
        title=showable(title),
        about=showable(about),
        promoted=verdict is Verdict.PROMOTE,
        verdict=TOLD[verdict],
        reasons=tuple(map(showable, reasons)),
        rows=tuple(_row(each) for each in figures),
        plot_says="A bar is an interval, the line is no difference, and what is shaded is beyond the margin.",
        reading=_reading(confidence),
    )
    drawn = draw_intervals(folder / PLOT, figures)
    plot = folder / PLOT if drawn else None
    html = render_document(page.title, BODY, STYLE, page=page, head=HEAD, plot=plot)
    (folder / "report.html").write_text(html, encoding="utf-8")
    (folder / "report.md").write_text(_markdown(page, drawn), encoding="utf-8")


def short_rows(figures: Sequence[Judged]) -> list[tuple[str, ...]]:
    """The cells under `SHORT_HEAD`, for a terminal."""
    rows = [_row(each).cells for each in figures]
    return [(title, old, new, interval, outcome) for title, old, new, interval, *_, outcome in rows]


def _row(judged: Judged) -> Row:
    text, difference = judged.text, judged.difference
    interval = "-"
    if difference is not None:
        ends = (difference.estimate, difference.low, difference.high)
        value, low, high = (number(each, text.decimals) for each in ends)
        interval = f"{value}{' times' if text.is_ratio else ''} ({low} to {high})"
    cells = (text.title, _cell(judged, judged.old), _cell(judged, judged.new), interval, _cell(judged, judged.margin))
    kind = {"passed": "passed", "failed": "failed", "too few": "few"}.get(judged.outcome, "soft")
    return Row((*cells, f"{judged.n:,}", judged.outcome), text.meaning, kind)


def _cell(judged: Judged, value: float | None) -> str:
    return "-" if value is None else number(value, judged.text.decimals)


def _markdown(page: GatePage, drawn: bool) -> str:
    rows = [HEAD, ("---",) * len(HEAD), *(tuple(map(escape, row.cells)) for row in page.rows)]
    plot = ["", f"![{page.plot_says}]({PLOT})"] if drawn else []
    lines = [
        f"# {escape(page.title)}",
        "",
        escape(page.about),
        "",
        f"**{page.verdict}**",
        "",
        *(f"- {escape(reason)}" for reason in page.reasons),
        "",
        *(f"| {' | '.join(row)} |" for row in rows),
        *plot,
        "",
        *(f"- {escape(line)}" for line in (*(f"{row.cells[0]}: {row.meaning}" for row in page.rows), *page.reading)),
    ]
    return "\n".join(lines) + "\n"


def _reading(confidence: float) -> tuple[str, ...]:
    return (
        f"Intervals are of {confidence:.0%}: of the preference over people, of everything else over rows, both models "
        "on the same ones.",
        "A figure with a margin passes where its whole interval lies within; one that is left open does not.",
        f"Only the preference can speak for the new model, so with votes that mean nothing a promotion has a chance of "
        f"{(1 - confidence) / 2:.1%}; every night on the same held-out votes is another chance, which the canary sees.",
    )
