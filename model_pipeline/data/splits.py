"""Divides rows into training, validation and test, whole groups at a time; knows nothing of what a row says."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

from model_pipeline.data.rows import Row
from model_pipeline.errors import InputInvalid

SPLITS = ("train", "validation", "test")
LEAST_ROWS = 2


def split_rows(
    rows: Sequence[Row], validation_share: float, test_share: float, seed: int, held_out: Collection[str] = ()
) -> Mapping[str, list[Row]]:
    """The rows of each split, in their order; about those shares of the groups are held out.

    Quotes on the keywords `held_out` (in lower case) are test rows, and so is all that is in a group with one: such as
    everything of a person who wrote it. Where any other group goes depends on its name and the seed alone, so that more
    data moves no group. Raises `InputInvalid` if a split gets fewer than two rows.
    """
    splits: dict[str, list[Row]] = {name: [] for name in SPLITS}
    held = {row.group for row in rows if row.keyword.casefold() in held_out}
    for row in rows:
        splits["test" if row.group in held else split_of(row.group, validation_share, test_share, seed)].append(row)
    for name, part in splits.items():
        if len(part) < LEAST_ROWS:
            groups = len({row.group for row in rows})
            raise InputInvalid(
                f"The split {name} gets {len(part) or 'no'} row{'' if len(part) == 1 else 's'} of {len(rows)} in "
                f"{groups} groups, and needs {LEAST_ROWS}: give more data, a larger share, another data.seed, or "
                "a data.group_by with more groups."
            )
    return splits


def split_of(group: str, validation_share: float, test_share: float, seed: int) -> str:
    """The split of a group."""
    hashed = hashlib.sha256(f"{seed}\n{group}".encode()).digest()
    point = int.from_bytes(hashed[:8]) / 2**64  # evenly spread from 0 to 1
    if point < test_share:
        return "test"
    return "validation" if point < test_share + validation_share else "train"
