"""python -m benchmarks.hidden_taste_table RESULT.json...: the results of benchmarks.hidden_taste in a table and a plot.

.venv-train/bin/python -m benchmarks.hidden_taste_table benchmarks/hidden_tastes/*/*.json --plot win_rates.png
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.output import writable_file
from model_pipeline.evaluation.plots import DOTS_PER_INCH, INK

HEAD = (
    "taste",
    "who votes",
    "gate",
    "fresh people's votes for the new model",
    "adherence before, after",
    "canary",
    "minutes",
)
COLOUR, WIDTH_INCHES, ROW_INCHES = "#0072b2", 7.0, 0.42


def main() -> None:
    """Print the table; draw the plot if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path, help="what --json of benchmarks.hidden_taste wrote")
    parser.add_argument("--plot", type=writable_file, help="where a PNG of the win rates goes")
    options = parser.parse_args()
    results = [read(path) for path in options.results]
    for cells in (HEAD, ["---"] * len(HEAD), *map(row, results)):
        print(f"| {' | '.join(cells)} |")
    if options.plot:
        draw(options.plot, results)


def read(path: Path) -> dict[str, Any]:
    """A result; ends the process with a sentence where the file holds none."""
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        row(result)
    except OSError as error:
        sys.exit(f"{path} cannot be read: {error.strerror}.")
    except (ValueError, LookupError, TypeError, AttributeError):
        sys.exit(f"{path} holds no result of benchmarks.hidden_taste.")
    return result


def row(result: Mapping[str, Any]) -> Sequence[str]:
    """The cells under `HEAD`."""
    won, low_high = result["win_rate"], result["interval"]
    both = (result["adherence_before"], result["adherence_after"])
    return (
        named(result),
        f"{result['people']:,} people, {result['votes']:,} votes and {result['comparisons']:,} comparisons",
        result["gate"],
        "" if won is None else f"{won:.1%} ({low_high[0]:.1%} to {low_high[1]:.1%}) of {result['fresh_decided']:,}",
        "" if None in both else f"{both[0]:.1%}, {both[1]:.1%}",
        result["canary"]["state"] if "canary" in result else "",
        f"{result['seconds']['all'] / 60:.0f}",
    )


def named(result: Mapping[str, Any]) -> str:
    """The taste, and who does not share it."""
    others = [
        f"{result[key]:.0%} {what}"
        for key, what in (("contrary", "contrary"), ("random_voters", "at random"))
        if result[key]
    ]
    return str(result["taste"]) + (f", {' and '.join(others)}" if others else "")


def draw(path: Path, results: Sequence[Mapping[str, Any]]) -> None:
    """Each taste's win rate with its interval, beside one half."""
    figure = Figure(figsize=(WIDTH_INCHES, 0.9 + ROW_INCHES * len(results)), layout="constrained")
    axes = figure.subplots()
    places = range(len(results) - 1, -1, -1)
    axes.axvline(50, color=INK, linewidth=0.8)
    for place, result in zip(places, results, strict=True):
        if result["win_rate"] is None:
            axes.annotate(f"the gate says: {result['gate']}", (51, place), va="center", fontsize=9, color=INK)
            continue
        low, high = (100 * bound for bound in result["interval"])
        axes.plot([low, high], [place, place], color=COLOUR, linewidth=3, solid_capstyle="butt")
        axes.plot([100 * result["win_rate"]], [place], "o", color=COLOUR, markersize=6)
        axes.annotate(f"{result['win_rate']:.0%}", (high, place), (5, 0), textcoords="offset points", va="center")
    axes.set_yticks(list(places), [named(result) for result in results], parse_math=False)
    axes.set_xlim(40, 100)
    axes.set_ylim(-0.6, len(results) - 0.4)
    axes.set_xlabel("decided comparisons that the new model won, %, with 95% interval", fontsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=INK, length=2)
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})


if __name__ == "__main__":
    main()
