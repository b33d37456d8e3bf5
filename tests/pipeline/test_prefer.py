"""The stage prefer on a tiny model: what it learns from votes, pairs and corrections, what it leaves and refuses."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from model_pipeline.data.prepared import read_rows, training_texts, write_rows
from model_pipeline.errors import InputInvalid, Interrupted, TrainingFailed
from model_pipeline.learned_texts import learned_texts
from model_pipeline.recipe import read_recipe
from model_pipeline.runs import Run, Stage, preferred_from
from model_pipeline.stages import prefer as stage
from model_pipeline.stages.fine_tune import fine_tune
from model_pipeline.stages.merge import merge
from model_pipeline.stages.prefer import prefer
from tests.pipeline.curated_folder import dpo_row, kto_row, sft_row, write_curated
from tests.pipeline.preferring_run import (
    EVALUATED,
    STEPS,
    UNSEEN,
    VALIDATED,
    VOTED,
    begun,
    curated,
    harsh,
    kind,
    likelihoods,
    margins,
    one_thread,
    votes,
)
from tests.pipeline.prepared_run import WORDS, Quiet, StoppedAt, prepared
from tests.pipeline.small_base import write_small_base

pytestmark = pytest.mark.training

METHODS = ("sft", "kto", "dpo")


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every run starts from; nobody writes into it."""
    return write_small_base(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A curated folder; nobody writes into it."""
    return curated(tmp_path_factory.mktemp("rows"))


def finished(folder: Path, base: Path, data: Path, *methods: str, **settings: Any) -> Run:
    run = begun(folder, base, data, *methods, **settings)
    prefer(run, Quiet())
    return run


@pytest.fixture(scope="module")
def alone(base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run of each method alone."""
    return {name: finished(tmp_path_factory.mktemp(name), base, rows, name) for name in METHODS}


@pytest.fixture(scope="module")
def in_sequence(base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of votes, then pairs."""
    return finished(tmp_path_factory.mktemp("sequence"), base, rows, "kto", "dpo")


@pytest.fixture(scope="module")
def whole(base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that trains every weight, by votes and then by pairs."""
    rates = {"learning_rate_kto": 1e-3, "learning_rate_dpo": 1e-3}
    return finished(tmp_path_factory.mktemp("whole"), base, rows, "kto", "dpo", how="full", **rates)


def weights(run: Run, place: str = "adapter") -> dict[str, torch.Tensor]:
    """By name; `place` is a folder in that of the stage."""
    file = next((run.of(Stage.PREFER) / place).glob("*.safetensors"))
    loaded: dict[str, torch.Tensor] = load_file(file)
    return loaded


def are_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def figures(run: Run, method: str) -> dict[str, Any]:
    found: dict[str, Any] = run.figures(Stage.PREFER)["methods"][method]
    return found


def rewards(folder: Path) -> list[dict[str, str]]:
    with (folder / "rewards.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("method", METHODS)
def test_each_method_alone_leaves_an_adapter_its_curves_and_its_figures(method: str, alone: dict[str, Run]) -> None:
    run = alone[method]
    files = run.manifest(Stage.PREFER)["files"]
    expected = {"adapter/adapter_model.safetensors", f"1-{method}/loss.csv", f"1-{method}/loss.png"}
    assert expected <= set(files)
    assert (f"1-{method}/rewards.csv" in files, f"1-{method}/rewards.png" in files) == (method != "sft",) * 2
    assert are_equal(weights(run), weights(run, f"1-{method}/adapter"))
    told = figures(run, method)
    assert (told["steps"], told["train_rows"], told["validation_rows"]) == (
        (STEPS, 16, 4) if method == "kto" else (STEPS, 8, 2)
    )
    assert 0 < told["trained_parameters"] < told["total_parameters"]
    assert told["tokens_per_second"] > 0 and told["peak_memory_bytes"] > 0


@pytest.mark.parametrize("method", ["kto", "dpo"])
def test_rewards_margins_and_accuracies_are_logged_at_every_step(method: str, alone: dict[str, Run]) -> None:
    folder = alone[method].of(Stage.PREFER) / f"1-{method}"
    rows, names = rewards(folder), ("chosen", "rejected", "margins", "accuracies")
    trained = [row["step"] for row in rows if all(row[f"rewards/{name}"] for name in names)]
    evaluated = [row["step"] for row in rows if all(row[f"eval_rewards/{name}"] for name in names)]
    assert trained == [str(step) for step in range(1, STEPS + 1)]
    assert evaluated == [str(step) for step in range(EVALUATED, STEPS + 1, EVALUATED)]
    first, last = rows[0], rows[-1]
    assert float(first["rewards/margins"]) == 0  # nothing was learned yet
    assert float(last["eval_rewards/margins"]) > 0 and float(last["eval_rewards/accuracies"]) == 1
    assert (folder / "rewards.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("method", ["kto", "dpo"])
def test_the_rewards_are_those_of_the_adapter_that_is_kept(method: str, alone: dict[str, Run], base: Path) -> None:
    run, beta = alone[method], 0.1
    adapter, told = run.of(Stage.PREFER) / "adapter", figures(run, method)
    gained = {
        text: sum(likelihoods(base, adapter, VALIDATED, text)) - sum(likelihoods(base, None, VALIDATED, text))
        for text in (kind, harsh)
    }
    expected = {"chosen": gained[kind] * beta / 2, "rejected": gained[harsh] * beta / 2}
    assert {name: told["rewards"][name] for name in expected} == pytest.approx(expected, abs=1e-3)
    assert told["rewards"]["margins"] == pytest.approx(expected["chosen"] - expected["rejected"], abs=1e-3)
    for when, place in (("before", None), ("after", adapter)):
        found = margins(base, place, VALIDATED)
        assert told[when]["margin"] == pytest.approx(sum(found) / 2, abs=1e-2)


@pytest.mark.parametrize("method", ["kto", "dpo"])
def test_what_was_liked_becomes_likelier_on_words_that_nobody_voted_on(
    method: str, alone: dict[str, Run], base: Path
) -> None:
    before, after = margins(base, None), margins(base, alone[method].of(Stage.PREFER) / "adapter")
    assert all(new > old + 3 for old, new in zip(before, after, strict=True))


def test_corrections_are_learned_as_they_are(alone: dict[str, Run], base: Path) -> None:
    adapter = alone["sft"].of(Stage.PREFER) / "adapter"
    before, after = (likelihoods(base, place, UNSEEN, kind) for place in (None, adapter))
    assert all(new > old + 3 for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("method", METHODS)
def test_what_was_taught_counts_as_learned_and_what_was_disliked_does_not(method: str, alone: dict[str, Run]) -> None:
    run = alone[method]
    written = training_texts(read_rows(run.of(Stage.PREPARE) / "train.jsonl"))
    learned = learned_texts(run)
    assert set(learned) == {*written, *map(kind, VOTED)}
    assert not set(learned) & set(map(harsh, VOTED))


def test_marked_quotes_are_learned_from(base: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks.jsonl"
    lines = [{"keyword": w, "quotes": [harsh(w), kind(w)], "good": [1], "best": 1, "worst": 0} for w in VOTED]
    marks.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = finished(tmp_path, base, marks, "kto", "dpo")
    before, after = margins(base, None), margins(base, run.of(Stage.PREFER) / "adapter")
    assert all(new > old + 3 for old, new in zip(before, after, strict=True))
    assert run.manifest(Stage.PREFER)["figures"]["exports"] == []  # no bot's members said it


def test_the_opposite_votes_teach_the_opposite(base: Path, tmp_path: Path) -> None:
    data = curated(tmp_path, kto=votes(VOTED, liked=harsh, disliked=kind))
    run = finished(tmp_path, base, data, "kto", max_steps=4)
    before, after = margins(base, None), margins(base, run.of(Stage.PREFER) / "adapter")
    assert all(new < old - 3 for old, new in zip(before, after, strict=True))


def test_each_method_goes_on_from_the_one_before(alone: dict[str, Run], in_sequence: Run, base: Path) -> None:
    folder = in_sequence.of(Stage.PREFER)
    assert are_equal(weights(alone["kto"]), weights(in_sequence, "1-kto/adapter"))
    assert are_equal(weights(in_sequence), weights(in_sequence, "2-dpo/adapter"))
    kto, dpo = (figures(in_sequence, method) for method in ("kto", "dpo"))
    assert dpo["before"]["margin"] == pytest.approx(kto["after"]["margin"], abs=1e-3)
    assert dpo["after"]["margin"] > dpo["before"]["margin"]
    assert float(rewards(folder / "2-dpo")[0]["rewards/margins"]) == pytest.approx(0, abs=1e-4)  # against what kto left
    assert in_sequence.figures(Stage.PREFER)["steps"] == 2 * STEPS
    before, after = (margins(base, folder / place) for place in ("1-kto/adapter", "adapter"))
    assert all(new > old for old, new in zip(before, after, strict=True))


def test_stopped_in_each_method_and_gone_on_with_gives_the_same_adapter_and_curves(
    in_sequence: Run, base: Path, rows: Path, tmp_path: Path
) -> None:
    run = begun(tmp_path, base, rows, "kto", "dpo")
    report = StoppedAt(5)  # in the middle of an epoch of both
    for method in ("kto", "dpo"):
        with pytest.raises(
            Interrupted, match=rf"^Stopped at step 5 of 8 of {method}\. The last good .*checkpoint-5\.$"
        ):
            prefer(run, report)
        assert not run.is_finished(Stage.PREFER) and not (run.of(Stage.PREFER) / "adapter").exists()
    prefer(run, report)
    assert "kto: going on from step 5 of 8." in report.heard.getvalue()
    assert "dpo: going on from step 5 of 8." in report.heard.getvalue()
    for place in ("1-kto/adapter", "2-dpo/adapter", "adapter"):
        assert are_equal(weights(in_sequence, place), weights(run, place))
    for place in ("1-kto", "2-dpo"):
        assert rewards(in_sequence.of(Stage.PREFER) / place) == rewards(run.of(Stage.PREFER) / place)


def test_corrections_too_are_gone_on_with(alone: dict[str, Run], base: Path, rows: Path, tmp_path: Path) -> None:
    run = begun(tmp_path, base, rows, "sft")
    with pytest.raises(Interrupted):
        prefer(run, StoppedAt(3))
    prefer(run, Quiet())
    assert are_equal(weights(alone["sft"]), weights(run))


def test_rows_that_were_curated_anew_are_refused_in_a_run_that_was_begun(base: Path, tmp_path: Path) -> None:
    run = begun(tmp_path, base, curated(tmp_path), "kto", max_steps=2)
    with pytest.raises(Interrupted):
        prefer(run, StoppedAt(1))
    data = curated(tmp_path, kto=votes(VOTED[:6]))
    with pytest.raises(InputInvalid) as refused:
        prefer(run, Quiet())
    assert str(refused.value) == (
        f"{data} holds other rows than {run.of(Stage.PREFER)} was begun with; begin again with quotesmith-pipeline "
        f"prefer {run.folder} --again."
    )
    run.restart(Stage.PREFER)
    prefer(run, Quiet())
    assert figures(run, "kto")["train_rows"] == 12


def test_rows_that_were_changed_by_hand_are_refused(base: Path, tmp_path: Path) -> None:
    data = curated(tmp_path)
    with (data / "kto" / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(kto_row(99, "sea", "Added.", True)) + "\n")
    with pytest.raises(
        InputInvalid, match=r"^\S+kto/train\.jsonl is not the file that manifest\.json names; [^\n]*\.$"
    ):
        prefer(begun(tmp_path, base, data, "kto"), Quiet())


def test_a_file_of_marks_that_is_not_there_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match=r"^There is no file or folder .*no-marks\.jsonl\.$"):
        finished(tmp_path, base, tmp_path / "no-marks.jsonl", "kto")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"targets": ("q_projj",)}, r"^prefer\.targets names 'q_projj', and the base model has no such layers "),
        ({"optimizer": "lomo"}, r"^The section \[prefer\] cannot be trained by: [^\n]*\.$"),
    ],
)
def test_what_a_method_cannot_be_learned_by_is_told_in_a_sentence(
    settings: dict[str, Any], sentence: str, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputInvalid, match=sentence):
        prefer(begun(tmp_path, base, curated(tmp_path), "kto", **settings), Quiet())


def test_rows_may_not_be_longer_than_the_model_is_made_for(base: Path, rows: Path, tmp_path: Path) -> None:
    run = begun(tmp_path, base, rows, "kto", max_tokens=100_000)
    with pytest.raises(InputInvalid, match=r"^prefer\.max_tokens is 100000, and the model is made for \d+; "):
        prefer(run, Quiet())
    assert not any(run.of(Stage.PREFER).iterdir())


def test_what_is_no_curated_folder_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match=r"^\S+ is no curated folder: [^\n]* curate EXPORT --out \S+ makes one\.$"):
        prefer(begun(tmp_path, base, tmp_path / "nowhere", "kto"), Quiet())


