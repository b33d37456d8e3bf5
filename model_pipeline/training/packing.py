"""Turns documents into streams of token ids on disk, training and held-out ones apart; draws nothing from them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from model_pipeline.training.corpus import Document, Texts

Tokens = NDArray[np.unsignedinteger[Any]]  # [tokens], two bytes each where the vocabulary allows it
_BATCH_CHARACTERS = 4_000_000  # tokenized at a time, on all cores
# Between paragraphs GPT-2's pattern always splits: of a run of white space, the last character stands alone.
_BETWEEN_PARAGRAPHS = re.compile(r"(?<=\n)(?=\n\S)")
_FACTS_FILE = "facts.json"


@dataclass(frozen=True, slots=True)
class Facts:
    """What was counted of a corpus: documents, held-out ones, and the characters of those; rows that were cut."""

    name: str
    documents: int
    held_out: int
    held_out_characters: int
    cut: int


@dataclass(frozen=True, slots=True)
class Packed:
    """A corpus as two streams, in which every document is followed by the end token."""

    facts: Facts
    train: Tokens
    validation: Tokens


def pack(
    folder: Path, texts: Texts, held_out: Collection[int], tokenizer: Tokenizer, end: int, most: int | None
) -> None:
    """Write the streams of `texts` into the new `folder`; those whose place is in `held_out` go to the held-out one.

    Of a document longer than `most` tokens the last are kept. Raises `OSError`.
    """
    folder.mkdir(parents=True)
    type_ = np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.uint32
    documents = cut = characters = 0
    with (folder / "train.bin").open("wb") as train, (folder / "validation.bin").open("wb") as validation:
        for document, ids in encoded(tokenizer, texts, end):
            is_held_out = documents in held_out
            cut += most is not None and len(ids) > most
            _append(validation if is_held_out else train, np.asarray(ids[-most:] if most else ids, type_))
            characters += len(document.text) if is_held_out else 0
            documents += 1
    facts = Facts(texts.name, documents, len(held_out), characters, cut)
    (folder / _FACTS_FILE).write_text(json.dumps(asdict(facts) | {"type": type_.__name__}), encoding="utf-8")


def open_packed(folder: Path) -> Packed:
    """What `pack` wrote, mapped into memory. Raises `OSError`."""
    content = json.loads((folder / _FACTS_FILE).read_text(encoding="utf-8"))
    type_ = np.dtype(content.pop("type"))
    return Packed(Facts(**content), _map(folder / "train.bin", type_), _map(folder / "validation.bin", type_))


def encoded(tokenizer: Tokenizer, texts: Texts, end: int) -> Iterator[tuple[Document, list[int]]]:
    """Each document with its ids, the last of which is `end`."""
    tokenizer.encode_special_tokens = not texts.marked  # what names a special token by chance is text
    for batch in _batches(texts.read()):
        parts = [_BETWEEN_PARAGRAPHS.split(document.text) for document in batch]
        pieces = iter(tokenizer.encode_batch_fast(list(chain.from_iterable(parts)), add_special_tokens=False))
        for document, own in zip(batch, parts, strict=True):
            ids = [token for piece in islice(pieces, len(own)) for token in piece.ids]
            yield document, ids if ids[-1:] == [end] else [*ids, end]


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += len(document.text)
        if characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _append(file: BinaryIO, ids: Tokens) -> None:
    file.write(ids.tobytes())


def _map(path: Path, type_: np.dtype[Any]) -> Tokens:
    return np.memmap(path, type_, "r") if path.stat().st_size else np.empty(0, type_)  # an empty file cannot be mapped
