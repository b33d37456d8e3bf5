"""What the model store does with the disk: space, locks, workspaces, hashing, durable writes; knows no models."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import ModelError, ModelTooLarge
from bot.models.sizes import in_words

LOCK_FILE = ".lock"
WORKSPACE_PREFIX = ".work-"
DISK_RESERVE_BYTES = 64 << 20  # a disk filled to the last byte stops the database too
PIECE_BYTES = 4 << 20


def free_disk(folder: Path) -> int:
    """Bytes free for this user on the disk that holds, or will hold, the folder."""
    folder = folder.absolute()
    return shutil.disk_usage(next(step for step in (folder, *folder.parents) if step.exists())).free


def check_disk(folder: Path, needed_bytes: int, measure: Callable[[Path], int] = free_disk) -> None:
    """Raise ModelTooLarge when so many further bytes do not fit onto the disk of the folder."""
    free = measure(folder)
    if needed_bytes + DISK_RESERVE_BYTES > free:
        raise ModelTooLarge(
            f"The disk that holds {folder} has {in_words(free)} free and {in_words(needed_bytes)} are needed "
            f"beside a reserve of {in_words(DISK_RESERVE_BYTES)}: free some space or take a smaller model."
        )


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Translate what the disk refuses into ModelTooLarge (full) or ModelError (anything else)."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelTooLarge(f"The disk that holds {folder} is full: free some space and try again.") from error
        raise ModelError(f"{error.filename or folder} cannot be used: {error.strerror or error}.") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only process that changes what the folder lists; waits for the others. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """A fresh hidden folder inside `folder`, removed at the end unless it was renamed. Raises OSError.

    It is locked for as long as its process lives, so what a killed process left behind can be told apart from work
    that still goes on, and is removed here.
    """
    with locked(folder):
        _remove_abandoned(folder)
        fresh = folder / f"{WORKSPACE_PREFIX}{uuid.uuid4().hex}"
        fresh.mkdir()
        lock = _try_lock(fresh)
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_folder(folder: Path) -> None:
    """Remove a folder so that it is there whole or not at all, even when the process ends halfway. Raises OSError."""
    hidden = folder.with_name(f"{WORKSPACE_PREFIX}{uuid.uuid4().hex}")
    folder.rename(hidden)
    shutil.rmtree(hidden)


def sha256_of(path: Path) -> str:
    """The hex SHA-256 of a whole file: about a second for each GB or two. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_hashed(source: Path, target: Path) -> str:
    """Copy a file onto the disk itself, not only into its cache, and return its hex SHA-256. Raises OSError."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("xb") as writer:
        while piece := reader.read(PIECE_BYTES):
            digest.update(piece)
            writer.write(piece)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


def write_durably(path: Path, text: str) -> None:
    """Replace a small file in one step, and only once its content is on the disk. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with fresh.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    for found in folder.glob(f"{WORKSPACE_PREFIX}*"):
        lock = _try_lock(found)
        if lock is not None:
            shutil.rmtree(found, ignore_errors=True)
            os.close(lock)


def _try_lock(folder: Path) -> int | None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # its owner has finished and removed it meanwhile
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
