"""What makes two texts the same."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_pipeline.data.texts import digest, in_one_line, normalised


@pytest.mark.parametrize("same", ["Be brave, today!", "be   brave\ntoday", "BE BRAVE. TODAY", "“Be brave — today”"])
def test_case_spaces_and_punctuation_do_not_count(same: str) -> None:
    assert normalised(same) == "be brave today"
    assert digest(same) == digest("be brave today")


def test_texts_without_words_still_differ() -> None:
    assert normalised("?!") != normalised("...")
    assert normalised(" ? ! ") == "? !"


def test_half_a_character_has_a_digest() -> None:
    assert digest("\ud83d") != digest("\ud83e")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert len(in_one_line(text).splitlines()) <= 1
    assert in_one_line(text).split() == text.split()
