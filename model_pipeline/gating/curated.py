"""Reads of a curated folder what the gate needs: held-out votes, what to ask, and what was learned; judges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_pipeline.data.curated_manifest import SET_FILES, read_manifest
from model_pipeline.data.json_lines import read_json_lines
from model_pipeline.errors import InputInvalid
from model_pipeline.runs import sha256


class Turn(BaseModel):
    """One turn of what was asked."""

    model_config = ConfigDict(frozen=True)

    role: str
    content: str


class Line(BaseModel):
    """What every line of a set holds; keys of a later version are no hindrance."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    id: str
    kind: Literal["quote", "chat"]
    keyword: str = ""
    messages: tuple[Turn, ...] = Field(min_length=1)
    person: str
    weight: float = Field(gt=0, le=1)


class Written(Line):
    """A reply to learn."""

    completion: str = Field(min_length=1)


class Voted(Line):
    """A reply that a person found good, or not."""

    completion: str = Field(min_length=1)
    label: bool


class Compared(Line):
    """Two replies, and which one a person preferred."""

    chosen: str = Field(min_length=1)
    rejected: str = Field(min_length=1)


_Kind = TypeVar("_Kind", bound=Line)


@dataclass(frozen=True, slots=True)
class Curated:
    """A curated folder: the held-out votes and pairs, and the texts that a model was to learn from it."""

    export: str
    export_sha256: str
    votes: tuple[Voted, ...]
    pairs: tuple[Compared, ...]
    learned: tuple[str, ...]

    @property
    def held_out(self) -> tuple[Line, ...]:
        """Every held-out line."""
        return (*self.votes, *self.pairs)


def read_curated(folder: Path, *, validation: bool) -> Curated:
    """The folder's test rows, with its validation rows if they count too. Raises `InputInvalid`."""
    manifest = read_manifest(folder)
    for name in SET_FILES.values():
        _check(folder, name, manifest)
    splits = ("validation", "test") if validation else ("test",)
    return Curated(
        export=str(manifest["export"]),
        export_sha256=str(manifest.get("export_sha256", "")),
        votes=tuple(line for split in splits for line in _lines(folder / "kto" / f"{split}.jsonl", Voted)),
        pairs=tuple(line for split in splits for line in _lines(folder / "dpo" / f"{split}.jsonl", Compared)),
        learned=tuple(_learned(folder)),
    )


def _learned(folder: Path) -> Iterator[str]:
    """What the training rows show as good."""
    for written in _lines(folder / "sft" / "train.jsonl", Written):
        yield written.completion
    for voted in _lines(folder / "kto" / "train.jsonl", Voted):
        if voted.label:
            yield voted.completion
    for pair in _lines(folder / "dpo" / "train.jsonl", Compared):
        yield pair.chosen


def _check(folder: Path, name: str, manifest: dict[str, Any]) -> None:
    path = folder / name
    if not path.is_file() or sha256(path) != manifest["files"].get(name):
        raise InputInvalid(f"{path} is not the file that was curated; curate the export again.")


def _lines(path: Path, kind: type[_Kind]) -> Sequence[_Kind]:
    lines = []
    for number, row in enumerate(read_json_lines(path), start=1):
        try:
            lines.append(kind.model_validate(row))
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            key = ".".join(map(str, problem["loc"]))
            raise InputInvalid(f"Row {number} of {path} cannot be used: {key}: {problem['msg']}.") from error
    return lines
