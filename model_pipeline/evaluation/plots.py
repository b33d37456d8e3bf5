"""Draws the figures of a comparison as PNG files: a bar a model with its interval, and how long answers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model_pipeline.evaluation.answers import Answers, Asked
from model_pipeline.evaluation.comparison import Comparison, ModelFigures
from model_pipeline.evaluation.figures import FIGURES, Better, FigureText
from model_pipeline.evaluation.wording import number
from model_pipeline.evaluation.words import words

COLOURS = ("#8a8f98", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")  # told apart by the colour-blind
INK = "#1f2328"
WIDTH_INCHES = 4.6
DOTS_PER_INCH = 150
MOST_BINS = 25
LONGEST_SHOWN = 99  # percentile: one endless answer must not squeeze the others into one bar


@dataclass(frozen=True, slots=True)
class Plot:
    """A PNG file, its title, and what it shows in words."""

    path: Path
    title: str
    description: str


def draw_plots(folder: Path, comparison: Comparison, asked: Sequence[Asked], models: Sequence[Answers]) -> list[Plot]:
    """Write a PNG for each figure and one for the lengths. Raises `OSError`."""
    plots = []
    for figure in FIGURES:
        measured = [model for model in comparison.models if figure.name in model.figures]
        if measured:
            plots.append(_draw_figure(folder / f"{figure.name}.png", figure, measured, comparison))
    return [*plots, _draw_lengths(folder / "lengths.png", asked, models)]


def _draw_figure(path: Path, text: FigureText, models: Sequence[ModelFigures], comparison: Comparison) -> Plot:
    figure, axes = _canvas(0.95 + 0.38 * len(models))
    colours = _colours([model.name for model in comparison.models])
    estimates = [model.figures[text.name] for model in models]
    places = np.arange(len(models))[::-1]
    values = [estimate.value for estimate in estimates]
    errors = np.maximum(0, [[e.value - e.low for e in estimates], [e.high - e.value for e in estimates]])
    style: dict[str, Any] = {"ecolor": INK, "capsize": 3, "error_kw": {"elinewidth": 1.2}}
    axes.barh(places, values, xerr=errors, height=0.62, color=[colours[model.name] for model in models], **style)
    for place, estimate in zip(places, estimates, strict=True):
        label = f" {number(estimate.value, text.decimals)}"
        axes.annotate(label, (estimate.high, place), (3, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(places, [_short(model.name) for model in models], parse_math=False)
    furthest = max(estimate.high for estimate in estimates)
    axes.set_xlim(0, furthest * 1.22 if furthest > 0 else 1)
    way = "" if text.better is Better.NEITHER else f" ({text.better} is better)"
    axes.set_title(f"{text.title}{way}", loc="left", fontsize=10, color=INK)
    _save(figure, path)
    told = "; ".join(f"{m.name} {number(e.value, text.decimals)}" for m, e in zip(models, estimates, strict=True))
    return Plot(path, text.title, f"{text.title}: {told}")


def _draw_lengths(path: Path, asked: Sequence[Asked], models: Sequence[Answers]) -> Plot:
    """A panel for each model on the same scale, with the references as an outline."""
    references = [len(words(row.reference)) for row in asked]
    lengths = [[len(words(answer.text)) for answer in model.answers] for model in models]
    longest = max(1, *(int(np.percentile(row, LONGEST_SHOWN)) for row in [references, *lengths]))
    step = longest // MOST_BINS + 1  # whole words, or bars of the same data would differ
    bins = np.arange(0, longest + 2 * step, step) - 0.5
    last = bins[-2] + 0.5
    figure = Figure(figsize=(WIDTH_INCHES, 0.8 + 1.25 * len(models)), layout="constrained")
    panels = figure.subplots(len(models), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    colours = _colours([model.name for model in models])
    for axes, model, counts in zip(panels, models, lengths, strict=True):
        axes.hist(np.clip(counts, 0, last), bins=bins, color=colours[model.name])
        axes.hist(np.clip(references, 0, last), bins=bins, histtype="step", color=INK, linewidth=1.2)
        axes.set_title(_short(model.name), loc="left", fontsize=9, color=INK, parse_math=False)
        _plain(axes, grid="y")
    panels[-1].set_xlabel(f"words (the last bar: {last:.0f} and more); line: references", fontsize=8, color=INK)
    figure.supylabel("answers", fontsize=8, color=INK)
    _save(figure, path)
    described = "How many answers have how many words, for each model, with the references as an outline"
    return Plot(path, "Lengths of the answers", described)


def _canvas(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    axes = figure.subplots()
    _plain(axes, grid="x")
    return figure, axes


def _plain(axes: Axes, grid: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=INK, length=2)
    axes.grid(axis=grid, color="#d8dbe0", linewidth=0.6)
    axes.set_axisbelow(True)


def _colours(names: Sequence[str]) -> dict[str, str]:
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
