"""The run folder: what is finished, and what is forgotten."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from model_pipeline.recipe import read_recipe
from model_pipeline.runs import Run, Stage, create_run


@pytest.fixture
def finished(tmp_path: Path) -> Run:
    """A run whose stages are all finished."""
    run = create_run(tmp_path / "run", read_recipe("tinyllama-quotes"))
    for stage in run.stages:
        (run.of(stage) / "weights").mkdir(parents=True)
        run.finish(stage, datetime.now(UTC), {})
    return run


def interrupted_at(removals: int) -> Any:
    """`shutil.rmtree`, in which a person presses Ctrl-C when it has removed so many folders."""
    remove, left = shutil.rmtree, iter(range(removals, -1, -1))

    def rmtree(path: Path, **options: Any) -> None:
        if next(left, 0) == 0:
            raise KeyboardInterrupt
        remove(path, **options)

    return rmtree


@pytest.mark.parametrize("removals", range(8))
def test_beginning_again_that_is_cut_off_leaves_no_stage_behind_one_that_is_gone(
    removals: int, finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as pressed:
        pressed.setattr(shutil, "rmtree", interrupted_at(removals))
        with pytest.raises(KeyboardInterrupt):
            finished.restart(Stage.FINE_TUNE)
    left = [finished.is_finished(stage) for stage in finished.stages]
    assert left == sorted(left, reverse=True) and left[0]
    finished.restart(Stage.FINE_TUNE)
    assert [stage for stage in finished.stages if finished.of(stage).exists()] == [Stage.PREPARE]
