"""The figures of quotes that the bot gave for keywords alone."""

from __future__ import annotations

import pytest

from model_pipeline.evaluation.served_quotes import ServedQuote, quote_sheet, sheet_rows, sheet_section
from model_pipeline.judging.learned_filters import HASHES, Learned, copy_filter

TRAINING = ["The sea is wide and deep.", "If you wait for the rain to stop you miss the rainbow."]
WRITTEN = ["Tea is warm in the morning.", "Roads begin at the door.", "Bread tells the whole street."]


def given(keyword: str, text: str, *, known: bool = False, seconds: float = 0.1) -> ServedQuote:
    return ServedQuote(keyword, known, text, seconds)


def test_every_share_counts_what_its_name_says() -> None:
    sheet = quote_sheet(
        [
            given("kite", "Kites need a hand that holds on."),
            given("moss", "The sea is wide and deep!", seconds=0.3),
            given("lamp", ""),
            given("fern", "so so"),
            given("kite", "A second one counts for the copies alone."),
            given("rain", "My aunt says wait for the rain to stop you miss it.", known=True),
        ],
        TRAINING,
        WRITTEN,
    )
    assert (sheet.unseen_keywords, sheet.quotes) == (4, 6)
    assert sheet.adherence == 0.5  # none for lamp, too short for fern
    assert sheet.names_unseen_keyword == 0.25
    assert sheet.names_known_keyword == 1.0
    assert sheet.verbatim == pytest.approx(1 / 5)
    assert sheet.shares_run == pytest.approx(1 / 5)  # eight words of the second; the first has six in all
    assert [sheet.p50_ms, sheet.p95_ms] == pytest.approx([100, 300])


def test_what_the_base_had_learned_counts_for_copies_too() -> None:
    before = Learned(
        copy_filter(["A gate that nobody closes is a road by now.", "Moss is patient."]), copy_filter([]), HASHES
    )
    asked = [
        given("gate", "A gate that nobody closes is a road by now."),
        given("road", "Here a gate that nobody closes is a road again."),
        given("moss", "Moss is patient."),
        given("kite", "Kites need a hand that holds on to them always."),
    ]
    sheet, without = quote_sheet(asked, TRAINING, WRITTEN, before), quote_sheet(asked, TRAINING, WRITTEN)
    assert (sheet.verbatim, sheet.shares_run) == (0.5, 0.5)
    assert (without.verbatim, without.shares_run) == (0, 0)


def test_the_page_names_every_figure() -> None:
    sheet = quote_sheet([given("kite", "Kites need a hand that holds on.")] * 2, TRAINING, WRITTEN)
    texts = dict(sheet_rows(sheet))
    assert texts["Given, closed and in form, of 1 unseen keywords"] == "100.0%"
    assert "Names the keyword, known keywords" not in texts
    assert all(name in sheet_section(sheet) for name in texts)