def test_too_few_rows_are_told_and_more_of_them_are_taken_without_beginning_again(base: Path, tmp_path: Path) -> None:
    data = curated(tmp_path, kto=votes(VOTED, disliked=kind)[:8], dpo=[], sft=[])
    run = begun(tmp_path, base, data, *METHODS, max_steps=1)
    with pytest.raises(InputInvalid) as refused:
        prefer(run, Quiet())
    assert str(refused.value) == (
        f"{data} has too few rows to learn from: sft has 0 training rows, and prefer.least_rows asks for 2; kto has 8 "
        "training rows of one label only, and it needs liked and disliked ones; dpo has 0 training rows, and "
        "prefer.least_rows asks for 2."
    )
    curated(tmp_path, dpo=[], sft=[])
    report = Quiet()
    prefer(run, report)
    assert "Left out: dpo has 0 training rows, and prefer.least_rows asks for 2." in report.heard.getvalue()
    assert list(run.figures(Stage.PREFER)["methods"]) == ["kto"]


def test_a_single_pair_and_an_odd_number_of_corrections_are_all_learned_from(base: Path, tmp_path: Path) -> None:
    corrections = [sft_row(number, word, kind(word)) for number, word in enumerate(WORDS[:5])]
    data = write_curated(tmp_path, sft=corrections, dpo=[dpo_row(1, "sea", kind("sea"), harsh("sea"))])
    run = finished(tmp_path, base, data, "sft", "dpo", least_rows=1, max_steps=2)
    assert [figures(run, method)["train_rows"] for method in ("sft", "dpo")] == [5, 1]


