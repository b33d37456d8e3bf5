"""Turns quotes and conversations into prompts and completions, TRL's one row format; knows no tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from model_pipeline.data.items import Item, Message
from model_pipeline.data.texts import in_one_line
from model_pipeline.gguf.description import QuotePrompt
from model_pipeline.recipe import Data, GroupBy

Turns = list[dict[str, str]]  # of {role, content}


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt and the reply to learn: both text, or both turns of {role, content}, the reply one of the assistant.

    Rows of one `group` are never divided between the splits. `kind` is quote or chat; a chat has no keyword.
    `origin` says which row of which source it was; `tokens` (of both, as the model counts them) is known while rows are
    prepared, and not kept in files.
    """

    prompt: str | Turns
    completion: str | Turns
    group: str
    keyword: str
    kind: str
    origin: str = ""
    tokens: int = 0


def make_rows(items: Iterable[Item], data: Data, quote_prompt: QuotePrompt) -> list[Row]:
    """The rows of all items: one for each quote, and one for each reply of a conversation or for its last."""
    rows: list[Row] = []
    for item in items:
        if item.kind == "quote":
            rows.append(_quote_row(item, data, quote_prompt))
        else:
            rows += _chat_rows(item, data)
    return rows


def without_system_turn(row: Row) -> Row:
    """The row for a template that takes no system turn: its text becomes the beginning of the first user turn."""
    if isinstance(row.prompt, str) or row.prompt[0]["role"] != "system":
        return row
    system, first, *others = row.prompt
    begun = {"role": first["role"], "content": f"{system['content']}\n\n{first['content']}"}
    return replace(row, prompt=[begun, *others])


def newest_turns(turns: Turns, most: int | None) -> Turns:
    """Those that the bot shows a model that is asked with `most` messages; a system turn is none of them, and stays.

    A reply comes with the message that it answers, or is left out too. None is no limit.
    """
    if most is None:
        return turns
    system = [turn for turn in turns[:1] if turn["role"] == "system"]
    newest = turns[len(system) :][-most:]
    return [*system, *(newest[1:] if newest[:1] and newest[0]["role"] == "assistant" else newest)]


def as_served(row: Row, history_messages: int | None) -> Row:
    """The row with as much of its conversation as the bot shows its model."""
    return row if isinstance(row.prompt, str) else replace(row, prompt=newest_turns(row.prompt, history_messages))


def source_of(row: Row) -> str:
    """The name of the source that a row comes from."""
    return row.origin.rpartition(":")[0]


def reply_of(row: Row) -> str:
    """The text of a row's completion, without spaces around it."""
    completion = row.completion if isinstance(row.completion, str) else row.completion[-1]["content"]
    return completion.strip()


def _quote_row(item: Item, data: Data, quote_prompt: QuotePrompt) -> Row:
    asked, group = quote_prompt.asked(item.keyword), _group(item, data.group_by)
    if quote_prompt.chat or data.quotes_as == "chat":
        system = [Message("system", quote_prompt.system)] if quote_prompt.system else []
        prompt = _turns([*system, Message("user", asked)])
        return Row(prompt, _turns([Message("assistant", item.quote)]), group, item.keyword, "quote", item.origin)
    space = "" if asked[-1:].isspace() else " "
    return Row(asked, space + item.quote, group, item.keyword, "quote", item.origin)


def _chat_rows(item: Item, data: Data) -> Iterator[Row]:
    replies = [place for place, message in enumerate(item.messages) if message.role == "assistant"]
    if item.last_reply_only or data.replies == "last":
        replies = replies[-1:]
    for place in replies:
        prompt, reply = _turns(item.messages[:place]), _turns(item.messages[place : place + 1])
        yield Row(prompt, reply, _group(item, data.group_by), "", "chat", item.origin)


def _turns(messages: Sequence[Message]) -> Turns:
    return [{"role": message.role, "content": message.content} for message in messages]


def _group(item: Item, group_by: GroupBy) -> str:
    """By the conversation where there is no keyword, or nobody knows who spoke."""
    if group_by is GroupBy.KEYWORD and item.keyword:
        return f"keyword {in_one_line(item.keyword).casefold()}"
    if group_by is GroupBy.PERSON and item.person:
        return f"person {item.person}"
    return f"conversation {item.conversation}"
