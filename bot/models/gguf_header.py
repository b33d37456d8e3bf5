"""Reads the header of a GGUF (version 2 or 3, little endian) and tells what a model is; decodes no weights.

llama.cpp's own Python reader builds every entry of the vocabulary as Python objects: 2 seconds for 32,000 tokens and
20 for 128,000 on a small machine, too slow for each start of a bot. This one steps over the large arrays, which takes
a tenth of a second, and says in one sentence when a download was cut off.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.errors import ModelInvalid
from bot.models.gguf_reader import GgufReader, RawHeader, Value
from bot.models.gguf_types import FILE_TYPES, tensor_bytes


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor: its shape, its ggml type and where it begins, in bytes from the start of the file."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def end(self) -> int:
        """The first byte behind the tensor; at least its offset when the type is unknown."""
        weights = 1
        for length in self.shape:
            weights *= length
        return self.offset + tensor_bytes(self.kind, weights)


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF says of itself. Counts in tokens, layers and heads; 0 or "" where the file does not say.

    `metadata` holds scalars, texts and short arrays; the length of every array is in `array_lengths`.
    """

    version: int
    size_bytes: int
    metadata: Mapping[str, Value]
    array_lengths: Mapping[str, int]
    tensors: tuple[TensorInfo, ...]

    @property
    def architecture(self) -> str:
        """Such as "llama" or "qwen2"."""
        return self.text("general.architecture")

    @property
    def name(self) -> str:
        """What its makers call the model."""
        return self.text("general.name")

    @property
    def quantization(self) -> str:
        """Such as "Q4_K_M"; "" when the file does not say or the number is unknown."""
        kind = self.metadata.get("general.file_type")
        return FILE_TYPES.get(kind, "") if isinstance(kind, int) else ""

    @property
    def context_tokens(self) -> int:
        """The longest text that the model was trained for."""
        return self.number("context_length")

    @property
    def layers(self) -> int:
        """Transformer blocks."""
        return self.number("block_count")

    @property
    def embedding_width(self) -> int:
        """Numbers in the vector of one token."""
        return self.number("embedding_length")

    @property
    def heads(self) -> int:
        """Attention heads of the widest layer."""
        return max(self._each_layer("attention.head_count"), default=0)

    @property
    def kv_heads(self) -> int:
        """Key/value heads of all layers together."""
        heads = self._each_layer("attention.head_count_kv") or self._each_layer("attention.head_count")
        return heads[0] * self.layers if len(heads) == 1 else sum(heads)

    @property
    def key_length(self) -> int:
        """Numbers in a key of one head."""
        return self.number("attention.key_length") or self.embedding_width // max(1, self.heads)

    @property
    def value_length(self) -> int:
        """Numbers in a value of one head."""
        return self.number("attention.value_length") or self.embedding_width // max(1, self.heads)

    @property
    def state_length(self) -> int:
        """Numbers in the recurrent states of one sequence over all layers; 0 for attention alone.

        Of RWKV's, Mamba's and LFM2's kinds. Where the file does not say which layers have one, all of them count.
        """
        kv_heads = self._each_layer("attention.head_count_kv")
        layers = kv_heads.count(0) if len(kv_heads) > 1 else self.layers
        if head := self.number("wkv.head_size"):
            return layers * self.embedding_width * (head + (self.number("token_shift_count") or 2))
        if kernel := self.number("shortconv.l_cache"):
            return layers * self.embedding_width * (kernel - 1)
        inner, states, groups = (self.number(f"ssm.{key}") for key in ("inner_size", "state_size", "group_count"))
        convolved = max(0, self.number("ssm.conv_kernel") - 1) * (inner + 2 * groups * states)
        return layers * (convolved + inner * states)

    @property
    def vocabulary(self) -> int:
        """Tokens that the tokenizer knows."""
        return self.array_lengths.get("tokenizer.ggml.tokens", 0)

    @property
    def has_chat_template(self) -> bool:
        """The file says how a conversation is written down for the model."""
        return "tokenizer.chat_template" in self.metadata

    @property
    def chat_template(self) -> str:
        """The Jinja text of the template."""
        return self.text("tokenizer.chat_template")

    @property
    def expected_bytes(self) -> int:
        """How long the file is at least when it is whole."""
        return max((tensor.end for tensor in self.tensors), default=0)

    def text(self, key: str) -> str:
        """The text under a key, or ""."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """The whole number under `<architecture>.key`, or 0."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        return max(0, value) if isinstance(value, int) else 0

    def _each_layer(self, key: str) -> tuple[int, ...]:
        value = self.metadata.get(f"{self.architecture}.{key}", ())
        items = value if isinstance(value, tuple) else (value,)
        return tuple(max(0, item) for item in items if isinstance(item, int))


def read_header(path: Path) -> GgufHeader:
    """Read and check the header of a GGUF.

    Raises ModelInvalid, with a sentence that names the file, when it cannot be read, is not a GGUF, or is cut off.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise ModelInvalid(f"The model file {path} is empty; download it again.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                header = _from_raw(GgufReader(path, data).read(), size)
    except OSError as error:
        raise ModelInvalid(f"The model file {path} cannot be read: {error.strerror or error}.") from error
    if size < header.expected_bytes:
        raise ModelInvalid(
            f"The model file {path} is cut off: {size:,} of {header.expected_bytes:,} bytes are there; "
            "download it again."
        )
    return header


def _from_raw(raw: RawHeader, size_bytes: int) -> GgufHeader:
    start = raw.data_start
    tensors = tuple(TensorInfo(name, shape, kind, start + offset) for name, shape, kind, offset in raw.tensors)
    return GgufHeader(raw.version, size_bytes, raw.metadata, raw.array_lengths, tensors)