@pytest.mark.parametrize(
    ("others", "settings"),
    [({"sources": ["reaction"]}, {"sources": ("button", "retry")}), ({"weight": 1e-9}, {})],
    ids=["of another source", "of hardly any weight"],
)
def test_rows_that_do_not_count_change_nothing(
    others: dict[str, Any], settings: dict[str, Any], alone: dict[str, Run], base: Path, tmp_path: Path
) -> None:
    contrary = votes(VOTED, liked=harsh, disliked=kind, begin=400, **others)
    run = finished(tmp_path, base, curated(tmp_path, kto=[*votes(VOTED), *contrary]), "kto", **settings)
    assert figures(run, "kto")["train_rows"] == 16
    assert are_equal(weights(alone["kto"]), weights(run))


def test_the_rarer_label_weighs_more_unless_the_recipe_says_how_much(base: Path, tmp_path: Path) -> None:
    data = curated(tmp_path, kto=votes(VOTED)[:10])  # eight liked ones and two others
    balanced = finished(tmp_path / "balanced", base, data, "kto", max_steps=2)
    said = finished(tmp_path / "said", base, data, "kto", max_steps=2, desirable_weight=3.0, undesirable_weight=0.5)
    assert figures(balanced, "kto")["weights"] == {"desirable_weight": 1.0, "undesirable_weight": 4.0}
    assert figures(said, "kto")["weights"] == {"desirable_weight": 3.0, "undesirable_weight": 0.5}
    assert not are_equal(weights(balanced), weights(said))


