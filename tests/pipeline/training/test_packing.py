"""Token streams: every token once, documents whole, and the held-out ones apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model_pipeline.training.bpe import END, train_tokenizer
from model_pipeline.training.corpus import Document, Texts
from model_pipeline.training.packing import encoded, open_packed, pack

DOCUMENTS = [f"Document {number}.\n\nIts second paragraph, {number * 7}." for number in range(20)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(DOCUMENTS, 320)


def texts(documents: list[str], *, marked: bool = False) -> Texts:
    return Texts("own", lambda: iter([Document(str(number), text) for number, text in enumerate(documents)]), marked)


def split(tokenizer: Tokenizer, stream: list[int]) -> list[str]:
    """The documents of a stream."""
    text: str = tokenizer.decode(stream, skip_special_tokens=False)
    assert text.endswith(END)
    return text.removesuffix(END).split(END)


def test_held_out_documents_are_in_no_training_stream(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pack(tmp_path / "0", texts(DOCUMENTS), {3, 11}, tokenizer, 0, None)
    packed = open_packed(tmp_path / "0")
    assert split(tokenizer, packed.validation.tolist()) == [DOCUMENTS[3], DOCUMENTS[11]]
    assert split(tokenizer, packed.train.tolist()) == [text for n, text in enumerate(DOCUMENTS) if n not in (3, 11)]
    assert packed.facts.held_out_characters == len(DOCUMENTS[3]) + len(DOCUMENTS[11])
    assert (packed.facts.documents, packed.facts.held_out, packed.facts.cut) == (20, 2, 0)
    assert packed.train.dtype.itemsize == 2


@given(st.text(st.sampled_from("ab \n\t.'’é\u00a0\u2028\x1c\x85"), max_size=40))
def test_a_document_has_the_tokens_that_it_has_as_a_whole(tokenizer: Tokenizer, text: str) -> None:
    [(_, ids)] = encoded(tokenizer, texts([text]), 0)
    assert ids == [*tokenizer.encode(text).ids, 0]


def test_a_long_row_keeps_its_end_and_is_counted(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pack(tmp_path / "0", texts(["word " * 50 + "the end", "short"]), set(), tokenizer, 0, 12)
    packed = open_packed(tmp_path / "0")
    long, short = split(tokenizer, packed.train.tolist())
    assert long.endswith("the end") and short == "short" and packed.facts.cut == 1
    assert len(tokenizer.encode(long).ids) == 11


def test_special_tokens_mean_something_in_marked_texts_only(tokenizer: Tokenizer) -> None:
    text = f"<|user|>hi<|bot|>Hello.{END}"
    [(_, marked)] = encoded(tokenizer, texts([text], marked=True), 0)
    [(_, plain)] = encoded(tokenizer, texts([text]), 0)
    assert (marked[0], marked.count(0), marked[-1]) == (1, 1, 0)
    assert plain.count(0) == 1 and 1 not in plain and tokenizer.decode(plain[:-1], skip_special_tokens=False) == text


def test_a_large_vocabulary_takes_four_bytes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    large = Tokenizer.from_str(tokenizer.to_str())
    large.add_tokens([f"<{number}>" for number in range(2**16)])
    pack(tmp_path / "0", texts(["first <65535>", "second"]), {1}, large, 0, None)
    train = open_packed(tmp_path / "0").train
    assert train.dtype.itemsize == 4 and large.decode(train.tolist()[:-1]).endswith("<65535>")
