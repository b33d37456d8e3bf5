"""The stage pretrain: a tokenizer and a Llama from scratch, on the corpora that the recipe names.

Leaves `model/` with the weights that did best on held-out documents, the loss curve, and the last checkpoints.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from model_pipeline.data.prepared import read_rows
from model_pipeline.errors import InputInvalid, Interrupted
from model_pipeline.lengths import check_lengths
from model_pipeline.recipe import Pretrain
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage
from model_pipeline.training.callbacks import StopOnSignal
from model_pipeline.training.failures import kept, told_in_a_sentence
from model_pipeline.training.hardware import Hardware, find_hardware, peak_memory_bytes
from model_pipeline.training.loss_curve import write_curve
from model_pipeline.training.packing import Packed
from model_pipeline.training.pretraining import Pretraining
from model_pipeline.training.pretraining_texts import TOKENIZER, packed_texts
from model_pipeline.training.scratch_model import new_model
from model_pipeline.training.tokenizer import load_tokenizer

LESS_MEMORY = "halve pretrain.micro_batch, or set a smaller pretrain.context_tokens (run --again pretrain)."
TEXTS = ".texts"  # tokenizer and token streams: what training goes on with after an interruption


def pretrain(run: Run, report: Report) -> None:
    """Train, or go on with training from the last checkpoint. Raises `PipelineError`."""
    began, settings = datetime.now(UTC), _settings(run)
    folder = run.begin(Stage.PRETRAIN, Stage.PREPARE)
    checkpoints, hardware = folder / "checkpoints", find_hardware()
    with told_in_a_sentence(checkpoints, LESS_MEMORY):
        rows = read_rows(run.of(Stage.PREPARE) / "train.jsonl")
        packed = packed_texts(folder / TEXTS, settings, rows, report.say)
        tokenizer = load_tokenizer(str(folder / TEXTS / TOKENIZER))
        model = new_model(settings, len(tokenizer), tokenizer.eos_token_id)
        training = Pretraining(model, settings, packed, hardware, checkpoints)
        _train(training, hardware, report)
        training.load_best()
        _save(training.model, tokenizer, folder / "model")
    _draw_curve(folder, training, f"{run.recipe.name}: pretrain", report)
    figures = _figures(training, packed, hardware)
    shutil.rmtree(folder / TEXTS)
    report.say(
        f"Held-out loss {figures['validation_loss']:.3f} at step {figures['best_step']} of {training.steps}; "
        f"{figures['parameters']:,} parameters saw {figures['tokens']:,} tokens."
    )
    run.finish(Stage.PRETRAIN, began, figures)


def _settings(run: Run) -> Pretrain:
    settings = run.recipe.pretrain
    if settings is None:
        raise InputInvalid(f"The recipe {run.recipe.name} starts from a base model, so there is nothing to pretrain.")
    check_lengths(run.recipe, settings.context_tokens)
    return settings


def _train(training: Pretraining, hardware: Hardware, report: Report) -> None:
    """To the last step. Raises `Interrupted` where a person stopped it."""
    training.resume()
    if training.state.step:
        report.say(f"Going on from step {training.state.step} of {training.steps}.")
    if hardware.cuda and training.state.step < training.steps:
        torch.set_float32_matmul_precision("high")  # TF32, for what autocast leaves in fp32
        training.compile(report.say)
    with (
        report.progress("pretrain", training.steps, begun_at=training.state.step) as advance,
        StopOnSignal() as stop,
    ):
        training.run(stop, advance, report.say)
    if training.state.step < training.steps:
        where = f"Stopped at step {training.state.step} of {training.steps}."
        raise Interrupted(f"{where} {kept(training.checkpoints)}")


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    model.to("cpu").save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _draw_curve(folder: Path, training: Pretraining, title: str, report: Report) -> None:
    try:
        write_curve(folder, training.state.log, title)
    except ModuleNotFoundError:  # a machine that only trains needs no matplotlib
        report.say("There is loss.csv, and no picture of it, for matplotlib is not installed.")


def _figures(training: Pretraining, packed: list[Packed], hardware: Hardware) -> dict[str, Any]:
    state, counts = training.state, training.order.counts()
    losses = [entry["loss"] for entry in state.log if "loss" in entry]
    return {
        "device": hardware.name,
        "precision": training.precision,
        "compiled": training.compiled,
        "parameters": sum(parameter.numel() for parameter in training.model.parameters()),
        "vocabulary": training.model.config.vocab_size,
        "steps": state.step,
        "tokens": training.tokens,
        "tokens_a_step": training.step_tokens,
        "tokens_per_second": round(training.tokens_per_second, 1),
        "training_seconds": round(state.seconds, 1),
        "peak_memory_bytes": peak_memory_bytes(),
        "first_loss": losses[0],
        "train_loss": losses[-1],
        "validation_loss": state.best["nats_a_token"],
        "validation_bits_per_character": state.best["bits_a_character"],
        "best_step": state.best_step,
        "corpora": [
            {
                "name": each.facts.name,
                "documents": each.facts.documents,
                "held_out_documents": each.facts.held_out,
                "cut_documents": each.facts.cut,
                "train_tokens": len(each.train),
                "drawn_sequences": counts[number],
                "validation_loss": state.best["by_corpus"].get(str(number)),
            }
            for number, each in enumerate(packed)
        ],
    }
