"""The quotes and dialogues that come with the package: in form, none twice, and nothing of what is held out."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest

from model_pipeline.data.marked import read_marked
from model_pipeline.data.sources import PACKAGE_DATA, read_lines
from model_pipeline.recipe import Recipe, read_recipe, recipe_names

RICHER = ("quotes.jsonl", "simple-quotes.jsonl", "rich-quotes.jsonl", "more-rich-quotes.jsonl")
PLAIN = (
    "plain-quotes.jsonl",
    "more-plain-quotes.jsonl",
    "kept-quotes.jsonl",
    "phrase-quotes.jsonl",
    "more-phrase-quotes.jsonl",
    "varied-quotes.jsonl",
)
QUOTES = (*RICHER, *PLAIN)
RICH = ("rich-quotes.jsonl", "more-rich-quotes.jsonl")
MENDED = ("mended-quotes.jsonl", "mended-again.jsonl")
CHATS = (
    "chats.jsonl",
    "plain-chats.jsonl",
    "more-chats.jsonl",
    "attentive-chats.jsonl",
    "echoing-chats.jsonl",
    "longer-chats.jsonl",
    "mended-chats.jsonl",
    "common-chats.jsonl",
    "everyday-chats.jsonl",
)


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (PACKAGE_DATA / name).read_text(encoding="utf-8").splitlines()]


def plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


def test_no_plain_quote_stands_twice_or_in_the_other_files() -> None:
    others = {plain(row["quote"]) for name in RICHER for row in rows(name)}
    new = [plain(row["quote"]) for name in PLAIN for row in rows(name)]
    assert len(new) == len(set(new))
    assert not others & set(new)


def test_plain_quotes_are_one_closed_line_of_plain_words() -> None:
    for row in (row for name in PLAIN for row in rows(name)):
        quote = row["quote"]
        assert set(row) == {"keyword", "quote"}
        assert quote.isascii() and quote[0].isupper() and quote[-1] in ".!?", quote
        assert 3 <= len(quote.split()) <= 24 and '"' not in quote, quote


def test_rich_quotes_are_one_closed_line_and_stand_once() -> None:
    found = [row for name in RICH for row in rows(name)]
    new = [plain(row["quote"]) for row in found]
    assert len(new) == len(set(new)) > 9_000
    assert not set(new) & {plain(row["quote"]) for name in QUOTES[:2] for row in rows(name)}
    for row in found:
        quote = row["quote"]
        assert set(row) == {"keyword", "quote"}
        assert quote.isascii() and quote[-1] in ".!?" and 4 <= len(quote.split()) <= 30 and '"' not in quote, quote


@pytest.mark.parametrize("name", QUOTES)
def test_no_quote_is_on_a_keyword_that_no_model_is_to_see(name: str) -> None:
    unseen = {keyword.casefold() for keyword in read_lines("unseen-keywords.txt")}
    assert len(unseen) == 200
    assert not unseen & {row["keyword"].casefold() for row in rows(name)}


@pytest.mark.parametrize("name", ["marked-quotes.jsonl", *MENDED])
def test_marked_quotes_are_on_keywords_that_may_be_seen_and_on_each_once(name: str) -> None:
    lines = read_marked(PACKAGE_DATA / name).lines
    keywords = [line["keyword"].casefold() for line in lines if "keyword" in line]
    held_out = {word.casefold() for name in ("unseen", "held-out") for word in read_lines(f"{name}-keywords.txt")}
    assert len(keywords) == len(set(keywords)) > 2_000 and not held_out & set(keywords)


@pytest.mark.parametrize("name", MENDED)
def test_what_readers_made_of_a_text_is_another_closed_line(name: str) -> None:
    for line in read_marked(PACKAGE_DATA / name).lines:
        for mend, made_of in line.get("mends", ()):
            texts = line["quotes"] if "quotes" in line else line["replies"]
            quote = texts[mend]
            assert quote != texts[made_of]
            assert quote.isascii() and quote[0].isupper() and quote[-1] in ".!?" and len(quote.split()) >= 2, quote


def described() -> dict[str, list[str]]:
    """Of each file, what the cells of its row in README.md say: form, rows, what, who, recipes."""
    text = (PACKAGE_DATA / "README.md").read_text(encoding="utf-8")
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {cells[0]: cells[1:] for cells in table[2:]}


def read_by(recipe: Recipe) -> set[str]:
    """The files that a recipe names."""
    named = {source.path for source in recipe.data.sources} | {recipe.data.held_out, recipe.evaluate.unseen_keywords}
    named |= {recipe.prefer.data} if recipe.prefer else set()
    return named | (set(recipe.judge.marks) if recipe.judge else set())


def test_the_table_has_every_file_with_as_many_rows_as_it_has() -> None:
    found = [path for path in PACKAGE_DATA.iterdir() if path.suffix in (".jsonl", ".txt")]
    counted = {path.name: f"{len(path.read_text(encoding='utf-8').splitlines()):,}" for path in found}
    assert {name: cells[1] for name, cells in described().items()} == counted


def test_the_table_names_the_recipes_that_read_a_file() -> None:
    told = {name: set(re.findall(r"`([\w-]+)`", cells[-1])) for name, cells in described().items()}
    told = {name: {f"starter{one}" if one[0] == "-" else one for one in recipes} for name, recipes in told.items()}
    reading: dict[str, set[str]] = {name: set() for name in told}
    for name in recipe_names():
        for file in read_by(read_recipe(name)) & reading.keys():
            reading[file].add(name)
    assert told == reading


def test_what_is_held_out_is_there() -> None:
    known = {row["keyword"].casefold() for name in QUOTES[:2] for row in rows(name)}
    assert {keyword.casefold() for keyword in read_lines("held-out-keywords.txt")} <= known


@pytest.mark.parametrize("name", CHATS)
def test_people_and_bot_speak_by_turns(name: str) -> None:
    found = rows(name)
    assert len(found) > 900
    for row in found:
        roles = [turn["role"] for turn in row["messages"]]
        assert roles[0] == "user" and roles[-1] == "assistant"
        assert all(before != after for before, after in pairwise(roles))
        assert all(turn["content"].strip() for turn in row["messages"])


def test_no_dialogue_stands_twice() -> None:
    found = [json.dumps(row["messages"]) for name in CHATS for row in rows(name)]
    assert len(found) == len(set(found))
