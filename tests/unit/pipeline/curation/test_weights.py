"""What a word counts for: never above 1, and nobody and no crowd above their cap."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.curation.settings import Curate, Source
from model_pipeline.curation.weights import Word, burst_shares, share_of_person, weigh

PEOPLE, ABOUT = ("ada", "bob", "cid"), ("tea", "rain")
words = st.lists(
    st.builds(
        Word,
        person=st.sampled_from(PEOPLE),
        about=st.sampled_from(ABOUT),
        value=st.sampled_from(("good", "bad")),
        source=st.sampled_from([str(source) for source in Source]),
        at=st.none() | st.floats(0, 1_000),
    ),
    max_size=120,
)
some_settings = st.builds(
    lambda full, more, votes, people, seconds, weak: Curate(
        full_votes_a_person=full,
        most_votes_a_person=full + more,
        burst_votes=votes,
        burst_people=people,
        burst_seconds=seconds,
        weak_weight=weak,
    ),
    st.integers(1, 30),
    st.integers(0, 30),
    st.integers(1, 10),
    st.integers(1, 10),
    st.floats(0, 500),
    st.floats(0.01, 1),
)


@settings(deadline=None)
@given(words, some_settings)
def test_no_weight_is_above_one_and_no_person_above_the_cap(said: list[Word], chosen: Curate) -> None:
    weights = weigh(said, chosen)
    assert len(weights) == len(said) and all(0 < weight <= 1 for weight in weights)
    sums: dict[str, float] = defaultdict(float)
    for word, weight in zip(said, weights, strict=True):
        sums[word.person] += weight
    assert all(total <= chosen.most_votes_a_person + 1e-9 for total in sums.values())


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), max_size=60).map(sorted), st.integers(1, 8), st.floats(0, 50))
def test_no_window_weighs_more_than_a_burst_may(times: list[float], most: int, seconds: float) -> None:
    shares = burst_shares(times, most, seconds)
    for start in times:
        within = [share for time, share in zip(times, shares, strict=True) if 0 <= time - start <= seconds]
        assert sum(within) <= most + 1e-9


@given(st.integers(1, 50), st.integers(0, 200), st.integers(1, 2_000))
def test_who_says_more_never_counts_for_less_in_all(full: int, more: int, said: int) -> None:
    def total(count: int) -> float:
        return count * share_of_person(count, full, full + more)

    assert total(said) <= total(said + 1) + 1e-9 and total(said) <= full + more + 1e-9


def test_the_words_of_one_person_grow_like_a_square_root() -> None:
    assert [round(n * share_of_person(n, 20, 100)) for n in (1, 20, 80, 500, 5_000)] == [1, 20, 40, 100, 100]


def word(person: str, at: float, about: str = "tea", source: str = "button") -> Word:
    return Word(person, about, "good", source, at)


def test_a_burst_of_one_person_counts_as_many_as_are_allowed() -> None:
    chosen = Curate(burst_votes=10, burst_seconds=60)
    burst = [word("ada", second, about=str(second)) for second in range(20)]
    calm = [word("ada", 10_000, about="later")]
    weights = weigh([*burst, *calm], chosen)
    full = share_of_person(21, chosen.full_votes_a_person, chosen.most_votes_a_person)
    assert weights == pytest.approx([full / 2] * 20 + [full])


def test_a_crowd_that_arrives_together_weighs_as_much_as_a_few() -> None:
    crowd = [word(f"p{number}", number) for number in range(30)]
    assert sum(weigh(crowd, Curate(burst_people=5, burst_seconds=60))) == pytest.approx(5)


def test_what_people_did_counts_less_than_what_they_said() -> None:
    said, did = weigh([word("ada", 0), word("bob", 1_000, source="share")], Curate(weak_weight=0.25))
    assert (said, did) == (1, 0.25)
