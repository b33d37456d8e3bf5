"""Two replies side by side, for a person to say which is better; knows no model."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from itertools import combinations, product

from bot.chat.messages import MessageKind
from bot.chat.ports import Side
from bot.chat.quotes import same_text_key

LEFT, RIGHT = "🅰", "🅱"
_KEYWORD_WORDS = 4  # what is longer is something to be answered


def wanted_kind(text: str, most_keyword_chars: int) -> MessageKind:
    """Whether quotes on a keyword are to be compared, or replies to a message."""
    is_keyword = len(text.split()) <= _KEYWORD_WORDS and len(text) <= most_keyword_chars
    return MessageKind.QUOTE if is_keyword and not text.endswith((".", "!", "?", "…")) else MessageKind.CHAT


def two_of(sides: Sequence[Sequence[Side]]) -> tuple[Side, Side] | None:
    """The first two that differ in more than case and marks, in an order that nobody can guess; None where none do.

    `sides` are the replies of each model: of two models, one of each; of one, both.
    """
    pairs = product(*sides) if len(sides) == 2 else combinations(sides[0], 2)
    for one, other in pairs:
        if same_text_key(one.text) != same_text_key(other.text):
            return (one, other) if secrets.randbelow(2) else (other, one)
    return None


def side_by_side(left: str, right: str) -> str:
    """What the person reads."""
    return f"{LEFT} {left}\n\n{RIGHT} {right}"
