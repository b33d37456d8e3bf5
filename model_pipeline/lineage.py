"""Which exports of the bot a run's model learned from, itself and before it: the bot finds a forgotten person by them.

Knows no weights and no rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Family, Recipe
from model_pipeline.runs import RECIPE_FILE, Run, Stage, open_run

EXPORTS_FILE = "exports.json"  # beside merged weights, for they may be copied to where no run tells of them


def exports_of(run: Run) -> list[str]:
    """The names of the exports: of its rows and its preferences, and of the model that it started from.

    Raises `InputInvalid`.
    """
    stages = (Stage.PREPARE, Stage.DEQUANTIZE, Stage.PREFER)
    prepared, dequantized, preferred = (run.figures(stage) if run.is_finished(stage) else {} for stage in stages)
    rows = [source["export"] for source in prepared.get("sources", []) if source.get("export")]
    before = prepared.get("base_exports")
    if before is None:  # not finished, or by a version that did not ask
        before = exports_of_base(run.recipe)
    return list(dict.fromkeys([*rows, *before, *dequantized.get("exports", []), *preferred.get("exports", [])]))


def exports_of_base(recipe: Recipe) -> list[str]:
    """Those of a base that lies in a folder here, as is said beside its weights, or by the run whose folder it is in.

    None of a served base, for which the stage dequantize answers. Raises `InputInvalid`.
    """
    folder = Path(recipe.base.model)
    if recipe.base.family in (Family.STARTER, Family.SERVED) or not folder.is_dir():
        return []
    if (folder / EXPORTS_FILE).is_file():
        return _read(folder / EXPORTS_FILE)
    run = _run_with(folder.resolve())
    return exports_of(run) if run else []


def write_exports(folder: Path, exports: Sequence[str]) -> None:
    """Beside weights that learned from them."""
    if exports:
        (folder / EXPORTS_FILE).write_text(json.dumps({"exports": list(exports)}) + "\n", encoding="utf-8")


def _read(path: Path) -> list[str]:
    try:
        return [str(name) for name in json.loads(path.read_text(encoding="utf-8"))["exports"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputInvalid(
            f"{path} cannot be read; it names the exports of the bot that the weights beside it learned from."
        ) from error


def _run_with(folder: Path) -> Run | None:
    """The run that a folder is in, if it is in the folder of one of its stages."""
    stages = {stage.value for stage in Stage}
    for place in (folder, *folder.parents):
        if place.name in stages and (place.parent / RECIPE_FILE).is_file():
            return open_run(place.parent)
    return None
