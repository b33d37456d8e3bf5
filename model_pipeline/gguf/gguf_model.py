"""A GGUF as the runtime sees it: its tokens, its rendered template and its logits; compares nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from llama_cpp import Llama, llama_cpp
from llama_cpp import _logger as llama_logger
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from numpy.typing import NDArray

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.parity import TEMPLATE_ERRORS, TemplateRefused

CONTEXT_TOKENS = 512  # enough for every comparison, and little memory
THREADS = max(1, (os.cpu_count() or 1) // 2)  # llama.cpp's threads spin: more than there are free cores slow it down


class GgufModel:
    """A loaded GGUF; a context manager, for its memory belongs to llama.cpp. Raises `InputInvalid`.

    `lora` is an adapter as a GGUF, which is added `lora_scale` times; -1 takes it away. Without `logits_all` only the
    last token's logits are made, as a bot does it.
    """

    def __init__(
        self,
        path: Path,
        context_tokens: int = CONTEXT_TOKENS,
        seed: int = 0,
        lora: Path | None = None,
        lora_scale: float = 1.0,
        *,
        logits_all: bool = True,
    ) -> None:
        try:
            self.llama = Llama(
                str(path),
                n_ctx=context_tokens,
                n_batch=context_tokens,
                n_ubatch=context_tokens,
                n_threads=THREADS,
                n_threads_batch=THREADS,
                logits_all=logits_all,
                lora_path=str(lora) if lora else None,
                lora_scale=lora_scale,
                seed=seed,
                verbose=False,
            )
        except TEMPLATE_ERRORS as error:  # the binding parses the chat template at once
            raise InputInvalid(f"llama.cpp cannot load {path}: {str(error).rstrip('.')}.") from error
        self.metadata: dict[str, str] = dict(self.llama.metadata)
        self.vocabulary_size = int(self.llama.n_vocab())
        self.context_tokens = min(context_tokens, int(llama_cpp.llama_model_n_ctx_train(self.llama.model)))
        self._vocab = llama_cpp.llama_model_get_vocab(self.llama.model)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.llama.close()

    def token_ids(self, text: str, *, add_special: bool) -> list[int]:
        """Ids of `text`, in which control tokens may be named; `add_special` adds what texts begin and end with."""
        with _quiet():  # a rendered conversation may begin with the token that is added, and llama.cpp warns each time
            return list(self.llama.tokenize(text.encode(), add_bos=add_special, special=True))

    def text(self, ids: Sequence[int]) -> str:
        """The text of ids, control tokens included."""
        return str(self.llama.detokenize(list(ids), special=True).decode(errors="replace"))

    def render(self, turns: Sequence[Mapping[str, str]], *, generation_prompt: bool) -> str | None:
        """The conversation in the GGUF's own chat template; None without one. Raises `TemplateRefused`."""
        template = self.metadata.get("tokenizer.chat_template")
        if template is None:
            return None
        bos, eos = (self._token_text(token) for token in (self.llama.token_bos(), self.llama.token_eos()))
        try:
            formatter = Jinja2ChatFormatter(
                template, eos_token=eos, bos_token=bos, add_generation_prompt=generation_prompt
            )
            return str(formatter(messages=[dict(turn) for turn in turns]).prompt)
        except TEMPLATE_ERRORS as error:
            raise TemplateRefused(str(error)) from error

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Logits after each id, [len(ids), vocabulary]; at most `context_tokens` ids."""
        self.llama.reset()
        self.llama.eval(list(ids))
        return np.array(self.llama.scores[: len(ids)], dtype=np.float32)

    def greedy(self, ids: Sequence[int], max_tokens: int) -> list[int]:
        """The likeliest continuation, without the token that ends it."""
        self.llama.reset()
        self.llama.eval(list(ids))
        drawn: list[int] = []
        while len(drawn) < max_tokens:
            token = int(np.argmax(self.llama.scores[self.llama.n_tokens - 1]))
            if llama_cpp.llama_vocab_is_eog(self._vocab, token):
                break
            drawn.append(token)
            self.llama.eval([token])
        return drawn

    @property
    def beginning(self) -> str:
        """The text of the token that `token_ids` puts before every text; "" where it adds none."""
        return self.text(self.token_ids("", add_special=True)[:1])

    @property
    def ending(self) -> str:
        """The text of the token that ends a reply; "" where there is none."""
        return self._token_text(self.llama.token_eos())

    def _token_text(self, token: int) -> str:
        return self.text([token]) if token >= 0 else ""


@contextmanager
def _quiet() -> Iterator[None]:
    logger = llama_logger.logger
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
