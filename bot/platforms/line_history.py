"""What was typed at the terminal, in its file: emptied, and cleared of what is old; knows no line editor.

The file is prompt_toolkit's: before each entry a line `# ` with the local time, before each line of an entry a `+`.
All of this raises OSError, but for a file that is not there, which holds nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

_TIME = b"# "


def empty(file: Path) -> bool:
    """Forget every line; were there any? It stays the file that it was, which its owner alone may read."""
    try:
        held = file.stat().st_size > 0
        os.truncate(file, 0)
    except FileNotFoundError:
        return False
    return held


def drop_before(file: Path, before: datetime) -> None:
    """Forget what was typed before that time (with its time zone); what bears no time stays."""
    with suppress(FileNotFoundError), file.open("r+b") as opened:
        lines = opened.readlines()
        kept = list(_since(lines, before))
        if len(kept) < len(lines):
            opened.seek(0)
            opened.writelines(kept)
            opened.truncate()


def _since(lines: Iterable[bytes], before: datetime) -> Iterator[bytes]:
    old = False
    for line in lines:
        if (typed_at := _time_in(line)) is not None:
            old = typed_at < before
        if not old:
            yield line


def _time_in(line: bytes) -> datetime | None:
    if not line.startswith(_TIME):
        return None
    try:
        return datetime.fromisoformat(line.removeprefix(_TIME).decode().strip()).astimezone()
    except (ValueError, OverflowError, OSError):  # no time, or one that no clock shows
        return None
