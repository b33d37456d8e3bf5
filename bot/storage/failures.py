"""What SQLAlchemy and SQLite raise, as the bot's own errors: the one place where the two meet.

The texts hold neither SQL nor values, which may be what a person wrote.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.errors import DatabaseUnavailable, StorageError

_LOCKED = "The database is locked by another program: close that program, or try again."
_NOT_OURS = "The database file is damaged or not a database: restore a backup, or choose another file."
CANNOT_BE_OPENED = "The database cannot be opened: it must be a file, in a folder that can be written."
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_READONLY: "The database cannot be written: allow writing to the file and to its folder.",
    sqlite3.SQLITE_PERM: "The database cannot be opened: allow reading and writing the file and its folder.",
    sqlite3.SQLITE_CANTOPEN: CANNOT_BE_OPENED,
    sqlite3.SQLITE_IOERR: "The database cannot be read or written: the disk reports an error.",
    sqlite3.SQLITE_FULL: "The database cannot be written: the disk is full.",
    sqlite3.SQLITE_CORRUPT: _NOT_OURS,
    sqlite3.SQLITE_NOTADB: _NOT_OURS,
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise StorageError, or DatabaseUnavailable where that says more, in place of any error of SQLAlchemy."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable("The database is too busy to answer: try again.") from error
    except SQLAlchemyError as error:
        raise _translation(error) from error


def is_locked(error: SQLAlchemyError) -> bool:
    """Whether another connection was in the way, so that trying again may help."""
    return _sqlite_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _translation(error: SQLAlchemyError) -> StorageError:
    sentence = _UNAVAILABLE.get(_sqlite_code(error))
    if sentence is not None:
        return DatabaseUnavailable(sentence)
    return StorageError(f"The database refused an operation ({type(error).__name__}): the log has the details.")


def _sqlite_code(error: SQLAlchemyError) -> int:
    """The primary result code (the low byte of the extended one), or -1."""
    code = getattr(error.orig, "sqlite_errorcode", None) if isinstance(error, DBAPIError) else None
    return code & 0xFF if isinstance(code, int) else -1
