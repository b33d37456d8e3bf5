"""Writes report.html: each step of a turn with what it came to, the curves of the training and the gate's figures."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment

from model_pipeline.evaluation.page_html import STYLE
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
HTML = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
{{ style | safe }}</style>
</head>
<body>
<h1>{{ title }}</h1>
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
{% for name, data in section.pictures %}
<img src="data:image/png;base64,{{ data }}" alt="{{ name }}">
{% endfor %}
</div>
{% endif %}
{% endfor %}
{% if left %}
<h2>Not done</h2>
<p class="soft">{{ left }}</p>
{% endif %}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    said: str
    took: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    pictures: Sequence[tuple[str, str]] = field(default=())


def write_page(turn: Turn) -> None:
    """Write the page anew; it needs no other file. Raises `OSError`."""
    left = [str(step) for step in Step if turn.done(step) is None]
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(HTML)
    text = page.render(
        title=f"From votes to a model: the turn of {turn.began[:16].replace('T', ' ')} UTC",
        style=STYLE,
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


def _pictures(folder: Path, step: Step) -> Iterator[tuple[str, str]]:
    """The plots that the step left, inside the page."""
    places = {Step.PREFER: folder / "run" / "prefer", Step.GATE: folder / "gate"}
    if place := places.get(step):
        for path in sorted(place.rglob("*.png")):
            yield path.stem, base64.b64encode(path.read_bytes()).decode("ascii")
