"""Whether held-out votes speak for a change: shown where they do, and hardly ever where they say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.errors import InputInvalid
from model_pipeline.gating.preference import (
    Pair,
    Vote,
    comparisons,
    equal_people,
    preference_margin,
    preferred_share,
    share_difference,
)
from tests.pipeline.gating.null_worlds import draw_world

SCORES = st.floats(-1, 1, width=16)
PAIRS = st.lists(st.builds(Pair, st.sampled_from("abcdefgh"), st.just(1.0), SCORES, SCORES), min_size=1, max_size=25)


@pytest.mark.parametrize(("votes", "pairs"), [(6, 2), (6, 0), (0, 6)])
def test_votes_that_mean_nothing_hardly_ever_show_a_preference(votes: float, pairs: float) -> None:
    random, worlds = np.random.default_rng(7), 300
    shown = sum(
        preference_margin(*draw_world(random, 40, votes=votes, pairs=pairs), seed=world).low > 0
        for world in range(worlds)
    )
    assert shown / worlds <= 0.05


def test_a_taste_is_shown_and_its_opposite_is_not_promoted() -> None:
    random = np.random.default_rng(3)
    liked, disliked = draw_world(random, 60, taste=0.6), draw_world(random, 60, taste=-0.6)
    assert preference_margin(*liked, seed=0).low > 0
    assert preference_margin(*disliked, seed=0).high < 0
    share, low, high = preferred_share(*liked, seed=0)
    assert 0.5 < low < share < high < 1


def test_many_votes_of_one_person_are_one_opinion() -> None:
    """The same 200 pairs are proof from 40 people, and none from one of them among five who disagree."""
    changes = np.random.default_rng(0).normal(0.02, 0.03, 200)
    of_many = [Pair(f"p{n % 40}", 1.0, float(change), 0.0) for n, change in enumerate(changes)]
    of_one = [Pair("p0" if n < 190 else f"p{n % 5 + 1}", 1.0, float(c), 0.0) for n, c in enumerate(changes)]
    assert preference_margin(of_many, [], seed=0).shown
    assert not preference_margin(of_one, [], seed=0).shown
    assert equal_people(of_many, []) == pytest.approx(40)
    assert equal_people(of_one, []) < 1.2


def test_a_handful_of_people_shows_nothing_however_sure_they_are() -> None:
    pairs = [Pair(f"p{n % 5}", 1.0, 1.0 + n / 1000, 0.0) for n in range(500)]
    assert not preference_margin(pairs, [], seed=0).shown


def test_one_person_who_alone_finds_anything_good_shows_nothing() -> None:
    bad = [Vote(f"p{n}", 1.0, "quote", False, n / 1000) for n in range(40)]
    good = [Vote("one", 1.0, "quote", True, 1.0 + n / 1000) for n in range(40)]
    found = preference_margin([], [*bad, *good], seed=0)
    assert found.estimate > 0.9 and not found.shown


def test_no_change_is_no_preference() -> None:
    pairs = [Pair(f"p{n}", 1.0, 0.0, 0.0) for n in range(50)]
    found = preference_margin(pairs, [], seed=0)
    assert (found.estimate, found.low, found.high, found.shown) == (0, 0, 0, False)
    assert preferred_share(pairs, [], seed=0).tolist() == [0.5, 0.5, 0.5]


def test_votes_are_compared_within_their_kind() -> None:
    """Chats gained and are all good, quotes lost and are all bad: that says nothing about either."""
    votes = [Vote(f"p{n}", 1.0, kind, kind == "chat", gain) for n in range(30) for kind, gain in GAINS]
    with pytest.raises(InputInvalid, match="no kind of text with both good and bad votes"):
        preference_margin([], votes, seed=0)
    assert comparisons([], votes) == 0


GAINS = (("chat", 0.5), ("quote", -0.5))


def test_pairs_and_votes_are_added_up_by_what_they_weigh() -> None:
    pairs = [Pair(f"p{n}", 1.0, 0.3, 0.0) for n in range(20)]
    votes = [Vote(f"p{n}", 1.0, "quote", n % 2 == 0, 0.1 * (n % 2 == 0)) for n in range(40)]
    found = preference_margin(pairs, votes, seed=0)
    assert found.estimate == pytest.approx((0.3 * 10 + 0.1 * 10) / 20)  # 20 pairs weigh as 20 good and 20 bad votes
    assert comparisons(pairs, votes) == 40


@settings(max_examples=30, deadline=None)
@given(PAIRS, st.integers(0, 3))
def test_turning_every_pair_round_turns_the_figure_round(pairs: list[Pair], seed: int) -> None:
    turned = [Pair(pair.person, pair.weight, pair.rejected, pair.chosen) for pair in pairs]
    there, back = preference_margin(pairs, [], seed), preference_margin(turned, [], seed)
    assert there.estimate == pytest.approx(-back.estimate, abs=1e-9)
    assert there.low <= there.estimate <= there.high
    assert there.shown == back.shown
    assert preferred_share(pairs, [], seed)[0] == pytest.approx(1 - preferred_share(turned, [], seed)[0])


@settings(max_examples=30, deadline=None)
@given(PAIRS, st.floats(-5, 5))
def test_a_change_of_every_text_alike_is_no_preference(pairs: list[Pair], drift: float) -> None:
    drifted = [Pair(pair.person, pair.weight, pair.chosen + drift, pair.rejected + drift) for pair in pairs]
    assert preference_margin(drifted, [], 0).estimate == pytest.approx(
        preference_margin(pairs, [], 0).estimate, abs=1e-6
    )


def test_the_share_of_single_votes_is_the_area_under_the_curve() -> None:
    votes = [Vote("a", 1.0, "quote", good, score) for good, score in ((True, 3), (True, 1), (False, 2), (False, 0))]
    assert preferred_share([], votes, seed=0)[0] == pytest.approx(0.75)
    better = [Vote("a", 1.0, "quote", vote.good, vote.score + 5 * vote.good) for vote in votes]
    assert share_difference(([], votes), ([], better), seed=0).estimate == pytest.approx(0.25)
