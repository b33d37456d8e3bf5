"""What happened so far, in words, for whoever reads why a test failed."""

from __future__ import annotations

from tests.servers.telegram.account import Account
from tests.servers.telegram.chats import buttons
from tests.servers.telegram.protocol import Json


def described(account: Account) -> str:
    """The last calls, the updates that wait and the messages of every chat."""
    lines = [f"{len(account.calls)} calls, the last of them:"]
    lines += [f"  {call.status or '---'} {call.method} {_short(call.parameters)}" for call in account.calls[-30:]]
    lines += [f"pending update: {_short(waiting.update)}" for waiting in account.updates.pending]
    for chat in account.chats.values():
        lines.append(f"{chat.type} {chat.id} {chat.name!r}")
        lines += [f"  {_line(chat.messages[identifier])}" for identifier in sorted(chat.messages)]
    return "\n".join(lines)


def _short(value: object, limit: int = 300) -> str:
    written = repr(value)
    return written if len(written) <= limit else f"{written[:limit]}... ({len(written)} characters)"


def _line(message: Json) -> str:
    what = message.get("text") or ", ".join(message.keys() - {"message_id", "from", "chat", "date"})
    labels = "".join(f" [{button['text']}]" for button in buttons(message))
    return f"{message['message_id']} {message['from']['first_name']}: {_short(what)}{labels}"
