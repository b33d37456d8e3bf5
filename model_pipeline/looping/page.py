"""Writes report.html: each step of a turn with what it came to, the curves of the training and the gate's figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_pipeline.evaluation.html_document import render_document
from model_pipeline.looping.record import Done, Ending, Step, Turn

PAGE_FILE = "report.html"
TITLES = {
    Step.EXPORT: "What people agreed to have trained on",
    Step.CURATE: "What is learned from, and what was dropped",
    Step.PREFER: "Training",
    Step.GATE: "The gate",
    Step.ADD: "The bot's models",
    Step.CANARY: "Trying it out",
}
_LEARNED = {"Rows": "train_rows", "Steps": "steps", "Loss": "train_loss", "Best held-out loss": "best_validation_loss"}
_GATE_HEAD = ("Figure", "Old", "New", "Difference", "Interval", "Verdict")
BODY = """\
<p class="note"><strong>{{ ending }}</strong></p>
{% for section in sections %}
<h2>{{ section.title }}</h2>
<p>{{ section.said }} <span class="soft">{{ section.took }}</span></p>
{% if section.rows %}
<div class="wide"><table>
<thead><tr>{% for name in section.head %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in section.rows %}
<tr><th scope="row">{{ row[0] }}</th>{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endif %}
{% if section.pictures %}
<div class="plots">
{% for picture in section.pictures %}
<img src="data:image/png;base64,{{ picture | base64 }}" alt="{{ picture.stem }}">
{% endfor %}
</div>
{% endif %}
{% endfor %}
{% if left %}
<h2>Not done</h2>
<p class="soft">{{ left }}</p>
{% endif %}
"""


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    said: str
    took: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    pictures: Sequence[Path] = ()


def write_page(turn: Turn) -> None:
    """Write the page anew; it needs no other file. Raises `OSError`."""
    left = [str(step) for step in Step if turn.done(step) is None]
    text = render_document(
        f"From votes to a model: the turn of {turn.began[:16].replace('T', ' ')} UTC",
        BODY,
        ending=turn.said or "This turn has not ended yet.",
        sections=[_section(turn, done) for done in turn.steps],
        left=", ".join(left) if left and turn.ending is not Ending.CANARY else "",
    )
    partial = turn.folder / f".{PAGE_FILE}.partial"
    partial.write_text(text, encoding="utf-8")
    partial.replace(turn.folder / PAGE_FILE)


def _section(turn: Turn, done: Done) -> _Section:
    head, rows = _table(done)
    took = f"({done.seconds:,.0f} s)" if done.seconds else ""
    return _Section(TITLES[done.step], done.said, took, head, rows, list(_pictures(turn.folder, done.step)))


def _table(done: Done) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Head and rows; none for a step whose sentence says all."""
    figures = done.figures
    match done.step:
        case Step.EXPORT:
            return ("Refused because", "Count"), [
                (reason, f"{count:,}") for reason, count in figures["refused"].items()
            ]
        case Step.CURATE:
            train, held_out = figures["train"], figures["held_out"]
            sets = [(name.upper(), f"{train[name]:,}", f"{held_out[name]:,}") for name in train]
            dropped = [(f"Dropped: {reason}", f"{count:,}", "") for reason, count in figures["dropped"].items()]
            return ("Rows", "To learn from", "Held out"), [*sets, *dropped]
        case Step.PREFER:
            return ("Method", *_LEARNED), [_learned(*one) for one in figures["methods"].items()]
        case Step.GATE:
            return _GATE_HEAD, [_judged(figure) for figure in figures["figures"].values()]
        case _:
            return (), ()


def _learned(method: str, figures: Mapping[str, Any]) -> Sequence[str]:
    return (method.upper(), *(_number(figures.get(key)) for key in _LEARNED.values()))


def _judged(figure: Mapping[str, Any]) -> Sequence[str]:
    interval = " to ".join(map(_number, figure["interval"])) if figure["interval"] else ""
    cells = (_number(figure[key]) for key in ("old", "new", "difference"))
    return (figure["title"], *cells, interval, figure["outcome"])


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1_000 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)


def _pictures(folder: Path, step: Step) -> Iterator[Path]:
    """The plots that the step left, inside the page."""
    places = {Step.PREFER: folder / "run" / "prefer", Step.GATE: folder / "gate"}
    if place := places.get(step):
        yield from sorted(place.rglob("*.png"))
