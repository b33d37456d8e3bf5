"""What leaves the database for training is without what people give away by the way."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.storage.personal_data import names_in, without_personal_data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to zelda.q@example.com, please", "write to <EMAIL>, please"),
        ("call +49 151 23456789 at night", "call <PHONE> at night"),
        ("MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB", "<TOKEN>"),
        ("my password: hunter22", "my <TOKEN>"),
        ("<@123456789012345678> and zelda#4821 said", "<ID> and <HANDLE> said"),
        ("ask @zelda_tag", "ask <HANDLE>"),
        ("look at https://example.com/zelda?x=1 now", "look at <URL> now"),
        ("\uff1a zelda\u200b.q@example\u200b.com", ": <EMAIL>"),  # hidden by other widths and by what is not shown
        ("zelda@example.com zelda#4821", "<EMAIL> <HANDLE>"),
    ],
)
def test_personal_data_give_way_to_their_kind(text: str, expected: str) -> None:
    assert without_personal_data(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "A kettle sings of leaving.",
        "In 1984 there were 24 hours, 3.5 of them good.",
        "Be kind @ home; 50% of it is listening…",
        "Der Regen zahlt keine Miete – und bleibt.",
    ],
)
def test_other_words_stay_as_they_are(text: str) -> None:
    assert without_personal_data(text) == text


@given(st.text(max_size=80), st.sampled_from(["zelda.q@example.com", "+49 151 23456789", "@zelda_tag"]))
def test_nothing_around_it_hides_it(around: str, secret: str) -> None:
    assert secret not in without_personal_data(f"{around} {secret} {around}")


@given(st.text(alphabet="abc @.#:<>/+0123456789-_ \u200b", max_size=60))
def test_a_second_time_changes_nothing(text: str) -> None:
    once = without_personal_data(text)
    assert without_personal_data(once) == once


@pytest.mark.parametrize(
    ("said", "repeated", "expected"),
    [
        ("Listen well: @zelda_tag", "I hope your /Zelda_tag gets better.", "I hope your /<HANDLE> gets better."),
        ("it is zelda.q@example.com", "Thank you, zelda.q!", "Thank you, <HANDLE>!"),
        ("zelda#4821 said so", "Is Zelda a friend?", "Is <HANDLE> a friend?"),
        ("ask u/zelda-tag", "zelda-tag, and nobody else", "<HANDLE>, and nobody else"),
        ("@handle and @zelda", "@handle, zelda", "<HANDLE>, <HANDLE>"),
        ("@zelda", "Zeldas are many.", "Zeldas are many."),
        ("@ab", "ab and a", "ab and a"),
        ("no name at all", "no name at all", "no name at all"),
    ],
)
def test_a_name_gives_way_also_where_nothing_marks_it(said: str, repeated: str, expected: str) -> None:
    assert without_personal_data(repeated, names_in(said)) == expected


@given(st.text(alphabet="abc @.#:<>/+_1234", max_size=60))
def test_no_name_of_a_text_is_left_beside_it(text: str) -> None:
    left = without_personal_data(text, names_in(text)).casefold()
    words = set(re.findall(r"[\w.-]*\w", left))
    assert not words & names_in(text) - {"handle", "email"}
