"""What a person sees while a reply grows: never a repetition, and in the end the reply itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.generation import FinishReason, TextDelta
from bot.chat.quotes import visible_beginning
from bot.chat.replies import ReplyEvent, Retracted, Showing, completing, finished_reply, visible_reply

# Few characters, so that texts resemble each other often: white space, marks, an accent that joins its letter.
TEXTS = st.text("aB1 .\n\"“'é\u0301", max_size=12)
PIECES = st.lists(st.text("aB1 .\n\"“'é\u0301", max_size=4), max_size=8)
SEEN = st.lists(TEXTS, max_size=3)
VISIBLE = st.sampled_from([visible_beginning, visible_reply])


def as_seen(events: Sequence[ReplyEvent], shown: str = "") -> str:
    """What stands on the screen after the events."""
    for event in events:
        shown = shown + event.text if isinstance(event, TextDelta) else ""
    return shown


@given(PIECES, SEEN)
def test_what_was_shown_is_the_visible_text_or_an_earlier_state_of_it(pieces: list[str], seen: list[str]) -> None:
    showing, shown = Showing(seen, visible_reply), ""
    for piece in pieces:
        shown += showing.add(piece)
        assert shown == showing.shown
        assert visible_reply(showing.written).startswith(shown)
    assert showing.written == "".join(pieces)


@given(PIECES, SEEN, VISIBLE)
def test_nothing_is_shown_of_a_text_that_becomes_a_repetition(
    pieces: list[str], seen: list[str], visible: Callable[[str], str]
) -> None:
    whole = visible("".join(pieces))
    showing = Showing([*seen, whole], visible)
    assert [showing.add(piece) for piece in pieces] == [""] * len(pieces)
    assert showing.repeats(whole)


def test_a_text_is_shown_as_soon_as_it_differs_from_all_that_were_seen() -> None:
    showing = Showing(["The sea is wide.", "The sun is warm."], visible_reply)
    assert [showing.add(piece) for piece in ("The s", "ea is", " deep", ".")] == ["", "", "The sea is deep", "."]
    assert not showing.repeats(showing.written)


@pytest.mark.parametrize("again", ["THE SEA IS WIDE", "“The sea... is wide!”", "The séa is wide", "Thesea iswide"])
def test_other_case_marks_or_spaces_make_no_other_text(again: str) -> None:
    assert Showing(["The sea is wide."], visible_reply).repeats(again)


@given(TEXTS, TEXTS)
def test_after_the_completion_the_person_sees_the_text(shown: str, text: str) -> None:
    correction = completing(shown, text)
    assert as_seen(correction, shown) == text
    assert (Retracted() in correction) == (not text.startswith(shown))


@pytest.mark.parametrize(
    ("shown", "text", "correction"),
    [
        ("All", "All", []),
        ("", "All", [TextDelta("All")]),
        ("A", "All", [TextDelta("ll")]),
        ("All is", "All", [Retracted(), TextDelta("All")]),
    ],
)
def test_no_more_is_sent_than_needed(shown: str, text: str, correction: list[ReplyEvent]) -> None:
    assert completing(shown, text) == correction


@given(TEXTS, st.sampled_from(FinishReason))
def test_a_reply_is_its_visible_text_or_that_and_the_sign_that_it_was_cut_off(text: str, reason: FinishReason) -> None:
    visible = visible_reply(text)
    cut_off = reason in (FinishReason.LENGTH, FinishReason.DEADLINE)
    assert finished_reply(text, reason) in ([visible, f"{visible} …"] if cut_off and visible else [visible or None])


@pytest.mark.parametrize(
    ("text", "reason", "reply"),
    [
        (" Hello there \n", FinishReason.END, "Hello there"),
        ("Hello the", FinishReason.LENGTH, "Hello the …"),
        ("Hello the", FinishReason.DEADLINE, "Hello the …"),
        ("Hello.", FinishReason.LENGTH, "Hello."),
        ("こんにちは。", FinishReason.LENGTH, "こんにちは。"),
        ("Hello", FinishReason.STOP, "Hello"),
        (" \n\t ", FinishReason.END, None),
        ("", FinishReason.LENGTH, None),
    ],
)
def test_a_reply_that_was_cut_off_says_so(text: str, reason: FinishReason, reply: str | None) -> None:
    assert finished_reply(text, reason) == reply
