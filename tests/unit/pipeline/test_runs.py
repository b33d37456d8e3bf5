"""The run folder: what is finished, what is forgotten, and which other recipe it may go on by."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import read_recipe
from model_pipeline.recipe_changes import begin_run
from model_pipeline.runs import Run, Stage, create_run, open_run, sha256


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


def go_on(run: Run, *settings: str, again: Stage | None = None) -> list[str]:
    """What `run` says when it goes on with the run by its recipe with these settings."""
    said: list[str] = []
    begin_run(run.folder, read_recipe("tinyllama-quotes", settings), said.append, again)
    return said


@pytest.fixture
def tuned(finished: Run) -> Run:
    """A run that was stopped behind its longest stage."""
    finished.restart(Stage.MERGE)
    return finished


@pytest.mark.parametrize(
    "setting",
    [
        "evaluate.batch_size=4",
        "evaluate.max_new_tokens=64",
        "quantize.types=['Q8_0']",
        "served.context_tokens=512",
        "served.sampling.quote.temperature=0.5",
        "export.outtype=f32",
        "license=MIT",
        "judge={epochs=2}",
        "publish.gguf=me/quotes",
        "gate.prompts=100",
        "about=Better words.",
    ],
)
def test_what_no_stage_rests_on_yet_may_change(setting: str, tuned: Run) -> None:
    key = setting.partition("=")[0]
    (said,) = go_on(tuned, setting)
    assert said.startswith("The recipe of this run is changed: ") and key in said
    assert open_run(tuned.folder).recipe == read_recipe("tinyllama-quotes", [setting])
    assert [stage for stage in tuned.stages if tuned.is_finished(stage)] == [Stage.PREPARE, Stage.FINE_TUNE]
    assert go_on(tuned, setting) == []


@pytest.mark.parametrize(
    ("setting", "stage"),
    [
        ("fine_tune.learning_rate=0.00001", Stage.FINE_TUNE),
        ("fine_tune.batch_size=1", Stage.FINE_TUNE),
        ("data.seed=3", Stage.PREPARE),
        ("base.revision=other", Stage.PREPARE),
        ("served.quote_prompt.template='{keyword}:'", Stage.PREPARE),
    ],
)
def test_what_a_finished_stage_rests_on_changes_only_when_that_is_done_anew(
    setting: str, stage: Stage, tuned: Run
) -> None:
    before = (tuned.folder / "recipe.json").read_bytes()
    with pytest.raises(InputInvalid) as refused:
        go_on(tuned, setting)
    assert f"was begun with another {setting.partition('=')[0]} (" in str(refused.value)
    assert str(refused.value).endswith(
        f"choose another folder with --out, or have that stage and those behind it done anew with --again {stage}."
    )
    assert (tuned.folder / "recipe.json").read_bytes() == before and tuned.is_finished(Stage.FINE_TUNE)
    (said,) = go_on(tuned, setting, again=stage)
    assert setting.partition("=")[0] in said
    assert open_run(tuned.folder).recipe == read_recipe("tinyllama-quotes", [setting])
    assert not tuned.is_finished(stage) and tuned.is_finished(Stage.PREPARE) == (stage is Stage.FINE_TUNE)


def test_beginning_anew_too_late_for_a_change_forgets_nothing(tuned: Run) -> None:
    with pytest.raises(InputInvalid, match=r"and prepare rests on it; .* with --again prepare\.$"):
        go_on(tuned, "data.seed=3", again=Stage.FINE_TUNE)
    assert tuned.is_finished(Stage.FINE_TUNE)


def test_what_only_decides_about_memory_may_change_of_a_finished_stage(finished: Run) -> None:
    half = ["fine_tune.batch_size=4", "fine_tune.accumulate=4", "evaluate.batch_size=1"]
    former = sha256(finished.folder / "recipe.json")
    (said,) = go_on(finished, *half)
    assert said == (
        "The recipe of this run is changed: evaluate.batch_size (16, now 1), fine_tune.accumulate (2, now 4), "
        "fine_tune.batch_size (8, now 4)."
    )
    assert all(finished.is_finished(stage) for stage in finished.stages)
    # What the model's lineage names by its hash is still there.
    assert sha256(finished.folder / f"recipe-{former[:12]}.json") == former
    with pytest.raises(InputInvalid, match=r"fine-tune rests on it, unless a step takes as many examples as before; "):
        go_on(finished, *half, "fine_tune.accumulate=8")


def test_the_recipe_of_a_model_is_kept_also_where_its_stages_are_done_anew(finished: Run) -> None:
    former = sha256(finished.folder / "recipe.json")
    assert go_on(finished, "fine_tune.learning_rate=0.00001", again=Stage.FINE_TUNE)
    assert sha256(finished.folder / f"recipe-{former[:12]}.json") == former


def test_a_stage_that_failed_before_it_left_anything_holds_nothing_back(tuned: Run) -> None:
    tuned.restart(Stage.FINE_TUNE)
    (tuned.of(Stage.FINE_TUNE) / "checkpoints").mkdir(parents=True)
    assert go_on(tuned, "fine_tune.batch_size=1")
    (tuned.of(Stage.FINE_TUNE) / "checkpoints" / "checkpoint-50").mkdir()
    with pytest.raises(InputInvalid, match="and fine-tune rests on it"):
        go_on(tuned, "fine_tune.batch_size=1", "fine_tune.learning_rate=0.00001")
    assert go_on(tuned, "fine_tune.learning_rate=0.00001", again=Stage.FINE_TUNE)
    assert not tuned.of(Stage.FINE_TUNE).exists()


def test_the_folder_of_another_recipe_is_left_alone(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", read_recipe("tinyllama-quotes"))
    for other in (read_recipe("tinyllama-chat"), run.recipe.model_copy(update={"smoke": True})):
        with pytest.raises(InputInvalid, match=r"begun with another (name|smoke) \(.*\); choose another folder"):
            begin_run(run.folder, other, print)
    assert open_run(run.folder).recipe == run.recipe


def test_a_stage_that_run_does_not_go_through_is_not_begun_anew(finished: Run) -> None:
    with pytest.raises(InputInvalid, match=r"^The recipe tinyllama-quotes has no section \[prefer\]"):
        go_on(finished, again=Stage.PREFER)
    with pytest.raises(InputInvalid, match=r"`run` does not publish"):
        go_on(finished, again=Stage.PUBLISH)
    assert all(finished.is_finished(stage) for stage in finished.stages)


def test_a_stage_that_the_recipe_asks_for_no_more_is_forgotten_as_the_sentence_says(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", read_recipe("tinyllama-quotes", ['prefer={data="x", how="qlora"}']))
    for stage in run.stages:
        run.of(stage).mkdir()
        run.finish(stage, datetime.now(UTC), {})
    with pytest.raises(InputInvalid, match=r" done anew with --again prefer\.$"):
        go_on(run)
    assert go_on(run, again=Stage.PREFER)
    left = open_run(run.folder)
    assert left.recipe == read_recipe("tinyllama-quotes") and not left.of(Stage.PREFER).exists()
    assert [stage for stage in left.stages if left.is_finished(stage)] == [Stage.PREPARE, Stage.FINE_TUNE]


def test_the_recipe_stays_while_another_process_works_by_it(finished: Run) -> None:
    with FileLock(finished.folder / ".lock"), pytest.raises(InputInvalid, match="Another process works on"):
        go_on(finished, "evaluate.batch_size=1")
    assert open_run(finished.folder).recipe == finished.recipe
