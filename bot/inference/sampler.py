"""Draws the next token of one text: llama.cpp's samplers in a chain, and a grammar that is asked only when needed."""

from __future__ import annotations

import ctypes

import llama_cpp.llama_cpp as llama
import numpy as np

from bot.chat.generation import Sampling
from bot.errors import GenerationError
from bot.inference.gguf_model import GgufModel

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Sampler:
    """The chain of one text. Must be closed: its memory belongs to llama.cpp."""

    def __init__(self, model: GgufModel, sampling: Sampling, seed: int, grammar: str | None) -> None:
        self._model = model
        self._chain = _build_chain(model, sampling, seed)
        self._grammar = _build_grammar(model, grammar) if grammar else None

    def draw(self, context: object, row: int) -> int:
        """The next token from the logits of that row of the last batch; one C call where there is no grammar."""
        if self._grammar is None:
            return int(llama.llama_sampler_sample(self._chain, context, row))
        logits = llama.llama_get_logits_ith(context, row)
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

    def _pick(self, logits: object, *, constrained: bool) -> int:
        candidates = np.zeros(self._model.vocabulary_size, dtype=_CANDIDATE)
        candidates["id"] = np.arange(self._model.vocabulary_size, dtype=np.int32)
        candidates["logit"] = np.ctypeslib.as_array(logits, shape=(self._model.vocabulary_size,))
        array = _as_array(candidates)
        if constrained:
            llama.llama_sampler_apply(self._grammar, ctypes.byref(array))
        llama.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def _allows(self, token: int) -> bool:
        candidate = np.array([(token, 0.0, 0.0)], dtype=_CANDIDATE)
        llama.llama_sampler_apply(self._grammar, ctypes.byref(_as_array(candidate)))
        return bool(np.isfinite(candidate["logit"][0]))


def _as_array(candidates: np.ndarray) -> llama.llama_token_data_array:
    data = candidates.ctypes.data_as(llama.llama_token_data_p)
    return llama.llama_token_data_array(data=data, size=len(candidates), selected=-1, sorted=False)


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
    return [*stages, llama.llama_sampler_init_dist(seed & 0xFFFFFFFF)]


def _build_grammar(model: GgufModel, grammar: str) -> object:
    sampler = llama.llama_sampler_init_grammar(model.vocabulary, grammar.encode(), b"root")
    if not sampler:
        raise GenerationError("The grammar of this request cannot be read.")
    return sampler
