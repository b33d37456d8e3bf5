"""Makes rows fit a number of tokens: the oldest turns go first, then the row; writes nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from model_pipeline.data.items import Dropped
from model_pipeline.data.rows import Row, Turns, without_system_turn
from model_pipeline.data.tokens import Encoded, encode, takes_system

BATCH_ROWS = 1000
CHARACTERS_A_TOKEN = 4  # a rule of thumb for English, where there is no tokenizer yet


@dataclass(frozen=True, slots=True)
class Fitted:
    """The rows that fit, each with its number of tokens, those that do not, and what happened to how many.

    `shortened` rows lost their oldest turns. `truncated` ones are whole here, and their reply is cut in training.
    """

    rows: list[Row]
    dropped: list[Dropped]
    shortened: int = 0
    truncated: int = 0


def fit_rows(rows: Iterable[Row], tokenizer: Any, max_tokens: int) -> Fitted:
    """Rows of at most `max_tokens`, and those of which at least half of the reply fits.

    A row whose prompt's tokens are no beginning of the whole's is dropped: its loss would be taken on something else.
    Raises `InputInvalid` where the chat template refuses a conversation.
    """
    count = _Counter(tokenizer)
    kept: list[Row] = []
    dropped: list[Dropped] = []
    shortened = truncated = 0
    for row, encoded in count.all(rows):
        fitted = _without_oldest_turns(row, encoded, count, max_tokens)
        counted = encoded if fitted is row else count(fitted)
        if reason := _why_not(counted, max_tokens):
            dropped.append(drop(row, reason, f"{len(encoded.whole)} tokens"))
            continue
        shortened += fitted is not row
        truncated += len(counted.whole) > max_tokens
        kept.append(replace(fitted, tokens=len(counted.whole)))
    return Fitted(kept, dropped, shortened, truncated)


def estimate_rows(rows: Iterable[Row]) -> Fitted:
    """All rows as they are, with tokens estimated from characters, for a model that has no tokenizer yet."""
    return Fitted([replace(row, tokens=-(-_characters(row) // CHARACTERS_A_TOKEN)) for row in rows], [])


def drop(row: Row, reason: str, detail: str = "") -> Dropped:
    """What the list of dropped rows says about a row."""
    content = {"prompt": row.prompt, "completion": row.completion, "keyword": row.keyword, "kind": row.kind}
    return Dropped(row.origin, reason, detail, content)


class _Counter:
    """Encodes rows as they will be written: a system turn goes into the user's where the template takes none."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._takes_system = takes_system(tokenizer)

    def __call__(self, row: Row) -> Encoded:
        return self._encode([row])[0]

    def all(self, rows: Iterable[Row]) -> Iterator[tuple[Row, Encoded]]:
        remaining = iter(rows)
        while batch := list(islice(remaining, BATCH_ROWS)):
            yield from zip(batch, self._encode(batch), strict=True)

    def _encode(self, rows: Sequence[Row]) -> list[Encoded]:
        written = rows if self._takes_system else [without_system_turn(row) for row in rows]
        return encode(written, self._tokenizer)


def _without_oldest_turns(row: Row, encoded: Encoded, count: _Counter, max_tokens: int) -> Row:
    """The row without as few exchanges as make it fit, or without all of them."""
    if len(encoded.whole) <= max_tokens or isinstance(row.prompt, str):
        return row
    most = sum(turn["role"] == "assistant" for turn in row.prompt)

    def fits(exchanges: int) -> bool:
        return exchanges == most or len(count(_without(row, exchanges)).whole) <= max_tokens

    return _without(row, bisect_left(range(most + 1), True, lo=1, key=fits)) if most else row


def _without(row: Row, exchanges: int) -> Row:
    assert not isinstance(row.prompt, str)
    first: Turns = row.prompt[:1] if row.prompt[0]["role"] == "system" else []
    return replace(row, prompt=[*first, *row.prompt[len(first) + 2 * exchanges :]])


def _why_not(encoded: Encoded, max_tokens: int) -> str:
    if not encoded.prompt_is_prefix:
        return "the prompt's tokens are no beginning of the whole's"
    if encoded.reply_tokens < 1:
        return "a reply without tokens"
    if 2 * (max_tokens - len(encoded.prompt)) < encoded.reply_tokens and len(encoded.whole) > max_tokens:
        return "longer than max_tokens"
    return ""


def _characters(row: Row) -> int:
    return sum(
        len(part) if isinstance(part, str) else sum(len(turn["content"]) for turn in part)
        for part in (row.prompt, row.completion)
    )
