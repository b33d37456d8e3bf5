"""Long replies become messages that fit, and nothing that was said is lost between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.splitting import length, split

SENTENCE = "The harbour light goes round and finds nobody."
CODE = "```python\nprint('one')\nprint('two')\n```"
WORDS = st.lists(
    st.sampled_from(["sea", "a", "harbour", "lighthouse!", "Well.", "\n", "\n\n", "naïve", "👩‍🚀"]), max_size=80
)


def test_a_short_reply_is_one_message() -> None:
    assert split("Good morning.", 2_000) == ["Good morning."]


def test_a_message_ends_with_a_sentence() -> None:
    parts = split(" ".join([SENTENCE] * 100), 2_000)
    assert len(parts) == 3
    assert all(part.endswith("nobody.") and part.startswith("The harbour") for part in parts)


@pytest.mark.parametrize("limit", [300, 500, 1_970, 4_096])
def test_a_list_is_cut_between_its_items(limit: int) -> None:
    items = [f"⭐ {number}. {' '.join([SENTENCE] * (1 + number % 3))}" for number in range(60)]
    parts = split("\n".join(["Your newest favourites:", *items]), limit)
    assert all(part.startswith("⭐ ") for part in parts[1:])
    assert [line for part in parts for line in part.splitlines()][1:] == items


def test_an_item_longer_than_a_message_is_cut_behind_a_sentence() -> None:
    parts = split(f"Your favourite:\n⭐ {' '.join([SENTENCE] * 20)}", 300)
    assert parts[0].startswith("Your favourite:\n⭐ The") and all(part.endswith("nobody.") for part in parts)


def test_a_sentence_keeps_its_closing_mark() -> None:
    assert split('He said: "Come in now." She did not move.', 30) == ['He said: "Come in now."', "She did not move."]


def test_a_fence_that_fits_is_not_cut() -> None:
    parts = split(f"{SENTENCE} {SENTENCE}\n{CODE}\n{SENTENCE}", 120)
    assert any(CODE in part for part in parts)


def test_a_fence_that_is_too_long_is_closed_and_opened_again() -> None:
    lines = [f"line {number}" for number in range(60)]
    parts = split("Look:\n```text\n" + "\n".join(lines) + "\n```", 150)
    assert all(part.count("```") == 2 for part in parts[1:])
    shown = [line for part in parts[1:] for line in part.splitlines() if not line.startswith("```")]
    assert shown == lines


@pytest.mark.parametrize(
    "text", ["a" * 5_000, "👩‍🚀" * 900, "字" * 5_000, "```" + "x" * 5_000, "`" * 5_000, "\ud800" * 3_000]
)
def test_what_has_no_place_to_cut_is_cut_anyway(text: str) -> None:
    parts = split(text, 2_000)
    assert all(0 < length(part) <= 2_000 for part in parts)
    assert "".join(parts).count(text[-1]) >= text.count(text[-1])


def test_an_emoji_of_several_characters_stays_whole() -> None:
    assert all(part == "👩‍🚀" for part in split("👩‍🚀👩‍🚀👩‍🚀", 6))


def test_nothing_is_one_empty_message() -> None:
    assert split("  ", 100) == [""]


@given(WORDS, st.integers(20, 200))
def test_every_word_arrives_whole_and_in_order(words: list[str], limit: int) -> None:
    text = " ".join(words)
    parts = split(text, limit)
    assert [word for part in parts for word in part.split()] == text.split()
    assert all(length(part) <= limit for part in parts)


@given(st.text(), st.integers(10, 60))
def test_any_text_fits_and_keeps_its_letters(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(length(part) <= limit for part in parts)
    letters = [char for char in text if char.isalpha()]
    assert (
        [char for part in parts for char in part if char.isalpha()][: len(letters)] == letters
        or "```" in text
        or "~~~" in text
    )
