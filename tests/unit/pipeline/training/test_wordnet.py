"""WordNet's database files as articles, in a small dictionary of the same format."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Corpus
from model_pipeline.training.corpus import open_corpus
from model_pipeline.training.wordnet import is_wordnet, wordnet_articles

LICENCE = "  1 This software and database is being provided to you, the LICENSEE\n"
FILES = {
    "data.noun": (
        '00000100 20 n 01 flower 0 001 ~ 00000200 n 0000 | a plant that blooms; "she put a tulip in the vase"\n'
        "00000200 20 n 02 tulip 0 bulb_flower 0 001 @ 00000100 n 0000 | a flower of spring\n"
        "00000300 20 n 01 Tulipa 0 000 | a genus\n"
        "00000400 20 n 01 gessneriad 0 000 | something rare\n"
    ),
    "index.noun": ("flower n 1 1 ~ 1 1 00000100\ngessneriad n 1 0 1 0 00000400\ntulip n 1 1 @ 1 0 00000200\n"),
    "data.verb": (
        "00000500 38 v 01 walk 0 001 @ 00000600 v 0000 01 + 02 00 | go on foot\n"
        "00000600 38 v 01 go 0 001 ~ 00000500 v 0000 01 + 02 00 | change place\n"
    ),
    "index.verb": "go v 1 1 ~ 1 1 00000600\nwalk v 1 1 @ 1 1 00000500\n",
    "data.adj": (
        "00000700 00 a 01 warm(p) 0 001 ! 00000800 a 0101 | of some heat\n"
        "00000800 00 a 01 cool 0 001 ! 00000700 a 0101 | of little heat\n"
    ),
    "index.adj": "cool a 1 1 ! 1 1 00000800\nwarm a 1 1 ! 1 1 00000700\n",
    "data.adv": "00000900 02 r 01 slowly 0 000 | without haste\n",
    "index.adv": "slowly r 1 0 1 1 00000900\n",
}


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(LICENCE + content)
    return tmp_path


def test_an_article_tells_what_a_word_means_its_kind_and_how_it_is_used(dictionary: Path) -> None:
    articles = dict(wordnet_articles(dictionary))
    assert articles["tulip"] == "Tulip means a flower of spring. Tulip is a kind of flower. " + (
        "Another word for it is bulb flower."
    )
    assert articles["flower"] == (
        "Flower means a plant that blooms. Kinds of flower: tulip. She put a tulip in the vase."
    )
    assert articles["walk"] == "Walk means go on foot. To walk is a way to go."
    assert articles["go"] == "Go means change place. Ways of go: walk."
    assert articles["warm"] == "Warm means of some heat. The opposite of warm is cool."
    assert articles["slowly"] == "Slowly means without haste."


def test_names_of_species_and_words_that_nothing_else_uses_are_left_out(dictionary: Path) -> None:
    articles = dict(wordnet_articles(dictionary))
    assert "tulip" in articles  # no annotated text has it, but an example does
    assert not {"gessneriad", "tulipa", "Tulipa"} & set(articles)


def test_a_word_of_the_index_without_its_meaning_is_left_out(dictionary: Path) -> None:
    with (dictionary / "index.noun").open("a") as file:
        file.write("vase n 1 0 1 1 00009999\n")
    assert "vase" not in dict(wordnet_articles(dictionary))


def test_a_corpus_that_names_wordnet_has_a_document_for_each_word(dictionary: Path) -> None:
    documents = list(open_corpus(Corpus(path=str(dictionary)), seed=0).read())
    assert sorted(document.name for document in documents) == [
        "cool", "flower", "go", "slowly", "tulip", "walk", "warm",
    ]  # fmt: skip
    again = [document.name for document in open_corpus(Corpus(path=str(dictionary)), seed=0).read()]
    assert again == [document.name for document in documents]


def test_a_folder_of_books_is_none(tmp_path: Path) -> None:
    assert not is_wordnet(tmp_path)


@pytest.mark.parametrize("name", sorted(FILES))
def test_files_of_another_format_are_refused_in_a_sentence(dictionary: Path, name: str) -> None:
    (dictionary / name).write_text("once upon a time\n")
    with pytest.raises(InputInvalid, match="does not hold WordNet's database files"):
        list(wordnet_articles(dictionary))
