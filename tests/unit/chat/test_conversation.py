"""Trimming: what stays fits, is an end of what was said, and moves seldom."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.chat.conversation import TRIM_TO, Trimmed, trim
from bot.chat.messages import Role, Turn

PER_TURN = 3  # what a template puts around each turn
TEXTS = st.text("abc ", min_size=1, max_size=30)
SYSTEMS = st.none() | TEXTS.map(lambda text: Turn(Role.SYSTEM, text))


def measure(turns: Sequence[Turn]) -> int:
    return sum(PER_TURN + len(turn.content) for turn in turns)


def dialogue(texts: Sequence[str], system: Turn | None = None) -> list[Turn]:
    """User and assistant by turns; a person's message is the last."""
    roles = (Role.USER, Role.ASSISTANT)
    said = [Turn(roles[(len(texts) - 1 - number) % 2], text) for number, text in enumerate(texts)]
    return [system, *said] if system else said


DIALOGUES = st.builds(dialogue, st.lists(TEXTS, min_size=1, max_size=15), SYSTEMS)
BUDGETS = st.integers(PER_TURN, 300)


def split(turns: Sequence[Turn]) -> tuple[list[Turn], list[Turn]]:
    system = [turn for turn in turns if turn.role is Role.SYSTEM]
    return system, [turn for turn in turns if turn.role is not Role.SYSTEM]


@given(DIALOGUES, BUDGETS, st.none() | st.integers(0, 20))
def test_what_is_kept_always_fits_and_ends_with_the_newest_turn(
    turns: list[Turn], budget: int, keep_from: int | None
) -> None:
    kept = trim(turns, budget, measure, keep_from).turns
    assert measure(kept) <= budget
    beginning, _, end = kept[-1].content.partition(" ... ")
    assert kept[-1].role is Role.USER
    assert turns[-1].content.startswith(beginning)
    assert turns[-1].content.endswith(end)


@given(DIALOGUES, BUDGETS, st.none() | st.integers(0, 20))
def test_while_the_newest_turn_fits_whole_turns_stay_and_the_system_turn_first(
    turns: list[Turn], budget: int, keep_from: int | None
) -> None:
    system, said = split(turns)
    assume(measure([*system, turns[-1]]) <= budget)
    trimmed = trim(turns, budget, measure, keep_from)
    kept_system, kept = split(trimmed.turns)
    assert kept_system == system
    assert kept == said[trimmed.dropped :]
    assert said[trimmed.dropped].role is Role.USER or len(kept) == 1
    assert list(trimmed.turns) == kept_system + kept


@given(DIALOGUES)
def test_what_fits_as_a_whole_is_left_alone(turns: list[Turn]) -> None:
    budget = measure(turns)
    system, said = split(turns)
    if said[0].role is Role.ASSISTANT:  # a reply to nothing that is shown
        del said[0]
    assert list(trim(turns, budget, measure).turns) == [*system, *said]


@given(DIALOGUES, BUDGETS, st.integers(0, 100))
def test_a_larger_budget_never_shows_less(turns: list[Turn], budget: int, more: int) -> None:
    system, _ = split(turns)
    assume(measure([*system, turns[-1]]) <= budget * TRIM_TO)
    assert trim(turns, budget + more, measure).dropped <= trim(turns, budget, measure).dropped


@given(DIALOGUES, BUDGETS)
def test_a_trimmed_conversation_leaves_room_to_grow(turns: list[Turn], budget: int) -> None:
    system, said = split(turns)
    assume(measure([*system, turns[-1]]) <= int(budget * TRIM_TO))
    trimmed = trim(turns, budget, measure)
    starts = [number for number, turn in enumerate(said) if turn.role is Role.USER]
    if trimmed.dropped > starts[0]:
        assert measure(trimmed.turns) <= budget * TRIM_TO
        earlier = starts[starts.index(trimmed.dropped) - 1]
        assert measure([*system, *said[earlier:]]) > int(budget * TRIM_TO), "more was left out than needed"


@given(DIALOGUES, BUDGETS, st.integers(0, 20))
def test_an_earlier_beginning_is_kept_as_long_as_it_fits(turns: list[Turn], budget: int, keep_from: int) -> None:
    system, said = split(turns)
    assume(keep_from < len(said) and said[keep_from].role is Role.USER)
    trimmed = trim(turns, budget, measure, keep_from)
    if measure([*system, *said[keep_from:]]) <= budget:
        assert trimmed == Trimmed((*system, *said[keep_from:]), keep_from)
    else:
        assert trimmed.dropped > keep_from or len(trimmed.turns) <= 2


@given(st.lists(TEXTS, min_size=10, max_size=40).filter(lambda texts: len(texts) % 2 == 1), st.integers(150, 300))
def test_over_a_long_conversation_the_beginning_moves_forward_only_and_seldom(texts: list[str], budget: int) -> None:
    start, moves = 0, 0
    for length in range(1, len(texts) + 1, 2):
        trimmed = trim(dialogue(texts[:length]), budget, measure, start)
        assert trimmed.dropped >= start
        moves += trimmed.dropped > start
        start = trimmed.dropped
    spoken = measure(dialogue(texts))
    assert moves <= spoken / (budget * (1 - TRIM_TO)), "between two moves a third of the budget must be said"


def test_nothing_said_is_nothing_to_trim() -> None:
    assert trim([], 10, measure) == Trimmed((), 0)
    system = Turn(Role.SYSTEM, "Be kind.")
    assert trim([system], 1, measure) == Trimmed((system,), 0)


def test_a_message_that_is_too_long_loses_its_middle_and_keeps_the_system_turn() -> None:
    turns = [Turn(Role.SYSTEM, "kind"), Turn(Role.USER, "old"), Turn(Role.USER, "begin" + "x" * 100 + "close")]
    trimmed = trim(turns, measure(turns[:1]) + PER_TURN + 15, measure)
    assert trimmed == Trimmed((turns[0], Turn(Role.USER, "begin ... close")), 1)


@pytest.mark.parametrize("room", [PER_TURN + 15, PER_TURN + 7])
def test_a_system_turn_gives_way_where_it_leaves_no_room_for_the_message(room: int) -> None:
    turns = [Turn(Role.SYSTEM, "s" * 50), Turn(Role.USER, "begin" + "x" * 100 + "close")]
    (only,) = trim(turns, room, measure).turns
    assert only.role is Role.USER
    assert only.content.startswith("b")
    assert only.content.endswith("e")


def test_where_not_even_letters_fit_the_turn_is_empty() -> None:
    assert trim([Turn(Role.USER, "x" * 100)], PER_TURN, measure) == Trimmed((Turn(Role.USER, ""),), 0)
