"""What the likelihoods of held-out texts come to."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from model_pipeline.gating.curated import CuratedVotes, read_curated_votes
from model_pipeline.gating.likelihoods import (
    forgetting_figure,
    preference_figures,
    sizes,
    text_of,
    voted_texts,
    written_texts,
)
from model_pipeline.gating.reading import Text
from model_pipeline.gating.settings import Gate, Per
from tests.pipeline.gating.worlds import curated_folder, pair, vote

SHORT, LONG = "Tea is warm tonight.", "Tea is warm tonight, and the cup that holds it keeps both of your hands awake."


@pytest.fixture
def shorter(tmp_path: Path) -> CuratedVotes:
    """Thirty people who prefer the shorter of two quotes, twice each."""
    pairs = [pair(f"p{n}", f"tea {m}", f"{n}{m} {SHORT}", f"{n}{m} {LONG}") for n in range(30) for m in range(2)]
    return read_curated_votes(curated_folder(tmp_path / "data", {"dpo/test": pairs}), validation=False)


def outcome(curated: CuratedVotes, change: float, bonus: float = 0.0, per: Per = Per.CHARACTER) -> str:
    """Of the preference, where every character became so many nats likelier, and a short text by a bonus."""
    drawn = random.Random(0)
    old = {text: 2.0 * len(text.reply) for text in voted_texts(curated)}
    new: dict[Text, float | None] = {}
    for text, nats in old.items():
        gain = change * len(text.reply) + bonus * (len(text.reply) < len(LONG))
        new[text] = nats - gain * drawn.uniform(0.8, 1.2)
    return preference_figures(curated, old, new, Gate(per=per))[0].outcome


def test_a_taste_for_short_texts_is_shown_where_short_texts_gained(shorter: CuratedVotes) -> None:
    assert outcome(shorter, 0.0, bonus=2.0) == "passed"
    assert outcome(shorter, 0.0, bonus=2.0, per=Per.TEXT) == "passed"


def test_a_model_that_is_worse_at_every_text_is_no_friend_of_short_ones(shorter: CuratedVotes) -> None:
    """A whole text loses less the shorter it is, so that a damaged model would win; a character does not."""
    assert outcome(shorter, -0.05, per=Per.TEXT) == "passed"
    assert outcome(shorter, -0.05) == "failed"


def test_texts_that_do_not_fit_are_left_out(shorter: CuratedVotes) -> None:
    nats: dict[Text, float | None] = dict.fromkeys(voted_texts(shorter), None)
    found = preference_figures(shorter, nats, nats, Gate())
    assert [each.sentence for each in found] == ["Preference: 0 pairs fit into a context of 1024 tokens."]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Gate(least_people=31), "30 people voted on held-out texts, and at least 31 are needed"),
        (Gate(least_pairs=61), "there are 60 pairs of a preferred and a rejected text; at least 61 are needed"),
    ],
)
def test_too_few_votes_are_told_before_anything_is_read(shorter: CuratedVotes, settings: Gate, sentence: str) -> None:
    few = sizes(shorter, settings)
    assert few is not None and sentence in few.sentence
    assert sizes(shorter, Gate()) is None


def test_a_crowd_of_which_one_person_votes_is_too_few(tmp_path: Path) -> None:
    pairs = [pair("p0" if n % 2 else f"p{n}", "tea", SHORT, LONG) for n in range(100)]
    curated = read_curated_votes(curated_folder(tmp_path / "data", {"dpo/test": pairs}), validation=False)
    few = sizes(curated, Gate())
    assert few is not None and "50 people voted on held-out texts, who count as 3.8 with equal votes" in few.sentence


def test_forgetting_is_counted_in_bits_a_character() -> None:
    texts = written_texts(Gate(written=100))
    old = [1.0 * len(text.reply) for text in texts]
    assert len({text.keyword for text in texts}) > 20
    for more, expected in ((0.0, "passed"), (0.05, "passed"), (0.2, "failed")):
        new = [nats + more * len(text.reply) for nats, text in zip(old, texts, strict=True)]
        assert forgetting_figure(old, new, texts, Gate()).outcome == expected
    assert forgetting_figure(old[:9], old[:9], texts[:9], Gate()).outcome == "too few"


def test_a_vote_on_a_chat_is_read_in_its_turns(tmp_path: Path) -> None:
    chat = vote("ann", "", "I am fine.", True) | {"kind": "chat", "messages": [{"role": "user", "content": "how now"}]}
    curated = read_curated_votes(curated_folder(tmp_path / "data", {"kto/test": [chat]}), validation=False)
    assert text_of(curated.votes[0], "Fine.") == Text("", (("user", "how now"),), "Fine.")
