"""Owns the run folder: its recipe, a folder for each stage, and the manifests whose presence means "finished".

Stages meet here and nowhere else. Knows the names of the stages and their order, and nothing of what they do.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from model_pipeline.errors import InputInvalid
from model_pipeline.processes import is_main_process
from model_pipeline.recipe import Family, Method, Recipe, check_recipe

RECIPE_FILE = "recipe.json"
MANIFEST_FILE = "manifest.json"
MODEL_FOLDER = "model"  # what the bot is given
SMOKE_FOLDER = "smoke"  # the small base and data of a smoke run, which are there before the recipe is
PACKAGES = ("torch", "transformers", "peft", "trl", "bitsandbytes", "datasets", "llama-cpp-python")


class Stage(StrEnum):
    """The stages, in their order."""

    DEQUANTIZE = "dequantize"
    PREPARE = "prepare"
    PRETRAIN = "pretrain"
    FINE_TUNE = "fine-tune"
    PREFER = "prefer"
    MERGE = "merge"
    EXPORT_GGUF = "export-gguf"
    QUANTIZE = "quantize"
    JUDGE = "judge"
    EVALUATE = "evaluate"
    PUBLISH = "publish"


def why_not(stage: Stage, recipe: Recipe) -> str:
    """The sentence that says why a recipe has no use for a stage; "" where it has."""
    is_served = recipe.base.family is Family.SERVED
    reasons = {
        Stage.DEQUANTIZE: "" if is_served else "starts from no model of the bot: nothing is dequantized",
        Stage.PRETRAIN: "" if recipe.pretrain else "starts from a trained model: nothing is pretrained",
        Stage.FINE_TUNE: "" if recipe.fine_tune else "has no section [fine_tune]: nothing is fine-tuned",
        Stage.PREFER: "" if recipe.prefer else "has no section [prefer]: no preference is learned",
        Stage.JUDGE: "" if recipe.judge else "has no section [judge]: no judge is trained",
    }
    reason = reasons.get(stage, "")
    return f"The recipe {recipe.name} {reason}." if reason else ""


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder and its recipe."""

    folder: Path
    recipe: Recipe

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that `run` goes through; publishing is never done unasked."""
        return tuple(stage for stage in Stage if stage is not Stage.PUBLISH and not why_not(stage, self.recipe))

    @property
    def trained_last(self) -> Stage:
        """The last stage that trains: what it leaves is merged."""
        return Stage.PREFER if self.recipe.prefer else Stage.FINE_TUNE

    @property
    def model_folder(self) -> Path:
        """The folder that the bot takes."""
        return self.folder / MODEL_FOLDER

    def of(self, stage: Stage) -> Path:
        """The folder of a stage."""
        return self.folder / stage

    def is_finished(self, stage: Stage) -> bool:
        """The stage's manifest is there."""
        return (self.of(stage) / MANIFEST_FILE).is_file()

    def manifest(self, stage: Stage) -> dict[str, Any]:
        """The manifest of a finished stage: `figures`, `files` and more. Raises `InputInvalid` before that."""
        path = self.of(stage) / MANIFEST_FILE
        if not path.is_file():
            raise InputInvalid(f"{self.folder} has not been through {stage}; quotesmith-pipeline {stage} does it.")
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise InputInvalid(f"{path} cannot be read; {self.how_anew(stage)}.") from error

    def figures(self, stage: Stage) -> dict[str, Any]:
        """The figures of a finished stage. Raises `InputInvalid` before it is finished."""
        return dict(self.manifest(stage)["figures"])

    def how_anew(self, stage: Stage) -> str:
        """What to type where something of a finished stage is lost; its folder deleted, those behind it would stay."""
        return (
            f"quotesmith-pipeline {stage} {self.folder} --again makes it anew, and forgets the stages behind it, which "
            "`run` goes through again"
        )

    def begin(self, stage: Stage, *needs: Stage) -> Path:
        """The folder for a stage to write into, once those that it needs are finished. Raises `InputInvalid`."""
        for needed in needs:
            self.manifest(needed)
        self.of(stage).mkdir(parents=True, exist_ok=True)
        return self.of(stage)

    def finish(self, stage: Stage, began: datetime, figures: Mapping[str, Any]) -> None:
        """Write the stage's manifest, the last of its files: everything in its folder with its SHA-256."""
        folder = self.of(stage)
        manifest = {
            "stage": stage,
            "recipe": self.recipe.name,
            "smoke": self.recipe.smoke,
            "began": began.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
            "packages": versions(),
            "figures": dict(figures),
            "files": {str(path.relative_to(folder)): sha256(path) for path in _kept_files(folder)},
        }
        _write_last(folder / MANIFEST_FILE, manifest)

    def restart(self, stage: Stage) -> None:
        """Forget a stage that was finished or begun, all that it wrote, and the stages that rested on it.

        The last of them goes first, so that one that is cut off leaves no finished stage behind one that is forgotten.
        """
        stages = list(Stage)
        for later in reversed(stages[stages.index(stage) :]):
            (self.of(later) / MANIFEST_FILE).unlink(missing_ok=True)
            shutil.rmtree(self.of(later), ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from working on this run. Raises `InputInvalid` if one does.

        Of those that train together, the first one has the lock.
        """
        if not is_main_process():
            yield
            return
        try:
            with FileLock(self.folder / ".lock", timeout=0):
                yield
        except Timeout as error:
            raise InputInvalid(f"Another process works on {self.folder}; wait, or choose another.") from error


def create_run(folder: Path, recipe: Recipe) -> Run:
    """A new run in that folder. Raises `InputInvalid` where there is something already."""
    if (folder / RECIPE_FILE).is_file():
        raise InputInvalid(f"{folder} holds a run already; choose another folder.")
    check_run_folder(folder)
    write_recipe(folder, recipe)
    return Run(folder, recipe)


def write_recipe(folder: Path, recipe: Recipe, *, keep_former: bool = False) -> None:
    """Make it what the run goes by; the former one is kept beside it, by its hash, if asked. Raises `InputInvalid`."""
    path = folder / RECIPE_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if keep_former:
            shutil.copyfile(path, path.with_stem(f"{path.stem}-{sha256(path)[:12]}"))
        _write_last(path, recipe.model_dump(mode="json"))
    except OSError as error:
        raise InputInvalid(f"The run folder {folder} cannot be written: {error.strerror or error}.") from error


def check_run_folder(folder: Path) -> None:
    """Raise `InputInvalid` for a folder that holds something else than a run."""
    if (folder / RECIPE_FILE).is_file() or not folder.exists():
        return
    if not folder.is_dir() or any(path.name != SMOKE_FOLDER for path in folder.iterdir()):
        raise InputInvalid(f"{folder} is there and holds no run; choose another folder with --out.")


def open_run(folder: Path) -> Run:
    """The run that was begun in that folder. Raises `InputInvalid`."""
    path = folder / RECIPE_FILE
    if not path.is_file():
        raise InputInvalid(f"{folder} holds no run; quotesmith-pipeline run RECIPE --out {folder} begins one.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputInvalid(f"{path} cannot be read: {error}.") from error
    return Run(folder, check_recipe(content, str(path)))


def base_folder(run: Run) -> str:
    """What training starts from: what was pretrained or dequantized here, or the base's id or folder."""
    made = {Family.STARTER: Stage.PRETRAIN, Family.SERVED: Stage.DEQUANTIZE}
    stage = made.get(run.recipe.base.family)
    return str(run.of(stage) / "model") if stage else run.recipe.base.model


def preferred_from(run: Run) -> str:
    """The weights that preferences are learned on: all that fine-tuning changed, else the base."""
    fine_tune = run.recipe.fine_tune
    is_full = fine_tune is not None and fine_tune.method is Method.FULL
    return str(run.of(Stage.FINE_TUNE) / "model") if is_full else base_folder(run)


def adapted_folder(run: Run) -> str:
    """The weights that the adapter of the last training lies on."""
    return preferred_from(run) if run.recipe.prefer else base_folder(run)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """The versions of the packages that a result depends on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _kept_files(folder: Path) -> list[Path]:
    """What a stage leaves: neither checkpoints, which go, nor hidden files."""
    inner = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST_FILE)
    return sorted(
        path
        for path in inner
        if not any(part.startswith((".", "checkpoint-")) for part in path.relative_to(folder).parts)
    )


def _write_last(path: Path, content: Mapping[str, Any]) -> None:
    """Whole or not at all, also where the machine loses its power."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
