"""What a person is told about errors and waiting."""

from __future__ import annotations

import pytest

import bot.errors
from bot.chat.generation import Queued
from bot.errors import QuotesmithError
from bot.platforms import replies
from bot.platforms.replies import user_text, waiting_text


def tree(kind: type[QuotesmithError] = QuotesmithError) -> list[type[QuotesmithError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]


@pytest.mark.parametrize("kind", [kind for kind in tree() if kind.__module__ == bot.errors.__name__])
def test_every_error_has_a_text(kind: type[QuotesmithError]) -> None:
    assert user_text(kind("The sea is closed.")).startswith("The sea is closed.")
    assert user_text(kind())
    nearest = next(step for step in kind.__mro__ if step in replies._OUR_FAULT)
    assert nearest is not QuotesmithError or kind is QuotesmithError, f"{kind.__name__} is mapped by nothing of its own"


def test_only_the_operator_is_told_to_look_at_the_doctor() -> None:
    assert "doctor" in user_text(bot.errors.DatabaseUnavailable("The database is locked."))
    assert "doctor" not in user_text(bot.errors.BusyError("The bot is busy."))


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Queued(1, None), "next in line"),
        (Queued(3, 12.2), "third in line, about 12 s"),
        (Queued(1, 0.01), "next in line, about 1 s"),
        (Queued(42, 90.0), "number 42 in line, about 90 s"),
    ],
)
def test_waiting_is_told_in_words(place: Queued, text: str) -> None:
    assert waiting_text(place) == text
