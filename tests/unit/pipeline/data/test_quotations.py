"""Quotation marks around quotes, and keywords out of tags."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.data.quotations import bare_quote, keyword_of_tags


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("“Be yourself; everyone else is already taken.”", "Be yourself; everyone else is already taken."),
        ("„Sei du selbst.“", "Sei du selbst."),
        ("« Sois toi-même. »", "Sois toi-même."),
        ('"Plain."', "Plain."),
        ("“He said “no” twice.”", "He said “no” twice."),
        ("“One,” she said, “two.”", "“One,” she said, “two.”"),
        ('"One," she said, "two."', '"One," she said, "two."'),
        ("‘Tis the season.", "‘Tis the season."),
        ("“Never closed.", "“Never closed."),
        ("“Two\n lines.”", "Two lines."),
        ("“", "“"),
        ("“”", ""),
        ("", ""),
    ],
)
def test_only_marks_around_the_whole_are_taken_off(written: str, bare: str) -> None:
    assert bare_quote(written) == bare


@settings(deadline=None)
@given(st.text("ab “”\"'«»„\n", max_size=12))
def test_nothing_but_marks_and_spaces_is_lost(text: str) -> None:
    found = bare_quote(text)
    assert found.replace(" ", "") in "".join(text.split())
    assert len("".join(text.split())) - len(found.replace(" ", "")) in (0, 2)


@pytest.mark.parametrize(
    ("tags", "keyword"),
    [
        (["be-yourself", "honesty"], "be yourself"),
        (["attributed-no-source", "self_respect"], "self respect"),
        (["misattributed-to-somebody"], ""),
        (["", " - ", "hope"], "hope"),
        ("books, read", "books"),
        ([], ""),
        ("", ""),
    ],
)
def test_the_keyword_is_the_first_tag_that_says_something(tags: list[str] | str, keyword: str) -> None:
    assert keyword_of_tags(tags) == keyword
