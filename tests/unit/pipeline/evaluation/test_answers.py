from __future__ import annotations

import math
from dataclasses import replace

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.answers import Answer, Answers, Asked, check_fit

ASKED = [Asked("Hello", "Hi there.", "", "chat"), Asked("Keyword: sea\nQuote:", "The sea waits.", "sea", "quote")]
MODEL = Answers("base", (Answer("Hi.", True, 2), Answer("Sea.", True, 2)), (3.0, 4.0), (3, 4), (9, 14))


def test_answers_to_every_row_fit() -> None:
    check_fit(ASKED, [MODEL, replace(MODEL, name="tuned")])


def test_likelihoods_may_be_left_unmeasured() -> None:
    check_fit(ASKED, [Answers("base", MODEL.answers)])


@pytest.mark.parametrize(
    ("asked", "models", "said"),
    [
        (ASKED[:1], [MODEL], "at least 2"),
        ([ASKED[0], replace(ASKED[1], kind="song")], [MODEL], "row 2 is of the kind 'song'"),
        (ASKED, [], "give at least one"),
        (ASKED, [MODEL, MODEL], "a name of its own"),
        (ASKED, [replace(MODEL, answers=MODEL.answers[:1])], "1 answers to 2 rows"),
        (ASKED, [replace(MODEL, reference_tokens=(3,))], "for all 2 rows"),
        (ASKED, [replace(MODEL, reference_characters=())], "for all 2 rows"),
        (ASKED, [replace(MODEL, negative_log_likelihoods=(math.nan, 1.0))], "no finite number"),
        (ASKED, [replace(MODEL, negative_log_likelihoods=(-1.0, 1.0))], "no finite number"),
        (ASKED, [replace(MODEL, negative_log_likelihoods=(1e9, 1.0))], "nats a token"),
        (ASKED, [replace(MODEL, reference_tokens=(0, 4))], "at least one"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(asked: list[Asked], models: list[Answers], said: str) -> None:
    with pytest.raises(InputInvalid, match=said) as refusal:
        check_fit(asked, models)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)
