"""Compares the answers of several models, row by row, each with the one before it; knows no page and no plot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from model_pipeline.evaluation.answers import QUOTE, Answers, Asked, check_fit
from model_pipeline.evaluation.figures import FIGURES
from model_pipeline.evaluation.form import why_not
from model_pipeline.evaluation.novelty import find_copied
from model_pipeline.evaluation.samples import Sample, take_samples
from model_pipeline.evaluation.statistics import CONFIDENCE, Difference, Estimate
from model_pipeline.judging.learned_filters import Learned


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model: its figures by name, and how many answers did not adhere, by reason, the most frequent first."""

    name: str
    figures: dict[str, Estimate]
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class Change:
    """The differences from one model to the next, by the name of the figure."""

    before: str
    after: str
    differences: dict[str, Difference]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that was measured; figures that these rows or models do not allow are absent."""

    rows: int
    quotes: int  # rows that ask for one; the others chat
    training_texts: int
    confidence: float
    seed: int
    models: tuple[ModelFigures, ...]
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        """The same as plain dictionaries and lists."""
        content = asdict(self)
        return content | {"models": list(content["models"]), "changes": list(content["changes"])}


def compare_answers(
    asked: Sequence[Asked],
    models: Sequence[Answers],
    training_texts: Sequence[str],
    seed: int,
    before: Learned | None = None,
) -> Comparison:
    """Every figure of every model with its interval, and the differences of neighbours in the given order.

    Without training texts there is no novelty; what was learned `before` them counts for copies. Raises `InputInvalid`
    if models and rows do not fit together.
    """
    check_fit(asked, models)
    texts = [answer.text for model in models for answer in model.answers]
    copied = find_copied(texts, training_texts, before) if training_texts else None
    samples = [take_samples(asked, model, copied) for model in models]
    return Comparison(
        rows=len(asked),
        quotes=sum(1 for row in asked if row.kind == QUOTE),
        training_texts=len(training_texts),
        confidence=CONFIDENCE,
        seed=seed,
        models=tuple(_figures(asked, model, taken, seed) for model, taken in zip(models, samples, strict=True)),
        changes=tuple(
            Change(before.name, after.name, _differences(old, new, seed))
            for (before, old), (after, new) in pairwise(zip(models, samples, strict=True))
        ),
    )


def _figures(asked: Sequence[Asked], model: Answers, samples: dict[str, Sample], seed: int) -> ModelFigures:
    found = [why_not(answer, row.kind) for row, answer in zip(asked, model.answers, strict=True)]
    reasons = Counter(str(reason) for reason in found if reason is not None)
    estimates = {figure.name: samples[figure.name].estimate(seed) for figure in FIGURES if figure.name in samples}
    return ModelFigures(model.name, estimates, dict(reasons.most_common()))


def _differences(old: dict[str, Sample], new: dict[str, Sample], seed: int) -> dict[str, Difference]:
    shared = [figure.name for figure in FIGURES if figure.name in old and figure.name in new]
    changes = {name: old[name].change_to(new[name], seed) for name in shared}
    return {name: change for name, change in changes.items() if change is not None}
