from __future__ import annotations

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.evaluation.overlap import corpus_bleu, keyword_in, rouge, sentence_bleu

REFERENCES = ["The cat sat on the mat and slept.", "Go home before it rains.", "You may begin again today."]
ANSWERS = ["The cat sat on a mat and slept.", "Go home, it rains.", "Begin."]
TEXT = st.lists(st.sampled_from(["the", "cat", "sat", "on", "mat."]), max_size=10).map(" ".join)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=2, max_size=6))
def test_corpus_bleu_is_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    answers, references = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    expected = sacrebleu.corpus_bleu(answers, [references]).score / 100
    assert corpus_bleu(answers, references).estimate(seed=0).value == pytest.approx(expected)


def test_bleu_of_the_references_is_one_and_of_nothing_is_zero() -> None:
    assert corpus_bleu(REFERENCES, REFERENCES).estimate(seed=0).value == pytest.approx(1)
    assert corpus_bleu(["", "", ""], REFERENCES).estimate(seed=0).value == 0
    assert sentence_bleu("Go home.", "Go home.") == pytest.approx(1)
    assert sentence_bleu("", "Go home.") == 0


def test_equal_answers_show_no_difference_and_better_ones_do() -> None:
    random = np.random.default_rng(0)
    references = [" ".join(random.choice(list("abcdefgh"), 15)) for _ in range(30)]
    worse = [" ".join(random.permutation(reference.split())) for reference in references]
    better = [reference[:-6] for reference in references]
    change = corpus_bleu(worse, references).change_to(corpus_bleu(better, references), seed=0)
    assert change.shown and 0 < change.low < change.estimate < change.high <= 1
    assert not corpus_bleu(worse, references).change_to(corpus_bleu(list(worse), references), seed=0).shown


def test_rouge_counts_shared_words_and_their_order() -> None:
    assert rouge("go home now", "now go home") == pytest.approx((1, 2 / 3))
    assert rouge("", "now go home") == (0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("Be courageous.", "courage"),
        ("KINDNESS costs nothing.", "kind"),
        ("She starts over, every day.", "starting over"),
        ("Do a small kindness; be yourself.", "Kindness"),
        ("Нов ден, нова надежда.", "надежда"),
    ],
)
def test_a_word_of_the_same_stem_is_relevant(text: str, keyword: str) -> None:
    assert keyword_in(text, keyword)


@pytest.mark.parametrize(
    ("text", "keyword"),
    [("The sea waits.", "courage"), ("Start early.", "starting over"), ("", "sea"), ("The sea waits.", "")],
)
def test_an_answer_about_something_else_is_not_relevant(text: str, keyword: str) -> None:
    assert not keyword_in(text, keyword)