def test_written_rows_are_rehearsed_as_liked_ones(base: Path, rows: Path, tmp_path: Path) -> None:
    run = finished(tmp_path, base, rows, "kto", rehearsal=0.25, max_steps=1)
    assert (figures(run, "kto")["train_rows"], figures(run, "kto")["liked_rows"]) == (20, 12)


def test_when_sft_ends_is_decided_by_rehearsed_rows_too(base: Path, rows: Path, tmp_path: Path) -> None:
    alone = figures(finished(tmp_path / "alone", base, rows, "sft", max_steps=1), "sft")["validation_rows"]
    with_written = finished(tmp_path / "with", base, rows, "sft", rehearsal=1.0, max_steps=1)
    held_out = len(read_rows(with_written.of(Stage.PREPARE) / "validation.jsonl"))
    assert figures(with_written, "sft")["validation_rows"] == alone + min(alone, held_out) > alone


@pytest.mark.parametrize(("weight", "learned"), [(0.0, 16), (1.0, 20)])
def test_what_has_no_weight_is_not_rehearsed(
    weight: float, learned: int, base: Path, rows: Path, tmp_path: Path
) -> None:
    run = begun(tmp_path, base, rows, "kto", rehearsal=0.25, max_steps=1)
    written = run.of(Stage.PREPARE) / "train.jsonl"
    write_rows(written, [replace(row, origin="written.jsonl:1") for row in read_rows(written)])
    source = run.recipe.data.sources[0].model_copy(update={"hub": "", "path": "written.jsonl", "weight": weight})
    data = run.recipe.data.model_copy(update={"sources": (source,)})
    prefer(replace(run, recipe=run.recipe.model_copy(update={"data": data})), Quiet())
    assert figures(run, "kto")["train_rows"] == learned


