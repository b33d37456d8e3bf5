"""The stage fine-tune: supervised fine-tuning on the prepared rows, with the loss on the replies only.

Leaves `adapter/` (`model/` for the method full), the loss curve as CSV and PNG, a trackio log, the best checkpoint.
"""

from __future__ import annotations

import math
import os
import sys
from contextlib import ExitStack, redirect_stdout
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import EarlyStoppingCallback, PrinterCallback, set_seed
from trl import SFTConfig

from model_pipeline.data.prepared import read_rows
from model_pipeline.data.rows import Row
from model_pipeline.data.weights import weighted
from model_pipeline.errors import InputInvalid, Interrupted, TrainingFailed
from model_pipeline.processes import is_main_process
from model_pipeline.recipe import FineTune, Method, Precision
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage, base_folder, why_not
from model_pipeline.training import varlen_attention
from model_pipeline.training.adapters import lora_config, save_trained, train_in_fp32
from model_pipeline.training.base_model import load_base, parameter_counts
from model_pipeline.training.callbacks import LossGuard, Progress, StopOnSignal
from model_pipeline.training.checkpoints import last_checkpoint, step_of
from model_pipeline.training.failures import kept, told_in_a_sentence
from model_pipeline.training.hardware import PADDED_ONLY, Hardware, dtype_of, find_hardware, peak_memory_bytes
from model_pipeline.training.interpolation import interpolate, loss_after_training
from model_pipeline.training.length_grouped import LengthGroupedTrainer
from model_pipeline.training.loss_curve import write_curve
from model_pipeline.training.mask import check_mask
from model_pipeline.training.optimizer import check_optimizer, schedule_options, told_of_settings
from model_pipeline.training.quiet_libraries import keep_libraries_quiet, warnings_in
from model_pipeline.training.rendering import prompt_text, reply_text
from model_pipeline.training.tokenizer import load_tokenizer

LESS_MEMORY = (
    "set a smaller fine_tune.batch_size and a fine_tune.accumulate that is as many times larger, or a smaller "
    "data.max_tokens (run --again prepare)."
)


def fine_tune(run: Run, report: Report) -> None:
    """Train, or go on with training from the last checkpoint. Raises `PipelineError`."""
    began = datetime.now(UTC)
    needs = [Stage.PREPARE, *([Stage.PRETRAIN] if run.recipe.pretrain else [])]
    folder, settings = run.begin(Stage.FINE_TUNE, *needs), _settings(run)
    checkpoints, hardware = folder / "checkpoints", find_hardware()
    with told_in_a_sentence(checkpoints, LESS_MEMORY), ExitStack() as stack:
        log = stack.enter_context((folder / "libraries.log").open("a", encoding="utf-8"))
        stack.enter_context(redirect_stdout(log))  # trackio and the trainer print there
        stack.enter_context(warnings_in(log))
        trainer, rows = _trainer(run, folder, hardware)
        compared = _check_first_batch(trainer, rows)
        total = _planned_steps(trainer, settings)
        resumed = last_checkpoint(checkpoints)
        if resumed:
            report.say(f"Going on from step {step_of(resumed)} of {total}.")
        advance = stack.enter_context(report.progress("fine-tune", total, begun_at=step_of(resumed) if resumed else 0))
        progress, guard = Progress(advance), LossGuard()
        stop = stack.enter_context(StopOnSignal())
        for callback in (progress, guard, stop):
            trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
        if guard.failed_at:
            raise TrainingFailed(
                f"The loss is no number any more at step {guard.failed_at}: set a smaller fine_tune.learning_rate, "
                f"or another fine_tune.precision (run --again fine-tune). {kept(checkpoints)}"
            )
        if stop.stopped and trainer.state.global_step < total:
            raise Interrupted(f"Stopped at step {trainer.state.global_step} of {total}. {kept(checkpoints)}")
        figures = _figures(trainer, settings, hardware, progress) | {"mask_runs_compared": compared}
        curve = list(trainer.state.log_history)  # without the evaluation of mixed weights
        if settings.interpolation < 1:
            figures["mixed_validation_loss"] = _mix_with_base(run, trainer)  # on every process, each with its rows
    if not is_main_process():
        return
    report.say(
        f"Validation loss {figures['best_validation_loss']:.3f} at step {figures['best_step']} of {total}; "
        f"{figures['trained_parameters']:,} of {figures['total_parameters']:,} parameters trained."
    )
    if settings.interpolation < 1:
        report.say(
            f"With {settings.interpolation:.0%} of what that changed in the weights, the validation loss is "
            f"{figures['mixed_validation_loss']:.3f}."
        )
    with told_in_a_sentence(checkpoints, LESS_MEMORY):
        write_curve(folder, curve, f"{run.recipe.name}: fine-tune")
        save_trained(trainer, folder, settings.method)
    run.finish(Stage.FINE_TUNE, began, figures)


def _mix_with_base(run: Run, trainer: Any) -> float:
    """Move the weights towards those before training, and say what the validation loss is there."""
    trained = trainer.accelerator.unwrap_model(trainer.model)
    former = load_base(base_folder(run), run.recipe.base.revision, Method.FULL, trained.dtype)
    interpolate(trained, former, _settings(run).interpolation)
    return loss_after_training(trainer)


def _settings(run: Run) -> FineTune:
    if run.recipe.fine_tune is None:
        raise InputInvalid(why_not(Stage.FINE_TUNE, run.recipe))
    return run.recipe.fine_tune


