"""Turns the rows of each form into quotes and conversations, or into a reason why not; reads no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_pipeline.data.export_conversations import first_rows
from model_pipeline.data.items import Dropped, Item, Message
from model_pipeline.data.quotations import bare_quote, keyword_of_tags
from model_pipeline.data.texts import digest, in_one_line
from model_pipeline.data.turns import Unusable, read_turns
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Form

SourceRow = Mapping[str, Any]

_NEEDED: dict[Form, tuple[tuple[str, ...], ...]] = {  # one column of each group
    Form.QUOTES: (("quote",), ("keyword", "tags")),
    Form.ALPACA: (("instruction",), ("output",)),
    Form.SHAREGPT: (("conversations",),),
    Form.MESSAGES: (("messages",),),
    Form.EXPORT: (("id",), ("kind",), ("person",), ("messages",)),
}

WEAK_VOTES = ("retry", "share", "favorite")  # of an export: what a person did, and did not say


def check_columns(rows: Sequence[SourceRow], form: Form, name: str) -> None:
    """Raises `InputInvalid` if no row of the source `name` has a column that its form needs."""
    there = {column: None for row in rows for column in row}
    missing = [group for group in _NEEDED[form] if not any(column in there for column in group)]
    if missing:
        needed = ", ".join(" or ".join(group) for group in _NEEDED[form])
        raise InputInvalid(
            f"{name} has no column {' or '.join(missing[0])}: it has {', '.join(map(str, there)) or 'none'}, "
            f"and the form {form} needs {needed}."
        )


def items_of(rows: Sequence[SourceRow], form: Form, name: str) -> tuple[list[Item], list[Dropped]]:
    """What the rows of the source `name` hold, in their order, and those that hold nothing to learn."""
    items, dropped = [], []
    for number, row in enumerate(rows, start=1):
        origin = f"{name}:{number}"
        try:
            items.append(_unicode(_READ[form](row, origin)))
        except Unusable as error:
            dropped.append(Dropped(origin, error.reason, error.detail, row))
    return (_in_conversations(items) if form is Form.EXPORT else items), dropped


def _quote(row: SourceRow, origin: str) -> Item:
    quote = row.get("quote")
    if not isinstance(quote, str) or not bare_quote(quote):
        raise Unusable("no quote")
    return _quote_item(origin, _keyword(row), bare_quote(quote))


def _keyword(row: SourceRow) -> str:
    keyword, tags = row.get("keyword"), row.get("tags")
    if isinstance(keyword, str) and keyword.strip():
        return keyword
    return keyword_of_tags(tags) if isinstance(tags, str | Sequence) else ""


def _quote_item(origin: str, keyword: str, quote: str, person: str = "") -> Item:
    if not keyword.strip():
        raise Unusable("no keyword")
    return Item("quote", origin, digest(quote), keyword=in_one_line(keyword), quote=quote, person=person)


def _alpaca(row: SourceRow, origin: str) -> Item:
    instruction, given, output = row.get("instruction"), row.get("input"), row.get("output")
    if not isinstance(instruction, str) or not instruction.strip():
        raise Unusable("no instruction")
    if not isinstance(output, str) or not output.strip():
        raise Unusable("no output")
    asked = instruction.strip()
    if isinstance(given, str) and given.strip():
        asked += f"\n\n{given.strip()}"
    return _conversation(origin, (Message("user", asked), Message("assistant", output.strip())))


def _sharegpt(row: SourceRow, origin: str) -> Item:
    return _conversation(origin, read_turns(row.get("conversations")))


def _messages(row: SourceRow, origin: str) -> Item:
    return _conversation(origin, read_turns(row.get("messages")))


def _conversation(origin: str, messages: tuple[Message, ...]) -> Item:
    name = digest("\n".join(message.content for message in messages))
    return Item("chat", origin, name, messages=messages)


def _export(row: SourceRow, origin: str) -> Item:
    """A reply with what was said before it; `conversation` is its own id until rows are put together."""
    if _spoken_votes(row) < 0:
        raise Unusable("voted down")
    person, kind, messages = str(row.get("person") or ""), row.get("kind"), read_turns(row.get("messages"))
    if kind == "quote":
        quote = bare_quote(messages[-1].content)
        if not quote:
            raise Unusable("no quote")
        return _quote_item(origin, messages[-2].content, quote, person)
    if kind != "chat":
        raise Unusable("neither a quote nor a chat", str(kind))
    return Item("chat", origin, str(row.get("id")), messages=messages, person=person, last_reply_only=True)


def _unicode(item: Item) -> Item:
    """JSON can hold half of a surrogate pair, of an emoji that was cut, which no tokenizer takes."""
    try:
        "".join([item.keyword, item.quote, *(message.content for message in item.messages)]).encode()
    except UnicodeEncodeError as error:
        raise Unusable("half of a character") from error
    return item


def _spoken_votes(row: SourceRow) -> int:
    """The sum of what people said; what they did with a reply says too little to leave it out."""
    votes = row.get("votes")
    values = [
        vote.get("value")
        for vote in (votes if isinstance(votes, list) else [])
        if isinstance(vote, dict) and vote.get("source") not in WEAK_VOTES
    ]
    return sum(value for value in values if isinstance(value, int))


def _in_conversations(items: Sequence[Item]) -> list[Item]:
    firsts = first_rows([item.person for item in items], [item.messages for item in items])
    return [
        replace(item, conversation=items[first].conversation) if item.kind == "chat" else item
        for item, first in zip(items, firsts, strict=True)
    ]


_READ: dict[Form, Callable[[SourceRow, str], Item]] = {
    Form.QUOTES: _quote,
    Form.ALPACA: _alpaca,
    Form.SHAREGPT: _sharegpt,
    Form.MESSAGES: _messages,
    Form.EXPORT: _export,
}
