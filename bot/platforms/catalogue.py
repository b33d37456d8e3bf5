"""What the bot says besides the model's words, in every language there is a file for; knows no platform."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluent.runtime import FluentBundle

TEXTS = Path(__file__).parent / "texts"
ENGLISH = "en"
Value = str | int | float


class Texts:
    """The sentences of one language, by their names in the files of `texts/`; what it lacks is said in English."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, name: str, /, **values: Value) -> str:
        """The sentence of that name with the values in it; KeyError for a name that English does not have."""
        for bundle in (_bundle(self.language), _bundle(ENGLISH)):
            pattern = bundle.get_message(name).value if bundle.has_message(name) else None
            if pattern is not None:
                text, errors = bundle.format_pattern(pattern, values)
                assert not errors, f"{name} in {self.language}: {errors}"
                return str(text)
        raise KeyError(name)

    def has(self, name: str) -> bool:
        """Whether there is a sentence of that name."""
        return bool(_bundle(ENGLISH).has_message(name))


def languages() -> list[str]:
    """The languages that the bot speaks."""
    return sorted(file.stem for file in TEXTS.glob("*.ftl"))


def best_language(wanted: str | None, setting: str = "auto") -> str:
    """The language to speak to a person whose program says it wants `wanted`, such as "de-AT"; English by default."""
    chosen = (wanted or ENGLISH) if setting == "auto" else setting
    plain = chosen.replace("_", "-").partition("-")[0].lower()
    return plain if plain in languages() else ENGLISH


@cache
def _bundle(language: str) -> FluentBundle:
    from fluent.runtime import FluentBundle, FluentResource  # takes a while to import, and many starts say nothing

    bundle = FluentBundle([language], use_isolating=False)
    bundle.add_resource(FluentResource((TEXTS / f"{language}.ftl").read_text(encoding="utf-8")))
    return bundle
