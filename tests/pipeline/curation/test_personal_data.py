"""What is planted is found, whatever stands around it, and quotes that only look so stay as they are."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.curation.personal_data import PersonalData, holds_placeholder, may_be_phone
from model_pipeline.data.sources import PACKAGE_DATA
from tests.pipeline.curation.planted import AROUND, CLEAN, PLANTED

ALL = [(kind, planted) for kind, items in PLANTED.items() for planted in items]


@pytest.fixture(scope="module")
def filter_() -> PersonalData:
    return PersonalData(["Ada Lovelace"])


@pytest.mark.parametrize(("kind", "planted"), ALL, ids=[planted for _, planted in ALL])
def test_what_is_planted_is_replaced(filter_: PersonalData, kind: str, planted: str) -> None:
    for around in AROUND:
        cleaned = filter_.clean(around.format(planted))
        assert cleaned.found and holds_placeholder(cleaned.text), around
        assert planted not in cleaned.text
        left = around.format("")
        assert not any(character.isdigit() for character in cleaned.text) or any(c.isdigit() for c in left), cleaned
    assert kind in filter_.clean(planted).found


@pytest.mark.parametrize("text", CLEAN)
def test_what_only_looks_so_stays(filter_: PersonalData, text: str) -> None:
    assert filter_.clean(text).text == text and not filter_.clean(text).found


def test_quotes_and_chats_of_the_package_stay_as_they_are(filter_: PersonalData) -> None:
    texts = []
    for name in (
        "quotes.jsonl",
        "rich-quotes.jsonl",
        "more-rich-quotes.jsonl",
        "plain-quotes.jsonl",
        "kept-quotes.jsonl",
        "simple-quotes.jsonl",
        "chats.jsonl",
        "plain-chats.jsonl",
        "more-chats.jsonl",
        "echoing-chats.jsonl",
        "longer-chats.jsonl",
        "mended-chats.jsonl",
        "common-chats.jsonl",
        "everyday-chats.jsonl",
    ):
        rows = [json.loads(line) for line in (PACKAGE_DATA / name).read_text(encoding="utf-8").split("\n") if line]
        drawn = Random(0).sample(rows, 200)
        texts += [turn["content"] for row in drawn for turn in row.get("messages", [{"content": row.get("quote")}])]
    assert [text for text in texts if filter_.clean(text).text != text] == []


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=40), st.sampled_from([planted for _, planted in ALL]), st.text(max_size=40))
def test_nothing_around_it_hides_it(before: str, planted: str, after: str) -> None:
    text = f"{before} {planted} {after}"
    assert planted not in FILTER.clean(text).text


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80))
def test_cleaning_what_is_clean_changes_nothing(text: str) -> None:
    once = FILTER.clean(text).text
    assert FILTER.clean(once).text == once


NO_PHONES = ("2024-05-01", "1.7777777778", "1914 1918", "12 34 56 78 90", "2 000 000 000", "12345")


@pytest.mark.parametrize("text", NO_PHONES)
def test_numbers_that_count_are_no_phone_numbers(text: str) -> None:
    assert not may_be_phone(text)


def test_long_texts_take_no_longer_than_their_length(filter_: PersonalData) -> None:
    for piece in ("a", "a.", "1 ", "@", "a@", "-", "0", "aA1", "call ", "password ", "a_b.", "+1 ", "eyJ", "x:"):
        filter_.clean(piece * (4000 // len(piece)))  # the test's own time limit is the assertion


FILTER = PersonalData(["Ada Lovelace"])


def test_names_are_read_from_a_file(tmp_path: Path) -> None:
    from tests.pipeline.curation.small_export import SmallExport, curated

    (tmp_path / "names.txt").write_text("Ada Lovelace\n\n  Grace Hopper\n", encoding="utf-8")
    export = SmallExport()
    export.quote("tea", "Grace Hopper drank tea with a moth.", export.vote("ada", -1))
    (line,) = curated(export, tmp_path, names_file=str(tmp_path / "names.txt")).lines("kto")
    assert line["completion"] == "<NAME> drank tea with a moth."
