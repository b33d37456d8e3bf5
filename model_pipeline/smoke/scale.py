"""Makes the recipe of a smoke run: the same stages and methods, on a small model and small data; runs none of them.

What decides which way the code goes (method, rank, targets, optimizer, quantization types and so on) stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from model_pipeline.data.json_lines import write_json_lines
from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.served_base import EMBEDDED
from model_pipeline.recipe import (
    Base,
    Corpus,
    Data,
    Evaluate,
    Export,
    Family,
    FineTune,
    Judge,
    Method,
    Prefer,
    Pretrain,
    Recipe,
    Served,
    check_recipe,
)
from model_pipeline.smoke.bases import make_base
from model_pipeline.smoke.curated import LEAST_ROWS, write_curated
from model_pipeline.smoke.rows import write_rows
from model_pipeline.smoke.texts import plain_documents
from model_pipeline.training.corpus import TRAIN_ROWS

CONTEXT_TOKENS = 512  # of the small models
MAX_TOKENS = 256
MARKED_KEYWORDS = 200
STEPS, EVALUATE_EVERY, BATCH_SIZE, ROWS_A_STEP = 60, 20, 8, 16
LEARNING_RATE = {Method.FULL: 1e-3}  # for a small model and few steps
LEARNING_RATE_OF_ADAPTERS = 2e-3
PREFER_STEPS = 12
PRETRAIN_TOKENS, PRETRAIN_BATCH_TOKENS, PRETRAIN_MICRO_BATCH = 300_000, 2_048, 4

Say = Callable[[str], None]


def smoke_recipe(recipe: Recipe, folder: Path, say: Say) -> Recipe:
    """The recipe, scaled down; its base, rows and texts are written into `folder`. Raises `InputInvalid`.

    The same recipe and folder always give the same recipe, so that a run can be gone on with.
    """
    sections: dict[str, Any] = {
        "base": _base(recipe.base, folder, say),
        "data": _data(recipe.data, folder / "rows"),
        "pretrain": recipe.pretrain and _pretrain(recipe.pretrain, folder / "texts"),
        "fine_tune": recipe.fine_tune and _fine_tune(recipe.fine_tune),
        "prefer": recipe.prefer and _prefer(recipe.prefer, folder / "curated"),
        "export": _export(recipe.export),
        "judge": recipe.judge and _judge(recipe.judge),
        "evaluate": _evaluate(recipe.evaluate),
        "served": _served(recipe.served),
        "smoke": True,
    }
    scaled = recipe.model_copy(update=sections)
    return check_recipe(scaled.model_dump(mode="json"), f"{recipe.name} for a smoke run")


def _base(base: Base, folder: Path, say: Say) -> Base:
    if base.family is Family.STARTER:
        return base
    if base.family is Family.SERVED:
        return base.model_copy(update={"model": EMBEDDED})  # which is small, and there
    made = make_base(base.family, folder.resolve() / "base", say=say)
    return base.model_copy(update={"model": str(made), "revision": "main"})


def _data(data: Data, folder: Path) -> Data:
    # A folder each: two sources of one form must not overwrite each other, nor be the same rows.
    sources = tuple(
        write_rows(source, folder / str(number), data.seed + number) for number, source in enumerate(data.sources, 1)
    )
    return data.model_copy(update={"sources": sources, "max_tokens": min(data.max_tokens, MAX_TOKENS)})


def _pretrain(pretrain: Pretrain, folder: Path) -> Pretrain:
    return pretrain.model_copy(
        update={
            "corpora": _corpora(pretrain, folder),
            "vocabulary": min(pretrain.vocabulary, 2_048),
            "hidden_size": 256,
            "layers": min(pretrain.layers, 2),
            "feed_forward": 512,
            "context_tokens": min(pretrain.context_tokens, CONTEXT_TOKENS),
            "tokens": min(pretrain.tokens, PRETRAIN_TOKENS),
            "batch_tokens": min(pretrain.batch_tokens, PRETRAIN_BATCH_TOKENS),
            "micro_batch": min(pretrain.micro_batch, PRETRAIN_MICRO_BATCH),
            "evaluate_every": min(pretrain.evaluate_every, 50),
            "validation_share": max(pretrain.validation_share, 0.02),  # of so few texts it would be none
        }
    )


def _corpora(pretrain: Pretrain, folder: Path) -> tuple[Corpus, ...]:
    """In the place of each corpus a JSONL file of its own, with another part of the texts."""
    places = [number for number, corpus in enumerate(pretrain.corpora) if corpus.path != TRAIN_ROWS]
    documents, corpora = plain_documents(pretrain.seed), list(pretrain.corpora)
    for turn, place in enumerate(places):
        path = folder.resolve() / f"{place + 1}.jsonl"
        _write_texts(path, documents[turn :: len(places)])
        corpora[place] = corpora[place].model_copy(update={"path": str(path)})
    return tuple(corpora)


def _write_texts(path: Path, documents: list[str]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json_lines(path, ({"text": document} for document in documents))
    except OSError as error:
        raise InputInvalid(f"The small corpus {path} cannot be written: {error.strerror or error}.") from error


def _fine_tune(settings: FineTune) -> FineTune:
    batch_size = min(settings.batch_size, BATCH_SIZE)
    steps = min(settings.max_steps or STEPS, STEPS)
    rate = LEARNING_RATE.get(settings.method, LEARNING_RATE_OF_ADAPTERS)
    return settings.model_copy(
        update={
            "max_steps": steps,
            "evaluate_every": min(settings.evaluate_every, EVALUATE_EVERY),
            "batch_size": batch_size,
            "accumulate": min(settings.accumulate, ROWS_A_STEP // batch_size),
            "learning_rate": max(settings.learning_rate, rate),
            # A number of steps is one of a longer training.
            "warmup": settings.warmup if settings.warmup < 1 else min(settings.warmup, steps // 10),
        }
    )


def _prefer(settings: Prefer, folder: Path) -> Prefer:
    write_curated(folder, settings.seed)
    batch_size = min(settings.batch_size, BATCH_SIZE)
    return settings.model_copy(
        update={
            "data": str(folder.resolve()),
            "sources": (),
            "calibrate_by": (),
            "max_steps": min(settings.max_steps or PREFER_STEPS, PREFER_STEPS),
            "evaluate_every": min(settings.evaluate_every, PREFER_STEPS // 2),
            "batch_size": batch_size,
            "accumulate": min(settings.accumulate, ROWS_A_STEP // batch_size),
            "least_rows": min(settings.least_rows, LEAST_ROWS),
            "max_tokens": min(settings.max_tokens, MAX_TOKENS),
        }
    )


def _export(settings: Export) -> Export:
    return settings.model_copy(update={"gate_lines": min(settings.gate_lines, 100)})


def _judge(settings: Judge) -> Judge:
    return settings.model_copy(
        update={
            "quotes_a_keyword": 1,
            "most_keywords": min(settings.most_keywords or MARKED_KEYWORDS, MARKED_KEYWORDS),
            "epochs": min(settings.epochs, 1),
        }
    )


def _evaluate(settings: Evaluate) -> Evaluate:
    return settings.model_copy(
        update={
            "rows": min(settings.rows, 24),
            "max_new_tokens": min(settings.max_new_tokens, 40),
            "latency_requests": min(settings.latency_requests, 5),
            "sampled_quotes": min(settings.sampled_quotes, 20),
        }
    )


def _served(served: Served) -> Served:
    return served.model_copy(update={"context_tokens": min(served.context_tokens, CONTEXT_TOKENS)})