def test_a_loss_that_is_no_number_is_told(base: Path, rows: Path, tmp_path: Path) -> None:
    run = begun(tmp_path, base, rows, "kto", learning_rate_kto=1e30)
    with pytest.raises(
        TrainingFailed, match=r"^The loss of kto is no number any more at step \d: set a smaller prefer"
    ):
        prefer(run, Quiet())
    assert not run.is_finished(Stage.PREFER)


def test_training_all_weights_leaves_a_model(whole: Run, base: Path) -> None:
    folder, told = whole.of(Stage.PREFER), whole.figures(Stage.PREFER)
    assert "model/model.safetensors" in whole.manifest(Stage.PREFER)["files"] and not (folder / "adapter").exists()
    assert told["method"] == "full" and told["trained_parameters"] == told["total_parameters"]
    assert figures(whole, "dpo")["before"]["margin"] == pytest.approx(
        figures(whole, "kto")["after"]["margin"], abs=1e-3
    )
    assert are_equal(weights(whole, "model"), weights(whole, "2-dpo/model"))
    assert all(new > old + 3 for old, new in zip(margins(base, None), margins(folder / "model", None), strict=True))


def test_weights_between_those_before_and_after(base: Path, rows: Path, tmp_path: Path) -> None:
    short: dict[str, Any] = {"how": "full", "learning_rate_dpo": 1e-3, "max_steps": 4}
    whole = finished(tmp_path / "whole", base, rows, "dpo", **short)
    part = finished(tmp_path / "part", base, rows, "dpo", interpolation=0.25, **short)
    before, after = load_file(base / "model.safetensors"), weights(whole, "model")
    between = {name: torch.lerp(before[name].float(), after[name], 0.25) for name in after}
    assert not are_equal(between, after)
    assert all(torch.allclose(found, between[name], atol=1e-6) for name, found in weights(part, "model").items())
    told = figures(part, "dpo")
    assert told["before"]["margin"] < told["after"]["margin"] < figures(whole, "dpo")["after"]["margin"]
    assert told["mixed_validation_loss"] > told["best_validation_loss"]
    assert part.figures(Stage.PREFER)["mixed_validation_loss"] == told["mixed_validation_loss"]
    assert told["rewards"] != figures(whole, "dpo")["rewards"] and "mixed_validation_loss" not in figures(whole, "dpo")


