"""Copies are found; little else is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.errors import InputInvalid
from model_pipeline.judging import learned_filters as module
from model_pipeline.judging.learned_filters import (
    BITS_EACH,
    LEAST_WORDS,
    Filter,
    Learned,
    copy_filter,
    learned_filters,
    places_of,
    read_learned,
    word_filter,
)
from model_pipeline.judging.pieces import buckets_of, runs_of

WORDS = st.lists(st.sampled_from(["rain", "sun", "moon", "tea", "road", "hill", "dog", "cat"]), min_size=1, max_size=14)


@given(st.lists(WORDS.map(" ".join), min_size=1, max_size=20))
def test_every_run_of_a_text_is_held(texts: list[str]) -> None:
    filled = copy_filter(texts)
    for text in texts:
        for run in runs_of(text):
            assert all(filled[place >> 3] >> (place & 7) & 1 for place in places_of(run, len(filled) * 8))


def test_of_other_runs_hardly_one_is_taken_for_one() -> None:
    filled = copy_filter(f"line number {number} of the training texts" for number in range(5_000))
    others = [f"another line {number} that nobody trained on" for number in range(5_000)]
    taken = sum(
        all(filled[place >> 3] >> (place & 7) & 1 for place in places_of(run, len(filled) * 8))
        for text in others
        for run in runs_of(text)
    )
    assert taken <= 0.002 * len(others)


def test_few_words_are_no_vocabulary() -> None:
    assert not len(word_filter(f"word{number}" for number in range(LEAST_WORDS - 1)))
    assert len(word_filter(f"word{number}" for number in range(LEAST_WORDS))) == LEAST_WORDS * BITS_EACH // 8


def test_pieces_are_words_and_marks_in_lower_case() -> None:
    assert buckets_of("Don't stop!", 100_000) == buckets_of("DON'T STOP!", 100_000)
    assert len(buckets_of("Don't stop!", 100_000)) == 3


def test_a_short_text_is_one_run() -> None:
    assert list(runs_of("Rain fills the river.")) == ["rain fills the river"]


def test_what_a_base_had_learned_stays_learned_and_what_is_new_joins_it(tmp_path: Path) -> None:
    before, later = lines("base", 3_000), lines("run", 40)
    learned = saved(tmp_path / "judge.npz", learned_filters(before))
    both = saved(tmp_path / "later.npz", learned_filters(later, learned))
    assert all(both.has_all_of(text) for text in [*before, *later])
    assert not any(learned.has_run_of(text) for text in later)
    assert len(both.runs) == len(learned.runs)  # so few more need no longer filter


def test_words_that_a_base_had_learned_are_a_vocabulary_with_however_few_more(tmp_path: Path) -> None:
    before = [f"word{number} stands here" for number in range(LEAST_WORDS)]
    both = learned_filters(["A quokka."], saved(tmp_path / "judge.npz", learned_filters(before)))["words"]
    held = {word for word in ("word7", "quokka", "snorf", "blent") if is_held(np.asarray(both, np.uint8), word)}
    assert held == {"word7", "quokka"}


def test_a_small_filter_grows_until_hardly_another_run_is_taken_for_one(tmp_path: Path) -> None:
    before, later = lines("base", 50), lines("run", 4_000)
    both = saved(tmp_path / "later.npz", learned_filters(later, saved(tmp_path / "judge.npz", learned_filters(before))))
    assert all(both.has_all_of(text) for text in [*before, *later])
    others = lines("other", 4_000)
    assert sum(both.has_run_of(text) for text in others) <= 0.01 * len(others)


def test_a_filter_grows_no_larger_than_the_bot_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved(tmp_path / "judge.npz", learned_filters(lines("base", 500)))
    monkeypatch.setattr(module, "MOST_BYTES", 2 * len(before.runs) + 1)
    both = saved(tmp_path / "later.npz", learned_filters(lines("run", 4_000), before))
    assert len(both.runs) == 2 * len(before.runs)


def test_a_file_of_other_hashes_is_gone_on_with_as_the_bot_reads_it(tmp_path: Path) -> None:
    few = Learned(np.zeros(4_000, np.uint8), np.zeros(0, np.uint8), 3)
    first = saved(tmp_path / "judge.npz", learned_filters(lines("base", 100), few))
    both = saved(tmp_path / "later.npz", learned_filters(lines("run", 100), first))
    assert both.hashes == 3 and all(both.has_all_of(text) for text in [*lines("base", 100), *lines("run", 100)])


@pytest.mark.parametrize("broken", [b"", b"no arrays at all", b"PK\x03\x04 cut off"])
def test_a_judge_that_is_damaged_is_told(broken: bytes, tmp_path: Path) -> None:
    (tmp_path / "judge.npz").write_bytes(broken)
    with pytest.raises(InputInvalid, match=r"judge\.npz cannot be read, and what the base has learned stands there; "):
        read_learned(tmp_path / "judge.npz")


def lines(who: str, count: int) -> list[str]:
    """Texts of nine words."""
    return [f"text {number} of the {who} has {number} words more" for number in range(count)]


def saved(path: Path, arrays: Mapping[str, Any]) -> Learned:
    """What a judge's file with these arrays tells."""
    np.savez_compressed(path, **arrays)
    return read_learned(path)


def is_held(filled: Filter, word: str) -> bool:
    return all(filled[place >> 3] >> (place & 7) & 1 for place in places_of(word, len(filled) * 8))
