"""How values lie in columns, the same in SQLite and PostgreSQL; knows no table."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import DateTime, Dialect, Enum, Text
from sqlalchemy.types import TypeDecorator


def utc_now() -> datetime:
    """The time now, with its zone."""
    return datetime.now(UTC)


def storable(text: str) -> str:
    """The text without what a database refuses: lone surrogates (bytes a terminal could not decode) and NUL."""
    return (
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    )


class StorableText(TypeDecorator[str]):
    """Text of any length, made storable on its way in."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Text as every database takes it."""
        return None if value is None else storable(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: always aware in Python, always UTC in the database, which in SQLite keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC; a time without a zone is refused, for nobody could say later what it meant."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a time needs a zone before it can be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment with its zone, also from a database that returns it bare."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def one_of(values: type[StrEnum], name: str) -> Enum:
    """A short string column with a CHECK that only the values of the enum stand in it."""
    return Enum(
        values,
        name=name,
        length=16,
        native_enum=False,
        create_constraint=True,
        values_callable=lambda members: [member.value for member in members],
    )
