"""Measures how fast llama.cpp reads and writes with a GGUF, in this process; knows no bot and no quality."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from llama_cpp import Llama

from model_pipeline.gguf.gguf_model import THREADS, GgufModel

PROMPT_TOKENS = 128
GENERATED_TOKENS = 32
REPEATS = 3


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second: read in one batch, and written one after the other; with that many threads."""

    prompt_tokens_per_second: float
    generation_tokens_per_second: float
    threads: int


def measure_speed(gguf: Path) -> Speed:
    """The median of `REPEATS`, after one that is not counted. Raises `InputInvalid`."""
    with GgufModel(gguf, PROMPT_TOKENS + GENERATED_TOKENS, logits_all=False) as model:
        times = [_once(model.llama) for _ in range(REPEATS + 1)][1:]
    read_s, written_s = (median(each) for each in zip(*times, strict=True))
    return Speed(round(PROMPT_TOKENS / read_s, 1), round(GENERATED_TOKENS / written_s, 1), THREADS)


def _once(llama: Llama) -> tuple[float, float]:
    """Seconds for the prompt, and for what is written behind it."""
    llama.reset()
    # Which tokens they are changes nothing about the time.
    prompt = [number % llama.n_vocab() for number in range(PROMPT_TOKENS)]
    return _seconds(lambda: llama.eval(prompt)), _seconds(lambda: _write(llama))


def _write(llama: Llama) -> None:
    for _ in range(GENERATED_TOKENS):
        llama.eval([llama.sample(temp=0.0)])


def _seconds(work: Callable[[], None]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
