"""The stage fine-tune on a tiny model: what it leaves, and what happens when it is stopped or fails."""

from __future__ import annotations

import csv
import errno
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, Trainer
from trl import SFTTrainer

from model_pipeline.data.prepared import read_rows, write_rows
from model_pipeline.errors import InputInvalid, Interrupted, MaskWrong, TrainingFailed
from model_pipeline.recipe import Method, read_recipe
from model_pipeline.recipe_changes import begin_run
from model_pipeline.runs import Run, Stage
from model_pipeline.stages import fine_tune as stage
from model_pipeline.stages.fine_tune import fine_tune
from model_pipeline.training.base_model import load_base
from model_pipeline.training.failures import told_in_a_sentence
from tests.pipeline.prepared_run import Quiet, StoppedAt, prepared, prepared_run

pytestmark = pytest.mark.training


def weights(run: Run) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = load_file(run.of(Stage.FINE_TUNE) / "adapter" / "adapter_model.safetensors")
    return loaded


def curve(run: Run) -> list[dict[str, str]]:
    with (run.of(Stage.FINE_TUNE) / "loss.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = prepared_run(tmp_path_factory.mktemp("trained") / "run")
    fine_tune(run, Quiet())
    return run


def test_it_leaves_an_adapter_a_curve_and_figures(trained: Run) -> None:
    folder, figures = trained.of(Stage.FINE_TUNE), trained.figures(Stage.FINE_TUNE)
    assert {"adapter", "loss.csv", "loss.png", "trackio"} <= {path.name for path in folder.iterdir()}
    assert figures["steps"] == 12 and figures["mask_runs_compared"] == 2
    assert figures["train_loss"] < figures["first_loss"]
    assert 0 < figures["trained_parameters"] < figures["total_parameters"]
    assert figures["attention"] == "eager"  # what is quickest on processors
    assert figures["tokens_per_second"] > 0 and figures["peak_memory_bytes"] > 0
    assert [row["step"] for row in curve(trained) if row["loss"]] == [str(step) for step in range(1, 13)]


def test_a_source_without_weight_is_not_learned_from(trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained.folder.with_name("base-tinyllama"), tmp_path / "base-tinyllama")
    sources = [{"form": "quotes", "path": "new.jsonl"}, {"form": "quotes", "path": "known.jsonl", "weight": 0}]
    settings = {"method": "lora", "r": 4, "max_steps": 1, "batch_size": 2, "optimizer": "adamw_torch"}
    run = prepared(tmp_path / "weighted", data={"sources": sources}, fine_tune=settings)
    train = run.of(Stage.PREPARE) / "train.jsonl"
    rows = [
        replace(row, origin=f"{'known' if number % 4 else 'new'}.jsonl:{number}")
        for number, row in enumerate(read_rows(train))
    ]
    write_rows(train, rows)
    fine_tune(run, Quiet())
    assert run.figures(Stage.FINE_TUNE)["train_rows"] == len(rows) // 4


def test_a_split_without_a_row_to_learn_from_is_told_in_a_sentence(trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained.folder.with_name("base-tinyllama"), tmp_path / "base-tinyllama")
    sources = [{"form": "quotes", "path": "new.jsonl"}, {"form": "quotes", "path": "known.jsonl", "weight": 0}]
    run = prepared(tmp_path / "weighted", data={"sources": sources})
    validation = run.of(Stage.PREPARE) / "validation.jsonl"
    write_rows(validation, [replace(row, origin="known.jsonl:1") for row in read_rows(validation)])
    with pytest.raises(InputInvalid, match=r"^No row for validation is of a source .+\.$"):
        fine_tune(run, Quiet())


def test_weights_between_those_before_and_after(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short: dict[str, Any] = {"method": "full", "max_steps": 4, "learning_rate": 1e-3}
    whole = prepared_run(tmp_path / "whole", **short)
    fine_tune(whole, Quiet())
    part = prepared_run(tmp_path / "part", **short, interpolation=0.25)
    fine_tune(part, Quiet())
    before = load_file(tmp_path / "base-tinyllama" / "model.safetensors")
    after, found = (load_file(run.of(Stage.FINE_TUNE) / "model" / "model.safetensors") for run in (whole, part))
    assert any(not torch.allclose(before[name].float(), after[name].float(), atol=1e-4) for name in after)
    for name, weight in found.items():
        assert torch.allclose(weight.float(), torch.lerp(before[name].float(), after[name].float(), 0.25), atol=1e-5)
    figures = part.figures(Stage.FINE_TUNE)
    assert figures["mixed_validation_loss"] > figures["best_validation_loss"]
    assert "mixed_validation_loss" not in whole.figures(Stage.FINE_TUNE)
    assert curve(part) == curve(whole)
    assert capsys.readouterr().out == ""  # libraries write to their log


def test_an_adapter_is_not_interpolated() -> None:
    with pytest.raises(InputInvalid, match='interpolation below 1 mixes all weights, and needs method = "full"'):
        read_recipe("tinyllama-quotes", ["fine_tune.interpolation=0.5"])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"targets": ("q_proj", "v_projj")},
            r"^fine_tune\.targets names 'v_projj', and the base model has no such layers for an adapter; it has down_",
        ),
        ({"targets": ("mlp",)}, r"^fine_tune\.targets names 'mlp', and "),
        ({"optimizer": "lomo"}, r"^The section \[fine_tune\] cannot be trained by: [^\n]*lomo[^\n]*\.$"),
    ],
)
def test_what_training_cannot_be_done_by_is_told_in_a_sentence(
    settings: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputInvalid, match=sentence):
        fine_tune(prepared_run(tmp_path / "run", **settings), Quiet())


