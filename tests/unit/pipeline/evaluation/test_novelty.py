from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.evaluation.novelty import find_copied
from model_pipeline.evaluation.words import words
from model_pipeline.judging.learned_filters import HASHES, Learned, copy_filter

TEXTS = ["The sea waits for nobody at all.", "Be brave.", "Courage is a small coin, spend it early."]
TEXT = st.lists(st.sampled_from("abcd"), max_size=8).map(" ".join)


def test_an_answer_that_stands_in_a_training_text_is_copied_whatever_its_case() -> None:
    copied = find_copied(["the SEA waits for nobody"], TEXTS)
    assert copied.is_verbatim("the SEA waits for nobody")
    assert copied.novelty("the SEA waits for nobody") == 0


def test_an_answer_across_two_texts_is_not_copied() -> None:
    answer = "for nobody at all be brave"
    copied = find_copied([answer], TEXTS)
    assert not copied.is_verbatim(answer)
    assert copied.novelty(answer) == 2 / 3  # "for nobody at all" stands there, the two other runs do not


def test_pieces_of_a_text_in_another_order_are_seen_but_not_copied() -> None:
    texts = ["a b c d e", "x b c d f", "c d f g"]
    answer = "a b c d f g"
    copied = find_copied([answer], texts)
    assert copied.novelty(answer) == 0
    assert not copied.is_verbatim(answer)


def test_a_short_answer_is_copied_only_if_it_is_a_whole_text() -> None:
    copied = find_copied(["be brave", "the sea"], TEXTS)
    assert copied.is_verbatim("Be brave!")
    assert not copied.is_verbatim("The sea")
    assert copied.novelty("The sea") == 1


def test_nothing_is_neither_new_nor_copied() -> None:
    copied = find_copied(["", "..."], ["", *TEXTS])
    assert copied.novelty("...") == 0
    assert not copied.is_verbatim("")


def test_what_was_learned_before_is_copied_though_its_text_is_not_there() -> None:
    known, short = "A lamp in the window is the oldest of all letters.", "Rain keeps its word."
    before = Learned(copy_filter([known, short]), copy_filter([]), HASHES)
    copied = find_copied([known, short], TEXTS, before)
    assert copied.is_verbatim("a lamp in the window is the oldest of all letters") and copied.is_verbatim(short)
    assert copied.novelty(known) == 0
    assert not copied.is_verbatim("A lamp in the window is the oldest of all the letters.")
    assert not find_copied([known], TEXTS).is_verbatim(known)


@given(st.lists(TEXT), st.lists(TEXT))
def test_copied_is_what_a_plain_search_finds(answers: list[str], texts: list[str]) -> None:
    copied = find_copied(answers, texts)
    for answer in answers:
        length = len(words(answer))
        stands = [f" {answer} " in f" {text} " if length >= 4 else bool(answer) and answer == text for text in texts]
        assert copied.is_verbatim(answer) == any(stands)
        assert 0 <= copied.novelty(answer) <= 1
        assert not (copied.is_verbatim(answer) and copied.novelty(answer))
