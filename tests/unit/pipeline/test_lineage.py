"""Which exports of the bot a run's model learned from, itself and before it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.lineage import exports_of, exports_of_base, write_exports
from model_pipeline.recipe import read_recipe
from model_pipeline.runs import Run, Stage, create_run


def run_on(base: str, folder: Path, *rows: str, preferences: str = "") -> Run:
    """A run on a base, prepared as the stages do it: its rows are of some exports, and maybe its preferences."""
    recipe = read_recipe("tinyllama-quotes", ['prefer={data="x", how="qlora"}'] if preferences else [])
    run = create_run(folder, recipe.model_copy(update={"base": recipe.base.model_copy(update={"model": base})}))
    figures: dict[Stage, dict[str, Any]] = {
        Stage.PREPARE: {"sources": [{"export": name} for name in rows], "base_exports": exports_of_base(run.recipe)},
        Stage.PREFER: {"exports": [preferences]},
    }
    for stage in (Stage.PREPARE, *([Stage.PREFER] if preferences else [])):
        run.of(stage).mkdir()
        run.finish(stage, datetime.now(UTC), figures[stage])
    (run.of(Stage.MERGE) / "model").mkdir(parents=True)
    write_exports(run.of(Stage.MERGE) / "model", exports_of(run))
    return run


def merged(run: Run) -> str:
    return str(run.of(Stage.MERGE) / "model")


def test_what_the_base_learned_from_is_known_over_several_runs(tmp_path: Path) -> None:
    first = run_on("some/base-1B", tmp_path / "first", "one", "")
    second = run_on(merged(first), tmp_path / "second", preferences="two")
    third = run_on(merged(second), tmp_path / "third", "three", "one")
    assert exports_of(first) == ["one"]
    assert exports_of(second) == ["one", "two"]
    assert exports_of(third) == ["three", "one", "two"]


def test_a_copy_of_merged_weights_still_says_what_they_learned_from(tmp_path: Path) -> None:
    first = run_on("some/base-1B", tmp_path / "first", "one")
    shutil.copytree(merged(first), tmp_path / "elsewhere" / "model")
    shutil.rmtree(first.folder)
    assert exports_of(run_on(str(tmp_path / "elsewhere" / "model"), tmp_path / "second")) == ["one"]


def test_what_a_run_learned_from_stays_known_when_its_base_is_gone(tmp_path: Path) -> None:
    first = run_on("some/base-1B", tmp_path / "first", "one")
    second = run_on(merged(first), tmp_path / "second")
    shutil.rmtree(first.folder)
    assert exports_of(second) == ["one"]


def test_weights_of_another_stage_are_known_by_their_run(tmp_path: Path) -> None:
    first = run_on("some/base-1B", tmp_path / "first", "one")
    (first.of(Stage.FINE_TUNE) / "model").mkdir(parents=True)
    assert exports_of(run_on(str(first.of(Stage.FINE_TUNE) / "model"), tmp_path / "second")) == ["one"]


def test_a_base_of_nobody_has_no_exports(tmp_path: Path) -> None:
    (tmp_path / "merge" / "model").mkdir(parents=True)  # as if of a run, and of none
    assert exports_of(run_on(str(tmp_path / "merge" / "model"), tmp_path / "run")) == []
    assert exports_of(run_on("some/base-1B", tmp_path / "other")) == []
    assert not (tmp_path / "other" / "merge" / "model" / "exports.json").exists()


def test_a_broken_list_is_refused_and_not_taken_for_none(tmp_path: Path) -> None:
    first = run_on("some/base-1B", tmp_path / "first", "one")
    (first.of(Stage.MERGE) / "model" / "exports.json").write_text("{")
    with pytest.raises(InputInvalid, match=r"exports\.json cannot be read; it names the exports of the bot"):
        run_on(merged(first), tmp_path / "second")
