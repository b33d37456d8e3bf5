"""The stage prefer: the model learns what people prefer, from curated corrections (sft), votes (kto) and pairs (dpo).

A file of marked quotes may stand in for the curated folder.

The methods of the recipe follow each other, each from the result of the one before, and each in a folder of its own
with its curves, its figures and its checkpoints. Leaves `adapter/` (`model/` if every weight was trained) of the last,
and `learned.jsonl`: the replies that all of them taught.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import set_seed

from model_pipeline.data.curated import Curated, draw
from model_pipeline.data.marked import Marked
from model_pipeline.data.preference_source import read_preference_source
from model_pipeline.data.preferences import Judged, judged_rows, rehearsed
from model_pipeline.data.prepared import read_rows, write_rows
from model_pipeline.data.rows import Row, source_of
from model_pipeline.data.tokens import encode
from model_pipeline.data.weights import weighted
from model_pipeline.errors import InputInvalid, Interrupted, TooFewRows, TrainingFailed
from model_pipeline.learned_texts import LEARNED_FILE
from model_pipeline.lengths import check_lengths
from model_pipeline.processes import is_main_process
from model_pipeline.recipe import Method, Prefer, Preference
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage, base_folder, preferred_from, why_not
from model_pipeline.training.adapters import save_trained
from model_pipeline.training.base_model import base_positions, load_base, parameter_counts
from model_pipeline.training.calibration import Calibration, calibrate, scaling_weights
from model_pipeline.training.callbacks import LossGuard, Progress, StopOnSignal
from model_pipeline.training.checkpoints import last_checkpoint, step_of
from model_pipeline.training.failures import MORE_MEMORY, kept, told_in_a_sentence
from model_pipeline.training.hardware import Hardware, dtype_of, find_hardware, peak_memory_bytes
from model_pipeline.training.held_out_preference import held_out_preference
from model_pipeline.training.interpolation import interpolate, loss_after_training
from model_pipeline.training.loss_curve import write_curve
from model_pipeline.training.preference_trainers import Lesson, build_trainer
from model_pipeline.training.quiet_libraries import keep_libraries_quiet, warnings_in
from model_pipeline.training.reward_curve import last_rewards, write_rewards
from model_pipeline.training.tokenizer import load_tokenizer

FIGURES_FILE = "figures.json"  # of a method, written last: its presence means that the method is done
CURATED_FILE = "curated.sha256"
LESS_MEMORY = (
    "set prefer.activation_checkpointing=true, or a smaller prefer.batch_size (and a larger prefer.accumulate) or "
    "prefer.max_tokens (run --again prefer)."
)
LAST_FIGURES = (  # of the last method, told of the stage
    "trained_parameters",
    "total_parameters",
    "train_loss",
    "best_validation_loss",
    "mixed_validation_loss",
)


@dataclass(frozen=True, slots=True)
class _Started:
    """What the methods have in common."""

    run: Run
    settings: Prefer
    folder: Path
    tokenizer: Any
    hardware: Hardware

    @property
    def max_tokens(self) -> int:
        return self.settings.max_tokens or self.run.recipe.data.max_tokens


def prefer(run: Run, report: Report) -> None:
    """Learn by each method, or go on from the last checkpoint. Raises `PipelineError`."""
    began, settings = datetime.now(UTC), _settings(run)
    stages = (Stage.DEQUANTIZE, Stage.PREPARE, Stage.PRETRAIN, Stage.FINE_TUNE)
    folder = run.begin(Stage.PREFER, *(stage for stage in stages if stage in run.stages))
    check_lengths(run.recipe, base_positions(preferred_from(run), run.recipe.base.revision))
    curated = read_preference_source(settings.data)
    _check_same(folder, curated)
    keep_libraries_quiet()
    tokenizer = load_tokenizer(preferred_from(run), run.recipe.base.revision)
    started = _Started(run, settings, folder, tokenizer, find_hardware())
    lessons = _lessons(started, curated, report)  # refused where there are too few rows, and more may be curated then
    (folder / CURATED_FILE).write_text(f"{curated.sha256}\n", encoding="utf-8")
    if settings.calibrate:
        with told_in_a_sentence(None, MORE_MEMORY):
            _check_calibrates(started)
    trained = _fine_tuned_adapter(run)
    learned = {}
    for number, lesson in enumerate(lessons, start=1):
        place = folder / f"{number}-{lesson.method}"
        place.mkdir(exist_ok=True)
        if not (place / FIGURES_FILE).is_file():
            with told_in_a_sentence(place / "checkpoints", LESS_MEMORY):
                _learn(started, lesson, place, trained, report)
        learned[str(lesson.method)] = json.loads((place / FIGURES_FILE).read_text(encoding="utf-8"))
        trained = place / _kind(settings)
    if not is_main_process():
        return
    assert trained is not None  # there was a lesson
    with told_in_a_sentence(None, MORE_MEMORY):  # the methods are done, and stay so: none rests on another batch_size
        write_rows(folder / LEARNED_FILE, (each.rows[0] for lesson in lessons for each in lesson.train if each.liked))
        _keep(trained, folder / _kind(settings))
        calibration = _calibrated(started, report) if settings.calibrate else None
    last = learned[lessons[-1].method]
    figures = {
        **{key: last[key] for key in LAST_FIGURES if key in last},
        "method": settings.how,
        "device": started.hardware.name,
        "precision": started.hardware.precision(settings.precision),
        "steps": sum(each["steps"] for each in learned.values()),
        "methods": learned,
        **({f"calibration_{name}": value for name, value in asdict(calibration).items()} if calibration else {}),
        "exports": [curated.export] if curated.export else [],
        "curated_sha256": curated.sha256,
    }
    run.finish(Stage.PREFER, began, figures)


def _settings(run: Run) -> Prefer:
    if run.recipe.prefer is None:
        raise InputInvalid(why_not(Stage.PREFER, run.recipe))
    return run.recipe.prefer


def _check_same(folder: Path, curated: Curated | Marked) -> None:
    """Raise `InputInvalid` where an earlier try began with other rows."""
    path = folder / CURATED_FILE
    if path.is_file() and path.read_text(encoding="utf-8").strip() != curated.sha256:
        raise InputInvalid(
            f"{curated.place} holds other rows than {folder} was begun with; begin again with quotesmith-pipeline "
            f"prefer {folder.parent} --again."
        )


def _lessons(started: _Started, curated: Curated | Marked, report: Report) -> list[Lesson]:
    """The methods that have enough rows. Raises `TooFewRows` where none has."""
    lessons, missing = [], []
    for method in started.settings.methods:
        train = _judged(started, curated, method, "train")
        if reason := _too_few(method, train, started.settings.least_rows):
            missing.append(f"{method} has {reason}")
            continue
        validation = _judged(started, curated, method, "validation")
        if method is Preference.SFT:  # its loss says when to stop, so it is of all that is learned
            validation = _mixed(started, method, validation, "validation")
        mixed, batch_size = _mixed(started, method, train, "train"), started.settings.batch_size
        if method is Preference.KTO:
            mixed, validation = _without_lone_row(mixed, batch_size), _without_lone_row(validation, batch_size)
        lessons.append(Lesson(method, mixed, validation))
    if not lessons:
        raise TooFewRows(f"{curated.place} has too few rows to learn from: {'; '.join(missing)}.")
    for reason in missing:
        report.say(f"Left out: {reason}.")
    return lessons


def _judged(started: _Started, curated: Curated | Marked, method: Preference, split: str) -> list[Judged]:
    settings, recipe = started.settings, started.run.recipe
    opinions = draw(curated.opinions(method, split, settings.sources), settings.seed)
    return judged_rows(opinions, recipe.data, recipe.served, started.tokenizer, started.max_tokens)


def _too_few(method: Preference, judged: Sequence[Judged], least: int) -> str:
    if len(judged) < least:
        return f"{len(judged)} training rows, and prefer.least_rows asks for {least}"
    if method is Preference.KTO and len({each.liked for each in judged}) < 2:
        return f"{len(judged)} training rows of one label only, and it needs liked and disliked ones"
    return ""


def _mixed(started: _Started, method: Preference, judged: list[Judged], split: str) -> list[Judged]:
    """With written rows of the split among them, except where rows are pairs."""
    settings = started.settings
    if method is Preference.DPO or not settings.rehearsal:
        return judged
    written = weighted(read_rows(started.run.of(Stage.PREPARE) / f"{split}.jsonl"), started.run.recipe.data)
    return rehearsed(judged, written, settings.rehearsal, settings.seed)


def _without_lone_row(judged: list[Judged], batch_size: int) -> list[Judged]:
    """KTO compares each row with the others of its batch, and a last one alone would be compared with itself."""
    return judged[:-1] if len(judged) % batch_size == 1 else judged


def _fine_tuned_adapter(run: Run) -> Path | None:
    """The adapter that fine-tuning left, if it left one."""
    tuned = run.recipe.fine_tune
    return run.of(Stage.FINE_TUNE) / "adapter" if tuned and tuned.method is not Method.FULL else None


def _kind(settings: Prefer) -> str:
    return "model" if settings.how is Method.FULL else "adapter"


def _learn(started: _Started, lesson: Lesson, place: Path, begins_with: Path | None, report: Report) -> None:
    """One method, from its last checkpoint if it was begun. Raises `TrainingFailed` or `Interrupted`."""
    began, settings, checkpoints = datetime.now(UTC), started.settings, place / "checkpoints"
    with ExitStack() as stack:
        log = stack.enter_context((place / "libraries.log").open("a", encoding="utf-8"))
        stack.enter_context(redirect_stdout(log))  # the trainer prints there
        stack.enter_context(warnings_in(log))
        set_seed(settings.seed)
        model = _model(started, begins_with)
        before = _preference(started, model, lesson)
        trainer = build_trainer(lesson, model, started.tokenizer, settings, place, started.hardware, started.max_tokens)
        total, resumed = _planned_steps(trainer, settings), last_checkpoint(checkpoints)
        if resumed:
            report.say(f"{lesson.method}: going on from step {step_of(resumed)} of {total}.")
        advance = stack.enter_context(
            report.progress(f"prefer: {lesson.method}", total, begun_at=step_of(resumed) if resumed else 0)
        )
        progress, guard = Progress(advance), LossGuard()
        stop = stack.enter_context(StopOnSignal())
        for callback in (progress, guard, stop):
            trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    if guard.failed_at:
        raise TrainingFailed(
            f"The loss of {lesson.method} is no number any more at step {guard.failed_at}: set a smaller "
            f"prefer.learning_rate_{lesson.method}, or another prefer.precision (run --again prefer). "
            f"{kept(checkpoints)}"
        )
    if stop.stopped and trainer.state.global_step < total:
        raise Interrupted(
            f"Stopped at step {trainer.state.global_step} of {total} of {lesson.method}. {kept(checkpoints)}"
        )
    figures, history = _figures(trainer, lesson, progress), list(trainer.state.log_history)
    if settings.interpolation < 1:  # the figures so far are of weights that are not kept
        with (place / "libraries.log").open("a", encoding="utf-8") as log, redirect_stdout(log):
            figures |= _interpolated(started, trainer, lesson, begins_with)
    after = _preference(started, trainer.model, lesson)
    if is_main_process():
        save_trained(trainer, place, settings.how)
        title = f"{started.run.recipe.name}: {lesson.method}"
        write_curve(place, history, title)
        write_rewards(place, history, title)
        figures |= {"before": before, "after": after}
        figures["seconds"] = round((datetime.now(UTC) - began).total_seconds(), 1)
        _write_last(place / FIGURES_FILE, figures)
        report.say(_told(lesson, figures))
    trainer.accelerator.wait_for_everyone()


def _interpolated(started: _Started, trainer: Any, lesson: Lesson, begins_with: Path | None) -> dict[str, Any]:
    """Mix the weights with the former ones; what is told of them in the place of what was before mixing."""
    share = started.settings.interpolation
    interpolate(trainer.accelerator.unwrap_model(trainer.model), _former(started, begins_with), share)
    if not lesson.validation:
        return {}
    loss = loss_after_training(trainer)
    rewards = last_rewards(trainer.state.log_history[-1:], trainer.state.global_step)
    return {"mixed_validation_loss": loss, "rewards": rewards}


def _model(started: _Started, begins_with: Path | None) -> Any:
    """The model that a method starts from: `begins_with` is what the last training left, an adapter or all weights."""
    settings, run = started.settings, started.run
    precision = started.hardware.precision(settings.precision)
    is_full = settings.how is Method.FULL
    source = str(begins_with) if is_full and begins_with else preferred_from(run)
    model = load_base(source, run.recipe.base.revision, settings.how, dtype_of(precision), train=True)
    model.config.use_cache = False
    if begins_with is None or is_full:
        return model
    return PeftModel.from_pretrained(model, begins_with, is_trainable=True)


def _former(started: _Started, begins_with: Path | None) -> Any:
    """The model whose weights a method's are mixed with: what it started from, or the base."""
    if started.settings.interpolation_from == "method":
        return _model(started, begins_with)
    run, precision = started.run, started.hardware.precision(started.settings.precision)
    return load_base(base_folder(run), run.recipe.base.revision, started.settings.how, dtype_of(precision), train=True)


