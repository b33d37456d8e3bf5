"""Hashes files, and copies them while hashing, in pieces that fit into any memory; knows no manifest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

PIECE_BYTES = 4 << 20


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
