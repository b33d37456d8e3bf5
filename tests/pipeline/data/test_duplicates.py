"""Duplicates and near duplicates, compared with every pair."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.data.duplicates import compared_text, remove_duplicates, similarity, word_grams
from model_pipeline.data.rows import Row
from model_pipeline.data.splits import split_of

LINE = "The kettle on the stove sings a little song for everybody who comes home cold and tired at night"


def quote(text: str, keyword: str = "tea", number: int = 0) -> Row:
    return Row(f"Keyword: {keyword}\nQuote:", f" {text}", f"keyword {keyword}", keyword, "quote", f"q:{number}")


def chat(asked: str, told: str, group: str, system: str = "") -> Row:
    first = [{"role": "system", "content": system}] if system else []
    prompt = [*first, {"role": "user", "content": asked}]
    return Row(prompt, [{"role": "assistant", "content": told}], group, "", "chat", f"c:{group}")


def test_the_first_stays_and_removals_name_it() -> None:
    rows = [quote(LINE, number=1), quote("Another line.", number=2), quote(LINE.upper() + "!", "cup", number=3)]
    kept, dropped = remove_duplicates(rows, 0.85)
    assert kept == rows[:2]
    assert [(row.origin, row.reason, row.detail) for row in dropped] == [("q:3", "duplicate", "of q:1")]
    assert dropped[0].content["keyword"] == "cup"


def test_a_near_duplicate_is_named_with_its_similarity() -> None:
    rows = [quote(LINE, number=1), quote(f"{LINE} again", "cup", number=2)]
    kept, dropped = remove_duplicates(rows, 0.85)
    assert kept == rows[:1]
    assert (dropped[0].reason, dropped[0].detail) == ("near duplicate", "of q:1: 0.94")
    assert remove_duplicates(rows, 1)[0] == rows
    assert remove_duplicates(rows, 0.95)[0] == rows


def test_a_system_turn_makes_chats_neither_alike_nor_different() -> None:
    system = "You are a very helpful assistant who answers every question of every person as well as it can."
    different = [chat("What is tea?", "Leaves in water.", "1", system), chat("Who are you?", "A bot.", "2", system)]
    assert remove_duplicates(different, 0.5)[0] == different
    same = [chat("What is tea?", "Leaves in water.", "1", system), chat("What is tea?", "Leaves in water.", "2")]
    assert remove_duplicates(same, 1)[0] == same[:1]


def test_replies_of_one_conversation_may_repeat_what_was_said_before() -> None:
    rows = [chat(LINE, "Yes.", "1"), chat(f"{LINE} Yes.", "Indeed.", "1"), chat(f"{LINE} Yes.", "Oh.", "2")]
    kept, dropped = remove_duplicates(rows, 0.8)
    assert kept == rows[:2] and dropped[0].origin == "c:2"


WORDS = st.lists(st.sampled_from("abc"), max_size=9).map(" ".join)  # so few that many are alike
VARIANTS = st.integers(0, len(LINE.split())).map(
    lambda place: " ".join(LINE.split()[:place] + LINE.split()[place + 1 :])
)
ROWS = st.lists(
    st.builds(quote, WORDS | VARIANTS, st.sampled_from(["tea", "cup", "pot", "jug", "mug"]))
    | st.builds(chat, WORDS | VARIANTS, WORDS, st.sampled_from("123456789")),
    max_size=30,
)


@settings(deadline=None)
@given(rows=ROWS, threshold=st.floats(0.2, 1))
def test_what_is_kept_is_alike_nowhere_and_what_is_dropped_is_alike_somewhere(
    rows: list[Row], threshold: float
) -> None:
    kept, dropped = remove_duplicates(rows, threshold)
    assert len(kept) + len(dropped) == len(rows)
    assert remove_duplicates(rows, threshold) == (kept, dropped)
    for one, other in combinations(kept, 2):
        assert compared_text(one) != compared_text(other)
        if threshold < 1 and not one.kind == other.kind == "chat":
            assert _alike(one, other) < threshold
    removed = [row for row in rows if not any(row is other for other in kept)]
    assert all(max(_alike(row, other) for other in kept) >= min(threshold, 1) for row in removed)


@settings(deadline=None)
@given(rows=ROWS, seed=st.integers(0, 99))
def test_nothing_that_is_held_out_repeats_a_training_row(rows: list[Row], seed: int) -> None:
    kept, _ = remove_duplicates(rows, 0.7)
    places = [split_of(row.group, 0.3, 0.3, seed) for row in kept]
    train = [row for row, place in zip(kept, places, strict=True) if place == "train"]
    for held_out in (row for row, place in zip(kept, places, strict=True) if place != "train"):
        assert all(_alike(held_out, row) < 0.7 and row.group != held_out.group for row in train)


def test_without_the_removal_they_would() -> None:
    rows = [quote(f"{LINE} {number}", f"keyword {number}") for number in range(20)]
    places = {split_of(row.group, 0.3, 0.3, 0) for row in rows}
    assert places == {"train", "validation", "test"} and len(remove_duplicates(rows, 0.7)[0]) == 1


def _alike(one: Row, other: Row) -> float:
    return similarity(word_grams(compared_text(one)), word_grams(compared_text(other)))


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.85, 0.95])
def test_no_pair_at_the_threshold_slips_through(threshold: float) -> None:
    total = 60
    for number in range(40):
        words = [f"w{number}x{place}" for place in range(total)]
        shared = next(count for count in range(total + 1) if _share(count, total) >= threshold)
        near = [*words[: shared + 2], *(f"v{number}x{place}" for place in range(total - shared - 2))]
        rows = [quote(" ".join(words), number=1), quote(" ".join(near), number=2)]
        assert _alike(*rows) >= threshold > _share(shared - 1, total)
        assert len(remove_duplicates(rows, threshold)[0]) == 1


def _share(shared_grams: int, words: int) -> float:
    grams = words - 2
    return shared_grams / (2 * grams - shared_grams)
