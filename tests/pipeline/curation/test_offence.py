"""What is profane or toxic is told from what only sounds so."""

from __future__ import annotations

import pytest

from model_pipeline.curation.offence import Offence, undisguised

OFFENSIVE = (
    "fuck you", "You are a worthless piece of shit.", "what a stupid bitch", "kys", "go kill yourself",
    "I will find you and kill you.", "gas the jews", "women are trash", "f u c k you", "sh1t happens, b1tch",
    "a$$hole", "Du Arschloch!", "Fick dich.", "Halt die Fresse.", "nobody loves you", "send nudes",
)  # fmt: skip
HARMLESS = (
    "Courage, 3 times a day.", "Goats butt heads and then share the hay.", "Kill two birds with one scone.",
    "Scunthorpe is a town.", "Nobody loves a wet Monday.", "Some mornings hate an alarm clock.",
    "He will kill the engine and wait.", "A pot of soup is supper for one.", "Women are the half of every story.",
    "U.S. is short.", "a b c d e f g", "Dr. Dick Francis wrote it.", "7 5 4 3 1 0", "Der dicke Fisch ist fickle.",
)  # fmt: skip


@pytest.fixture(scope="module")
def offence() -> Offence:
    return Offence(0.9)


@pytest.mark.parametrize("text", OFFENSIVE)
def test_it_is_offensive(offence: Offence, text: str) -> None:
    assert offence.is_offensive(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_it_is_harmless(offence: Offence, text: str) -> None:
    assert not offence.is_offensive(text)


def test_letters_in_disguise_are_read() -> None:
    assert undisguised("f u c k that sh1t, 24 times!") == "fuck that shit, 24 times!"
