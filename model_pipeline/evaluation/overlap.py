"""What an answer has in common with its reference and its keyword: BLEU, ROUGE and word stems; knows no interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from nltk.stem.snowball import SnowballStemmer  # type: ignore[import-not-found, unused-ignore]
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

from model_pipeline.evaluation.statistics import (
    Difference,
    Estimate,
    Floats,
    estimate_statistic,
    statistic_difference,
)
from model_pipeline.evaluation.words import words

ORDERS = 4  # BLEU's n-grams go up to four words


@dataclass(frozen=True, slots=True)
class CorpusBleu:
    """BLEU of all answers together, 0 to 1, from what each row counts."""

    counts: tuple[tuple[float, ...], ...]  # for each row: words, reference words, matches of 1 to 4, n-grams of 1 to 4

    def estimate(self, seed: int) -> Estimate:
        """BLEU, with a bootstrap interval over rows."""
        return estimate_statistic(self._columns(), bleu_of_counts, seed)

    def change_to(self, after: CorpusBleu, seed: int) -> Difference:
        """How much higher BLEU is afterwards, by a paired bootstrap."""
        return statistic_difference(self._columns(), after._columns(), bleu_of_counts, seed)

    def _columns(self) -> list[tuple[float, ...]]:
        return list(zip(*self.counts, strict=True))


def corpus_bleu(texts: Sequence[str], references: Sequence[str]) -> CorpusBleu:
    """sacrebleu's counts for each answer and its one reference (tokenizer 13a, case counts)."""
    scores = [_bleu().sentence_score(text, [reference]) for text, reference in zip(texts, references, strict=True)]
    return CorpusBleu(tuple((score.sys_len, score.ref_len, *score.counts, *score.totals) for score in scores))


def bleu_of_counts(*columns: Floats, axis: int = -1) -> Floats:
    """The statistic: sacrebleu's score of the rows' counts added up, 0 to 1."""
    sums = np.stack([column.sum(axis=axis) for column in columns], axis=-1)
    return np.asarray(np.apply_along_axis(_bleu_of_sums, -1, sums))


def sentence_bleu(text: str, reference: str) -> float:
    """sacrebleu of one answer, 0 to 1; shorter answers count the n-grams that they have."""
    return float(_bleu().sentence_score(text, [reference]).score) / 100


def rouge(text: str, reference: str) -> tuple[float, float]:
    """ROUGE-1 and ROUGE-L as F-measures, 0 to 1; letters and digits of ASCII only, words not stemmed."""
    scores = _rouge().score(reference, text)
    return float(scores["rouge1"].fmeasure), float(scores["rougeL"].fmeasure)


def keyword_in(text: str, keyword: str) -> bool:
    """Every word of the keyword stands in the answer, or an English word of the same stem."""
    wanted = {_stem(word) for word in words(keyword)}
    return bool(wanted) and wanted <= {_stem(word) for word in words(text)}


@cache
def _bleu() -> BLEU:
    return BLEU(effective_order=True)  # of sentences, which may be shorter than four words


@cache
def _rouge() -> RougeScorer:
    return RougeScorer(["rouge1", "rougeL"])


@cache
def _stemmer() -> SnowballStemmer:
    return SnowballStemmer("english")


@cache
def _stem(word: str) -> str:
    return str(_stemmer().stem(word))


def _bleu_of_sums(sums: Floats) -> float:
    found = BLEU.compute_bleu(
        correct=sums[2 : 2 + ORDERS].tolist(),
        total=sums[2 + ORDERS :].tolist(),
        sys_len=int(sums[0]),
        ref_len=int(sums[1]),
        smooth_method="exp",
    )
    return float(found.score) / 100
