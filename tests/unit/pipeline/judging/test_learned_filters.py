"""Copies are found; little else is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.judging.learned_filters import BITS_EACH, LEAST_WORDS, copy_filter, places_of, word_filter
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
