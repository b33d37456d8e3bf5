"""Turns opinions into prompts and replies, as the bot asks its model, and mixes written rows in; trains nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from model_pipeline.data.curated import Opinion
from model_pipeline.data.fit import fit_rows
from model_pipeline.data.items import Item, Message
from model_pipeline.data.rows import Row, as_served, make_rows, without_system_turn
from model_pipeline.data.tokens import takes_system
from model_pipeline.recipe import Data, Served

MOST_WEIGHT = 10.0  # of the rarer label: beyond it, a few rows would be all that a batch learns


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows of one prompt, one for each reply: one, or the preferred one and the other; `liked` is of the first."""

    rows: tuple[Row, ...]
    liked: bool = True


def judged_rows(
    opinions: Iterable[Opinion], data: Data, served: Served, tokenizer: Any, max_tokens: int
) -> list[Judged]:
    """The opinions as rows of at most `max_tokens`; those that do not fit are left out.

    Both replies of a pair follow the same prompt, though only the longer one may need it without its oldest turns.
    """
    takes_system_turn = takes_system(tokenizer)
    found = []
    for opinion in opinions:
        rows = [_row(opinion, reply, data, served) for reply in opinion.replies]
        if not takes_system_turn:
            rows = [without_system_turn(row) for row in rows]
        longest = max(rows, key=lambda row: len(str(row.completion)))
        if fitted := fit_rows([longest], tokenizer, max_tokens).rows:
            found.append(Judged(tuple(replace(row, prompt=fitted[0].prompt) for row in rows), opinion.liked))
    return found


def rehearsed(judged: Sequence[Judged], written: Sequence[Row], share: float, seed: int) -> list[Judged]:
    """The rows, and among them so many written ones (a share of their number) as liked ones, all shuffled.

    They hold the model to the form that it has: votes alone say what is liked of its texts, and not how texts look.
    """
    random = Random(seed)
    count = min(len(written), round(share * len(judged)))
    mixed = [*judged, *(Judged((row,)) for row in random.sample(list(written), count))]
    random.shuffle(mixed)
    return mixed


def balancing_weights(judged: Sequence[Judged]) -> tuple[float, float]:
    """KTO's weights of liked and of disliked rows, with which both weigh the same in sum; the greater label's is 1.

    The paper (https://arxiv.org/abs/2402.01306, equation 8) finds 1 to 4/3 good for the ratio of the sums.
    """
    liked = sum(each.liked for each in judged)
    disliked = len(judged) - liked
    if not liked or not disliked:
        return 1.0, 1.0
    return min(MOST_WEIGHT, max(1.0, disliked / liked)), min(MOST_WEIGHT, max(1.0, liked / disliked))


def _row(opinion: Opinion, reply: str, data: Data, served: Served) -> Row:
    if opinion.kind == "quote":
        item = Item("quote", opinion.id, opinion.id, keyword=opinion.keyword, quote=reply)
    else:
        turns = (*opinion.asked, Message("assistant", reply))
        item = Item("chat", opinion.id, opinion.id, messages=turns, last_reply_only=True)
    return as_served(make_rows([item], data, served.quote_prompt)[0], served.history_messages)
