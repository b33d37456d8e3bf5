"""A model folder is read as its manifest says, and a bare GGUF is asked for quotes as its header suggests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ModelInvalid, ModelNotFound
from bot.models.folder import default_manifest, model_header, name_from_file, read_folder
from bot.models.manifest import NAME_PATTERN
from tests.unit.models.folders import model_folder
from tests.unit.models.gguf_builder import CHAT_TEMPLATE, Value, build, write

STARTER = Path(__file__).resolve().parents[3] / "bot" / "starter"


def test_a_folder_is_read_and_verified(tmp_path: Path) -> None:
    model = read_folder(model_folder(tmp_path / "tiny"), verify=True)

    assert (model.name, model.path) == ("tiny", tmp_path / "tiny" / "model.gguf")


def test_the_embedded_model_is_whole() -> None:
    model = read_folder(STARTER, verify=True)

    assert model.name == "starter"
    assert model.license == "CC0-1.0"
    assert model_header(model.path).has_chat_template


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=f"There is no model folder {tmp_path / 'gone'}."):
        read_folder(tmp_path / "gone")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (build()[:-1], "is cut off: it has"),
        (build() + b"\0", "is too long: it has"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_of_another_size_than_the_manifest_says_is_refused(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    gguf = model_folder(tmp_path) / "model.gguf"
    gguf.unlink() if content is None else gguf.write_bytes(content)

    with pytest.raises(ModelInvalid, match=reason):
        read_folder(tmp_path)


def test_other_weights_of_the_same_size_are_found_when_the_file_is_verified(tmp_path: Path) -> None:
    model_folder(tmp_path, filling=b"\1")
    write(tmp_path / "model.gguf", filling=b"\2")

    read_folder(tmp_path)
    with pytest.raises(ModelInvalid, match="copy or download it again"):
        read_folder(tmp_path, verify=True)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"general.type": "adapter"}, "holds a GGUF of type adapter, not a model"),
        ({"split.count": 3}, "is one of 3 parts of a split model; merge them into one file first"),
        ({"general.architecture": ""}, "holds no weights"),
    ],
)
def test_files_that_cannot_be_served_alone_are_refused(tmp_path: Path, metadata: dict[str, Value], reason: str) -> None:
    with pytest.raises(ModelInvalid, match=reason):
        model_header(write(tmp_path / "model.gguf", metadata))


def test_a_model_with_a_chat_template_is_asked_in_a_chat_turn(tmp_path: Path) -> None:
    gguf = write(
        tmp_path / "Some Chat-1B.Q4_K_M.gguf",
        {"tokenizer.chat_template": CHAT_TEMPLATE, "general.license": "mit", "general.file_type": 15},
    )
    manifest = default_manifest(gguf)
    model = manifest.to_model(tmp_path)

    assert (model.name, model.license, manifest.quantization) == ("some-chat-1b.q4_k_m", "mit", "Q4_K_M")
    assert model.system_prompt
    assert model.quote_prompt.chat
    assert "quote" in model.quote_prompt.system
    assert "{keyword}" in model.quote_prompt.template


@pytest.mark.parametrize(
    "template",
    ["{{ raise_exception('System role not supported') }}", "{% for m in messages %}{{ m.content }}{% endfor %}"],
)
def test_a_template_without_system_turns_gets_none(tmp_path: Path, template: str) -> None:
    manifest = default_manifest(write(tmp_path / "chat.gguf", {"tokenizer.chat_template": template}))

    assert (manifest.system_prompt, manifest.quote_prompt.chat, manifest.quote_prompt.system) == (False, True, "")


def test_a_model_without_a_chat_template_completes_a_text_with_examples(tmp_path: Path) -> None:
    prompt = default_manifest(write(tmp_path / "base.gguf")).quote_prompt

    assert not prompt.chat
    assert prompt.template.endswith("Keyword: {keyword}\nQuote:")
    assert prompt.template.count("\nQuote: ") == 3


@given(name=st.text(max_size=90))
def test_every_file_name_gives_a_valid_model_name(name: str) -> None:

    assert re.fullmatch(NAME_PATTERN, name_from_file(Path(f"x/{name}.gguf")))
