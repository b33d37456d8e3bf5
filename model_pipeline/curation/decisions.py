"""Owns review.jsonl, what a person decided of each line: added at once, read again after a kill; changes no set."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from model_pipeline.errors import InputInvalid

REVIEW_FILE = "review.jsonl"


class Choice(StrEnum):
    """What becomes of a line."""

    ACCEPT = "accept"
    REJECT = "reject"
    EDIT = "edit"


@dataclass(frozen=True, slots=True)
class Decision:
    """On the line `id`; `text` is what an edit puts in the place of the reply to be learned."""

    id: str
    choice: Choice
    text: str = ""


class Decisions:
    """The decisions of a curated folder, by line; the last one on a line counts."""

    def __init__(self, path: Path, made: Mapping[str, Decision]) -> None:
        self._path, self._made = path, dict(made)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What was decided before; half a line at the end, left by a kill, is nothing. Raises `InputInvalid`."""
        path = folder / REVIEW_FILE
        try:
            content = path.read_bytes() if path.exists() else b""
            whole = content[: content.rfind(b"\n") + 1]
            if whole != content:
                os.truncate(path, len(whole))
            decisions = [_decision(line) for line in whole.decode().split("\n") if line]
        except OSError as error:
            raise InputInvalid(f"{path} cannot be read: {error.strerror or error}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputInvalid(f"{path} is no list of decisions; move it away, and the review begins anew.") from error
        return cls(path, {one.id: one for one in decisions})

    def on(self, line_id: str) -> Decision | None:
        """The decision on a line, if there is one."""
        return self._made.get(line_id)

    def all(self) -> list[Decision]:
        """Every decision, in the order in which lines were first decided."""
        return list(self._made.values())

    def add(self, decision: Decision) -> None:
        """Write it down before anything else happens. Raises `InputInvalid`."""
        try:
            with self._path.open("ab") as file:
                file.write((json.dumps(asdict(decision), ensure_ascii=False) + "\n").encode("utf-8", "replace"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputInvalid(f"{self._path} cannot be written: {error.strerror or error}.") from error
        self._made[decision.id] = decision


def _decision(line: str) -> Decision:
    content = json.loads(line)
    return Decision(str(content["id"]), Choice(content["choice"]), str(content["text"]))
