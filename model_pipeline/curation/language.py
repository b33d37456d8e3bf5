"""Says in which language a text is, where that is certain, without a network."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any


class Languages:
    """The languages that are wanted; none wants every one. Short texts, names and numbers are rarely certain."""

    def __init__(self, wanted: Collection[str], certainty: float) -> None:
        self._wanted, self._certainty = frozenset(wanted), certainty
        self._identifier = _identifier() if wanted else None
        self.is_unwanted = lru_cache(20_000)(self._is_unwanted)

    def _is_unwanted(self, text: str) -> bool:
        """Whether the text is certainly in one language, and that is none of those wanted."""
        if self._identifier is None:
            return False
        language, probability = self._identifier.classify(text)
        return language not in self._wanted and probability >= self._certainty


def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # late: it belongs to the training extra

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
