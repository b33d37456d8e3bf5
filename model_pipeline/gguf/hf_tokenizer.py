"""Opens a Hugging Face tokenizer exactly as its tokenizer.json says; knows no model and no template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, LlamaTokenizer, PreTrainedTokenizerFast
from transformers.utils.hub import cached_file


def open_tokenizer(model: str | Path, revision: str | None = None) -> Any:
    """The tokenizer of a folder or Hub id. Raises what transformers raises: `OSError` or `ValueError`.

    `LlamaTokenizer` of transformers 5 takes the vocabulary of a tokenizer.json and its merges, and builds the rest
    anew: a text behind a control token, such as a reply behind </s>, then begins without the space mark that the
    file's own normalizer puts there. The models were trained with that mark, and llama.cpp writes it too.
    """
    options = {} if Path(model).is_dir() else {"revision": revision}
    tokenizer: Any = AutoTokenizer.from_pretrained(model, **options)
    if isinstance(tokenizer, LlamaTokenizer) and _has_tokenizer_json(str(model), revision):
        return PreTrainedTokenizerFast.from_pretrained(model, **options)
    return tokenizer


def _has_tokenizer_json(model: str, revision: str | None) -> bool:
    if Path(model).is_dir():
        return (Path(model) / "tokenizer.json").is_file()
    return (
        cached_file(model, "tokenizer.json", revision=revision, _raise_exceptions_for_missing_entries=False) is not None
    )
