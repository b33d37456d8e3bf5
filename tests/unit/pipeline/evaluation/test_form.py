from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.evaluation.answers import Answer
from model_pipeline.evaluation.form import Reason, why_not


def reason(text: str, kind: str, closed: bool = True) -> Reason | None:
    return why_not(Answer(text, closed, 1), kind)


@pytest.mark.parametrize(
    "text",
    [
        "Borrow ten seconds of courage.",
        " The sea waits for nobody!\n",
        '"Keep the small lamp lit."',
        "“Is it not enough to begin?”",
        "Begin again, and again...",
        "Begin again, and again…",
        "A quote: that is what she asked for.",
        " ".join([f"word{number}" for number in range(59)]) + " end.",
    ],
)
def test_a_quote_in_good_form_adheres(text: str) -> None:
    assert reason(text, "quote") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", Reason.EMPTY),
        (" \n ", Reason.EMPTY),
        ("Be brave.", Reason.SHORT),
        (" ".join([f"word{number}" for number in range(61)]) + ".", Reason.LONG),
        ("The sea waits.\nSo do I.", Reason.LINES),
        ("The sea waits\u2028for all of us.", Reason.LINES),
        ("The sea waits for nobody", Reason.NO_CLOSING),
        ("The sea waits for nobody,", Reason.NO_CLOSING),
        ("Quote: The sea waits for nobody.", Reason.LABEL),
        ('"keyword : sea and the quote.', Reason.LABEL),
        ("**Quote:** The sea waits for nobody.", Reason.LABEL),
        ("The sea waits.<|user|>", Reason.MARKER),
        ("The sea waits.</s>", Reason.MARKER),
        ("Go on and on and on and on and on and on and on.", Reason.REPEATS),
    ],
)
def test_a_quote_in_bad_form_has_its_reason(text: str, why: Reason) -> None:
    assert reason(text, "quote") is why


@pytest.mark.parametrize(
    "text", ["No", "Hello there\n\n- one\n- two", "The user: a person who asks.", "Keyword: sea", "a < b | c"]
)
def test_a_chat_reply_may_be_short_long_or_have_lines(text: str) -> None:
    assert reason(text, "chat") is None


@pytest.mark.parametrize(
    "text",
    ["Hi.\nUser: and you?", "Assistant: Hi.", "<|im_start|>Hi", "[INST] Hi [/INST]", "Hi\n### Response:\nHello"],
)
def test_a_chat_reply_with_a_marker_of_a_template_does_not_adhere(text: str) -> None:
    assert reason(text, "chat") is Reason.MARKER


def test_the_same_four_words_twice_are_fine_and_three_times_are_not() -> None:
    line = "I am right here now, "
    assert reason(line * 2, "chat") is None
    assert reason(line * 3, "chat") is Reason.REPEATS


@given(st.text(), st.sampled_from(["quote", "chat"]))
def test_what_the_model_did_not_end_never_adheres(text: str, kind: str) -> None:
    assert reason(text, kind, closed=False) is Reason.NOT_ENDED


@given(st.text())
def test_a_quote_that_adheres_would_be_a_fine_chat_reply(text: str) -> None:
    if reason(text, "quote") is None:
        assert reason(text, "chat") is None