def _trainer(run: Run, folder: Path, hardware: Hardware) -> tuple[Any, list[Row]]:
    """The trainer, with model and rows in it, and the rows of both splits."""
    recipe, settings = run.recipe, _settings(run)
    keep_libraries_quiet()
    set_seed(settings.seed)
    precision = hardware.precision(settings.precision)
    attention = hardware.attention(precision, flash=settings.flash_attention)
    if attention == varlen_attention.NAME:
        varlen_attention.register()
    source = base_folder(run)
    tokenizer = load_tokenizer(source, recipe.base.revision)
    model = load_base(source, recipe.base.revision, settings.method, dtype_of(precision), attention, train=True)
    model.config.use_cache = False
    with told_of_settings("fine_tune"):
        arguments = _arguments(run, folder, hardware, precision, attention)
        check_optimizer(arguments, model)
    train, validation = _learned(run, "train"), _learned(run, "validation")
    trainer = LengthGroupedTrainer(
        model=model,
        args=arguments,
        train_dataset=_dataset(train, tokenizer),
        eval_dataset=_dataset(validation, tokenizer),
        processing_class=tokenizer,
        peft_config=None if settings.method is Method.FULL else lora_config(settings, model),
        callbacks=[EarlyStoppingCallback(settings.patience)] if settings.patience else [],
    )
    trainer.remove_callback(PrinterCallback)
    train_in_fp32(trainer.model)
    return trainer, [*train, *validation]


def _learned(run: Run, split: str) -> list[Row]:
    """The rows of a split, by the weights of their sources. Raises `InputInvalid` where none has a weight."""
    rows = weighted(read_rows(run.of(Stage.PREPARE) / f"{split}.jsonl"), run.recipe.data)
    if not rows:
        raise InputInvalid(f"No row for {split} is of a source whose weight in data.sources is above 0.")
    return rows


def _log_metrics_to(folder: Path) -> None:
    """Makes trackio write to `folder` from now on.

    It takes its folder from the environment once, when it is imported; a process that trains two runs, as a notebook
    does, would log the second beside the first.
    """
    os.environ["TRACKIO_DIR"] = str(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "trackio"]:
        del sys.modules[name]


def _arguments(run: Run, folder: Path, hardware: Hardware, precision: Precision, attention: str) -> SFTConfig:
    settings = _settings(run)
    # Elsewhere it would be right too, and compute every pair of tokens of a batch.
    packing = settings.packing and attention not in PADDED_ONLY
    _log_metrics_to(folder / "trackio")
    return SFTConfig(
        output_dir=str(folder / "checkpoints"),
        run_name=run.folder.name,
        project=run.recipe.name,
        report_to="trackio",
        trackio_static_space_id=False,
        max_length=run.recipe.data.max_tokens,
        completion_only_loss=True,
        packing=packing,
        # Rows of like length together: a batch is padded to its longest, and computes the padding too.
        train_sampling_strategy="random" if packing else "group_by_length",
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulate,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        lr_scheduler_kwargs=schedule_options(settings.scheduler),
        warmup_steps=settings.warmup,
        optim=settings.optimizer,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        bf16=precision is Precision.BF16,
        fp16=precision is Precision.FP16,
        use_cpu=not hardware.cuda,
        dataloader_pin_memory=hardware.cuda,
        activation_checkpointing=settings.activation_checkpointing,
        use_liger_kernel=settings.liger and hardware.liger,
        eval_strategy="steps",
        eval_steps=settings.evaluate_every,
        save_strategy="steps",
        save_steps=settings.evaluate_every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,
        include_num_input_tokens_seen="non_padding",
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would hide what LossGuard looks for
        disable_tqdm=True,
        seed=settings.seed,
    )


def _dataset(rows: list[Row], tokenizer: Any) -> Dataset:
    """Prompts and completions as text: a run may have both raw text and chats, and a dataset's column has one type."""
    return Dataset.from_list(
        [{"prompt": prompt_text(tokenizer, row), "completion": reply_text(tokenizer, row)} for row in rows]
    )


def _check_first_batch(trainer: Any, rows: list[Row]) -> int:
    examples = list(islice(trainer.train_dataset, trainer.args.per_device_train_batch_size))
    batch = trainer.data_collator(examples)
    return check_mask(trainer.processing_class, rows, [{"labels": labels} for labels in batch["labels"].tolist()])


def _planned_steps(trainer: Any, settings: FineTune) -> int:
    if settings.max_steps:
        return settings.max_steps
    batches = len(trainer.get_train_dataloader())
    return math.ceil(-(-batches // settings.accumulate) * settings.epochs)


def _figures(trainer: Any, settings: FineTune, hardware: Hardware, progress: Progress) -> dict[str, Any]:
    state, log = trainer.state, trainer.state.log_history
    losses = [entry["loss"] for entry in log if "loss" in entry]
    evaluated = [(entry["eval_loss"], entry["step"]) for entry in log if "eval_loss" in entry]
    best_loss, best_step = min(evaluated) if evaluated else (float("nan"), state.global_step)
    trained, total = parameter_counts(trainer.model)
    return {
        "method": settings.method,
        "device": hardware.name,
        "precision": hardware.precision(settings.precision),
        "attention": trainer.model.config._attn_implementation,
        "packing": trainer.args.packing,
        "liger": trainer.args.use_liger_kernel,
        "trained_parameters": trained,
        "total_parameters": total,
        "train_rows": len(trainer.train_dataset),
        "steps": state.global_step,
        "epochs": round(float(state.epoch or 0), 3),
        "stopped_early": state.global_step < state.max_steps,
        "first_loss": losses[0],
        "train_loss": sum(losses[-10:]) / len(losses[-10:]),
        "best_validation_loss": best_loss,
        "best_step": best_step,
        "tokens": int(state.num_input_tokens_seen),
        "tokens_per_second": round(progress.tokens / progress.seconds, 1) if progress.seconds else 0.0,
        "peak_memory_bytes": peak_memory_bytes(),
    }
