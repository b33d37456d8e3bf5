"""Deletes what turns hold of people's words that ended before there was a model; knows no step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from model_pipeline.errors import InputInvalid
from model_pipeline.looping.bot_commands import BotCommands
from model_pipeline.looping.record import Turn, turns_in
from model_pipeline.report import Report


def delete_leftovers(loops: Path, bot: BotCommands, report: Report) -> None:
    """Leave record and page of such turns alone, and nothing of them on the bot's record.

    Also of turns whose process was ended before it came to this. What cannot be deleted is said, and tried next time.
    """
    for turn in turns_in(loops):
        if turn.untrained:
            try:
                _delete(turn, bot)
            except InputInvalid as error:
                report.say(str(error))
            except OSError as error:
                report.say(f"What {turn.folder} holds cannot be deleted: {error.strerror or error}.")


def _delete(turn: Turn, bot: BotCommands) -> None:
    """What was made of the export first, then the record of it: there must be nothing that nobody knows of."""
    for path in _made_of_export(turn.folder):
        shutil.rmtree(path)
    export = turn.folder / "export"
    if export.is_dir() and (name := _name_of(export)):
        bot.run("data", "discard", name)
    if export.is_dir():  # it was moved since, or the bot knows nothing of it
        shutil.rmtree(export)


def _made_of_export(folder: Path) -> Iterator[Path]:
    """With what a process left that was killed while it wrote one of them."""
    for name in ("curated", "run"):
        if (folder / name).is_dir():
            yield folder / name
    for name in ("export", "curated"):
        yield from folder.glob(f".{name}-*")


def _name_of(export: Path) -> str:
    """As its manifest has it; "" where that is missing or broken, and then nothing can go on from it."""
    try:
        return str(json.loads((export / "manifest.json").read_text(encoding="utf-8"))["export"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
