"""How likely a model finds a reply after its prompt; for both sides of the export, and knows neither of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_pipeline.gguf.parity import LanguageModel


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Of one reply: the sum of negative log-likelihoods in nats, its tokens, and its characters."""

    nats: float
    tokens: int
    characters: int


def reply_likelihood(model: LanguageModel, prompt: str, reply: str) -> Likelihood | None:
    """Of `reply` after `prompt`, both with their control tokens; None where the context does not hold both."""
    before = model.token_ids(prompt, add_special=True)
    ids = model.token_ids(prompt + reply, add_special=True)
    start = _common_prefix(before, ids)
    if len(ids) > model.context_tokens or start >= len(ids) or start == 0:
        return None
    logits = model.logits(ids)[start - 1 : -1].astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(logits).sum(axis=1))
    chosen = logits[np.arange(len(ids) - start), ids[start:]]
    return Likelihood(float((log_sums - chosen).sum()), len(ids) - start, len(reply))


def perplexity(found: Sequence[Likelihood]) -> float:
    """Per token, over all replies together."""
    tokens = sum(each.tokens for each in found)
    return float(np.exp(sum(each.nats for each in found) / tokens)) if tokens else float("nan")


def _common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length