def test_weights_between_those_of_the_base_and_those_after_both_trainings(
    base: Path, rows: Path, tmp_path: Path
) -> None:
    tuning = TUNING | {"method": "full", "optimizer": "adamw_torch", "patience": 0}
    short: dict[str, Any] = {"how": "full", "learning_rate_dpo": 1e-3, "max_steps": 4, "fine_tune": tuning}
    ends = []
    for name, share in (("whole", 1.0), ("part", 0.25)):
        place = tmp_path / name
        run = begun(place, base, rows, "dpo", interpolation=share, interpolation_from="base", **short)
        fine_tune(run, Quiet())
        prefer(run, Quiet())
        ends.append(weights(run, "model"))
    before = load_file(base / "model.safetensors")
    for name, found in ends[1].items():
        assert torch.allclose(found, torch.lerp(before[name].float(), ends[0][name], 0.25), atol=1e-6)


def test_a_mix_with_the_base_is_of_one_method() -> None:
    changes = ["prefer.data=curated", "prefer.how=full", "prefer.interpolation_from=base"]
    with pytest.raises(InputInvalid, match='interpolation_from = "base" needs a single method'):
        read_recipe("starter-votes", changes)


def test_calibration_scales_one_weight_of_what_was_learned_and_makes_written_rows_likelier(
    base: Path, rows: Path, tmp_path: Path
) -> None:
    run = finished(tmp_path, base, rows, "sft", how="full", learning_rate_sft=1e-2, calibrate=True)
    told = run.figures(Stage.PREFER)
    assert told["calibration_temperature"] != 1
    assert told["calibration_nats_after"] < told["calibration_nats_before"]
    learned, kept = weights(run, "1-sft/model"), weights(run, "model")
    (scaled,) = (name for name in kept if not torch.equal(kept[name], learned[name]))
    assert torch.allclose(kept[scaled] * told["calibration_temperature"], learned[scaled], rtol=1e-5)


