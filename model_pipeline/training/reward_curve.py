"""Writes what a method learned step by step, in rewards and accuracies, as CSV and as a picture; trains nothing."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

Log = Sequence[Mapping[str, float]]  # transformers' `TrainerState.log_history`
REWARDS = ("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies")
COLUMNS = ("step", "epoch", "loss", "eval_loss", *REWARDS, *(f"eval_{name}" for name in REWARDS), "kl", "eval_kl")
_PANELS = {
    "reward (nats, times beta)": {"rewards/chosen": "liked", "rewards/rejected": "disliked"},
    "margin": {"rewards/margins": "liked less disliked"},
    "accuracy": {"rewards/accuracies": "liked above disliked"},
}


def write_rewards(folder: Path, log: Log, title: str) -> bool:
    """`rewards.csv` and `rewards.png` in `folder`; nothing, and False, where a method has no rewards, as sft has."""
    rows = [entry for entry in log if any(name in entry or f"eval_{name}" in entry for name in REWARDS)]
    if not rows:
        return False
    with (folder / "rewards.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    _draw(folder / "rewards.png", rows, title)
    return True


def last_rewards(log: Log, best_step: int) -> dict[str, float]:
    """Margin and accuracy of the evaluation at the step whose weights are kept, by name; empty without evaluations."""
    found = [entry for entry in log if "eval_loss" in entry and entry["step"] == best_step]
    last = found[-1] if found else {}
    return {name.removeprefix("rewards/"): last[f"eval_{name}"] for name in REWARDS if f"eval_{name}" in last}


def _draw(path: Path, rows: Log, title: str) -> None:
    import matplotlib  # late: a second that a run without a picture need not wait

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(_PANELS), figsize=(13, 4), layout="constrained")
    for axes, (name, lines) in zip(panels, _PANELS.items(), strict=True):
        for key, label in lines.items():
            for prefix, split, style in (("", "training", "-"), ("eval_", "validation", "o--")):
                points = [(row["step"], row[prefix + key]) for row in rows if prefix + key in row]
                if points:
                    axes.plot(*zip(*points, strict=True), style, label=f"{label}, {split}", markersize=4)
        axes.set_xlabel("optimizer steps")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
