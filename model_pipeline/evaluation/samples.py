"""Turns one model's answers into samples: for each figure what every row says, ready for intervals; words no result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from model_pipeline.evaluation.answers import CHAT, LEAST_ROWS, QUOTE, Answers, Asked
from model_pipeline.evaluation.form import why_not
from model_pipeline.evaluation.novelty import Copied
from model_pipeline.evaluation.overlap import corpus_bleu, keyword_in, rouge, sentence_bleu
from model_pipeline.evaluation.perplexity import bits_per_character, perplexity
from model_pipeline.evaluation.statistics import Difference, Estimate, estimate_statistic, mean, paired_difference
from model_pipeline.evaluation.variety import distinct
from model_pipeline.evaluation.words import words
from model_pipeline.evaluation.yes_no import estimate_share, paired_shares


class Sample(Protocol):
    """What the rows say for one figure of one model."""

    def estimate(self, seed: int) -> Estimate:
        """The figure and its interval."""

    def change_to(self, after: Any, seed: int) -> Difference | None:
        """The difference to the same figure of another model; None where the two cannot be compared."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A number for each row; the figure is their average."""

    values: tuple[float, ...]

    def estimate(self, seed: int) -> Estimate:
        """The average, with a bootstrap interval."""
        return estimate_statistic([self.values], mean, seed)

    def change_to(self, after: Mean, seed: int) -> Difference:
        """How much higher the average is afterwards, by a paired bootstrap."""
        return paired_difference(self.values, after.values, seed)


@dataclass(frozen=True, slots=True)
class Share:
    """Yes or no for each row; the figure is the share of yes."""

    flags: tuple[bool, ...]

    def estimate(self, seed: int) -> Estimate:
        """The share, with Wilson's interval; `seed` has no part in it."""
        return estimate_share(self.flags)

    def change_to(self, after: Share, seed: int) -> Difference:
        """How much larger the share is afterwards, rows paired; `seed` has no part in it."""
        return paired_shares(self.flags, after.flags)


def take_samples(asked: Sequence[Asked], model: Answers, copied: Copied | None) -> dict[str, Sample]:
    """The samples by the names of `figures.FIGURES`, without those that cannot be measured on these rows.

    `copied` is None where there are no training texts to compare with.
    """
    samples = _form(asked, model) | _against_references(asked, model) | _language(model)
    if copied:
        texts = [answer.text for answer in model.answers]
        samples["novelty"] = Mean(tuple(copied.novelty(text) for text in texts))
        samples["verbatim"] = Share(tuple(copied.is_verbatim(text) for text in texts))
    return {name: sample for name, sample in samples.items() if sample is not None}


def _form(asked: Sequence[Asked], model: Answers) -> dict[str, Sample | None]:
    pairs = list(zip(asked, model.answers, strict=True))
    adheres = [why_not(answer, row.kind) is None for row, answer in pairs]
    both = len({row.kind for row in asked}) > 1  # of one kind alone it would be the same figure again

    def of(flags: Sequence[bool], belongs: Callable[[Asked], bool], wanted: bool = True) -> Share | None:
        chosen = tuple(flag for row, flag in zip(asked, flags, strict=True) if belongs(row))
        return Share(chosen) if wanted and len(chosen) >= LEAST_ROWS else None

    return {
        "adherence": of(adheres, lambda row: True),
        "adherence_quotes": of(adheres, lambda row: row.kind == QUOTE, both),
        "adherence_chats": of(adheres, lambda row: row.kind == CHAT, both),
        "keyword_relevance": of(
            [keyword_in(answer.text, row.keyword) for row, answer in pairs],
            lambda row: row.kind == QUOTE and bool(words(row.keyword)),
        ),
    }


def _against_references(asked: Sequence[Asked], model: Answers) -> dict[str, Sample | None]:
    pairs = [(answer.text, row.reference) for row, answer in zip(asked, model.answers, strict=True)]
    rouges = [rouge(text, reference) for text, reference in pairs]
    return {
        "perplexity": perplexity(model),
        "bits_per_character": bits_per_character(model),
        "bleu": corpus_bleu(*zip(*pairs, strict=True)),
        "sentence_bleu": Mean(tuple(sentence_bleu(text, reference) for text, reference in pairs)),
        "rouge_1": Mean(tuple(rouge_1 for rouge_1, _ in rouges)),
        "rouge_l": Mean(tuple(rouge_l for _, rouge_l in rouges)),
    }


def _language(model: Answers) -> dict[str, Sample | None]:
    texts = [answer.text for answer in model.answers]
    return {
        "words": Mean(tuple(float(len(words(text))) for text in texts)),
        "distinct_1": distinct(texts, 1),
        "distinct_2": distinct(texts, 2),
    }
