"""Builds small valid GGUF files, so that tests need no model and no library that writes one."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

U32, I32, F32, BOOL, TEXT, ARRAY = 4, 5, 6, 7, 8, 9
F32_TENSOR = 0

Value = bool | int | float | str | Sequence[object]


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value(item: Value) -> bytes:
    """Type number and content."""
    if isinstance(item, bool):
        return struct.pack("<I?", BOOL, item)
    if isinstance(item, int):
        return struct.pack("<II", U32, item)
    if isinstance(item, float):
        return struct.pack("<If", F32, item)
    if isinstance(item, str):
        return struct.pack("<I", TEXT) + text(item)
    items = list(item)
    if all(isinstance(entry, str) for entry in items):
        return struct.pack("<IIQ", ARRAY, TEXT, len(items)) + b"".join(text(str(entry)) for entry in items)
    kind, letter = (F32, "f") if any(isinstance(entry, float) for entry in items) else (I32, "i")
    return struct.pack(f"<IIQ{len(items)}{letter}", ARRAY, kind, len(items), *items)


METADATA: dict[str, Value] = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "general.file_type": 0,
    "llama.context_length": 128,
    "llama.block_count": 2,
    "llama.embedding_length": 8,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "a", "b", "c"],
    "tokenizer.ggml.scores": [0, 0, 0, 1, 2, 3],
}
CHAT_TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{# system #}"


def build(
    metadata: Mapping[str, Value] | None = None, *, version: int = 3, rows: int = 6, filling: bytes = b"\1"
) -> bytes:
    """A whole GGUF: the default metadata, changed by `metadata` (None removes a key), and an F32 tensor of 8 x rows."""
    merged = {key: item for key, item in (METADATA | dict(metadata or {})).items() if item is not None}
    pairs = b"".join(text(key) + value(item) for key, item in merged.items())
    tensor = text("token_embd.weight") + struct.pack("<IQQIQ", 2, 8, rows, F32_TENSOR, 0)
    head = b"GGUF" + struct.pack("<IQQ", version, 1, len(merged)) + pairs + tensor
    alignment = merged.get("general.alignment", 32)
    assert isinstance(alignment, int)
    padding = -len(head) % alignment
    return head + bytes(padding) + filling * (8 * rows * 4)


def write(path: Path, metadata: Mapping[str, Value] | None = None, *, rows: int = 6, filling: bytes = b"\1") -> Path:
    """Write such a GGUF; `filling` makes the weights of two files differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(build(metadata, rows=rows, filling=filling))
    return path
