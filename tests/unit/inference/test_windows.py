"""The beginning of a conversation's visible part: found again when it has grown, never a wrong one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.chat.messages import Role, Turn
from bot.inference.windows import Windows

SYSTEM = Turn(Role.SYSTEM, "Be kind.")


def said(texts: list[str], *, system: bool = False) -> list[Turn]:
    turns = [Turn((Role.USER, Role.ASSISTANT)[number % 2], text) for number, text in enumerate(texts)]
    return [SYSTEM, *turns] if system else turns


TEXTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=9)


@given(st.permutations("abcdefg"), st.booleans(), st.integers(0, 6), st.sampled_from([0, 2]))
def test_the_same_beginning_is_found_after_a_reply_and_a_message_and_when_asked_again(
    texts: list[str], system: bool, start: int, more: int
) -> None:
    windows = Windows()
    windows.remember("chat", said(texts, system=system), start)
    grown = said([*texts, *["reply", "message"][:more]], system=system)
    assert windows.start("chat", grown) == start


@given(TEXTS, TEXTS, st.integers(0, 8))
def test_what_is_found_begins_with_the_turn_that_was_seen(before: list[str], now: list[str], start: int) -> None:
    windows, start = Windows(), start % len(before)
    windows.remember("chat", said(before), start)
    found = windows.start("chat", said(now))
    assert found is None or said(now)[found] == said(before)[start]


def test_the_window_moves_along_when_the_oldest_turns_are_no_longer_told() -> None:
    windows = Windows()
    windows.remember("chat", said(["a", "b", "c", "d", "e"]), 2)
    assert windows.start("chat", said(["c", "d", "e", "f", "g"])) == 0


def test_a_conversation_that_began_anew_has_no_beginning_yet() -> None:
    windows = Windows()
    windows.remember("chat", said(["a", "b", "c"]), 0)
    assert windows.start("chat", said(["x"])) is None
    assert windows.start("other", said(["a", "b", "c"])) is None
    assert windows.start("chat", []) is None


def test_what_belongs_to_no_conversation_is_not_remembered() -> None:
    windows = Windows()
    windows.remember(None, said(["a"]), 0)
    windows.remember("chat", said(["a"]), 1)
    assert windows.start(None, said(["a"])) is None
    assert windows.start("", said(["a"])) is None
    assert windows.start("chat", said(["a"])) is None


def test_of_very_many_conversations_the_ones_used_last_are_remembered() -> None:
    windows, turns = Windows(), said(["a"])
    for number in range(4096):
        windows.remember(str(number), turns, 0)
    windows.remember("0", turns, 0)
    windows.remember("one more", turns, 0)
    assert [windows.start(name, turns) for name in ("0", "1", "2", "one more")] == [0, None, 0, 0]
