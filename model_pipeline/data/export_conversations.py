"""Finds which rows of an export belong to one conversation, for an export names people and no conversations.

A row holds what was said before its reply, so that two rows of one conversation share an exchange.
"""

from __future__ import annotations

from collections.abc import Sequence

from model_pipeline.data.items import Message

Exchange = tuple[str, str, str]  # person, what they asked, what they were told


def first_rows(people: Sequence[str], conversations: Sequence[Sequence[Message]]) -> list[int]:
    """For each row the place of the first row of its conversation; rows of different people never share one."""
    parents: dict[Exchange, Exchange] = {}
    first_seen: dict[Exchange, int] = {}
    exchanges = [_exchanges(person, turns) for person, turns in zip(people, conversations, strict=True)]
    for place, said in enumerate(exchanges):
        for exchange in said:
            first_seen.setdefault(exchange, place)
            _join(parents, said[0], exchange, first_seen)
    return [first_seen[_root(parents, said[0])] if said else place for place, said in enumerate(exchanges)]


def _exchanges(person: str, turns: Sequence[Message]) -> list[Exchange]:
    spoken = [turn.content for turn in turns if turn.role != "system"]
    return [(person, asked, told) for asked, told in zip(spoken[::2], spoken[1::2], strict=False)]


def _root(parents: dict[Exchange, Exchange], exchange: Exchange) -> Exchange:
    while (parent := parents.get(exchange, exchange)) != exchange:
        parents[exchange] = parents.get(parent, parent)
        exchange = parent
    return exchange


def _join(parents: dict[Exchange, Exchange], left: Exchange, right: Exchange, first_seen: dict[Exchange, int]) -> None:
    """The exchange that was seen first stands for both, so that a conversation keeps its name as it grows."""
    one, other = sorted((_root(parents, left), _root(parents, right)), key=first_seen.__getitem__)
    parents[other] = one
