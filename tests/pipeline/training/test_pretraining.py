"""The loop of pretraining: it learns, and what cuts it off changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from model_pipeline.errors import InputInvalid, TrainingFailed
from model_pipeline.training.checkpoints import last_checkpoint, step_of
from model_pipeline.training.pretraining import Pretraining
from model_pipeline.training.scratch_model import new_model, summed_loss
from tests.pipeline.training.small_pretraining import (
    END,
    VOCABULARY,
    Stop,
    packed,
    silent,
    small_pretraining,
    small_settings,
)


def quiet(text: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Pretraining:
    training = small_pretraining(tmp_path_factory.mktemp("whole"))
    training.run(Stop(), silent, quiet)
    return training


def stop_at(step: int) -> tuple[Stop, Callable[..., None]]:
    """Asks for an end during the step behind the one that is shown, which is every tenth."""
    stop = Stop()

    def advance(done: int, how: str = "") -> None:
        stop.stopped = stop.stopped or done == step

    return stop, advance


def equal(one: Any, other: Any) -> bool:
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_the_loss_falls_on_what_is_trained_and_on_what_is_held_out(uninterrupted: Pretraining) -> None:
    losses = [entry["loss"] for entry in uninterrupted.state.log if "loss" in entry]
    held_out = [entry["eval_loss"] for entry in uninterrupted.state.log if "eval_loss" in entry]
    assert losses[-1] < losses[0] - 0.5
    assert len(held_out) == 2 and held_out[-1] < held_out[0] < 4.2  # ln 64 is 4.16
    assert uninterrupted.state.step == uninterrupted.steps == 40
    assert uninterrupted.tokens == 40 * 128
    assert uninterrupted.tokens_per_second > 0


@pytest.mark.parametrize("step", [10, 20])
def test_training_that_is_gone_on_with_gives_the_same_weights(
    uninterrupted: Pretraining, tmp_path: Path, step: int
) -> None:
    stop, advance = stop_at(step)
    small_pretraining(tmp_path).run(stop, advance, quiet)
    found = last_checkpoint(tmp_path)
    assert found and step_of(found) == step + 1
    torch.manual_seed(99)  # another process has other generators
    resumed = small_pretraining(tmp_path)
    resumed.resume()
    assert resumed.state.step == step + 1
    resumed.run(Stop(), silent, quiet)
    assert equal(resumed.model, uninterrupted.model)
    assert resumed.state.best == uninterrupted.state.best


def test_a_checkpoint_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    stop, advance = stop_at(10)
    small_pretraining(tmp_path).run(stop, advance, quiet)
    (tmp_path / ".checkpoint-20.partial").mkdir()
    (tmp_path / "checkpoint-30").mkdir()
    training = small_pretraining(tmp_path)
    training.resume()
    assert training.state.step == 11


def test_the_last_two_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    training = small_pretraining(tmp_path, evaluate_every=5, learning_rate=2e-3)
    training.run(Stop(), silent, quiet)
    kept = {step_of(path) for path in tmp_path.glob("checkpoint-*")}
    assert kept == {35, 40, training.state.best_step}


def test_the_best_weights_are_loaded(uninterrupted: Pretraining) -> None:
    training = small_pretraining(uninterrupted.checkpoints)
    training.resume()
    torch.nn.init.zeros_(training.model.lm_head.weight)
    training.load_best()
    found = training.held_out.measure(training._loss, "cpu")
    assert found.nats_a_token == pytest.approx(uninterrupted.state.best["nats_a_token"], abs=1e-6)


def test_a_loss_that_is_no_number_ends_training_and_names_the_checkpoint(tmp_path: Path) -> None:
    training = small_pretraining(tmp_path, evaluate_every=5)

    def spoil(text: str) -> None:
        training._summed_loss = lambda *given: summed_loss(*given) * float("nan")

    with pytest.raises(TrainingFailed, match=r"at step 10: set a smaller .*last good checkpoint is .*checkpoint-5\.$"):
        training.run(Stop(), silent, spoil)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"


def test_accumulating_gives_the_gradients_of_a_whole_batch(tmp_path: Path) -> None:
    parts, whole = (small_pretraining(tmp_path / str(n), micro_batch=n, tokens=1_024) for n in (1, 2))
    for training in (parts, whole):
        training.run(Stop(), silent, quiet)
    for one, other in zip(parts.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=0)


def test_bf16_learns_too_and_keeps_its_weights_in_fp32(tmp_path: Path) -> None:
    training = small_pretraining(tmp_path, precision="bf16", tokens=8 * 128)
    training.run(Stop(), silent, quiet)
    assert training.state.best["nats_a_token"] < 4.15  # ln 64 is 4.16
    assert {parameter.dtype for parameter in training.model.parameters()} == {torch.float32}


def test_the_loss_is_that_of_transformers() -> None:
    model = new_model(small_settings(), VOCABULARY, END)
    ids = torch.randint(0, VOCABULARY, (2, 33), generator=torch.Generator().manual_seed(0))
    own = summed_loss(model, ids[:, :-1], ids[:, 1:], torch.float32) / ids[:, 1:].numel()
    assert isinstance(model, LlamaForCausalLM)
    torch.testing.assert_close(own, model(ids, labels=ids).loss, atol=1e-5, rtol=0)


def test_where_no_compiler_works_it_trains_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **options: Any) -> Any:
        raise RuntimeError("no compiler\nand more")

    monkeypatch.setattr(torch, "compile", lambda function, **options: broken)
    said: list[str] = []
    training = small_pretraining(tmp_path, tokens=1_024)
    training.compile(said.append)
    training.run(Stop(), silent, quiet)
    assert said == ["The model is not compiled, and so slower: no compiler."]
    assert not training.compiled and training.state.step == 8


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(InputInvalid, match=r"pretrain.heads is 3"):
        new_model(small_settings(heads=3), VOCABULARY, END)


def test_a_text_that_starts_late_is_first_seen_then(uninterrupted: Pretraining) -> None:
    late = packed()[1].train
    drawn = [corpus for corpus, _ in uninterrupted.order.draws(0, 80)]
    assert 1 not in drawn[:40] and drawn[40:].count(1) > drawn[40:].count(0)
    batch = uninterrupted._batch(30)
    assert batch.shape == (2, 65) and int(batch.max()) < VOCABULARY and len(late) > 65
