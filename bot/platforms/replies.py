"""What the bot says besides the model's words: waiting, errors, confirmations; the same on every platform."""

from __future__ import annotations

from bot.chat.generation import Queued
from bot.errors import (
    BusyError,
    GenerationError,
    InputError,
    ModelError,
    PlatformError,
    QuotesmithError,
    SettingsError,
    StorageError,
)
from bot.platforms.catalogue import ENGLISH, Texts

STARTED_OVER = "started-over"
STOPPED = "stopped"
THANKS_UP = "voted-up"
THANKS_DOWN = "voted-down"

# Whether a person is told that it is not their doing; the nearest class in the tree counts.
_OUR_FAULT: dict[type[QuotesmithError], bool] = {
    QuotesmithError: True,
    InputError: False,
    BusyError: False,
    GenerationError: False,
    SettingsError: False,
    ModelError: True,
    StorageError: True,
    PlatformError: True,
}


def user_text(error: QuotesmithError, texts: Texts | None = None) -> str:
    """The sentence for a person whose request failed: of the catalogue where it has one, else the error's own."""
    texts = texts or Texts(ENGLISH)
    ours = next(_OUR_FAULT[kind] for kind in type(error).__mro__ if kind in _OUR_FAULT)
    sentence = str(error) or texts("error-unexpected")
    if error.key:
        sentence = texts(f"error-{error.key}", **error.values)
    return f"{sentence} {texts('our-fault')}" if ours else sentence


def waiting_text(place: Queued, texts: Texts | None = None) -> str:
    """Such as "third in line, about 12 s"."""
    texts = texts or Texts(ENGLISH)
    if place.eta_s is None:
        return texts("waiting", position=place.position)
    return texts("waiting-about", position=place.position, seconds=max(1, round(place.eta_s)))
