"""Copies of the database in a folder, the newest few kept; knows nothing of what is in it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.errors import InputError, StorageError
from bot.storage.column_types import utc_now
from bot.storage.database import Database

_NAME, _TIME = "quotesmith-{}.db", "%Y%m%dT%H%M%S%fZ"
_COPIES, _UNFINISHED = (f"quotesmith-????????T????????????Z.{ending}" for ending in ("db", "part"))
_LONGEST = timedelta(hours=6)  # that writing a copy takes; shorter than a day, so that a daily backup cleans up


@dataclass(frozen=True, slots=True)
class Backup:
    """The new copy, its size, and the older ones that it took the place of."""

    path: Path
    size_bytes: int
    removed: Sequence[Path]


async def back_up(database: Database, folder: Path, keep: int) -> Backup:
    """Write a copy of one state of the database into the folder, and remove all but the newest `keep` copies there.

    The bot may run meanwhile. The copy is one file, for its owner alone, encrypted where the database is; it holds no
    trace of what was erased before. Raises InputError when the folder cannot be written, and StorageError.
    """
    path = folder / _NAME.format(utc_now().strftime(_TIME))
    with _file_errors(folder):
        unfinished = _begun(path)
        try:
            await database.copy_to(unfinished)
            _check(unfinished)
            size_bytes = unfinished.stat().st_size
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return Backup(path, size_bytes, _remove_old(folder, keep))


def _begun(path: Path) -> Path:
    """The empty file that is to become the copy."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_suffix(".part")
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return unfinished


def _check(copy: Path) -> None:
    """A backup that cannot be read must not take the place of one that can."""
    try:
        with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        raise StorageError(f"The backup cannot be read back ({error}); the earlier ones are kept.") from error
    if found != "ok":
        raise StorageError("The backup is damaged, as the database may be; the earlier ones are kept.")


def _remove_old(folder: Path, keep: int) -> Sequence[Path]:
    """Copies that were cut off are removed too: they hold what people said just as well."""
    old = sorted(folder.glob(_COPIES))[:-keep]
    for one in [*old, *_cut_off(folder)]:
        one.unlink(missing_ok=True)  # another backup may have removed it meanwhile
    return old


def _cut_off(folder: Path) -> Sequence[Path]:
    """The copies that nobody writes any more: those of another backup that is under way were begun lately."""
    begun_by_then = _NAME.format((utc_now() - _LONGEST).strftime(_TIME))
    return [one for one in folder.glob(_UNFINISHED) if one.name < begun_by_then]


@contextmanager
def _file_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"The backup cannot be written to {folder}: {error.strerror or error}.") from error
