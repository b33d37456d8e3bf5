"""Counts what became of a run's data, for its manifest and its dataset card; decides nothing."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model_pipeline.data.items import Dropped
from model_pipeline.data.prepared import training_texts
from model_pipeline.data.rows import Row
from model_pipeline.data.sources import SourceFacts
from model_pipeline.recipe import Data


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that preparing found: rows by split, and what they came from."""

    recipe: str
    data: Data
    sources: tuple[SourceFacts, ...]
    splits: Mapping[str, Sequence[Row]]
    dropped: Sequence[Dropped]
    not_drawn: int  # quotes and conversations beyond max_rows
    shortened: int
    truncated: int
    tokens_are_estimated: bool

    @property
    def rows(self) -> list[Row]:
        """The rows of all splits."""
        return [row for part in self.splits.values() for row in part]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of rows, in tokens."""

    median: int
    p95: int
    max: int


def lengths_of(rows: Sequence[Row]) -> Lengths:
    """The lengths of one row or more."""
    tokens = sorted(row.tokens for row in rows)
    p95 = statistics.quantiles(tokens, n=20, method="inclusive")[-1] if len(tokens) > 1 else tokens[0]
    return Lengths(round(statistics.median(tokens)), round(p95), tokens[-1])


def dropped_by_reason(dropped: Sequence[Dropped]) -> dict[str, int]:
    """How many rows were dropped for each reason, the most frequent first."""
    return dict(Counter(row.reason for row in dropped).most_common())


def keywords_of(rows: Sequence[Row]) -> Counter[str]:
    """How many quotes there are on each keyword, in lower case."""
    return Counter(row.keyword.casefold() for row in rows if row.keyword)


def figures_of(prepared: Prepared) -> dict[str, Any]:
    """The figures of the stage's manifest."""
    rows = prepared.rows
    return {
        "rows": {name: len(part) for name, part in prepared.splits.items()},
        "kinds": dict(Counter(row.kind for row in rows)),
        "groups": {name: len({row.group for row in part}) for name, part in prepared.splits.items()},
        "keywords": len(keywords_of(rows)),
        "dropped": dropped_by_reason(prepared.dropped),
        "not_drawn": prepared.not_drawn,
        "tokens": asdict(lengths_of(rows)) | {"estimated": prepared.tokens_are_estimated},
        "shortened": prepared.shortened,
        "truncated": prepared.truncated,
        "training_texts": len(training_texts(prepared.splits["train"])),
        "sources": [asdict(source) for source in prepared.sources],
    }
