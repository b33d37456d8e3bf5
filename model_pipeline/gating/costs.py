"""What serving the new model costs beside the old one: the wait for a quote, and memory by the GGUF's header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from model_pipeline.evaluation.answers import QUOTE
from model_pipeline.evaluation.figures import Better, FigureText
from model_pipeline.evaluation.statistics import Floats, as_ratio, statistic_difference
from model_pipeline.gating.asking import Answered
from model_pipeline.gating.candidates import Candidate
from model_pipeline.gating.reading import Reading
from model_pipeline.gating.settings import Gate
from model_pipeline.gating.verdicts import Judged, at_most, not_worse, too_few

P50 = FigureText(
    "latency_p50_ratio",
    "Wait, half within",
    "Seconds for a quote, asked of both by turns; the limit is of their ratio.",
    Better.LOWER,
    2,
    is_ratio=True,
)
P95 = FigureText(
    "latency_p95_ratio",
    "Wait, 95% within",
    "Seconds for a quote, asked of both by turns; the limit is of their ratio.",
    Better.LOWER,
    2,
    is_ratio=True,
)
WAIT = FigureText("latency_p95_s", "Wait in seconds", "95% of the quotes were there within.", Better.LOWER, 2)
MEMORY = FigureText(
    "memory_mb", "Memory in MB", "Weights, key/value cache and logits, by the GGUF's header.", Better.LOWER, 0
)
MEMORY_RATIO = FigureText("memory_ratio", "Memory", "To the old model's.", Better.LOWER, 2, is_ratio=True)

_CACHE_BYTES, _LOGIT_BYTES, _BATCH_TOKENS = 2, 4, 512


def latency_figures(answered: Sequence[Answered], settings: Gate) -> list[Judged]:
    """Of the quotes that both models gave."""
    given = [each for each in answered if each.asked.kind == QUOTE and each.old.text and each.new.text]
    if len(given) < settings.least_prompts:
        few = f"both models gave {len(given)} quotes, and at least {settings.least_prompts} are needed"
        return [too_few(P50, len(given), few)]
    old, new = [each.old.seconds for each in given], [each.new.seconds for each in given]
    waits = float(np.percentile(old, 95)), float(np.percentile(new, 95))
    return [
        _ratio(P50, old, new, 50, settings.latency_p50_ratio, settings),
        _ratio(P95, old, new, 95, settings.latency_p95_ratio, settings),
        at_most(WAIT, len(given), waits, settings.latency_p95_s),
    ]


def memory_figures(old: tuple[Candidate, Reading], new: tuple[Candidate, Reading], settings: Gate) -> list[Judged]:
    """By the headers alone, which is an upper bound of what a worker takes beside its own program."""
    before, after = (serving_bytes(*_facts(*each)) for each in (old, new))
    return [
        at_most(MEMORY_RATIO, 1, (1.0, after / before), settings.memory_ratio),
        at_most(MEMORY, 1, (before / 1e6, after / 1e6), settings.memory_mb),
    ]


def serving_bytes(size_bytes: int, header: Mapping[str, str], vocabulary: int, context_tokens: int) -> int:
    """Weights, a key/value cache in 16 bits of the whole context, and the logits of a batch, in bytes."""

    def number(key: str, otherwise: int = 0) -> int:
        text = header.get(f"{header.get('general.architecture', '')}.{key}", "")
        return int(text) if text.isdigit() else otherwise

    heads, layers = number("attention.head_count", 1), number("block_count")
    width = number("embedding_length") // max(1, heads)
    lengths = number("attention.key_length", width) + number("attention.value_length", width)
    cells = context_tokens or number("context_length")
    cache = cells * layers * number("attention.head_count_kv", heads) * lengths * _CACHE_BYTES
    return size_bytes + cache + min(_BATCH_TOKENS, cells) * vocabulary * _LOGIT_BYTES


def _facts(model: Candidate, reading: Reading) -> tuple[int, Mapping[str, str], int, int]:
    context = int(model.manifest.get("context_tokens") or 0)
    return model.gguf.stat().st_size, reading.header, reading.vocabulary, context


def _ratio(
    text: FigureText, old: Sequence[float], new: Sequence[float], percent: int, limit: float, settings: Gate
) -> Judged:
    def log_percentile(seconds: Floats, axis: int = -1) -> Floats:
        return np.asarray(np.log(np.percentile(seconds, percent, axis=axis)))

    difference = as_ratio(statistic_difference([old], [new], log_percentile, settings.seed, settings.confidence))
    values = float(np.percentile(old, percent)), float(np.percentile(new, percent))
    return not_worse(text, len(old), settings.least_prompts, values, difference, limit)
