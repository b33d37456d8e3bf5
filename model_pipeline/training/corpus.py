"""Reads corpora as documents, one after the other, as often as they are asked for; knows no tokens and no weights."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from random import Random

from model_pipeline.data.json_lines import read_json_lines
from model_pipeline.data.rows import Row
from model_pipeline.data.sources import find_path
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Corpus
from model_pipeline.training.wordnet import is_wordnet, wordnet_articles

TRAIN_ROWS = "train-rows"  # the path that stands for the prepared rows of the run
_ARCHIVES = (".tar", ".tar.xz", ".tar.gz", ".tar.bz2")
_BROKEN = (OSError, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError)


@dataclass(frozen=True, slots=True)
class Document:
    """A text that is held out or trained on as a whole, and with it all others of its `group`, unless that is "".

    `name` is its file's, or that of its place in one.
    """

    name: str
    text: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Texts:
    """The documents of a corpus; `marked` texts name special tokens and mean them."""

    name: str
    read: Callable[[], Iterator[Document]]
    marked: bool = False


def open_corpus(corpus: Corpus, seed: int) -> Texts:
    """The texts of a file, folder or archive. Raises `InputInvalid` here or while they are read.

    Lines of a JSONL file and words of WordNet come shuffled, for neighbours are often alike; files come in their order.
    """
    path = find_path(corpus.path)
    name = " ".join([corpus.path, *corpus.include])
    if is_wordnet(path):
        return Texts(name, lambda: _shuffled([Document(*article) for article in wordnet_articles(path)], seed))
    if path.suffix == ".jsonl":
        return Texts(name, lambda: _shuffled(_of_json_lines(path), seed))
    if not path.is_dir() and not path.name.endswith((*_ARCHIVES, ".txt")):
        raise InputInvalid(
            f"{path} is no corpus; give a folder of .txt files, a .tar.xz of them, or a JSONL file with `text`."
        )
    return Texts(name, lambda: _chosen(path, corpus))


def row_texts(rows: Sequence[Row], render: Callable[[Row], str], seed: int, *, marked: bool) -> Texts:
    """Prepared rows, each as the text that `render` makes of it, shuffled: rows of one keyword stand together."""

    def read() -> Iterator[Document]:
        numbered = enumerate(rows, start=1)
        return _shuffled([Document(f"row {number}", render(row), row.group) for number, row in numbered], seed)

    return Texts(TRAIN_ROWS, read, marked)


def plain_text(row: Row) -> str:
    """Prompt and reply without any marks, for a tokenizer to be trained on."""
    parts = (row.prompt, row.completion)
    return "".join(
        part if isinstance(part, str) else "".join(f"{turn['content']}\n" for turn in part) for part in parts
    )


def held_out(groups: Sequence[str], share: float, seed: int) -> frozenset[int]:
    """Which documents are never trained on, given the group of each: their places.

    About that share of the groups is held out, one at least, and none of a single one. A document whose group is "" is
    a group of its own. Rows of one conversation are one inside the other, so that one of them would tell of another.
    """
    named = [group or place for place, group in enumerate(groups)]
    different = list(dict.fromkeys(named))
    if len(different) < 2:
        return frozenset()
    most = min(len(different) - 1, max(1, round(len(different) * share)))
    held = frozenset(Random(seed).sample(different, most))
    return frozenset(place for place, group in enumerate(named) if group in held)


def _shuffled(documents: list[Document], seed: int) -> Iterator[Document]:
    Random(seed).shuffle(documents)
    return iter(documents)


def _of_json_lines(path: Path) -> list[Document]:
    documents = []
    for number, row in enumerate(read_json_lines(path), start=1):
        text = row.get("text")
        if not isinstance(text, str):
            raise InputInvalid(
                f"Row {number} of {path} has no `text`; quotes and dialogues belong in data.sources, and the corpus "
                f"{TRAIN_ROWS} draws on them."
            )
        if text.strip():
            documents.append(Document(f"{path.name}:{number}", text))
    return documents


def _chosen(path: Path, corpus: Corpus) -> Iterator[Document]:
    """The documents whose names the corpus includes, one at a time."""
    found = _of_folder(path, corpus) if path.is_dir() else _of_archive(path, corpus)
    if path.suffix == ".txt":
        found = iter([_document(path.name, _bytes_of(path), path)])
    yield from (document for document in found if document.text.strip())


def _of_folder(folder: Path, corpus: Corpus) -> Iterator[Document]:
    for path in sorted(folder.rglob("*.txt")):
        name = path.relative_to(folder).as_posix()
        if _is_chosen(name, corpus):
            yield _document(name, _bytes_of(path), folder)


def _of_archive(path: Path, corpus: Corpus) -> Iterator[Document]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.name.endswith(".txt") else None
                if file and _is_chosen(member.name, corpus):
                    yield _document(member.name, file.read(), path)
    except _BROKEN as error:
        raise InputInvalid(f"The archive {path} is broken or none; give a whole .tar.xz of .txt files.") from error


def _is_chosen(name: str, corpus: Corpus) -> bool:
    included = not corpus.include or any(fnmatch(name, pattern) for pattern in corpus.include)
    return included and not any(fnmatch(name, pattern) for pattern in corpus.exclude)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputInvalid(f"{path} cannot be read: {error.strerror or error}.") from error


def _document(name: str, content: bytes, place: Path) -> Document:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputInvalid(f"{name} of {place} is not UTF-8 text; a corpus is plain text.") from error
    if "\0" in text:
        raise InputInvalid(f"{name} of {place} is not text, for it holds NUL characters; a corpus is plain text.")
    return Document(name, text.replace("\r\n", "\n"))
