"""Writes the curve of a training as CSV and as a picture, from the trainer's own log; draws nothing else."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

Log = Sequence[Mapping[str, float]]  # transformers' `TrainerState.log_history`
COLUMNS = ("step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm", "mean_token_accuracy")


def write_curve(folder: Path, log: Log, title: str) -> None:
    """`loss.csv` and `loss.png` in `folder`."""
    rows = [entry for entry in log if "loss" in entry or "eval_loss" in entry]
    with (folder / "loss.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    _draw(folder / "loss.png", rows, title)


def _draw(path: Path, rows: Log, title: str) -> None:
    import matplotlib  # late: a second that a run without a picture need not wait

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for key, label, marker in (("loss", "training", ""), ("eval_loss", "validation", "o")):
        points = [(row["step"], row[key]) for row in rows if key in row]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, marker=marker, markersize=4)
    axes.set_xlabel("optimizer steps")
    axes.set_ylabel("loss (nats a token)")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
