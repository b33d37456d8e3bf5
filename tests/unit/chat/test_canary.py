"""Who takes part in a canary, and what is counted of what people say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.canary import Canary, ModelsCompared, VoteOnModel, parse_share, weigh
from bot.chat.messages import ConversationKey, Platform, Preferred, Vote
from bot.chat.preference_evidence import Verdict
from bot.errors import InputError

BEGUN = datetime(2026, 11, 27, tzinfo=UTC)
CANARY = Canary("new", "n" * 64, "old", "o" * 64, 0.2, "salt", BEGUN)


def key(user: str, chat: str = "1") -> ConversationKey:
    return ConversationKey(Platform.DISCORD, chat, "", user)


def vote(person: int, model: str, value: Vote, minute: int = 0) -> VoteOnModel:
    return VoteOnModel(person, model * 64, value, BEGUN + timedelta(minutes=minute))


def compared(person: int, message: int, preferred: Preferred, left: str = "n", right: str = "o") -> ModelsCompared:
    return ModelsCompared(person, message, left * 64, right * 64, preferred, BEGUN + timedelta(minutes=message))


def test_about_the_share_of_the_people_takes_part() -> None:
    part = sum(CANARY.takes_part(key(str(user))) for user in range(5_000))
    assert 900 < part < 1_100


@given(st.text(min_size=1), st.text(), st.text())
def test_a_person_is_answered_by_the_same_model_in_all_chats(user: str, here: str, there: str) -> None:
    assert CANARY.takes_part(key(user, here)) == CANARY.takes_part(key(user, there))


def test_other_people_take_part_in_the_next_canary() -> None:
    again = Canary("new", "n" * 64, "old", "o" * 64, 0.2, "another salt", BEGUN)
    assert any(CANARY.takes_part(key(str(user))) != again.takes_part(key(str(user))) for user in range(100))


def test_votes_are_counted_for_the_model_that_wrote() -> None:
    said = [vote(1, "n", Vote.UP), vote(2, "n", Vote.DOWN), vote(3, "o", Vote.UP), vote(4, "o", Vote.DOWN)]
    found = weigh(CANARY, [*said, vote(5, "x", Vote.UP), vote(6, "n", Vote.NONE)])
    assert (found.new_up, found.new_down, found.old_up, found.old_down, found.people) == (1, 1, 1, 1, 4)
    assert found.verdict is Verdict.UNDECIDED


def test_of_a_persons_votes_on_a_model_the_first_counts() -> None:
    said = [vote(1, "n", Vote.DOWN, minute) for minute in range(1, 60)]
    found = weigh(CANARY, [*said, vote(1, "n", Vote.UP, 0)])
    assert (found.new_up, found.new_down) == (1, 0)


def test_of_each_comparison_a_persons_first_word_counts() -> None:
    said = [compared(1, 1, Preferred.LEFT), compared(1, 2, Preferred.RIGHT), compared(2, 2, Preferred.BOTH)]
    changed = ModelsCompared(1, 1, "n" * 64, "o" * 64, Preferred.RIGHT, BEGUN + timedelta(hours=9))
    found = weigh(CANARY, [*said, changed, compared(3, 3, Preferred.LEFT, "o", "n")])
    assert (found.new_wins, found.old_wins, found.people) == (1, 2, 2)


@pytest.mark.parametrize("first", [Preferred.BOTH, Preferred.NEITHER])
def test_who_liked_both_or_neither_first_decides_nothing_later(first: Preferred) -> None:
    changed = ModelsCompared(1, 1, "n" * 64, "o" * 64, Preferred.LEFT, BEGUN + timedelta(hours=9))
    found = weigh(CANARY, [compared(1, 1, first), changed, compared(2, 2, Preferred.RIGHT)])
    assert (found.new_wins, found.old_wins, found.people) == (0, 1, 1)


def test_two_replies_of_one_model_say_nothing_of_the_other() -> None:
    found = weigh(CANARY, [compared(1, 1, Preferred.LEFT, "n", "n"), compared(2, 2, Preferred.LEFT, "x", "o")])
    assert found.people == 0 and found.evidence == (1.0, 1.0)


@pytest.mark.parametrize(("winner", "verdict"), [(Preferred.LEFT, Verdict.BETTER), (Preferred.RIGHT, Verdict.WORSE)])
def test_what_people_like_is_found(winner: Preferred, verdict: Verdict) -> None:
    found = weigh(CANARY, [compared(person, person, winner) for person in range(60)])
    assert found.verdict is verdict
    assert max(found.new_wins, found.old_wins) < 60  # what is said after the decision is not counted


def test_one_person_alone_decides_nothing() -> None:
    many = [compared(1, message, Preferred.LEFT) for message in range(60)]
    assert weigh(CANARY, many).verdict is Verdict.UNDECIDED
    others = [compared(person, 60 + person, Preferred.LEFT) for person in range(2, 11)]
    assert weigh(CANARY, [*many, *others]).verdict is Verdict.BETTER


@pytest.mark.parametrize(("text", "share"), [("20%", 0.2), ("0.2", 0.2), (" 50% ", 0.5), ("1%", 0.01)])
def test_shares_are_read(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "0", "100%", "60%", "twenty", "nan", "-5%", "inf"])
def test_what_is_no_share_is_named(text: str) -> None:
    with pytest.raises(InputError, match="is no share of the people; give one from 1% to 50%, such as 20%"):
        parse_share(text)