def test_what_the_machine_lacks_after_the_methods_is_told_and_they_are_not_learned_again(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(tmp_path, base, rows, "sft", how="full", calibrate=True, max_steps=1)

    def full(file: str, *given: Any, **options: Any) -> str:
        raise shutil.Error([(file, "model", "[Errno 28] No space left on device")])

    def broken(*given: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    for owner, name, lack, sentence in (
        (stage, "scaling_weights", broken, "The memory was not enough: end other programs, or do it on a machine with"),
        (shutil, "copytree", full, "The disk is full: make room, and run it again."),
        (stage, "calibrate", broken, "The memory was not enough: end other programs, or do it on a machine with"),
    ):
        with monkeypatch.context() as lacking:
            lacking.setattr(owner, name, lack)
            with pytest.raises(TrainingFailed) as failed:
                prefer(run, Quiet())
        assert str(failed.value).startswith(sentence) and not run.is_finished(Stage.PREFER)
    report = Quiet()
    prefer(run, report)
    assert run.is_finished(Stage.PREFER) and "sft: 8 rows" not in report.heard.getvalue()


def test_without_a_written_row_nothing_is_begun_that_could_not_be_calibrated(
    base: Path, rows: Path, tmp_path: Path
) -> None:
    run = begun(tmp_path, base, rows, "sft", how="full", calibrate=True)
    write_rows(run.of(Stage.PREPARE) / "validation.jsonl", [])
    with pytest.raises(InputInvalid, match=r"prefer\.calibrate needs written rows that are held out"):
        prefer(run, Quiet())
    assert not (run.of(Stage.PREFER) / "1-sft").exists()


def test_only_rows_of_the_sources_that_are_named_calibrate(base: Path, rows: Path, tmp_path: Path) -> None:
    told = []
    for add in (0, 20):
        calibrated: dict[str, Any] = {"learning_rate_sft": 1e-2, "calibrate": True, "calibrate_by": ["some/quotes"]}
        run = begun(tmp_path / str(add), base, rows, "sft", how="full", **calibrated)
        place = run.of(Stage.PREPARE) / "validation.jsonl"
        held_out = [replace(row, origin="some/quotes:1") for row in read_rows(place)]
        write_rows(place, held_out + [replace(held_out[0], origin="other.jsonl:1", completion=" no no no.")] * add)
        prefer(run, Quiet())
        told.append(run.figures(Stage.PREFER))
    assert told[0]["calibration_temperature"] == told[1]["calibration_temperature"] != 1


def test_a_source_that_there_is_not_calibrates_nothing() -> None:
    with pytest.raises(InputInvalid, match=r"calibrate_by names 'quoted\.jsonl'; the sources are quotes\.jsonl, \S+"):
        read_recipe("starter-mended", ['prefer.calibrate_by=["quoted.jsonl"]'])


def test_sources_to_calibrate_by_need_calibration() -> None:
    with pytest.raises(InputInvalid, match="calibrate_by needs calibrate = true"):
        read_recipe("starter-votes", ["prefer.data=curated", 'prefer.calibrate_by=["quotes.jsonl"]'])


def test_an_adapter_is_not_calibrated() -> None:
    with pytest.raises(InputInvalid, match='calibrate = true scales weights of the model, and needs how = "full"'):
        read_recipe("starter-votes", ["prefer.data=curated", "prefer.calibrate=true"])


def test_an_adapter_is_not_interpolated() -> None:
    with pytest.raises(InputInvalid, match='interpolation below 1 mixes all weights, and needs how = "full"'):
        read_recipe("starter-votes", ["prefer.data=curated", "prefer.interpolation=0.5"])


TUNING = {"r": 4, "max_steps": 4, "evaluate_every": 4, "batch_size": 2, "warmup": 1, "learning_rate": 3e-3}


@pytest.mark.parametrize("method", ["lora", "full"])
def test_it_goes_on_from_what_fine_tuning_left_and_is_merged(
    method: str, base: Path, rows: Path, tmp_path: Path
) -> None:
    tuning = TUNING | {"method": method, "optimizer": "adamw_torch", "patience": 0}
    run = begun(tmp_path, base, rows, "kto", fine_tune=tuning, how="lora")
    with pytest.raises(InputInvalid, match="has not been through fine-tune"):
        prefer(run, Quiet())
    fine_tune(run, Quiet())
    prefer(run, Quiet())
    merge(run, Quiet())
    tuned = None if method == "full" else run.of(Stage.FINE_TUNE) / "adapter"
    on, told = preferred_from(run), figures(run, "kto")
    assert told["before"]["margin"] == pytest.approx(sum(margins(on, tuned, VALIDATED)) / 2, abs=1e-2)
    preferred = margins(on, run.of(Stage.PREFER) / "adapter")
    assert all(new > old for old, new in zip(margins(on, tuned), preferred, strict=True))
    assert margins(run.of(Stage.MERGE) / "model", None) == pytest.approx(preferred, abs=0.1)  # stored in 16 bits
    assert run.figures(Stage.MERGE)["relative_error"] < 0.005


def test_it_starts_from_a_merged_model(in_sequence: Run, rows: Path, tmp_path: Path) -> None:
    merge(in_sequence, Quiet())
    model = in_sequence.of(Stage.MERGE) / "model"
    again = finished(tmp_path, model, rows, "kto", max_steps=4)
    before, after = margins(model, None), margins(model, again.of(Stage.PREFER) / "adapter")
    assert all(new > old for old, new in zip(before, after, strict=True))


def test_without_its_section_there_is_nothing_to_learn(tmp_path: Path, base: Path) -> None:
    run = prepared(tmp_path / "run", base={"family": "tinyllama", "model": str(base)})
    with pytest.raises(
        InputInvalid, match=r"^The recipe tiny-quotes has no section \[prefer\]: no preference is learned\.$"
    ):
        prefer(run, Quiet())
