"""How often a row is learned from, by the weight of its source; knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from model_pipeline.data.rows import Row, source_of
from model_pipeline.recipe import Data


def weighted(rows: Sequence[Row], data: Data) -> list[Row]:
    """Each row as many times as the weight of its source says, in their order; of a fraction, so many rows by lot.

    A row whose source is not among those of `data` counts once.
    """
    weights = {source.name: source.weight for source in data.sources}
    lot = Random(data.seed)
    found: list[Row] = []
    for row in rows:
        whole, fraction = divmod(weights.get(source_of(row), 1.0), 1)
        found += [row] * (int(whole) + (lot.random() < fraction))
    return found
