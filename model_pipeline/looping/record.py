"""What a turn of the loop has done so far, in one small file, so that the same command goes on from there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from model_pipeline.errors import InputInvalid

RECORD_FILE = "loop.json"
FORMAT = 1


class Step(StrEnum):
    """The steps, in their order."""

    EXPORT = "export"
    CURATE = "curate"
    PREFER = "prefer"
    GATE = "gate"
    ADD = "add"
    CANARY = "canary"


class Ending(StrEnum):
    """How a turn ended; "" while it has not."""

    OPEN = ""
    CANARY = "canary"  # people try the new model out
    REFUSED = "refused"  # the gate does not let it through
    TOO_FEW = "too few"  # too few people have said too little
    FORGOTTEN = "forgotten"  # somebody whose words were exported was forgotten since
    WITHDRAWN = "withdrawn"  # somebody whose words were exported does not consent to training any more
    FAILED = "failed"  # the work on the model failed so often that it would fail again
    BUSY = "busy"  # another model is being tried out


@dataclass(slots=True)
class Done:
    """A step that is done: what it came to, in a sentence, and in figures."""

    step: Step
    said: str
    seconds: float
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Turn:
    """A turn of the loop: `against` is the model that was served when it began."""

    folder: Path
    began: str
    against: str = ""
    against_sha256: str = ""
    against_folder: str = ""
    name: str = ""  # of the new model, once it is the bot's
    steps: list[Done] = field(default_factory=list)
    ending: Ending = Ending.OPEN
    said: str = ""  # why it ended so
    failures: int = 0  # how often the work on the model has failed

    def done(self, step: Step) -> Done | None:
        """What a step came to; None where it is not done."""
        return next((done for done in self.steps if done.step is step), None)

    @property
    def untrained(self) -> bool:
        """It has ended before there was a model."""
        return self.ending is not Ending.OPEN and self.done(Step.PREFER) is None

    def undo(self, step: Step) -> None:
        """Forget that a step was done, and those after it."""
        order = list(Step)
        self.steps = [done for done in self.steps if order.index(done.step) < order.index(step)]

    def save(self) -> None:
        """Write it in one step. Raises `InputInvalid`."""
        content = {"format": FORMAT, **asdict(self)}
        del content["folder"]
        path = self.folder / RECORD_FILE
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.partial")
            partial.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            raise InputInvalid(f"{self.folder} cannot be written: {error.strerror or error}.") from error


def open_turn(folder: Path) -> Turn:
    """The turn in that folder, begun or gone on with. Raises `InputInvalid` for a folder that holds something else."""
    path = folder / RECORD_FILE
    if not path.is_file():
        if folder.exists() and (not folder.is_dir() or any(_visible(folder))):
            raise InputInvalid(f"{folder} is there and holds no turn of the loop; name another folder with --out.")
        return Turn(folder, datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        steps = [Done(Step(one["step"]), one["said"], one["seconds"], one["figures"]) for one in content["steps"]]
        kept = {key: content[key] for key in ("began", "against", "against_sha256", "against_folder", "name", "said")}
        failures = int(content.get("failures", 0))
        return Turn(folder, steps=steps, ending=Ending(content["ending"]), failures=failures, **kept)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputInvalid(f"{path} cannot be read; delete {folder} to begin that turn anew.") from error


def next_folder(loops: Path) -> Path:
    """Where the next turn goes: the newest one in `loops` that has not ended goes on, else a new one is begun."""
    opened = [turn for turn in turns_in(loops) if turn.ending is Ending.OPEN]
    if opened:
        return max(opened, key=lambda turn: turn.began).folder
    return loops / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"


def turns_in(loops: Path) -> Iterator[Turn]:
    """The turns that lie there; one whose record cannot be read is passed over."""
    for path in loops.glob(f"*/{RECORD_FILE}"):
        with suppress(InputInvalid):
            yield open_turn(path.parent)


def turn_before(folder: Path) -> Turn | None:
    """The newest turn beside this one that has come to curated votes."""
    beside = (turn for turn in turns_in(folder.resolve().parent) if turn.folder != folder.resolve())
    found = [turn for turn in beside if turn.done(Step.PREFER)]
    return max(found, key=lambda turn: turn.began, default=None)


def _visible(folder: Path) -> Iterator[Path]:
    """What is in it beside a lock that an earlier try left."""
    return (path for path in folder.iterdir() if not path.name.startswith("."))
