"""The dataset card and the figures behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.data.dataset_card import card_text
from model_pipeline.data.items import Dropped
from model_pipeline.data.rows import Row
from model_pipeline.data.sources import SourceFacts
from model_pipeline.data.summary import Prepared, figures_of, lengths_of
from model_pipeline.recipe import Data, Form, GroupBy, Source

CHAT = [{"role": "user", "content": "hi"}]


def quote(keyword: str, tokens: int = 10, text: str = " Be brave.") -> Row:
    return Row(f"Keyword: {keyword}\nQuote:", text, f"keyword {keyword}", keyword, "quote", "q:1", tokens)


def prepared(**changes: Any) -> Prepared:
    chat = Row(CHAT, [{"role": "assistant", "content": "Hi!"}], "conversation 1", "", "chat", "c:1", 40)
    data = Data(
        sources=(Source(form=Form.QUOTES, path="q"),), group_by=GroupBy.KEYWORD, validation_share=0.1, max_rows=6
    )
    whole = Prepared(
        recipe="tea-quotes",
        data=data,
        sources=(SourceFacts("me/tea", Form.QUOTES, "abc123", "cc-by-4.0", 9, "f" * 64),),
        splits={
            "train": [quote("tea"), quote("Tea", 20), chat],
            "validation": [quote("cup"), quote("cup", 30)],
            "test": [quote("pot")],
        },
        dropped=[Dropped("q:3", "duplicate", "of q:1", {}), Dropped("q:4", "no quote", "", {})],
        not_drawn=3,
        shortened=1,
        truncated=2,
        tokens_are_estimated=False,
    )
    return replace(whole, **changes)


def test_the_card_says_where_rows_come_from_and_what_became_of_them() -> None:
    card = card_text(prepared())
    assert card.startswith("# Data of tea-quotes\n")
    for said in (
        "| me/tea | quotes | abc123 | cc-by-4.0 | 9 |",
        "| train | 3 | 2 | 1 | 3 |",
        "| validation | 2 | 2 | 0 | 1 |",
        "| duplicate | 1 |",
        "| no quote | 1 |",
        "10.0% of the groups to validation",
        "median 15 tokens, 95th percentile 38, longest 40",
        "lost their oldest turns to fit: 1.",
        "cut at its end in training: 2.",
        "3 keywords. The most frequent: tea (2), cup (2), pot (1).",
        "At most 6 quotes and conversations were drawn at random; 3 were not",
        "### test\n\n```text\nKeyword: pot\nQuote: Be brave.\n```",
    ):
        assert said in card


def test_the_card_says_where_the_groups_of_held_out_keywords_went() -> None:
    said = (
        "10.0% of the groups to validation and 5.0% to test. A group with a quote on one of the held-out keywords goes"
    )
    held_out = prepared().data.model_copy(update={"held_out": "/of/mine/keywords.txt"})
    card = card_text(prepared(data=held_out))
    assert said in card and "/of/mine" not in card
    assert "held-out keywords" not in card_text(prepared())


def test_the_card_of_a_model_without_a_tokenizer_says_that_lengths_are_estimated() -> None:
    card = card_text(prepared(tokens_are_estimated=True))
    assert "Estimated, 4 characters a token" in card and "Counted with" not in card


def test_the_histogram_has_a_line_for_each_range_and_counts_every_row() -> None:
    card = card_text(prepared())
    lines = card.split("```text\n")[1].split("\n```")[0].splitlines()
    assert sum(int(line.split()[-1]) for line in lines) == 6
    assert lines[0].startswith(" 0 to  4") and lines[-1].startswith("40 to 44")


def test_an_example_cannot_break_out_of_its_fence() -> None:
    part = [quote("tea", text=" ```` # Not a heading")]
    card = card_text(prepared(splits={"train": part, "validation": part, "test": part}))
    assert card.count("`````text\n") == 3


def test_nothing_dropped_and_no_keyword_are_said() -> None:
    chat = prepared().splits["train"][2:]
    card = card_text(prepared(dropped=[], splits={"train": chat, "validation": chat, "test": chat}))
    assert "Nothing. Duplicates" in card and "None: the rows are replies" in card
    assert "user: hi\n\nassistant: Hi!" in card


def test_names_cannot_break_a_table() -> None:
    sources = (SourceFacts("a|b\n*c*", Form.QUOTES, "", "", 1, "0"),)
    assert "| a\\|b \\*c\\* | quotes | - | unknown | 1 | 0 |" in card_text(prepared(sources=sources))


def test_figures_count_everything() -> None:
    figures = figures_of(prepared())
    assert figures["rows"] == {"train": 3, "validation": 2, "test": 1}
    assert figures["kinds"] == {"quote": 5, "chat": 1}
    assert figures["groups"] == {"train": 3, "validation": 1, "test": 1}
    assert figures["dropped"] == {"duplicate": 1, "no quote": 1}
    assert figures["tokens"] == {"median": 15, "p95": 38, "max": 40, "estimated": False}
    assert (figures["training_texts"], figures["shortened"], figures["truncated"]) == (3, 1, 2)
    assert figures["sources"][0]["sha256"] == "f" * 64


@settings(deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1))
def test_lengths_are_in_order(tokens: list[int]) -> None:
    found = lengths_of([quote("tea", count) for count in tokens])
    assert min(tokens) <= found.median <= found.p95 <= found.max == max(tokens)
