from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.hf_folder import check_hf_folder, source_hashes, stage

BPE = {"model": {"type": "BPE"}, "added_tokens": [{"id": 3, "content": "<|user|>", "special": True}]}
SENTENCE_PIECE = {"model": {"type": "BPE", "byte_fallback": True}, "added_tokens": []}


def hf_folder(folder: Path, **files: Any) -> Path:
    """A folder with the smallest files that pass; in `files` names have _ for the dot, and None leaves one out."""
    contents = {"config_json": {"model_type": "llama"}, "tokenizer_json": BPE, "model_safetensors": b"weights"} | files
    folder.mkdir(exist_ok=True)
    for key, content in contents.items():
        if content is not None:
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            (folder / ".".join(key.rsplit("_", 1))).write_bytes(data)
    return folder


def staged(folder: Path, **options: Any) -> Path:
    target = folder.parent / "staged"
    target.mkdir()
    stage(folder, target, **options)
    return target


def content(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_complete_folder_passes(tmp_path: Path) -> None:
    check_hf_folder(hf_folder(tmp_path / "hf"))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"config_json": None}, "has no config.json"),
        ({"tokenizer_json": None}, "has no tokenizer.json or tokenizer.model"),
        ({"model_safetensors": None}, "save the weights as safetensors"),
        ({"model_safetensors": None, "adapter_config_json": {}}, "merge it into its base model first"),
        ({"config_json": b"{"}, "cannot be read as JSON"),
        ({"config_json": []}, "does not hold a JSON object"),
        ({"config_json": {"auto_map": {"AutoModel": "code.Model"}}}, "code of the model's own (auto_map)"),
        ({"tokenizer_config_json": {"auto_map": {}}}, "code of the model's own (auto_map)"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path: Path, files: dict[str, Any], told: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        check_hf_folder(hf_folder(tmp_path / "hf", **files))
    assert told in str(caught.value)
    assert str(tmp_path / "hf") in str(caught.value)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "hf")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputInvalid, match=r"lacks the shard model-2\.safetensors that its index names"):
        check_hf_folder(folder)


def test_a_path_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="is not a folder; give a Hugging Face model folder"):
        check_hf_folder(tmp_path / "none")


def test_added_tokens_are_put_where_the_converter_looks(tmp_path: Path) -> None:
    target = staged(hf_folder(tmp_path / "hf", tokenizer_config_json={"eos_token": "</s>"}))
    config = content(target / "tokenizer_config.json")
    assert config["added_tokens_decoder"] == {"3": {"content": "<|user|>", "special": True}}
    assert config["eos_token"] == "</s>"
    assert content(tmp_path / "hf" / "tokenizer_config.json") == {"eos_token": "</s>"}  # the original stays


def test_added_tokens_that_are_there_already_stay(tmp_path: Path) -> None:
    there = {"added_tokens_decoder": {"9": {"content": "<x>"}}}
    target = staged(hf_folder(tmp_path / "hf", tokenizer_config_json=there))
    assert content(target / "tokenizer_config.json") == there


def test_without_a_tokenizer_config_there_is_one_so_that_the_template_is_read(tmp_path: Path) -> None:
    target = staged(hf_folder(tmp_path / "hf", chat_template_jinja=b"{{ messages }}"))
    assert content(target / "tokenizer_config.json")["tokenizer_class"]
    assert (target / "chat_template.jinja").read_text() == "{{ messages }}"


def test_a_made_gpt2_config_gets_its_context(tmp_path: Path) -> None:
    target = staged(hf_folder(tmp_path / "hf", config_json={"model_type": "gpt2", "n_positions": 128}))
    assert content(target / "config.json")["n_ctx"] == 128


def test_a_readme_does_not_come_along(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "hf")
    (folder / "README.md").write_text("---\nbase_model: someone/else\n---\n")
    assert not (staged(folder) / "README.md").exists()


def test_a_sentencepiece_tokenizer_without_its_model_is_refused(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "hf", tokenizer_json=SENTENCE_PIECE)
    with pytest.raises(InputInvalid, match=r"tokenizer\.model is missing.*--tokenizer-from"):
        staged(folder)


def test_the_missing_tokenizer_model_is_taken_from_the_base(tmp_path: Path) -> None:
    folder, base = hf_folder(tmp_path / "hf", tokenizer_json=SENTENCE_PIECE), tmp_path / "base"
    base.mkdir()
    (base / "tokenizer.model").write_bytes(b"pieces")
    assert (staged(folder, tokenizer_from=base) / "tokenizer.model").read_bytes() == b"pieces"
    assert source_hashes(folder, base)["tokenizer.model"] == hashlib.sha256(b"pieces").hexdigest()
    assert not (folder / "tokenizer.model").exists()


def test_every_source_is_hashed_and_nothing_else(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "hf")
    (folder / "training_args.bin").touch()
    hashes = source_hashes(folder)
    assert list(hashes) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert hashes["model.safetensors"] == hashlib.sha256(b"weights").hexdigest()
