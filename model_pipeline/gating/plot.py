"""Draws every difference with its interval beside the margin that it was held against: one PNG, a row a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model_pipeline.evaluation.figures import Better
from model_pipeline.evaluation.plots import DOTS_PER_INCH, INK
from model_pipeline.gating.verdicts import Judged, Outcome

COLOURS = {
    Outcome.PASSED: "#009e73",
    Outcome.FAILED: "#d55e00",
    Outcome.TOO_FEW: "#e69f00",
    Outcome.REPORTED: "#8a8f98",
}
WIDTH_INCHES, ROW_INCHES = 7.5, 0.55


def draw_intervals(path: Path, figures: Sequence[Judged]) -> bool:
    """Write the plot; False, and no file, where nothing has an interval. Raises `OSError`."""
    drawn = [each for each in figures if each.difference is not None]
    if not drawn:
        return False
    figure = Figure(figsize=(WIDTH_INCHES, ROW_INCHES * len(drawn) + 0.4), layout="constrained")
    for axes, judged in zip(figure.subplots(len(drawn), 1, squeeze=False)[:, 0], drawn, strict=True):
        _draw(axes, judged)
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
    return True


def _draw(axes: Axes, judged: Judged) -> None:
    """Each row has a scale of its own, for the units differ; what is on the wrong side of a margin is shaded."""
    difference = judged.difference
    assert difference is not None
    none = 1.0 if judged.text.is_ratio else 0.0
    edge = _edge(judged)
    shown = [difference.low, difference.high, none, *([] if edge is None else [edge])]
    room = 0.12 * (max(shown) - min(shown) or 1.0)
    left, right = min(shown) - room, max(shown) + room
    axes.set_xlim(left, right)
    axes.axvline(none, color=INK, linewidth=0.8)
    if edge is not None:
        wrong = (left, edge) if judged.text.better is Better.HIGHER else (edge, right)
        axes.axvspan(*wrong, color="#d55e00", alpha=0.12, linewidth=0)
    colour = COLOURS[judged.outcome]
    axes.plot([difference.low, difference.high], [0, 0], color=colour, linewidth=2.5, solid_capstyle="butt")
    axes.plot([difference.estimate], [0], "o", color=colour, markersize=5)
    axes.set_yticks([0], [judged.text.title], parse_math=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=INK, length=2)


def _edge(judged: Judged) -> float | None:
    """Where the interval must stay on the right side of."""
    if judged.margin is None or judged.outcome is Outcome.REPORTED:
        return None
    if judged.decides or judged.text.is_ratio or judged.text.better is not Better.HIGHER:
        return judged.margin
    return -judged.margin
