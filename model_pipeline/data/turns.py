"""Reads the turns of a conversation, whichever names their fields have, and refuses broken orders; knows no source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model_pipeline.data.items import Message

_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}


class Unusable(Exception):
    """A row that teaches nothing; the text is the reason, the second argument its particulars."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def read_turns(content: object) -> tuple[Message, ...]:
    """Turns that alternate from the user's first to the assistant's last, after a system turn or none.

    `content` is a list of {role, content} or {from, value}. A user turn that nobody answers is left out at the end.
    Raises `Unusable`.
    """
    if not isinstance(content, Sequence) or isinstance(content, str):
        raise Unusable("no list of turns")
    turns = [_turn(entry) for entry in content]
    spoken = turns[1:] if turns and turns[0].role == "system" else turns
    for position, turn in enumerate(spoken):
        expected = "assistant" if position % 2 else "user"
        if turn.role != expected:
            raise Unusable("turns in a broken order", f"{turn.role} where {expected} is to speak")
    if len(spoken) < 2:
        raise Unusable("no reply")
    return tuple(turns[: len(turns) - len(spoken) % 2])


def _turn(entry: object) -> Message:
    if not isinstance(entry, Mapping):
        raise Unusable("a turn without role and text")
    name, text = entry.get("role") or entry.get("from"), entry.get("content")
    text = entry.get("value") if text is None else text
    role = _ROLES.get(name.casefold()) if isinstance(name, str) else None
    if role is None:
        raise Unusable("a turn of another role", str(name))
    if not isinstance(text, str):
        raise Unusable("a turn without role and text")
    if not text.strip():
        raise Unusable("an empty turn", role)
    return Message(role, text.strip())
