"""Reads of a curated folder what the gate needs: held-out votes, what to ask, and what was learned; judges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model_pipeline.data.curated import Curated, Opinion, read_curated
from model_pipeline.data.curated_manifest import SETS


@dataclass(frozen=True, slots=True)
class CuratedVotes:
    """The held-out votes (`kto`) and pairs (`dpo`) of a curated folder, and the texts that a model was to learn."""

    export: str
    export_sha256: str
    votes: tuple[Opinion, ...]
    pairs: tuple[Opinion, ...]
    learned: tuple[str, ...]

    @property
    def held_out(self) -> tuple[Opinion, ...]:
        """Every held-out line."""
        return (*self.votes, *self.pairs)


def read_curated_votes(folder: Path, *, validation: bool) -> CuratedVotes:
    """The folder's test rows, with its validation rows if they count too. Raises `InputInvalid`."""
    curated = read_curated(folder)
    splits = ("validation", "test") if validation else ("test",)
    votes, pairs = (tuple(one for split in splits for one in curated.opinions(name, split)) for name in ("kto", "dpo"))
    return CuratedVotes(curated.export, curated.export_sha256, votes, pairs, tuple(_learned(curated)))


def _learned(curated: Curated) -> Iterator[str]:
    """What the training rows show as good."""
    return (one.replies[0] for name in SETS for one in curated.opinions(name, "train") if one.liked)
