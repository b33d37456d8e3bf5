"""What the store remembers in one small file: the model that is served, the one before, and the canary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bot.chat.canary import Canary
from bot.errors import ModelInvalid
from bot.models.disk import write_durably

STATE_FILE = ".active.json"  # the dot keeps it apart from every valid model name
_LARGEST_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class StoreState:
    """Names of models, "" where there is none; `canary` is the running or the last one."""

    active: str
    previous: str = ""  # what was served before, for a rollback
    canary: Canary | None = None


def read_state(folder: Path) -> StoreState:
    """The state of a store; nothing is chosen where there is no file. Raises ModelInvalid for a broken one."""
    path = folder / STATE_FILE
    try:
        return _FORM.validate_json(path.read_bytes()[:_LARGEST_BYTES])
    except FileNotFoundError:
        return StoreState("")
    except (OSError, ValidationError) as error:
        raise ModelInvalid(
            f"{path} does not name the active model: choose one with `quotesmith model use NAME`."
        ) from error


def write_state(folder: Path, state: StoreState) -> None:
    """Replace the state in one step. Raises OSError."""
    write_durably(folder / STATE_FILE, _FORM.dump_json(state, indent=1).decode() + "\n")


_FORM = TypeAdapter(StoreState)
