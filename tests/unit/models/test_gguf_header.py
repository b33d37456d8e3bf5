"""A GGUF's header tells what the model is; whatever else a file holds gives one sentence and costs no memory."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import ModelInvalid
from bot.models.gguf_header import GgufHeader, read_header
from tests.unit.models.gguf_builder import ARRAY, CHAT_TEMPLATE, I32, TEXT, U32, Value, build, text, write

STARTER = Path(__file__).resolve().parents[3] / "bot" / "starter" / "model.gguf"
WHOLE = build({"tokenizer.chat_template": CHAT_TEMPLATE})
FEW_BYTES = 1 << 20
HUGE = (1 << 63) + 1

any_file = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(folder: Path, content: bytes) -> GgufHeader:
    path = folder / "model.gguf"
    path.write_bytes(content)
    return read_header(path)


def refusal(folder: Path, content: bytes) -> str:
    with pytest.raises(ModelInvalid) as refused:
        read(folder, content)
    return str(refused.value)


def head(*, version: int = 3, tensors: int = 0, pairs: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs)


def peak_of_refusal(folder: Path, content: bytes) -> tuple[str, int]:
    tracemalloc.start()
    try:
        return refusal(folder, content), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_header_tells_what_the_model_is(tmp_path: Path) -> None:
    header = read(tmp_path, WHOLE)

    assert (header.version, header.size_bytes) == (3, len(WHOLE))
    assert (header.architecture, header.name, header.quantization) == ("llama", "Tiny", "F32")
    assert (header.context_tokens, header.layers, header.embedding_width, header.vocabulary) == (128, 2, 8, 6)
    assert (header.heads, header.kv_heads, header.key_length, header.value_length) == (4, 2 * 2, 2, 2)
    assert header.chat_template == CHAT_TEMPLATE
    assert header.expected_bytes == len(WHOLE)
    assert [(tensor.name, tensor.shape) for tensor in header.tensors] == [("token_embd.weight", (8, 6))]


@pytest.mark.parametrize(
    ("metadata", "heads", "kv_heads"),
    [
        ({"llama.attention.head_count_kv": [1, 3]}, 4, 4),
        ({"llama.attention.head_count": [4, 8], "llama.attention.head_count_kv": [2, 4]}, 8, 6),
        ({"llama.attention.head_count_kv": None}, 4, 8),
    ],
    ids=["for each layer", "both for each layer", "as many as heads"],
)
def test_key_value_heads_count_over_all_layers(
    tmp_path: Path, metadata: dict[str, Value], heads: int, kv_heads: int
) -> None:
    header = read(tmp_path, build(metadata))

    assert (header.heads, header.kv_heads) == (heads, kv_heads)


def test_version_2_is_read_and_what_a_file_does_not_say_is_zero_or_empty(tmp_path: Path) -> None:
    header = read(tmp_path, head(version=2))

    assert (header.version, header.architecture, header.quantization, header.chat_template) == (2, "", "", "")
    assert (header.context_tokens, header.kv_heads, header.key_length, header.vocabulary) == (0, 0, 0, 0)


def test_the_embedded_model_is_read() -> None:
    header = read_header(STARTER)

    assert (header.architecture, header.quantization) == ("llama", "IQ4_NL")
    assert header.expected_bytes == header.size_bytes == STARTER.stat().st_size
    assert min(header.vocabulary, header.context_tokens, header.layers, header.kv_heads) > 0


def test_a_large_vocabulary_is_stepped_over_and_not_built(tmp_path: Path) -> None:
    count = 100_000
    path = write(tmp_path / "large.gguf", {"tokenizer.ggml.tokens": ["token"] * count, "x.scores": [0] * count})
    tracemalloc.start()
    try:
        header = read_header(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert header.vocabulary == header.array_lengths["x.scores"] == count
    assert peak < FEW_BYTES < path.stat().st_size


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    for length in range(len(WHOLE)):
        message = refusal(tmp_path, WHOLE[:length])
        assert str(tmp_path / "model.gguf") in message
        if length >= 4:
            assert "cut off" in message, length


@any_file
@given(content=st.binary(max_size=400).filter(lambda content: not content.startswith(b"GGUF")))
def test_bytes_that_are_no_model_are_refused(tmp_path: Path, content: bytes) -> None:
    assert str(tmp_path / "model.gguf") in refusal(tmp_path, content)


# Zeros are a header: names of no letters, numbers of one byte, tensors of no dimension.
after_a_head = st.binary(max_size=400).map(lambda rest: head(tensors=2, pairs=3) + rest)
patched = st.builds(
    lambda position, patch: WHOLE[:position] + patch + WHOLE[position + len(patch) :],
    st.integers(4, len(WHOLE) - 1),
    st.binary(min_size=1, max_size=9),
)


@any_file
@given(content=after_a_head | patched)
def test_damage_behind_the_magic_is_refused_or_still_a_header(tmp_path: Path, content: bytes) -> None:
    try:
        header = read(tmp_path, content)
    except ModelInvalid as error:
        assert len(str(error)) < 1_000
    else:
        assert header.size_bytes == len(content) >= header.expected_bytes


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (head(tensors=HUGE), "tensors"),
        (head(pairs=HUGE), "settings"),
        (head(pairs=1) + struct.pack("<Q", HUGE), "a name of"),
        (head(pairs=1) + text("k") + struct.pack("<IQ", TEXT, HUGE), "cut off"),
        (head(pairs=1) + text("k") + struct.pack("<IIQ", ARRAY, I32, HUGE), "cut off"),
        (head(pairs=1) + text("k") + struct.pack("<IIQ", ARRAY, TEXT, HUGE), "a list of"),
        (head(pairs=1) + text("k") + struct.pack("<IIQ", ARRAY, TEXT, 3) + struct.pack("<Q", HUGE) * 3, "cut off"),
        (head(pairs=1) + text("k") + struct.pack("<IIQ", ARRAY, ARRAY, 1), "type 9"),
        (head(pairs=1) + text("k") + struct.pack("<I", 77), "type 77"),
        (head(tensors=1) + text("t") + struct.pack("<I", 1 << 31), "dimensions"),
        (head(tensors=1) + text("t") + struct.pack("<IQIQ", 1, HUGE, 0, 0), "cut off"),
        (head(tensors=1) + text("t") + struct.pack("<IQIQ", 1, 1, 0, HUGE), "cut off"),
        (head(pairs=1) + text("general.alignment") + struct.pack("<II", U32, 0), "an alignment of 0"),
        (head(pairs=1) + text("general.alignment") + struct.pack("<I", TEXT) + text("x" * 9_000), "alignment of xxx"),
    ],
)
def test_absurd_claims_are_refused_without_building_them(tmp_path: Path, content: bytes, reason: str) -> None:
    message, peak = peak_of_refusal(tmp_path, content)

    assert reason in message
    assert len(message) < 500
    assert peak < FEW_BYTES


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty; download it again"),
        (b"<!DOCTYPE html>", "is not a GGUF model"),
        (head(version=1), "GGUF version 1; versions 2 and 3 can be used"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "is big-endian"),
    ],
)
def test_files_of_another_kind_are_named_for_what_they_are(tmp_path: Path, content: bytes, reason: str) -> None:
    assert reason in refusal(tmp_path, content)


def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "gone.gguf", "No such file")):
        with pytest.raises(ModelInvalid, match=reason):
            read_header(path)
