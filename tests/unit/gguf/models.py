"""A language model of one table, for the comparisons: characters are tokens, and each depends on the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from model_pipeline.gguf.parity import TemplateRefused

VOCABULARY, END = 128, 0
TABLE = np.random.default_rng(0).normal(size=(VOCABULARY, VOCABULARY)).astype(np.float32)


def chatml(turns: Sequence[Mapping[str, str]], generation_prompt: bool) -> str | None:
    text = "".join(f"<{turn['role']}>{turn['content']}" for turn in turns)
    return text + "<bot>" if generation_prompt else text


def refuses_system(turns: Sequence[Mapping[str, str]], generation_prompt: bool) -> str | None:
    if turns[0]["role"] == "system":
        raise TemplateRefused("no system turns")
    return chatml(turns, generation_prompt)


def none_at_all(turns: Sequence[Mapping[str, str]], generation_prompt: bool) -> str | None:
    return None


@dataclass(frozen=True)
class TableModel:
    """The row of a token holds the logits after it."""

    table: NDArray[np.float32] = field(default_factory=TABLE.copy)
    template: Callable[[Sequence[Mapping[str, str]], bool], str | None] = chatml
    begin: int = 1
    spelled: Callable[[str], str] = str
    context_tokens: int = 64

    @property
    def vocabulary_size(self) -> int:
        return int(self.table.shape[1])

    def token_ids(self, text: str, *, add_special: bool) -> list[int]:
        ids = [ord(character) % VOCABULARY for character in self.spelled(text)]
        return [self.begin, *ids] if add_special else ids

    def text(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def render(self, turns: Sequence[Mapping[str, str]], *, generation_prompt: bool) -> str | None:
        return self.template(turns, generation_prompt)

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        if len(ids) > self.context_tokens:
            raise ValueError("longer than the context")
        return self.table[list(ids)]

    def greedy(self, ids: Sequence[int], max_tokens: int) -> list[int]:
        drawn: list[int] = []
        while len(drawn) < max_tokens:
            token = int(self.logits([*ids, *drawn])[-1].argmax())
            if token == END:
                break
            drawn.append(token)
        return drawn

    def with_cell(self, row: int, column: int, value: float) -> TableModel:
        table = self.table.copy()
        table[row, column] = value
        return replace(self, table=table)
