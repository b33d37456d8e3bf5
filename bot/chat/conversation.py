"""What of a conversation the model gets to see; counts with whatever measure it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bot.chat.messages import Role, Turn

Measure = Callable[[Sequence[Turn]], int]
TRIM_TO = 2 / 3
_GAP = " ... "


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The turns that fit, and how many were left out."""

    turns: tuple[Turn, ...]
    dropped: int


def trim(turns: Sequence[Turn], budget: int, measure: Measure, keep_from: int | None = None) -> Trimmed:
    """Leave out the oldest turns until the rest measures at most `budget` tokens.

    Where turns must go, so many go that the rest fills TRIM_TO of the budget: what is kept then stays the same for
    some turns, and so does its cache. `keep_from` is a beginning chosen earlier, counted without the system turn; it
    is taken again if it fits. A leading system turn stays, the rest begins with a user turn, and the newest turn is
    always there: alone and still too long, it loses its middle; too long in any form, it loses the system turn.
    `measure` must not shrink when a turn is added in front.
    """
    system, rest = _split_system(turns)
    if not rest:
        return Trimmed(system, 0)
    starts = [i for i, turn in enumerate(rest) if turn.role is Role.USER] or [len(rest) - 1]

    def fits(start: int, limit: int = budget) -> bool:
        return measure((*system, *rest[start:])) <= limit

    def newest_fits(head: tuple[Turn, ...], turn: Turn) -> bool:
        return measure((*head, turn)) <= budget

    for known in (keep_from, starts[0]):
        if known in starts and fits(known):
            return Trimmed((*system, *rest[known:]), known)
    for limit in (int(budget * TRIM_TO), budget):
        start = _first_fitting(starts, partial(fits, limit=limit))
        if start is not None:
            return Trimmed((*system, *rest[start:]), start)
    newest = rest[-1]
    for head in (system, ()):
        shortened = _shorten(newest, partial(newest_fits, head))
        if shortened is not None:
            return Trimmed((*head, shortened), len(rest) - 1 + len(system) - len(head))
    return Trimmed((Turn(newest.role, ""),), len(turns) - 1)


def _split_system(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], tuple[Turn, ...]]:
    if turns and turns[0].role is Role.SYSTEM:
        return tuple(turns[:1]), tuple(turns[1:])
    return (), tuple(turns)


def _first_fitting(starts: Sequence[int], fits: Callable[[int], bool]) -> int | None:
    """The smallest start that fits, by bisection: later starts measure less."""
    low, high = 0, len(starts)
    while low < high:
        middle = (low + high) // 2
        if fits(starts[middle]):
            high = middle
        else:
            low = middle + 1
    return starts[low] if low < len(starts) else None


def _shorten(turn: Turn, fits: Callable[[Turn], bool]) -> Turn | None:
    """The turn, whole or with as much of its beginning and end as fits; None when not even a few letters do."""
    if fits(turn):
        return turn
    low, high = 0, len(turn.content) // 2
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(_without_middle(turn, middle)) else (low, middle - 1)
    return _without_middle(turn, low) if low else None


def _without_middle(turn: Turn, side: int) -> Turn:
    return Turn(turn.role, turn.content[:side] + _GAP + turn.content[-side:]) if side else Turn(turn.role, "")
