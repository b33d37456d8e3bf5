"""Chooses the held-out rows and keywords of an evaluation, and says what a person sees of them; asks no model."""

from __future__ import annotations

import random
from collections.abc import Sequence

from model_pipeline.data.rows import Row, reply_of
from model_pipeline.data.sources import read_lines
from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.answers import QUOTE, Asked


def choose_rows(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """At most `count` rows, drawn with the seed, in their order; as many quotes as chats where there are enough."""
    places = list(range(len(rows)))
    random.Random(seed).shuffle(places)
    quotes = [place for place in places if rows[place].kind == QUOTE]
    chats = [place for place in places if rows[place].kind != QUOTE]
    of_chats = min(len(chats), max(count // 2, count - len(quotes)))
    return [rows[place] for place in sorted(quotes[: count - of_chats] + chats[:of_chats])]


def asked_of(row: Row) -> Asked:
    """The row as a person sees it: its prompt, or the last turn before the reply."""
    prompt = row.prompt if isinstance(row.prompt, str) else row.prompt[-1]["content"]
    return Asked(prompt.strip(), reply_of(row), row.keyword, row.kind)


def unseen_keywords(path: str, train: Sequence[Row]) -> list[str]:
    """The keywords in a file, on which no quote was trained; none where the path is "". Raises `InputInvalid`."""
    unseen, trained = read_lines(path), {row.keyword.casefold() for row in train if row.kind == QUOTE}
    if overlap := [keyword for keyword in unseen if keyword.casefold() in trained]:
        raise InputInvalid(f"The unseen keyword {overlap[0]!r} is among the training rows; take it out of either.")
    return unseen