def test_targets_are_the_ends_of_layers_names_and_a_schedule_of_pretraining_ends_at_a_tenth(tmp_path: Path) -> None:
    run = prepared_run(tmp_path / "run", targets=("self_attn.q_proj",), scheduler="cosine_with_min_lr", max_steps=3)
    fine_tune(run, Quiet())
    assert {name.split(".")[-3] for name in weights(run)} == {"q_proj"}
    rates = [float(row["learning_rate"]) for row in curve(run) if row["loss"]]
    assert rates[-1] > 0.1 * 1e-2


def test_each_run_of_a_process_has_a_log_of_its_own(trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained.folder.with_name("base-tinyllama"), tmp_path / "base-tinyllama")
    run = prepared_run(tmp_path / "second")
    fine_tune(run, Quiet())
    for each in (trained, run):
        (log,) = (each.of(Stage.FINE_TUNE) / "trackio").glob("*.db")
        with closing(sqlite3.connect(log)) as connection:
            named = connection.execute("SELECT DISTINCT run_name FROM metrics").fetchall()
        assert named == [(each.folder.name,)]


@pytest.mark.parametrize("step", [6, 11])  # in the first epoch of ten steps, and in the second
def test_stopped_and_gone_on_with_gives_the_same_weights_and_curve(step: int, trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained.folder.with_name("base-tinyllama"), tmp_path / "base-tinyllama")
    run = prepared_run(tmp_path / "run")
    with pytest.raises(Interrupted, match=rf"Stopped at step {step} of 12\. The last good checkpoint is .*-{step}\."):
        fine_tune(run, StoppedAt(step))
    assert not run.is_finished(Stage.FINE_TUNE)
    report = Quiet()
    fine_tune(run, report)
    assert f"Going on from step {step} of 12." in report.heard.getvalue()
    expected, found = weights(trained), weights(run)
    assert expected.keys() == found.keys() and all(torch.equal(expected[name], found[name]) for name in expected)
    losses = [[row["loss"] for row in curve(each) if row["loss"]] for each in (trained, run)]
    assert losses[0] == losses[1]


def test_smaller_batches_of_a_run_that_goes_on_change_its_memory_and_nothing_else(trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained.folder.with_name("base-tinyllama"), tmp_path / "base-tinyllama")
    run = prepared_run(tmp_path / "run")
    with pytest.raises(Interrupted):
        fine_tune(run, StoppedAt(7))
    assert run.recipe.fine_tune
    smaller = run.recipe.fine_tune.model_copy(update={"batch_size": 1, "accumulate": 2})
    fine_tune(begin_run(run.folder, run.recipe.model_copy(update={"fine_tune": smaller}), print), Quiet())
    whole, part = ([float(row["loss"]) for row in curve(each) if row["loss"]] for each in (trained, run))
    assert part == pytest.approx(whole, rel=1e-3)


def test_stopped_before_a_last_half_epoch_is_not_finished(tmp_path: Path) -> None:
    run = prepared_run(tmp_path / "run", max_steps=0, epochs=1.5, batch_size=3)  # seven steps an epoch
    with pytest.raises(Interrupted, match=r"^Stopped at step 10 of 11\. "):
        fine_tune(run, StoppedAt(10))
    assert not run.is_finished(Stage.FINE_TUNE)


