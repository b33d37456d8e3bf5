"""What people together say of a reply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.curation.verdicts import Verdict, decide
from model_pipeline.curation.weights import Word


def word(person: str, value: str, source: str = "button", at: float = 0) -> Word:
    return Word(person, "tea", value, source, at)


SPOKEN = st.sampled_from(("command", "button", "reaction"))
WEAK = st.sampled_from(("retry", "share", "favorite"))
PEOPLE, VALUES, WEIGHTS = st.sampled_from("abcdef"), st.sampled_from(("good", "bad")), st.floats(0.01, 1)
spoken = st.tuples(st.builds(word, PEOPLE, VALUES, SPOKEN, st.floats(0, 9)), WEIGHTS)
weak = st.tuples(st.builds(word, PEOPLE, VALUES, WEAK, st.floats(0, 9)), WEIGHTS)


def verdict(said: list[tuple[Word, float]], margin: float = 0.2) -> Verdict | None:
    return decide([one for one, _ in said], [weight for _, weight in said], margin)


@given(st.lists(spoken, min_size=1, max_size=12), st.lists(weak, max_size=12), st.floats(0, 0.9))
def test_weak_votes_never_beat_a_spoken_one(
    said: list[tuple[Word, float]], did: list[tuple[Word, float]], m: float
) -> None:
    assert verdict(said, m) == verdict([*did, *said], m)


@given(st.lists(st.one_of(spoken, weak), min_size=1, max_size=12), st.floats(0, 0.9))
def test_the_majority_wins(said: list[tuple[Word, float]], margin: float) -> None:
    found = verdict(said, margin)
    counted = [one for one in said if not one[0].weak] or said
    good, bad = (sum(weight for one, weight in counted if one.value == value) for value in ("good", "bad"))
    if found is None:
        assert abs(good - bad) < margin * (good + bad) + 1e-6
        return
    assert found.value == ("good" if good > bad else "bad")
    winners = [pair for pair in counted if pair[0].value == found.value]
    assert 0 < found.weight <= max(weight for one, weight in winners if one.person == found.person)
    assert set(found.sources) == {one.source for one, _ in winners}


@given(st.lists(st.tuples(PEOPLE, WEIGHTS), min_size=1, max_size=6))
def test_a_tie_says_nothing(said: list[tuple[str, float]]) -> None:
    both = [(word(person, value), weight) for value in ("good", "bad") for person, weight in said]
    assert verdict(both, margin=0) is None


def test_one_person_is_a_verdict_of_full_weight() -> None:
    assert verdict([(word("ada", "bad"), 1.0)]) == Verdict("bad", "ada", 1.0, ("button",), 1)


def test_contradiction_makes_a_verdict_lighter() -> None:
    found = verdict([(word("ada", "good"), 1.0), (word("bob", "good", at=1), 1.0), (word("cid", "bad"), 1.0)])
    assert found is not None and (found.person, found.people) == ("ada", 2)
    assert found.weight == pytest.approx(1 / 3)


def test_where_nobody_spoke_what_they_did_decides() -> None:
    found = verdict([(word("ada", "bad", "retry"), 0.3)])
    assert found == Verdict("bad", "ada", 0.3, ("retry",), 1)
