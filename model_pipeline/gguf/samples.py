"""Writes a model's texts for its card: seeded, unpicked, and without the bot's grammar; judges none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.description import QuotePrompt, Sampling
from model_pipeline.gguf.gguf_model import GgufModel

MAX_TOKENS = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """What was asked, in a person's words, and what the model wrote."""

    asked: str
    text: str


def quote_samples(gguf: Path, prompt: QuotePrompt, keywords: Sequence[str], sampling: Sampling) -> list[Sample]:
    """One quote for each keyword, in order; the seed of a sample is its number, from 0."""
    with GgufModel(gguf) as model:
        texts = [quote_prompt_text(model, prompt, keyword) for keyword in keywords]
        written = [write(model, text, sampling, seed) for seed, text in enumerate(texts)]
    return [Sample(keyword, text) for keyword, text in zip(keywords, written, strict=True)]


def chat_samples(gguf: Path, messages: Sequence[str], sampling: Sampling) -> list[Sample]:
    """One reply to each message, alone; the seed of a sample is its number, from 0."""
    with GgufModel(gguf) as model:
        texts = [_chat_prompt(model, "", message) for message in messages]
        written = [write(model, text, sampling, seed) for seed, text in enumerate(texts)]
    return [Sample(message, text) for message, text in zip(messages, written, strict=True)]


def quote_prompt_text(model: GgufModel, prompt: QuotePrompt, keyword: str) -> str:
    """The whole text that the model continues when it is asked for a quote."""
    asked = prompt.asked(keyword)
    return _chat_prompt(model, prompt.system, asked) if prompt.chat else asked


def write(model: GgufModel, prompt: str, sampling: Sampling, seed: int, max_tokens: int = MAX_TOKENS) -> str:
    """Continue `prompt` until the model ends its text, or for `max_tokens`."""
    model.llama.reset()
    model.llama.last_n_tokens_size = sampling.repeat_last_n if sampling.repeat_last_n >= 0 else model.context_tokens
    result = model.llama.create_completion(
        # The begin token is the model's to add, so that a template that writes one does not double it.
        model.token_ids(prompt, add_special=not _begins(model, prompt)),
        max_tokens=max_tokens,
        seed=seed,
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        min_p=sampling.min_p,
        repeat_penalty=sampling.repeat_penalty,
    )
    return str(result["choices"][0]["text"]).strip()


def _begins(model: GgufModel, prompt: str) -> bool:
    bos = model.token_ids("", add_special=True)
    return bool(bos) and model.token_ids(prompt, add_special=False)[:1] == bos[:1]


def _chat_prompt(model: GgufModel, system: str, message: str) -> str:
    turns = [{"role": "system", "content": system}] if system else []
    text = model.render([*turns, {"role": "user", "content": message}], generation_prompt=True)
    if text is None:
        raise InputInvalid("The model has no chat template, so it cannot be asked in a chat turn.")
    return text
