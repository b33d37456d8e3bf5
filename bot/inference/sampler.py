"""Draws the next token of one text: llama.cpp's samplers in a chain, and a grammar that is asked only when needed."""

from __future__ import annotations

import ctypes
import math

import llama_cpp.llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

from bot.chat.generation import Sampling
from bot.errors import GenerationError
from bot.inference.gguf_model import GgufModel

_SEEDS = llama.LLAMA_DEFAULT_SEED  # so many from 0 on: this number itself has llama.cpp draw a seed of its own
_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data
_ROUNDING = 0.01  # of a logit: more than four bytes lose


class Sampler:
    """The chain of one text. Must be closed: its memory belongs to llama.cpp."""

    def __init__(self, model: GgufModel, sampling: Sampling, seed: int, grammar: str | None) -> None:
        self._model, self._sampling = model, sampling
        self._chain = _build_chain(model, sampling, seed)
        self._grammar = _build_grammar(model, grammar) if grammar else None

    def draw(self, context: object, row: int) -> int:
        """The next token from the logits of that row of the last batch; one C call where there is no grammar."""
        if self._grammar is None:
            return int(llama.llama_sampler_sample(self._chain, context, row))
        pointer = llama.llama_get_logits_ith(context, row)
        logits = np.ctypeslib.as_array(pointer, shape=(self._model.vocabulary_size,))
        drawn = self._pick(logits, constrained=False)
        if not self._allows(drawn):  # rare, so the grammar reads the whole vocabulary only then
            drawn = self._pick(logits, constrained=True)
        self.accept(drawn)
        return drawn

    def accept(self, token: int) -> None:
        """The token stands in the text, whoever drew it."""
        llama.llama_sampler_accept(self._chain, token)
        if self._grammar is not None:
            llama.llama_sampler_accept(self._grammar, token)

    def close(self) -> None:
        """Give the memory back."""
        llama.llama_sampler_free(self._chain)
        if self._grammar is not None:
            llama.llama_sampler_free(self._grammar)

    def _pick(self, logits: NDArray[np.float32], *, constrained: bool) -> int:
        ids = np.arange(len(logits)) if constrained else np.flatnonzero(logits >= self._least(float(logits.max())))
        candidates = np.zeros(len(ids), dtype=_TOKEN_DATA)
        candidates["id"], candidates["logit"] = ids, logits[ids]
        array = _as_array(candidates.ctypes.data_as(llama.llama_token_data_p), len(candidates))
        if constrained:
            llama.llama_sampler_apply(self._grammar, ctypes.byref(array))
        llama.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def _least(self, most: float) -> float:
        """The logit below which the chain draws nothing, where the highest is `most`.

        `min_p` cuts off what is so much less likely than the likeliest, whose logit the penalty may have lowered. The
        chain would find that out itself, but it looks up each token of the vocabulary for its penalty.
        """
        sampling = self._sampling
        if sampling.min_p <= 0 or sampling.top_p < 1 or sampling.repeat_penalty < 1:
            return -math.inf
        lowered = most / sampling.repeat_penalty if most > 0 else most * sampling.repeat_penalty
        return lowered + math.log(sampling.min_p) - _ROUNDING

    def _allows(self, token: int) -> bool:
        candidate = llama.llama_token_data(id=token, logit=0.0, p=0.0)
        llama.llama_sampler_apply(self._grammar, ctypes.byref(_as_array(ctypes.pointer(candidate), 1)))
        return math.isfinite(candidate.logit)


def _as_array(data: object, size: int) -> llama.llama_token_data_array:
    return llama.llama_token_data_array(data=data, size=size, selected=-1, sorted=False)


def _build_chain(model: GgufModel, sampling: Sampling, seed: int) -> object:
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    for stage in _stages(model, sampling, seed):
        llama.llama_sampler_chain_add(chain, stage)
    return chain


def _stages(model: GgufModel, sampling: Sampling, seed: int) -> list[object]:
    """In llama.cpp's own order: penalties, then what cuts the tail off, then the temperature and the draw."""
    stages: list[object] = []
    if sampling.repeat_penalty != 1.0:
        stages.append(
            llama.llama_sampler_init_penalties(
                model.vocabulary_size, sampling.repeat_last_n, sampling.repeat_penalty, 0.0, 0.0
            )
        )
    if sampling.temperature <= 0:
        return [*stages, llama.llama_sampler_init_greedy()]
    if sampling.top_k > 0:
        stages.append(llama.llama_sampler_init_top_k(sampling.top_k))
    if sampling.top_p < 1:
        stages.append(llama.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p > 0:
        stages.append(llama.llama_sampler_init_min_p(sampling.min_p, 1))
    stages.append(llama.llama_sampler_init_temp(sampling.temperature))
    return [*stages, llama.llama_sampler_init_dist(seed % _SEEDS)]


def _build_grammar(model: GgufModel, grammar: str) -> object:
    sampler = llama.llama_sampler_init_grammar(model.vocabulary, grammar.encode(), b"root")
    if not sampler:
        raise GenerationError("The grammar of this request cannot be read.")
    return sampler
