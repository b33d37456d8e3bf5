"""Whether answers are new or stand in the training texts already; keeps no training text in memory twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model_pipeline.evaluation.words import Gram, grams, words
from model_pipeline.judging.learned_filters import Learned

LENGTH = 4  # words; of a text that is shorter, all of them


@dataclass(frozen=True, slots=True)
class Copied:
    """What some answers and the training texts share: runs of four words, and whole answers.

    Of what was learned `before`, of which there are no texts, only whole answers are known.
    """

    runs: frozenset[Gram]
    whole: frozenset[Gram]
    before: Learned | None = None

    def novelty(self, text: str) -> float:
        """The share of an answer's runs of four words that stand in no training text; 0 of an empty answer."""
        runs = [] if self._was_known(text) else _runs(words(text))
        return sum(1 for run in runs if run not in self.runs) / len(runs) if runs else 0.0

    def is_verbatim(self, text: str) -> bool:
        """The whole answer stands in a training text; one of fewer than four words must be all of that text."""
        return tuple(words(text)) in self.whole or self._was_known(text)

    def _was_known(self, text: str) -> bool:
        return self.before is not None and self.before.has_all_of(text)


def find_copied(answers: Iterable[str], training_texts: Sequence[str], before: Learned | None = None) -> Copied:
    """Look for the answers in the training texts, word for word, whatever the case and the punctuation."""
    split = {tuple(words(answer)) for answer in answers} - {()}
    wanted = {run for answer in split for run in _runs(answer)}
    seen = frozenset(run for text in training_texts for run in _runs(words(text)) if run in wanted)
    candidates = {answer for answer in split if all(run in seen for run in _runs(answer))}
    return Copied(seen, frozenset(_standing_in(candidates, training_texts)), before)


def _standing_in(candidates: set[Gram], training_texts: Sequence[str]) -> set[Gram]:
    """The candidates that are short, and so a whole text already, or that stand in one text in one piece."""
    found = {answer for answer in candidates if len(answer) < LENGTH}
    missing = {f" {' '.join(answer)} ": answer for answer in candidates - found}
    for text in training_texts:
        if not missing:
            break
        spaced = f" {' '.join(words(text))} "
        for piece in [piece for piece in missing if piece in spaced]:
            found.add(missing.pop(piece))
    return found


def _runs(text_words: Sequence[str]) -> list[Gram]:
    return grams(text_words, min(LENGTH, len(text_words))) if text_words else []
