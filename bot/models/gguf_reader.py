"""Steps through the bytes of a GGUF header, never past the end and never building what a damaged file claims.

Layout: magic, version, counts, key/value pairs, tensor infos, padding to the alignment, tensor data.
Source: docs/gguf.md in the ggml repository. Knows no meaning of the keys.
"""

from __future__ import annotations

import struct
from mmap import mmap
from pathlib import Path
from typing import NamedTuple

from bot.errors import ModelInvalid

Number = int | float | bool
Value = Number | str | tuple[Number, ...]

# Whatever a damaged file claims, no more than this is built; real models stay far below.
MAX_PAIRS = 4_096
MAX_TENSORS = 65_536
MAX_NAME_BYTES = 512
MAX_TEXT_BYTES = 1 << 18
MAX_KEPT_BYTES = 1 << 24
MAX_KEPT_ITEMS = 1_024  # short arrays are kept: some models give their key/value heads for each layer
MAX_STRINGS = 1 << 23

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
_U64 = struct.Struct("<Q")


class RawTensor(NamedTuple):
    """A tensor info as it stands in the file; `offset` in bytes from the start of the tensor data."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


class RawHeader(NamedTuple):
    """A whole header: scalars, texts and short arrays, the length of every array, and where the data begins."""

    version: int
    metadata: dict[str, Value]
    array_lengths: dict[str, int]
    tensors: list[RawTensor]
    data_start: int


class GgufReader:
    """A position in the mapped file. Every step is checked against the file's end before anything is built.

    Raises ModelInvalid, with a sentence that names the file, for anything that is not a whole GGUF header.
    """

    def __init__(self, path: Path, data: mmap) -> None:
        self.path = path
        self.data = data
        self.size = len(data)
        self.position = 0
        self.kept_bytes = 0

    def read(self) -> RawHeader:
        """Everything up to the tensor data."""
        version = self._version()
        tensor_count, pair_count = self._count(MAX_TENSORS, "tensors"), self._count(MAX_PAIRS, "settings")
        metadata: dict[str, Value] = {}
        lengths: dict[str, int] = {}
        for _ in range(pair_count):
            self._pair(metadata, lengths)
        tensors = [self._tensor() for _ in range(tensor_count)]
        return RawHeader(version, metadata, lengths, tensors, self._data_start(metadata.get("general.alignment", 32)))

    def _version(self) -> int:
        if self.data[: min(4, self.size)] != b"GGUF":
            raise ModelInvalid(f"The file {self.path} is not a GGUF model.")
        self.position = 4
        version = int(self._number("I"))
        if version in (2, 3):
            return version
        if version & 0xFFFF == 0:
            raise ModelInvalid(f"The model file {self.path} is big-endian; only little-endian GGUF files can be used.")
        raise ModelInvalid(f"The model file {self.path} has GGUF version {version}; versions 2 and 3 can be used.")

    def _pair(self, metadata: dict[str, Value], lengths: dict[str, int]) -> None:
        key = self._name()
        kind = int(self._number("I"))
        if kind == _ARRAY:
            lengths[key], kept = self._array()
            if kept:
                metadata[key] = kept
        elif kind == _TEXT:
            metadata[key] = self._text()
        else:
            metadata[key] = self._number(self._format(kind))

    def _array(self) -> tuple[int, tuple[Number, ...]]:
        kind = int(self._number("I"))
        count = int(self._number("Q"))
        if kind == _TEXT:
            self._skip_texts(count)
            return count, ()
        layout = self._format(kind)
        length = count * struct.calcsize(layout)
        start = self._advance(length)
        if count > MAX_KEPT_ITEMS:
            return count, ()
        self._keep(length)
        return count, struct.unpack_from(f"<{count}{layout}", self.data, start)

    def _skip_texts(self, count: int) -> None:
        # The hot loop: half a million turns for a large vocabulary, so it keeps to local names.
        if count > min(MAX_STRINGS, self.size // 8):
            raise self._damaged(f"a list of {count:,} texts")
        data, position, last, unpack = self.data, self.position, self.size - 8, _U64.unpack_from
        for _ in range(count):
            if position > last:
                raise self._cut_off()
            position += 8 + unpack(data, position)[0]
        self.position = position
        self._advance(0)

    def _tensor(self) -> RawTensor:
        name = self._name()
        dimensions = int(self._number("I"))
        if dimensions > 4:
            raise self._damaged(f"a tensor of {dimensions:,} dimensions")
        shape = tuple(int(self._number("Q")) for _ in range(dimensions))
        return RawTensor(name, shape, int(self._number("I")), int(self._number("Q")))

    def _data_start(self, alignment: Value) -> int:
        if not isinstance(alignment, int) or alignment <= 0:
            raise self._damaged(f"an alignment of {str(alignment)[:40]}")
        return -(-self.position // alignment) * alignment

    def _count(self, limit: int, what: str) -> int:
        count = int(self._number("Q"))
        if count > limit:
            raise self._damaged(f"{count:,} {what}")
        return count

    def _name(self) -> str:
        length = int(self._number("Q"))
        if length > MAX_NAME_BYTES:
            raise self._damaged(f"a name of {length:,} bytes")
        start = self._advance(length)
        return self.data[start : start + length].decode(errors="replace")

    def _text(self) -> str:
        length = int(self._number("Q"))
        start = self._advance(length)
        if length > MAX_TEXT_BYTES:
            return ""
        self._keep(length)
        return self.data[start : start + length].decode(errors="replace")

    def _number(self, layout: str) -> Number:
        start = self._advance(struct.calcsize(f"<{layout}"))
        value: Number = struct.unpack_from(f"<{layout}", self.data, start)[0]
        return value

    def _format(self, kind: int) -> str:
        layout = _SCALARS.get(kind)
        if layout is None:
            raise self._damaged(f"a value of type {kind}")
        return layout

    def _advance(self, length: int) -> int:
        start = self.position
        if start + length > self.size:
            raise self._cut_off()
        self.position = start + length
        return start

    def _keep(self, length: int) -> None:
        self.kept_bytes += length
        if self.kept_bytes > MAX_KEPT_BYTES:
            raise self._damaged(f"more than {MAX_KEPT_BYTES:,} bytes of settings")

    def _cut_off(self) -> ModelInvalid:
        return ModelInvalid(
            f"The model file {self.path} is damaged or cut off: its header goes on behind the {self.size:,} bytes "
            "that are there; download it again."
        )

    def _damaged(self, claim: str) -> ModelInvalid:
        return ModelInvalid(f"The model file {self.path} is damaged: its header claims {claim}; download it again.")
