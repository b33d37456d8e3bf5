"""Two replies side by side, for a person to say which is better; pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.chat.messages import MessageKind
from bot.chat.quotes import same_text_key

LEFT, RIGHT = "🅰", "🅱"
_KEYWORD_WORDS = 4  # what is longer is something to be answered


def wanted_kind(text: str, most_keyword_chars: int) -> MessageKind:
    """Whether quotes on a keyword are to be compared, or replies to a message."""
    is_keyword = len(text.split()) <= _KEYWORD_WORDS and len(text) <= most_keyword_chars
    return MessageKind.QUOTE if is_keyword and not text.endswith((".", "!", "?", "…")) else MessageKind.CHAT


def two_of(texts: Sequence[str]) -> tuple[str, str] | None:
    """The first two that differ in more than case and marks; None where there are no two."""
    for text in texts[1:]:
        if same_text_key(text) != same_text_key(texts[0]):
            return texts[0], text
    return None


def side_by_side(left: str, right: str) -> str:
    """What the person reads."""
    return f"{LEFT} {left}\n\n{RIGHT} {right}"
