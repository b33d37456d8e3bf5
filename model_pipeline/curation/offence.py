"""Says whether a text is profane or toxic, without a network; a bad vote on such a text is welcome, so callers decide.

A classifier of English (alt-profanity-check, a linear model within its package) sees most. A short list adds what it
does not know: abbreviations, threats against people, letters in disguise, and the commonest German words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_DISGUISES = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "$": "s", "@": "a", "!": "i"})
_MIXED = re.compile(r"(?=\S*[^\W\d_])(?=\S*[013457$@!])[\w$@!]+(?<![!])")
_SPACED = re.compile(r"\b(?:\w[ .*_-]){2,}\w\b")  # f u c k
_LISTED = re.compile(
    r"""\b(?:
    kys | stfu | gtfo
    | (?:go\s+)?(?:kill|hang|hurt|cut)\s+(?:yourself|urself|himself|herself|themselves)
    | (?:i(?:'ll|\s+will|'m\s+(?:going\s+to|gonna))|gonna)\s+(?:\w+\s+){0,4}
      (?:kill|murder|rape|stab)\s+(?:you|u|him|her|them)
    | (?:gas|kill|exterminate|deport|hate)\s+(?:all\s+)?(?:the\s+)?
      (?:jews|muslims|blacks|whites|gays|women|immigrants|foreigners|christians|trans)
    | (?:jews|muslims|blacks|gays|women|immigrants|black\s+people)\s+(?:are|is)\s+
      (?:animals|vermin|rats|scum|trash|subhuman|inferior)
    | ph?uck\w* | (?:nobody|no\s+one)\s+(?:loves|likes)\s+(?:you|u) | (?:you\s+are|you're|ur|u\s+r)\s+worthless
    | send\s+nudes
    | arschl(?:o|ö|oe)ch\w* | wichs\w+ | hurens(?:o|ö|oe)hn\w* | fotze\w* | fick(?:\s+dich|en|t|er)?
    | miss?geburt | spast\w* | schlampe\w* | nutte\w* | schwuchtel\w* | verpiss\s+dich
    | halt('?s)?\s+(?:die\s+fresse|maul)
    | kanake\w* | untermensch\w*
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)


class Offence:
    """The judge; making it loads scikit-learn, some seconds."""

    def __init__(self, offensive_from: float) -> None:
        from profanity_check import predict_prob  # late: it loads scikit-learn

        self._from = offensive_from
        self._predict: Callable[[list[str]], list[float]] = predict_prob
        self.is_offensive = lru_cache(20_000)(self._is_offensive)

    def _is_offensive(self, text: str) -> bool:
        """Whether the list knows it, or the classifier is as sure as was asked for; disguises are taken off first."""
        seen = list(dict.fromkeys((text, undisguised(text))))
        if any(_LISTED.search(one) for one in seen):
            return True
        return max(float(sure) for sure in self._predict(seen)) >= self._from


def undisguised(text: str) -> str:
    """The text with letters for the digits and signs within its words, and without gaps between single letters."""
    joined = _SPACED.sub(lambda gaps: re.sub(r"[ .*_-]", "", gaps[0]), text)
    return _MIXED.sub(lambda word: word[0].translate(_DISGUISES), joined)