def test_a_loss_that_is_no_number_ends_training_and_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, steps = prepared_run(tmp_path / "run"), iter(range(1, 100))
    compute = Trainer.training_step

    def broken(self: Any, *arguments: Any, **options: Any) -> torch.Tensor:
        loss: torch.Tensor = compute(self, *arguments, **options)
        return loss * float("nan") if next(steps) > 9 else loss

    monkeypatch.setattr(SFTTrainer, "training_step", broken)
    with pytest.raises(TrainingFailed, match=r"no number any more at step 10: .* The last good checkpoint is .*-8\."):
        fine_tune(run, Quiet())


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_gradients_that_overflow_end_training_unless_they_are_scaled(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, steps = prepared_run(tmp_path / "run", precision=precision, max_steps=4), iter(range(1, 100))
    norm = Trainer._get_grad_norm

    def overflowed(self: Any, *given: Any, **options: Any) -> float:
        found: float = norm(self, *given, **options)
        return float("inf") if next(steps) == 2 else found

    monkeypatch.setattr(Trainer, "_get_grad_norm", overflowed)
    if precision == "fp32":
        with pytest.raises(TrainingFailed, match=r"no number any more at step 2: "):
            fine_tune(run, Quiet())
    else:
        fine_tune(run, Quiet())
        assert run.figures(Stage.FINE_TUNE)["steps"] == 4


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "The memory was not enough: set a smaller fine_tune.batch_size"),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full: make room, and run it again."),
    ],
)
def test_what_the_machine_lacks_is_told_in_a_sentence(
    error: Exception, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, steps = prepared_run(tmp_path / "run"), iter(range(1, 100))
    compute = Trainer.training_step

    def broken(self: Any, *arguments: Any, **options: Any) -> torch.Tensor:
        if next(steps) > 5:
            raise error
        loss: torch.Tensor = compute(self, *arguments, **options)
        return loss

    monkeypatch.setattr(SFTTrainer, "training_step", broken)
    with pytest.raises(TrainingFailed) as failed:
        fine_tune(run, Quiet())
    assert str(failed.value).startswith(sentence) and "checkpoint-4" in str(failed.value)


def copied_to_a_full_disk(folder: Path) -> None:
    (folder / "from").mkdir()
    (folder / "from" / "weights").write_text("many")
    shutil.copytree(folder / "from", folder / "to", copy_function=lambda file, _: shutil.copyfile(file, "/dev/full"))


def saved_to_a_full_disk(folder: Path) -> None:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def read_with_too_little_memory(folder: Path) -> None:
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


def mapped_with_too_little_memory(folder: Path) -> None:
    raise SafetensorError("Cannot allocate memory (os error 12)")


def loaded_with_too_little_memory(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as loading:
        loading.setattr(AutoModelForCausalLM, "from_pretrained", lambda *given, **options: torch.empty(2**60))
        load_base(str(folder), "", Method.LORA, torch.float32)


def allocated_by_cuda_itself(folder: Path) -> None:
    raise torch.OutOfMemoryError("Allocation on device ")  # the rest is cut off where the device is number 0


def trained_with_too_little_memory(folder: Path) -> None:
    torch.empty(2**60)


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (copied_to_a_full_disk, "The disk is full: make room, and run it again."),
        (saved_to_a_full_disk, "The disk is full: make room, and run it again."),
        (trained_with_too_little_memory, "The memory was not enough: use less."),
        (allocated_by_cuda_itself, "The memory was not enough: use less."),
        (read_with_too_little_memory, "The memory was not enough: use less."),
        (mapped_with_too_little_memory, "The memory was not enough: use less."),
        (loaded_with_too_little_memory, "The memory was not enough: use less."),
    ],
)
def test_errors_of_every_library_are_told_in_a_sentence_too(
    work: Callable[[Path], None], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingFailed) as failed, told_in_a_sentence(None, "use less."):
        work(tmp_path)
    assert str(failed.value) == sentence


def test_what_is_no_lack_of_the_machine_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(shutil.Error), told_in_a_sentence(None, "use less."):
        raise shutil.Error([("from", "to", "[Errno 13] Permission denied: 'to'")])


def test_a_library_that_cannot_be_imported_is_no_lack_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any, **options: Any) -> None:
        raise ImportError("libgomp.so.1: cannot allocate memory in static TLS block")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", broken)
    with pytest.raises(InputInvalid, match=r"cannot be loaded: libgomp"), told_in_a_sentence(None, "use less."):
        load_base(str(tmp_path), "", Method.LORA, torch.float32)


def test_a_disk_that_fills_while_what_was_trained_is_saved_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared_run(tmp_path / "run", max_steps=1, evaluate_every=1)
    with monkeypatch.context() as full:
        full.setattr(stage, "save_trained", lambda trainer, folder, method: saved_to_a_full_disk(folder))
        with pytest.raises(TrainingFailed, match=r"^The disk is full: .* The last good .*checkpoint-1\.$"):
            fine_tune(run, Quiet())
    fine_tune(run, Quiet())
    assert run.is_finished(Stage.FINE_TUNE)


def test_the_sentence_on_what_the_machine_lacks_removes_no_file(tmp_path: Path) -> None:
    whole, cut_off = tmp_path / "checkpoint-4", tmp_path / "checkpoint-8"
    for folder in (whole, cut_off):
        folder.mkdir()
    (whole / "trainer_state.json").write_text("{}")
    (cut_off / "adapter_model.safetensors").write_text("half")
    with (
        pytest.raises(TrainingFailed, match=r"The last good checkpoint is .*checkpoint-4\.$"),
        told_in_a_sentence(tmp_path, "use less."),
    ):
        raise MemoryError
    assert (cut_off / "adapter_model.safetensors").is_file()


def test_a_loss_on_the_prompt_is_found_on_the_first_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = stage._arguments

    def on_everything(*given: Any) -> Any:
        settings = arguments(*given)
        settings.completion_only_loss = False
        return settings

    monkeypatch.setattr(stage, "_arguments", on_everything)
    with pytest.raises(MaskWrong, match=r"The loss would be taken on .*(Keyword|Tell me)"):
        fine_tune(prepared_run(tmp_path / "run"), Quiet())
