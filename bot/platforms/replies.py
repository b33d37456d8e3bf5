"""What the bot says besides the model's words: waiting, errors, confirmations; the same on every platform."""

from __future__ import annotations

from bot.chat.generation import Queued
from bot.errors import (
    BusyError,
    GenerationError,
    InputError,
    ModelError,
    QuotesmithError,
    SettingsError,
    StorageError,
)

STARTED_OVER = "A new conversation: I no longer think of what we said before."
STOPPED = "Stopped."
THANKS_UP = "Thank you, noted as good."
THANKS_DOWN = "Thank you, noted as bad."

_OUR_FAULT = " The bot's operator can find out more with `quotesmith doctor`."
_ORDINALS = ("next", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

# What a person may be told beyond the error's own sentence; the nearest class in the tree counts.
_ADDED: dict[type[QuotesmithError], str] = {
    QuotesmithError: _OUR_FAULT,
    InputError: "",
    BusyError: "",
    GenerationError: "",
    SettingsError: "",
    ModelError: _OUR_FAULT,
    StorageError: _OUR_FAULT,
}


def user_text(error: QuotesmithError) -> str:
    """The sentence for a person whose request failed."""
    added = next(_ADDED[kind] for kind in type(error).__mro__ if kind in _ADDED)
    sentence = str(error) or "Something went wrong."
    return sentence + added


def waiting_text(place: Queued) -> str:
    """Such as "third in line, about 12 s"."""
    position = place.position
    where = _ORDINALS[position - 1] if position <= len(_ORDINALS) else f"number {position}"
    if place.eta_s is None:
        return f"{where} in line"
    return f"{where} in line, about {max(1, round(place.eta_s))} s"
