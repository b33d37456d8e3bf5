"""Proves that the loss is taken on the replies and nothing else; changes nothing.

A wrong mask fails in silence: the loss falls, and the model learns to write its own questions. So the labels that are
not masked are decoded and compared with what the reply should be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from model_pipeline.data.rows import Row
from model_pipeline.errors import MaskWrong
from model_pipeline.training.rendering import reply_text

MASKED = -100  # what PyTorch's cross entropy leaves out


def check_mask(tokenizer: Any, rows: Iterable[Row], examples: Iterable[Mapping[str, Sequence[int]]]) -> int:
    """Compare each run of unmasked labels with the replies of `rows`; returns how many runs were compared.

    `examples` have `labels` ([tokens], masked ones -100). A run may be the beginning of a reply that was cut.
    Raises `MaskWrong`, which shows the text.
    """
    expected = {_plain(reply_text(tokenizer, row)) for row in rows}
    compared = 0
    for example in examples:
        runs = list(_unmasked(example["labels"]))
        if not runs:
            raise MaskWrong("A row has no reply to learn: every one of its tokens is masked.")
        for run in runs:
            text = _plain(tokenizer.decode(run, skip_special_tokens=False))
            if text not in expected and not any(reply.startswith(text) for reply in expected):
                raise MaskWrong(f"The loss would be taken on {text[:200]!r}, which is no reply of the training rows.")
            compared += 1
    return compared


def _unmasked(labels: Sequence[int]) -> Iterable[list[int]]:
    run: list[int] = []
    for label in [*labels, MASKED]:
        if label != MASKED:
            run.append(int(label))
        elif run:
            yield run
            run = []


def _plain(text: str) -> str:
    """Without the spaces at its ends, which tokenizers write and drop as they like."""
    return text.strip()
