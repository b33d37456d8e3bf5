"""Discord's ids, which hold the moment at which they were made, and its way to write a moment."""

from __future__ import annotations

from datetime import UTC, datetime

EPOCH_MS = 1_420_070_400_000


def first_at(unix_s: float) -> int:
    """The smallest id of a moment."""
    return int(unix_s * 1000) - EPOCH_MS << 22


def moment(snowflake: str) -> datetime:
    """When an id was made."""
    return datetime.fromtimestamp(((int(snowflake) >> 22) + EPOCH_MS) / 1000, UTC)


def iso(at: datetime) -> str:
    """A moment as the API writes it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
