"""Says why a line must not be trained on, in the words of the dataset card; finds no duplicates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model_pipeline.curation.lines import Line
from model_pipeline.curation.personal_data import holds_placeholder, letters_left
from model_pipeline.curation.settings import Curate
from model_pipeline.data.texts import normalised

PERSONAL = "the reply to be learned held personal data"
NOTHING_ASKED = "nothing is left of what was asked once personal data are out"
NOTHING_SAID = "nothing is left of the reply once personal data are out"
SHORT, LONG = "a reply shorter than least_characters", "a reply longer than most_characters"
OFFENSIVE = "the reply to be learned is profane or toxic"
LANGUAGE = "the reply to be learned is in another language"
NO_DIFFERENCE = "both replies say the same"


@dataclass(frozen=True, slots=True)
class Quality:
    """The rules; only what is to be learned is judged for offence and language: a bad example may be bad."""

    settings: Curate
    is_offensive: Callable[[str], bool]
    is_unwanted: Callable[[str], bool]  # its language

    def why_not(self, line: Line) -> str:
        """The first reason against a line; "" where there is none."""
        last = line.question.turns[-1][1]
        if holds_placeholder(last) and not letters_left(last):
            return NOTHING_ASKED
        if reason := next(filter(None, map(self._of_length, filter(None, (line.learned, line.refused)))), ""):
            return reason
        if line.refused and normalised(line.learned) == normalised(line.refused):
            return NO_DIFFERENCE
        return self.why_not_learned(line.learned) if line.learned else ""

    def why_not_learned(self, text: str) -> str:
        """The reason against a text that is to be imitated."""
        if holds_placeholder(text):
            return PERSONAL
        if self.is_offensive(text):
            return OFFENSIVE
        return LANGUAGE if self.is_unwanted(text) else ""

    def why_not_text(self, text: str) -> str:
        """The reason against a cleaned text that stands for a reply by itself."""
        return self._of_length(text) or self.why_not_learned(text)

    def _of_length(self, text: str) -> str:
        if holds_placeholder(text) and not letters_left(text):
            return NOTHING_SAID
        if letters_left(text) < self.settings.least_characters:
            return SHORT
        return LONG if len(text) > self.settings.most_characters else ""
