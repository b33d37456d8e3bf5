"""A manifest is read as it was written, or refused with the key that is wrong and what is allowed there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.chat.generation import Sampling
from bot.errors import ModelInvalid
from bot.models.manifest import MANIFEST_FILE, MAX_MANIFEST_BYTES, Manifest, read_manifest, write_manifest
from tests.unit.models.folders import manifest_for
from tests.unit.models.gguf_builder import write


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    return write(tmp_path / "model.gguf")


def read(gguf: Path, manifest: object) -> Manifest:
    (gguf.parent / MANIFEST_FILE).write_text(json.dumps(manifest))
    return read_manifest(gguf.parent)


def test_a_manifest_becomes_the_model_that_the_bot_serves(gguf: Path) -> None:
    model = read(gguf, manifest_for(gguf)).to_model(gguf.parent)

    assert (model.name, model.path, model.base, model.license) == ("tiny", gguf, "none", "CC0-1.0")
    assert (model.context_tokens, model.system_prompt) == (64, False)
    assert model.quote_prompt.template == "Keyword: {keyword}\nQuote:"
    assert model.quote_sampling == Sampling(temperature=0.5)
    assert model.chat_sampling == Sampling(top_k=7)
    assert (model.lineage, model.evaluation) == ({"corpus": "books"}, {"perplexity": 9.5})


@pytest.mark.parametrize(
    ("given", "shown"), [({}, None), ({"history_messages": None}, None), ({"history_messages": 1}, 1)]
)
def test_a_manifest_says_how_much_of_a_conversation_the_model_is_shown(
    gguf: Path, given: dict[str, Any], shown: int | None
) -> None:
    manifest = read(gguf, manifest_for(gguf, **given))
    assert manifest.to_model(gguf.parent).history_messages == shown
    write_manifest(manifest, gguf.parent)
    assert read_manifest(gguf.parent) == manifest


def test_a_written_manifest_is_read_again_with_keys_of_a_later_version(gguf: Path) -> None:
    manifest = read(gguf, manifest_for(gguf, voice="calm"))
    (gguf.parent / MANIFEST_FILE).unlink()
    write_manifest(manifest, gguf.parent)

    assert read_manifest(gguf.parent) == manifest
    assert json.loads((gguf.parent / MANIFEST_FILE).read_text())["voice"] == "calm"
    assert sorted(path.name for path in gguf.parent.iterdir()) == [MANIFEST_FILE, "model.gguf"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"format": 2}, "format: input should be 1"),
        ({"name": "My Model"}, "name: string should match pattern"),
        ({"name": "../up"}, "name: string should match pattern"),
        ({"file": "../model.gguf"}, "file: must be the name of a file in the model folder, without a path"),
        ({"file": ".."}, "file: must be the name of a file"),
        ({"sha256": "abc"}, "sha256: string should match pattern"),
        ({"size_bytes": 0}, "size_bytes: input should be greater than or equal to 1"),
        ({"size_bytes": "12"}, "size_bytes: input should be a valid integer"),
        ({"history_messages": 0}, "history_messages: input should be greater than or equal to 1, and is 0."),
        ({"history_messages": 10_001}, "history_messages: input should be less than or equal to 10000, and is 10001."),
        ({"history_messages": "1"}, "history_messages: input should be a valid integer, and is '1'."),
        ({"history_messages": True}, "history_messages: input should be a valid integer, and is true."),
        ({"history_messages": [1]}, "history_messages: input should be a valid integer, and is a list."),
        ({"name": "A\nB" * 1_000}, "and is 'A\\nBA"),
        ({"name": None}, "name: input should be a valid string, and is null."),
        ({"quote_prompt": {"template": "no place", "chat": False}}, "must stand in it exactly once, not 0 times"),
        ({"quote_prompt": {"template": "{keyword}{keyword}", "chat": True}}, "exactly once, not 2 times"),
        ({"quote_prompt": {"template": "{keyword}"}}, "quote_prompt.chat: field required"),
        ({"sampling": {"quote": {"temperature": 9}}}, "sampling.quote.temperature: input should be less than or equal"),
        ({"sampling": {"quote": {"temperature": float("nan")}}}, "temperature: input should be a finite number"),
        ({"sampling": {"quote": {"heat": 1}}}, "sampling.quote.heat: extra inputs are not permitted"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_allowed(gguf: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModelInvalid) as refused:
        read(gguf, manifest_for(gguf, **changes))

    assert problem in str(refused.value)
    assert str(gguf.parent / MANIFEST_FILE) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("key", ["format", "name", "file", "sha256", "size_bytes", "quote_prompt"])
def test_a_missing_key_is_named(gguf: Path, key: str) -> None:
    manifest = manifest_for(gguf)
    del manifest[key]

    with pytest.raises(ModelInvalid, match=f"{key}: field required"):
        read(gguf, manifest)


def test_a_folder_without_a_manifest_and_one_with_a_huge_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="cannot be read: No such file"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST_FILE).write_bytes(b" " * (MAX_MANIFEST_BYTES + 1))
    with pytest.raises(ModelInvalid, match="is larger than 1,048,576 bytes"):
        read_manifest(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=99) | json_values.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST_FILE).write_bytes(content)

    with pytest.raises(ModelInvalid, match="cannot be used"):
        read_manifest(tmp_path)
