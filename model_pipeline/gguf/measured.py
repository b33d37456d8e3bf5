"""Owns what is found out about a finished GGUF: size, gates, perplexity, speed, and the JSON file that keeps it.

Knows no run and judges nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.likelihood import perplexity, reply_likelihood
from model_pipeline.gguf.speed import measure_speed


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of a GGUF. `perplexity` (per token, of `rows` replies) is None where no row fits the context.

    `source_sha256` (hex) is of the file that was quantized; `gates` are the figures of those that were passed.
    """

    source_sha256: str
    size_bytes: int
    fallback_tensors: int
    gates: Mapping[str, dict[str, float]]
    perplexity: float | None
    rows: int
    prompt_tokens_per_second: float
    generation_tokens_per_second: float
    threads: int

    def ratio_to(self, other: Measured) -> float | None:
        """How many times the other's perplexity this one's is; None where one of them is not known."""
        if self.perplexity is None or other.perplexity is None:
            return None
        return round(self.perplexity / other.perplexity, 5)


def measure(
    gguf: Path,
    source_sha256: str,
    gates: Mapping[str, dict[str, float]],
    replies: Sequence[tuple[str, str]],
    fallback_tensors: int = 0,
) -> Measured:
    """Measure the file on pairs of prompt and reply. Raises `InputInvalid` where llama.cpp cannot load it."""
    with GgufModel(gguf) as model:
        found = [likely for prompt, reply in replies if (likely := reply_likelihood(model, prompt, reply))]
    return Measured(
        source_sha256=source_sha256,
        size_bytes=gguf.stat().st_size,
        fallback_tensors=fallback_tensors,
        gates=gates,
        perplexity=perplexity(found) if found else None,
        rows=len(found),
        **asdict(measure_speed(gguf)),
    )


def kept(path: Path, source_sha256: str, make: Callable[[], Measured]) -> Measured:
    """What the file `path` says of that source, or what `make` finds, which is then written there."""
    try:
        known = Measured(**json.loads(path.read_text(encoding="utf-8")))
        if known.source_sha256 == source_sha256:
            return known
    except (OSError, ValueError, TypeError):
        pass  # absent, cut off, or of another version: it is measured anew
    measured, partial = make(), path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(asdict(measured), indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
    return measured
