"""Loads a base model's tokenizer, and gives one without a chat template the plain one; knows no weights."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from huggingface_hub.errors import HFValidationError

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.hf_tokenizer import open_tokenizer
from model_pipeline.library_errors import first_line

PLAIN_TEMPLATE = files("model_pipeline") / "data" / "plain-chat.jinja"


def load_tokenizer(model: str, revision: str = "main") -> Any:
    """The tokenizer of a Hub id or folder, which can pad and render a conversation. Raises `InputInvalid`."""
    try:
        tokenizer: Any = open_tokenizer(model, revision)
    except (OSError, ValueError, HFValidationError) as error:
        raise InputInvalid(f"The tokenizer of {model} cannot be loaded: {first_line(error)}.") from error
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_TEMPLATE.read_text(encoding="utf-8")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
