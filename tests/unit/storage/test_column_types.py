"""What goes into a column and what comes out of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, create_engine, insert, select
from sqlalchemy.exc import StatementError

from bot.chat.messages import Platform
from bot.storage.column_types import StorableText, UtcDateTime, one_of, storable

METADATA = MetaData()
VALUES = Table(
    "x", METADATA, Column("text", StorableText), Column("at", UtcDateTime), Column("place", one_of(Platform, "place"))
)
ENGINE = create_engine("sqlite://")
METADATA.create_all(ENGINE)


def kept(**values: object) -> tuple[object, ...]:
    """The row as it comes back; nothing is left behind."""
    with ENGINE.connect() as connection:
        connection.execute(insert(VALUES).values(**values))
        return tuple(connection.execute(select(VALUES)).one())


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_text_is_kept_as_it_is(text: str) -> None:
    assert storable(text) == text and kept(text=text)[0] == text


@pytest.mark.parametrize(("text", "expected"), [("a\0b", "a�b"), ("a\ud800b", "a�b"), ("\ud83d\ude00", "😀")])
def test_what_a_database_refuses_is_replaced(text: str, expected: str) -> None:
    assert kept(text=text)[0] == expected


@given(st.text(st.characters()))
def test_any_text_at_all_can_be_stored(text: str) -> None:
    assert kept(text=text)[0] == storable(text) == storable(storable(text))


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)), st.integers(-23 * 60, 23 * 60))
def test_a_moment_comes_back_as_the_same_moment_in_utc(moment: datetime, minutes: int) -> None:
    came_back = kept(at=moment.astimezone(timezone(timedelta(minutes=minutes))))[1]
    assert isinstance(came_back, datetime) and came_back == moment and came_back.utcoffset() == timedelta(0)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(StatementError, match="needs a zone"):
        kept(at=datetime(2026, 1, 1))


def test_nothing_stays_nothing() -> None:
    assert kept(text=None, at=None, place=None) == (None, None, None)


def test_a_choice_is_kept_by_its_value_and_anything_else_is_refused() -> None:
    assert kept(place=Platform.TELEGRAM)[2] is Platform.TELEGRAM
    with pytest.raises(StatementError, match="carrier pigeon"):
        kept(place="carrier pigeon")
