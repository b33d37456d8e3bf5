"""Reads the folder that `quotesmith-pipeline curate` wrote, checks it, and draws rows by weight; trains nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from model_pipeline.data.curated_manifest import MANIFEST_FILE, read_manifest
from model_pipeline.data.items import Message
from model_pipeline.data.json_lines import read_json_lines
from model_pipeline.errors import InputInvalid

_REPLIES = {"sft": ("completion",), "kto": ("completion",), "dpo": ("chosen", "rejected")}
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody thought of one text or two that a model wrote.

    `replies` holds the text to learn (sft), the one that was judged (kto, `liked` says how), or the preferred one and
    the other (dpo). `asked` are the turns before; a quote is asked for with its `keyword`. `weight` is above 0 and at
    most 1, and `sources` are the kinds of votes behind it. `person` is the pseudonym of whoever thought so.
    """

    id: str
    kind: str
    keyword: str
    asked: tuple[Message, ...]
    replies: tuple[str, ...]
    liked: bool = True
    weight: float = 1.0
    sources: tuple[str, ...] = ()
    person: str = ""


@dataclass(frozen=True, slots=True)
class Curated:
    """A curated folder whose manifest was read; `sha256` is that of the manifest, which names every file's."""

    place: Path
    export: str
    export_sha256: str
    sha256: str
    files: Mapping[str, str] = field(repr=False)

    def opinions(self, name: str, split: str, sources: Sequence[str] = ()) -> list[Opinion]:
        """A split of the set `sft`, `kto` or `dpo`, those from one of `sources` if any are named.

        Raises `InputInvalid` where the file is missing, changed, or holds something else.
        """
        relative = f"{name}/{split}.jsonl"
        path = self.place / relative
        if _sha256(path) != self.files.get(relative):
            raise InputInvalid(f"{path} is not the file that {MANIFEST_FILE} names; curate the export again.")
        rows = enumerate(read_json_lines(path), start=1)
        read = [_opinion(content, _REPLIES[name], f"Line {number} of {path}") for number, content in rows]
        return [each for each in read if not sources or set(sources) & set(each.sources)]


def read_curated(folder: Path) -> Curated:
    """The curated folder. Raises `InputInvalid` where it is none, or of another format."""
    manifest = read_manifest(folder)
    export, export_sha256 = str(manifest["export"]), str(manifest.get("export_sha256", ""))
    return Curated(folder, export, export_sha256, _sha256(folder / MANIFEST_FILE), dict(manifest["files"]))


def draw(opinions: Iterable[Opinion], seed: int) -> list[Opinion]:
    """Each with its weight as probability, so that half a weight counts half as much on average, and shuffled.

    Whether one is drawn depends on the seed and its id alone: the others make no difference to it.
    """
    drawn = [each for each in opinions if Random(f"{seed} {each.id}").random() < each.weight]
    Random(seed).shuffle(drawn)
    return drawn


def _opinion(content: Mapping[str, Any], replies: Sequence[str], where: str) -> Opinion:
    try:
        read = Opinion(
            id=_text(content["id"]),
            kind=content["kind"],
            keyword=str(content["keyword"]),
            asked=tuple(_message(turn) for turn in content["messages"]),
            replies=tuple(_text(content[key]) for key in replies),
            liked=content.get("label", True),
            weight=float(content["weight"]),
            sources=tuple(map(str, content["sources"])),
            person=_text(content["person"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputInvalid(f"{where} is no curated row: {_problem(error)}.") from error
    if reason := _why_not(read):
        raise InputInvalid(f"{where} is no curated row: {reason}.")
    return read


def _why_not(read: Opinion) -> str:
    if read.kind not in ("quote", "chat"):
        return f"its kind is {read.kind!r}, neither quote nor chat"
    if read.kind == "quote" and not read.keyword.strip():
        return "a quote without a keyword"
    if not read.asked or read.asked[-1].role != "user":
        return "its messages do not end with the user's"
    if not isinstance(read.liked, bool):
        return f"its label is {read.liked!r}, neither true nor false"
    return "" if 0 < read.weight <= 1 else f"its weight is {read.weight:g}, not above 0 and at most 1"


def _message(turn: Mapping[str, Any]) -> Message:
    if turn["role"] not in _ROLES:
        raise ValueError(f"a turn of the role {turn['role']!r}")
    return Message(turn["role"], _text(turn["content"]))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"a text is {value!r}")
    return value


def _problem(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputInvalid(f"{path} cannot be read: {error.strerror or error}.") from error
