"""Groups in splits: whole, stable and about as many as asked for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.data.rows import Row
from model_pipeline.data.splits import SPLITS, split_of, split_rows
from model_pipeline.errors import InputInvalid

SHARES = st.floats(0.01, 0.49)


def row(group: str) -> Row:
    return Row("p", "c", group, "", "chat")


@settings(deadline=None)
@given(
    groups=st.lists(st.text("abcdefgh", max_size=2), max_size=60), validation=SHARES, test=SHARES, seed=st.integers()
)
def test_no_group_is_in_two_splits_and_no_row_is_lost(
    groups: list[str], validation: float, test: float, seed: int
) -> None:
    rows = [row(group) for group in groups]
    try:
        splits = split_rows(rows, validation, test, seed)
    except InputInvalid:
        placed = [split_of(group, validation, test, seed) for group in groups]
        assert min(placed.count(name) for name in SPLITS) < 2
        return
    assert list(splits) == list(SPLITS)
    assert sorted(r.group for part in splits.values() for r in part) == sorted(groups)
    for name, part in splits.items():
        others = {r.group for other, rows_ in splits.items() if other != name for r in rows_}
        assert len(part) >= 2 and not others & {r.group for r in part}


@settings(deadline=None)
@given(st.integers(0, 50))
def test_more_data_moves_no_group(seed: int) -> None:
    few = [row(f"g{number}") for number in range(200)]
    more = [row(f"new {number}") for number in range(100)] + few
    before, after = (split_rows(rows, 0.2, 0.2, seed) for rows in (few, more))
    for name in SPLITS:
        assert before[name] == [r for r in after[name] if not r.group.startswith("new")]


@pytest.mark.parametrize(("validation", "test"), [(0.05, 0.05), (0.1, 0.3), (0.49, 0.49)])
def test_shares_are_about_those_asked_for(validation: float, test: float) -> None:
    counts = dict.fromkeys(SPLITS, 0)
    for number in range(20_000):
        counts[split_of(f"group {number}", validation, test, 3)] += 1
    assert counts["validation"] / 20_000 == pytest.approx(validation, abs=0.01)
    assert counts["test"] / 20_000 == pytest.approx(test, abs=0.01)


def test_another_seed_holds_out_other_groups() -> None:
    held_out = [{n for n in range(500) if split_of(f"g{n}", 0.2, 0.2, seed) != "train"} for seed in (0, 1)]
    assert held_out[0] != held_out[1]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "The split train gets no rows of 0 in 0 groups"),
        ([row("only")] * 50, "gets no rows of 50 in 1 groups, and needs 2"),
    ],
)
def test_a_split_without_rows_is_named(rows: list[Row], said: str) -> None:
    with pytest.raises(InputInvalid, match=said):
        split_rows(rows, 0.1, 0.1, 0)


def test_one_row_is_too_few() -> None:
    groups = [f"g{number}" for number in range(100)]
    alone = next(group for group in groups if split_of(group, 0.2, 0.2, 0) == "test")
    others = [group for group in groups if split_of(group, 0.2, 0.2, 0) != "test"]
    with pytest.raises(InputInvalid, match="The split test gets 1 row of"):
        split_rows([row(group) for group in [alone, *others]], 0.2, 0.2, 0)


def test_keywords_that_are_held_out_are_test_rows_whatever_their_case() -> None:
    rows = [
        Row("p", "c", f"keyword {word.lower()}", word, "quote")
        for word in ["Monday", *"abcdefghijklmnopqrstuvwxyz"] * 2
    ]
    splits = split_rows(rows, 0.2, 0.2, 1, {"monday"})
    assert {row.keyword for row in splits["test"]} >= {"Monday"}
    assert not any(row.keyword == "Monday" for name in ("train", "validation") for row in splits[name])


def test_who_wrote_on_a_keyword_that_is_held_out_is_in_no_other_split() -> None:
    rows = [
        Row("p", "c", f"person {number}", word, "quote")
        for number in range(60)
        for word in ("Monday" if number % 10 == 0 else "sea", "tea", "bread")
    ]
    splits = split_rows(rows, 0.2, 0.2, 1, {"monday"})
    groups = {name: {row.group for row in part} for name, part in splits.items()}
    assert groups["test"] >= {f"person {number}" for number in range(0, 60, 10)}
    assert not groups["test"] & (groups["train"] | groups["validation"])
