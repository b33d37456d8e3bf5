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


def as_json(data: Mapping[str, Any]) -> str:
    """The text of a file, which people may read too."""
    return json.dumps(data, ensure_ascii=False, indent=1)


def data_files(data: Mapping[str, Any], limit: int) -> list[DataFile]:
    """The data as a file of at most `limit` bytes, or as several that hold its lists by turns.

    What a list holds stays whole, so that a file with a single thing in it may be larger. Takes seconds for very much.
    """
    parts = _parts(data, limit)
    if len(parts) == 1:
        return [DataFile("quotesmith-data.json", parts[0])]
    return [DataFile(f"quotesmith-data-{number}.json", part) for number, part in enumerate(parts, 1)]


def _parts(data: Mapping[str, Any], limit: int) -> list[bytes]:
    content = as_json(data).encode()
    if len(content) <= limit or not any(isinstance(value, list) and len(value) > 1 for value in data.values()):
        return [content]
    return _parts(_half(data, first=True), limit) + _parts(_half(data, first=False), limit)


def _half(data: Mapping[str, Any], *, first: bool) -> Mapping[str, Any]:
    """The first or second half of each list, with all that is no list."""
    middles = {name: (len(value) + 1) // 2 for name, value in data.items() if isinstance(value, list)}
    halves = {name: data[name][:middle] if first else data[name][middle:] for name, middle in middles.items()}
    return {**data, **halves}