def _preference(started: _Started, model: Any, lesson: Lesson) -> dict[str, float]:
    """How the model takes the held-out rows; sft has no other side to compare with."""
    if lesson.method is Preference.SFT or not lesson.validation:
        return {}
    return held_out_preference(model, started.tokenizer, lesson.validation, started.settings.batch_size)


def _planned_steps(trainer: Any, settings: Prefer) -> int:
    if settings.max_steps:
        return settings.max_steps
    batches = len(trainer.get_train_dataloader())
    return math.ceil(max(1, -(-batches // settings.accumulate)) * settings.epochs)


def _figures(trainer: Any, lesson: Lesson, progress: Progress) -> dict[str, Any]:
    state, log = trainer.state, trainer.state.log_history
    losses = [entry["loss"] for entry in log if "loss" in entry]
    evaluated = [(entry["eval_loss"], entry["step"]) for entry in log if "eval_loss" in entry]
    best_loss, best_step = min(evaluated) if evaluated else (None, state.global_step)
    trained, total = parameter_counts(trainer.model)
    return {
        "train_rows": len(lesson.train),
        "liked_rows": sum(each.liked for each in lesson.train),
        "validation_rows": len(lesson.validation),
        "weights": _weights(trainer),
        "trained_parameters": trained,
        "total_parameters": total,
        "steps": state.global_step,
        "epochs": round(float(state.epoch or 0), 3),
        "stopped_early": state.global_step < state.max_steps,
        "train_loss": sum(losses[-10:]) / len(losses[-10:]),
        "best_validation_loss": best_loss,
        "best_step": best_step,
        "rewards": last_rewards(log, best_step),
        "tokens_per_second": round(progress.tokens / progress.seconds, 1) if progress.seconds else 0.0,
        "peak_memory_bytes": peak_memory_bytes(),
    }


def _weights(trainer: Any) -> dict[str, float]:
    """KTO's, which balance its labels."""
    names = ("desirable_weight", "undesirable_weight")
    return {name: float(getattr(trainer.args, name)) for name in names if hasattr(trainer.args, name)}


def _told(lesson: Lesson, figures: Mapping[str, Any]) -> str:
    rewards, before, after = (figures[name] for name in ("rewards", "before", "after"))
    said = f"{lesson.method}: {figures['train_rows']:,} rows, {figures['steps']} steps, {figures['seconds']:.0f} s"
    if before and after:
        said += f"; held-out rows in order {before['accuracy']:.1%} before and {after['accuracy']:.1%} after"
    if "margins" in rewards:
        said += f", margin of rewards {rewards['margins']:.2f}"
    return f"{said}."


def _keep(trained: Path, target: Path) -> None:
    """The last method's result where other stages look for it, complete or not at all."""
    partial = target.with_name(f".{target.name}.partial")
    for old in (partial, target):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(trained, partial)
    partial.replace(target)


def _written_validation(run: Run, only: Sequence[str] = ()) -> list[Row]:
    rows = weighted(read_rows(run.of(Stage.PREPARE) / "validation.jsonl"), run.recipe.data)
    return [row for row in rows if not only or source_of(row) in only]


def _check_calibrates(started: _Started) -> None:
    """Before the long work: what could not be calibrated would be refused after it. Raises `InputInvalid`."""
    only = started.settings.calibrate_by
    if not _written_validation(started.run, only):
        raise InputInvalid(
            "prefer.calibrate needs written rows that are held out, and no source with a weight has any."
            if not only
            else f"prefer.calibrate_by: no row of {' or '.join(only)} is held out, or they have no weight."
        )
    scaling_weights(_model(started, None))


def _calibrated(started: _Started, report: Report) -> Calibration:
    """Scale the logits of what is kept by the written rows held out. Begun again from what was learned if it is cut."""
    run, settings, place = started.run, started.settings, started.folder / _kind(started.settings)
    rows = _written_validation(run, settings.calibrate_by)
    model = load_base(str(place), run.recipe.base.revision, settings.how, torch.float32, train=True)
    found = calibrate(model, encode(rows, started.tokenizer), settings.batch_size, started.tokenizer.pad_token_id)
    model.save_pretrained(place)
    report.say(
        f"Calibrated: at a temperature of {found.temperature:.2f} held-out written rows are likeliest "
        f"({found.nats_before:.3f} nats a token before, {found.nats_after:.3f} with it)."
    )
    return found


def _write_last(path: Path, figures: Mapping[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
