"""Owns what a Hugging Face folder must hold before it is converted, and lays a corrected copy; converts nothing.

Each correction is for something that the converter would pass over in silence:

- `save_pretrained` of transformers 5 drops tokenizer.model, and the scores of a SentencePiece vocabulary with it;
- it also drops added_tokens_decoder, the only place where the converter looks for added tokens beside a
  tokenizer.model: chat markers would become unused tokens;
- without tokenizer_config.json the converter does not look at chat_template.jinja;
- a GPT2Config that was made, not loaded, has no n_ctx.

The copy links the weights, and the folder itself is never changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_pipeline.errors import InputInvalid

# What goes into a GGUF, and nothing else: a README would give it a name and links that nobody checked.
SOURCE_FILES = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja",
    "chat_template.json", "model.safetensors.index.json",
)  # fmt: skip


def check_hf_folder(folder: Path) -> None:
    """Raise `InputInvalid`, in one sentence, when the folder cannot be converted."""
    if not folder.is_dir():
        raise InputInvalid(f"{folder} is not a folder; give a Hugging Face model folder.")
    if (folder / "adapter_config.json").is_file() and not weight_files(folder):
        raise InputInvalid(f"{folder} holds an adapter; merge it into its base model first.")
    for name in ("config.json", "tokenizer.json or tokenizer.model"):
        if not any((folder / part).is_file() for part in name.split(" or ")):
            raise InputInvalid(f"{folder} has no {name}; give a Hugging Face model folder.")
    if not weight_files(folder):
        raise InputInvalid(f"{folder} has no model*.safetensors; save the weights as safetensors.")
    _check_shards(folder)
    _check_no_code(folder)


def weight_files(folder: Path) -> list[Path]:
    """The weights, in the order of their names."""
    return sorted(folder.glob("model*.safetensors"))


def source_hashes(folder: Path, tokenizer_from: Path | None = None) -> dict[str, str]:
    """SHA-256 (hex) of every file that goes into the GGUF, by name; hashes about 1 GB in a second."""
    hashes = {path.name: _sha256(path) for path in _sources(folder)}
    if tokenizer_from and "tokenizer.model" not in hashes and _needs_tokenizer_model(folder):
        hashes["tokenizer.model"] = _sha256(tokenizer_from / "tokenizer.model")
    return dict(sorted(hashes.items()))


def stage(folder: Path, target: Path, tokenizer_from: Path | None = None) -> None:
    """Lay the corrected copy of a checked folder into the empty folder `target`.

    `tokenizer_from` is where a missing tokenizer.model is taken from, for example the base model. Raises
    `InputInvalid` when the tokenizer needs one and there is none.
    """
    for path in _sources(folder):
        (target / path.name).symlink_to(path.resolve())
    if _needs_tokenizer_model(folder):
        _bring_tokenizer_model(folder, target, tokenizer_from)
    _rewrite(target / "config.json", _with_n_ctx(read_json(folder / "config.json")))
    _rewrite(target / "tokenizer_config.json", _with_added_tokens(folder))


def _sources(folder: Path) -> Iterator[Path]:
    yield from (folder / name for name in SOURCE_FILES if (folder / name).is_file())
    yield from weight_files(folder)


def _check_shards(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        for name in sorted(set(read_json(index).get("weight_map", {}).values())):
            if not (folder / name).is_file():
                raise InputInvalid(f"{folder} lacks the shard {name} that its index names.")


def _check_no_code(folder: Path) -> None:
    # The converter trusts such code and would run it.
    for name in ("config.json", "tokenizer_config.json"):
        if (folder / name).is_file() and "auto_map" in read_json(folder / name):
            raise InputInvalid(f"{folder / name} asks for code of the model's own (auto_map), which is never run here.")


def _needs_tokenizer_model(folder: Path) -> bool:
    """Whether tokenizer.json stems from SentencePiece, whose scores only tokenizer.model holds."""
    if (folder / "tokenizer.model").is_file() or not (folder / "tokenizer.json").is_file():
        return False
    model = read_json(folder / "tokenizer.json").get("model", {})
    return model.get("type") == "Unigram" or bool(model.get("byte_fallback"))


def _bring_tokenizer_model(folder: Path, target: Path, tokenizer_from: Path | None) -> None:
    path = (tokenizer_from or folder) / "tokenizer.model"
    if not path.is_file():
        raise InputInvalid(
            f"{path} is missing, and without it text would be cut into other tokens than in training; "
            "copy it from the base model, or name the base model's folder (--tokenizer-from)."
        )
    (target / "tokenizer.model").symlink_to(path.resolve())


def _with_n_ctx(config: dict[str, Any]) -> dict[str, Any]:
    if config.get("model_type") == "gpt2" and "n_ctx" not in config and "n_positions" in config:
        return {**config, "n_ctx": config["n_positions"]}
    return config


def _with_added_tokens(folder: Path) -> dict[str, Any]:
    path, tokenizer = folder / "tokenizer_config.json", folder / "tokenizer.json"
    # An empty object would count as none for the converter, and the chat template would be left out.
    config = read_json(path) if path.is_file() else {"tokenizer_class": "PreTrainedTokenizerFast"}
    if "added_tokens_decoder" in config or not tokenizer.is_file():
        return config
    added = {str(token.pop("id")): token for token in read_json(tokenizer).get("added_tokens", [])}
    return {**config, "added_tokens_decoder": added} if added else config


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises `InputInvalid`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputInvalid(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(content, dict):
        raise InputInvalid(f"{path} does not hold a JSON object.")
    return content


def _rewrite(path: Path, content: dict[str, Any]) -> None:
    path.unlink(missing_ok=True)  # a link: the original stays as it is
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
