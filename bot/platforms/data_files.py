"""The files in which people take along what is stored about them; knows no platform and sends nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of JSON."""

    name: str
    content: bytes


def data_files(content: bytes, limit: int) -> list[DataFile]:
    """A JSON object as a file of at most `limit` bytes, or as several that hold its lists by turns.

    What a list holds stays whole, so that a file with a single thing in it may be larger. Takes seconds for very much.
    """
    if len(content) <= limit:
        return [DataFile("quotesmith-data.json", content)]
    parts = _parts(json.loads(content), limit)
    return [DataFile(f"quotesmith-data-{number}.json", part) for number, part in enumerate(parts, 1)]


def _parts(data: Mapping[str, Any], limit: int) -> list[bytes]:
    content = json.dumps(data, ensure_ascii=False).encode()
    if len(content) <= limit or not any(isinstance(value, list) and len(value) > 1 for value in data.values()):
        return [content]
    return _parts(_half(data, first=True), limit) + _parts(_half(data, first=False), limit)


def _half(data: Mapping[str, Any], *, first: bool) -> Mapping[str, Any]:
    """The first or second half of each list, with all that is no list."""
    middles = {name: (len(value) + 1) // 2 for name, value in data.items() if isinstance(value, list)}
    halves = {name: data[name][:middle] if first else data[name][middle:] for name, middle in middles.items()}
    return {**data, **halves}
