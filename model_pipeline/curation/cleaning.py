"""Takes personal data out of everything that an export says; keeps every row, for others decide what is left of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from model_pipeline.curation.words import Export, Pair, Question, Reply

Clean = Callable[[str], str]


def clean_export(export: Export, clean: Clean) -> Export:
    """The export with every text passed through `clean`, the names of models included: a path may hold a person's."""
    return replace(
        export,
        replies=tuple(_reply(reply, clean) for reply in export.replies),
        pairs=tuple(_pair(pair, clean) for pair in export.pairs),
    )


def _reply(reply: Reply, clean: Clean) -> Reply:
    corrections = tuple(replace(one, text=clean(one.text)) for one in reply.corrections)
    return replace(
        reply,
        question=_question(reply.question, clean),
        text=clean(reply.text),
        model=clean(reply.model),
        corrections=corrections,
    )


def _pair(pair: Pair, clean: Clean) -> Pair:
    left, right = (clean(text) for text in pair.texts)
    models = (clean(pair.models[0]), clean(pair.models[1]))
    return replace(pair, question=_question(pair.question, clean), texts=(left, right), models=models)


def _question(question: Question, clean: Clean) -> Question:
    return replace(question, turns=tuple((role, clean(content)) for role, content in question.turns))
