"""Reads an export folder of the bot, format 2, and refuses one that is broken or was changed; decides nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from model_pipeline.curation.words import Correction, Export, Pair, Preference, Question, Reply, Turns, Vote
from model_pipeline.data.json_lines import read_json_lines
from model_pipeline.errors import InputInvalid

FORMAT = 2
MANIFEST_FILE, ROWS_FILE, PAIRS_FILE = "manifest.json", "rows.jsonl", "pairs.jsonl"
_KINDS = ("quote", "chat")
_PREFERRED = ("left", "right", "both", "neither")

Json = Mapping[str, Any]
_Read = TypeVar("_Read")


def read_export(folder: Path) -> Export:
    """The export in a folder. Raises `InputInvalid` where it is missing, of another format, changed or broken."""
    manifest, sha256 = _manifest(folder)
    rows, pairs = (_lines(folder / name, manifest) for name in (ROWS_FILE, PAIRS_FILE))
    return Export(
        name=manifest["export"],
        sha256=sha256,
        refused={str(reason): int(count) for reason, count in dict(manifest.get("refused") or {}).items()},
        replies=_all(rows, _reply, folder / ROWS_FILE),
        pairs=_all(pairs, _pair, folder / PAIRS_FILE),
    )


def _manifest(folder: Path) -> tuple[dict[str, Any], str]:
    path = folder / MANIFEST_FILE
    try:
        content = path.read_bytes()
        manifest = json.loads(content)
        found, name = manifest["format"], manifest.get("export")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputInvalid(
            f"{folder} is no export: {MANIFEST_FILE} is missing or broken; quotesmith data export makes one."
        ) from error
    if found != FORMAT or not isinstance(name, str) or not name:
        raise InputInvalid(f"{folder} is an export of format {found!r}; this version reads format {FORMAT}.")
    return manifest, hashlib.sha256(content).hexdigest()


def _lines(path: Path, manifest: Json) -> list[dict[str, Any]]:
    rows = read_json_lines(path)
    files = manifest.get("files")
    known = files.get(path.name) if isinstance(files, dict) else None
    if known != hashlib.sha256(path.read_bytes()).hexdigest():
        raise InputInvalid(f"{path} is not what its {MANIFEST_FILE} says: it was changed; make the export again.")
    return rows


def _all(rows: Sequence[Json], read: Callable[[Json], _Read], path: Path) -> tuple[_Read, ...]:
    found = []
    for number, row in enumerate(rows, start=1):
        try:
            found.append(read(row))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InputInvalid(f"Line {number} of {path} is no line of an export; make the export again.") from error
    return tuple(found)


def _reply(row: Json) -> Reply:
    *asked, (role, text) = _turns(row["messages"])
    if role != "assistant" or not asked:
        raise ValueError("no reply")
    question = _question(row["kind"], tuple(asked[-1:] if row["kind"] == "quote" else asked))
    return Reply(
        row=f"rows/{int(row['id'])}",
        question=question,
        text=text,
        model=str(row.get("model") or ""),
        at=_seconds(row["written_at"]),
        votes=tuple(_vote(vote) for vote in row["votes"]),
        corrections=tuple(Correction(_person(one), _text(one["text"])) for one in row["corrections"]),
    )


def _pair(row: Json) -> Pair:
    sides = row["left"], row["right"]
    return Pair(
        row=f"pairs/{int(row['id'])}",
        question=_question(row["kind"], (("user", _text(row["asked"])),)),
        texts=(_text(sides[0]["text"]), _text(sides[1]["text"])),
        models=(str(sides[0].get("model") or ""), str(sides[1].get("model") or "")),
        preferences=tuple(_preference(one) for one in row["preferences"]),
    )


def _question(kind: str, turns: Turns) -> Question:
    if kind not in _KINDS or turns[-1][0] != "user":
        raise ValueError("no question")
    return Question(kind, turns)


def _vote(vote: Json) -> Vote:
    value = vote["value"]
    if value not in (1, -1):
        raise ValueError("no vote")
    return Vote(_person(vote), value, _text(vote["source"]), _seconds(vote["at"]))


def _preference(one: Json) -> Preference:
    if one["preferred"] not in _PREFERRED:
        raise ValueError("no preference")
    return Preference(_person(one), one["preferred"], _seconds(one["at"]))


def _turns(messages: Sequence[Json]) -> Turns:
    return tuple((_text(turn["role"]), _text(turn["content"])) for turn in messages)


def _person(row: Json) -> str:
    if not row["person"]:
        raise ValueError("nobody")
    return _text(row["person"])


def _text(value: object) -> str:
    """Text that can be written as UTF-8: JSON can hold half of a character that was cut."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()


def _seconds(value: str) -> float:
    return datetime.fromisoformat(value).timestamp()
