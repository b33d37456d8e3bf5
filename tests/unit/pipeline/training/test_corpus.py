"""Corpora from folders, archives and JSONL files, and what is held out of them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.data.rows import Row
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Corpus
from model_pipeline.training.corpus import Document, held_out, open_corpus, plain_text, row_texts

BOOKS = {
    "text/a_garden.txt": "The garden.\n\nIt grew.",
    "text/plato_dialogues.txt": "Thou knowest.",
    "text/z_sea.txt": "The sea — and a ship.\r\n",
}


def folder(path: Path) -> Path:
    for name, text in BOOKS.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(text.encode())
    (path / "text" / "NOTES.md").write_text("no book")
    return path


def archive(path: Path, contents: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:xz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def books_archive(path: Path) -> Path:
    return archive(path / "books.tar.xz", {name: text.encode() for name, text in BOOKS.items()})


def read(corpus: Corpus) -> list[Document]:
    texts = open_corpus(corpus, seed=0)
    found = list(texts.read())
    assert list(texts.read()) == found  # as often as it is asked for
    return found


def test_a_folder_and_an_archive_of_it_are_the_same_documents(tmp_path: Path) -> None:
    of_folder = read(Corpus(path=str(folder(tmp_path / "books"))))
    of_archive = read(Corpus(path=str(books_archive(tmp_path))))
    assert of_folder == of_archive
    assert [document.name for document in of_archive] == list(BOOKS)
    assert of_archive[-1].text == "The sea — and a ship.\n"


def test_patterns_choose_files_by_name(tmp_path: Path) -> None:
    path = str(books_archive(tmp_path))
    archaic = read(Corpus(path=path, include=("*plato_*",)))
    others = read(Corpus(path=path, exclude=("*plato_*",)))
    assert [document.text for document in archaic] == ["Thou knowest."]
    assert {document.name for document in [*archaic, *others]} == set(BOOKS) and len(others) == 2


def test_a_text_file_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("\ufeffMine.", encoding="utf-8")
    assert read(Corpus(path=str(tmp_path / "own.txt"))) == [Document("own.txt", "Mine.")]


def test_lines_of_json_are_shuffled_and_empty_texts_left_out(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps({"text": f"text {n}" if n % 2 else " "}) + "\n" for n in range(100)))
    found = [document.text for document in read(Corpus(path=str(path)))]
    assert sorted(found) == sorted(f"text {n}" for n in range(1, 100, 2))
    assert found != [f"text {n}" for n in range(1, 100, 2)]


def refusal(corpus: Corpus) -> str:
    with pytest.raises(InputInvalid) as caught:
        list(open_corpus(corpus, seed=0).read())
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_there_or_no_corpus_is_named(tmp_path: Path) -> None:
    assert "There is no file or folder" in refusal(Corpus(path=str(tmp_path / "none.tar.xz")))
    (tmp_path / "book.pdf").write_bytes(b"%PDF")
    assert "is no corpus; give a folder of .txt files" in refusal(Corpus(path=str(tmp_path / "book.pdf")))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00t", b"text\0text"])
def test_a_file_that_is_no_text_is_named(tmp_path: Path, content: bytes) -> None:
    path = archive(tmp_path / "books.tar.xz", {"text/good.txt": b"good", "text/bad.txt": content})
    assert refusal(Corpus(path=str(path))).startswith("text/bad.txt of ")


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    whole = books_archive(tmp_path).read_bytes()
    for number, content in enumerate((b"no archive", b"", whole[: len(whole) // 2])):
        path = tmp_path / f"{number}.tar.xz"
        path.write_bytes(content)
        assert f"The archive {path} is broken or none" in refusal(Corpus(path=str(path)))


def test_rows_of_quotes_in_a_json_lines_corpus_are_sent_to_the_data(tmp_path: Path) -> None:
    path = tmp_path / "quotes.jsonl"
    path.write_text('{"keyword": "sea", "quote": "Sail."}\n')
    assert "the corpus train-rows draws on them" in refusal(Corpus(path=str(path)))


def test_prepared_rows_become_texts_as_they_are_rendered() -> None:
    quote = Row("Keyword: sea\nQuote:", " Sail.", "keyword sea", "sea", "quote")
    chat = Row([{"role": "user", "content": "hi"}], [{"role": "assistant", "content": "Hello."}], "c", "", "chat")
    texts = row_texts([quote, chat], plain_text, 0, marked=False)
    assert {(document.text, document.group) for document in texts.read()} == {
        ("Keyword: sea\nQuote: Sail.", "keyword sea"),
        ("hi\nHello.\n", "c"),
    }


@given(st.integers(0, 500), st.floats(0.001, 0.49), st.integers(0, 5))
def test_some_documents_are_held_out_and_some_never(documents: int, share: float, seed: int) -> None:
    alone = [""] * documents
    places = held_out(alone, share, seed)
    assert places == held_out(alone, share, seed)
    assert places <= set(range(documents))
    if documents < 2:
        assert not places
    else:
        assert 1 <= len(places) < documents
        assert abs(len(places) - share * documents) <= 1


@given(st.lists(st.sampled_from(["", "a", "b", "c"])), st.floats(0.001, 0.49), st.integers(0, 5))
def test_no_group_is_divided(groups: list[str], share: float, seed: int) -> None:
    places = held_out(groups, share, seed)
    held = {groups[place] for place in places} - {""}
    assert all(place in places for place, group in enumerate(groups) if group in held)
    if len({*groups} - {""}) + groups.count("") > 1:
        assert 1 <= len(places) < len(groups)
    else:
        assert not places
