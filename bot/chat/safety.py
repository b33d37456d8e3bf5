"""Which messages are answered by a fixed sentence, before any model is asked: rules over text alone.

No small model may answer a person who wants to die, and no model needs to be asked how to hurt somebody. The rules
look at the words that the person wrote, in English and German; they know no context, so they are made to err on the
side of care where a life may be at stake, and on the side of silence where only manners are.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from bot.chat.safety_patterns import HARMLESS, PATTERNS


class Concern(StrEnum):
    """What a message gives reason to say; the earlier one wins where several do."""

    CRISIS = "crisis"  # the person, or somebody they know, may die by their own hand
    DANGER = "danger"  # somebody is being hurt, or needs medical help now
    VIOLENCE = "violence"  # the person speaks of hurting somebody else
    HARM = "harm"  # the person asks for help in doing harm
    INSULT = "insult"  # the bot is insulted


@dataclass(frozen=True, slots=True)
class Finding:
    """A concern, and the language of the words that gave reason to it ("en" or "de")."""

    concern: Concern
    language: str


def concern_in(text: str) -> Finding | None:
    """The gravest concern that a message gives reason to, None for nearly all messages."""
    words = _plain(text)
    for concern in Concern:
        for language, rules in _RULES[concern].items():
            if any(rule.search(words) for rule in rules):
                return Finding(concern, language)
    return None


def concern_in_keyword(keyword: str) -> Finding | None:
    """The same of the keyword of a quote, which is no insult: a quote on "stupid" may be asked for."""
    finding = concern_in(keyword)
    return None if finding is not None and finding.concern is Concern.INSULT else finding


_LEET = str.maketrans("013457@$", "oieastas")
_LOOKS_LIKE_LETTERS = re.compile(r"(?<=[a-z])[013457@$](?=[a-z])")  # k1ll, but not "5 months"
_HARMLESS = re.compile(HARMLESS)
_RULES = {
    concern: {language: [re.compile(pattern) for pattern in found] for language, found in PATTERNS[concern].items()}
    for concern in Concern
}


def _plain(text: str) -> str:
    """Lower case letters, digits and single spaces; accents, apostrophes and what stands for letters undone."""
    folded = unicodedata.normalize("NFKD", text.casefold().replace("’", "'").replace("'", ""))
    bare = "".join(char for char in folded if not unicodedata.combining(char))
    spelt = _LOOKS_LIKE_LETTERS.sub(lambda found: found[0].translate(_LEET), bare)
    stretched = re.sub(r"(\w)\1{2,}", r"\1", spelt)  # diiiie
    words = " ".join(re.findall(r"[^\W_]+", stretched))
    return " ".join(_HARMLESS.sub(" ", words).split())
