from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.evaluation.words import grams, words


def test_words_lose_case_and_punctuation_but_keep_their_apostrophes() -> None:
    assert words("“Don’t stop,” she said -- it's ÉTÉ!") == ["don't", "stop", "she", "said", "it's", "été"]


@given(st.lists(st.text("abc", min_size=1)), st.integers(1, 5))
def test_every_run_of_that_length_is_found_once_for_each_place(text_words: list[str], length: int) -> None:
    found = grams(text_words, length)
    assert len(found) == max(0, len(text_words) - length + 1)
    assert all(list(gram) == text_words[place : place + length] for place, gram in enumerate(found))


@given(st.text())
def test_splitting_what_was_joined_gives_the_same_words(text: str) -> None:
    assert words(" ".join(words(text))) == words(text)
