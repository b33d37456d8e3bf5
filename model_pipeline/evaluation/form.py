"""Says whether an answer has the form that was asked for, and the first reason why not; judges no content."""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum

from model_pipeline.evaluation.answers import QUOTE, Answer
from model_pipeline.evaluation.words import grams, words

LEAST_WORDS = 3
MOST_WORDS = 60
REPEATED_GRAM = 4  # words
REPETITIONS = 3

_MARKER = re.compile(
    r"<\||\|>|</s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
    r"|^[ \t]*(?:user|assistant|human)[ \t]*:|^[ \t]*#{2,3} (?:instruction|input|response):",
    re.IGNORECASE | re.MULTILINE,
)
_LABEL = re.compile(r"\W*(?:keyword|quote)s?\s*:", re.IGNORECASE)
_CLOSING = re.compile(r"[.!?…][\"'”’»]*$")


class Reason(StrEnum):
    """Why an answer does not adhere, as a report says it."""

    NOT_ENDED = "was cut off, for the model did not end it"
    EMPTY = "is empty"
    MARKER = "holds a marker of the chat template"
    LABEL = "begins with a label such as Keyword: or Quote:"
    LINES = "has more than one line"
    SHORT = f"has fewer than {LEAST_WORDS} words"
    LONG = f"has more than {MOST_WORDS} words"
    NO_CLOSING = "does not end in closing punctuation"
    REPEATS = f"repeats the same {REPEATED_GRAM} words {REPETITIONS} times"


def why_not(answer: Answer, kind: str) -> Reason | None:
    """The first reason why an answer of that kind ("quote" or "chat") does not adhere; None if it does.

    A quote is one line of 3 to 60 words that ends in closing punctuation and begins without a label. A quote and a
    chat answer are ended by the model itself, hold no marker of a chat template and do not go round in circles.
    """
    text = answer.text.strip()
    if not answer.closed:
        return Reason.NOT_ENDED
    if not text:
        return Reason.EMPTY
    if _MARKER.search(text):
        return Reason.MARKER
    if kind == QUOTE and (reason := _why_no_quote(text)):
        return reason
    return Reason.REPEATS if repeats(text) else None


def repeats(text: str) -> bool:
    """Some run of four words stands there three times or more."""
    counts = Counter(grams(words(text), REPEATED_GRAM))
    return any(count >= REPETITIONS for count in counts.values())


def _why_no_quote(text: str) -> Reason | None:
    count = len(words(text))
    if _LABEL.match(text):
        return Reason.LABEL
    if len(text.splitlines()) > 1:
        return Reason.LINES
    if count < LEAST_WORDS:
        return Reason.SHORT
    if count > MOST_WORDS:
        return Reason.LONG
    return None if _CLOSING.search(text) else Reason.NO_CLOSING
