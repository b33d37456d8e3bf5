"""A Hugging Face folder as it was trained: its tokens, its rendered template and its fp32 logits; compares nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, GenerationConfig

from model_pipeline.gguf.hf_tokenizer import open_tokenizer
from model_pipeline.gguf.parity import TEMPLATE_ERRORS, TemplateRefused


class HuggingFaceModel:
    """A folder's tokenizer at once and its weights, in fp32, when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.tokenizer: Any = open_tokenizer(folder)

    @cached_property
    def model(self) -> Any:
        """The weights, 4 bytes a parameter."""
        model = AutoModelForCausalLM.from_pretrained(self._folder, dtype=torch.float32, local_files_only=True).eval()
        model.generation_config = _greedy_config(model.generation_config.eos_token_id)
        return model

    @property
    def vocabulary_size(self) -> int:
        """The rows of the embedding, which a padded vocabulary makes more than the tokenizer's words."""
        return int(self.model.config.vocab_size)

    @property
    def context_tokens(self) -> int:
        """The positions that the model was made for."""
        return int(self.model.config.max_position_embeddings)

    def token_ids(self, text: str, *, add_special: bool) -> list[int]:
        """Ids of `text`, in which control tokens may be named; `add_special` adds what texts begin and end with."""
        return list(self.tokenizer(text, add_special_tokens=add_special).input_ids)

    def text(self, ids: Sequence[int]) -> str:
        """The text of ids, control tokens included."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=False))

    def render(self, turns: Sequence[Mapping[str, str]], *, generation_prompt: bool) -> str | None:
        """The conversation in the tokenizer's chat template; None without one. Raises `TemplateRefused`."""
        if self.tokenizer.chat_template is None:
            return None
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    [dict(turn) for turn in turns], tokenize=False, add_generation_prompt=generation_prompt
                )
            )
        except TEMPLATE_ERRORS as error:
            raise TemplateRefused(str(error)) from error

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Logits after each id, [len(ids), vocabulary]."""
        with torch.inference_mode():
            return np.asarray(self.model(torch.tensor([list(ids)])).logits[0].numpy(), dtype=np.float32)

    def greedy(self, ids: Sequence[int], max_tokens: int) -> list[int]:
        """The likeliest continuation, without the token that ends it; generation_config.json has no say."""
        prompt = torch.tensor([list(ids)])
        with torch.inference_mode():
            written = self.model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=max_tokens)
        drawn = [int(token) for token in written[0, len(ids) :]]
        ends = self.model.generation_config.eos_token_id
        return drawn[:-1] if drawn and drawn[-1] in ends else drawn


def _greedy_config(eos_token_id: int | list[int] | None) -> GenerationConfig:
    """Plain greedy: a folder's own temperature or repetition penalty would be no property of its weights."""
    ends = eos_token_id if isinstance(eos_token_id, list) else [eos_token_id]
    known = [token for token in ends if token is not None]
    return GenerationConfig(do_sample=False, eos_token_id=known, pad_token_id=known[0] if known else 0)
