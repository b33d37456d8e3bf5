"""Which of several quotes is given, and what counts as naming a keyword."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from bot.chat.choice import ChoiceSize, best_of, best_reply, names, unseen
from bot.chat.generation import Candidate, Finished, FinishReason
from bot.chat.ports import Judge
from bot.chat.worn_turns import WornTurns


def choice(text: str, nats: float | None = 10.0) -> Candidate:
    return Candidate(text, Finished(FinishReason.END, 5, 5, 9, 0.0, 0.1, 0.2, nats=nats, drawn=10))


class Knows(Judge):
    """A judge without a taste that has learned some texts by heart."""

    of_readers = of_replies = False

    def __init__(self, *learned: str) -> None:
        self.learned = learned

    def scores(self, keyword: str, candidates: Sequence[Candidate]) -> Sequence[float]:
        return [0.0] * len(candidates)

    def is_copy(self, quote: str) -> bool:
        return quote in self.learned

    def reply_scores(self, candidates: Sequence[Candidate]) -> Sequence[float]:
        return [0.0] * len(candidates)

    def unknown_words(self, asked: str, text: str) -> int:
        return text.count("glorf")


class Read(Knows):
    """A judge that knows what readers would post, and which reply they would find fitting."""

    of_readers = of_replies = True

    def __init__(self, posted: str) -> None:
        super().__init__()
        self.posted = posted

    def scores(self, keyword: str, candidates: Sequence[Candidate]) -> Sequence[float]:
        return [2.0 * (candidate.text == self.posted) for candidate in candidates]

    def reply_scores(self, candidates: Sequence[Candidate]) -> Sequence[float]:
        return self.scores("", candidates)


RAIN, SUN, RAINY = "Rain fills the river.", "The sun dries the road.", "A rainy day is for soup."


def test_the_quote_that_names_the_keyword_is_given() -> None:
    assert best_of("rain", [choice(SUN, 8.0), choice(RAIN)], [], None).text == RAIN


def test_of_two_that_name_it_the_likelier_is_given() -> None:
    assert best_of("rain", [choice(RAIN, 30.0), choice(RAINY, 10.0)], [], None).text == RAINY


def test_a_quote_that_says_a_word_again_gives_way() -> None:
    again, once = "A castle is a castle for castles.", "A castle keeps its gate open."
    assert best_of("castle", [choice(again, 10.0), choice(once, 18.0)], [], None).text == once


def test_what_the_model_learned_by_heart_is_given_last() -> None:
    assert best_of("rain", [choice(RAIN), choice(SUN)], [], Knows(RAIN)).text == SUN


def test_what_readers_would_post_is_given_though_another_is_likelier() -> None:
    likelier, posted = choice(RAIN, 10.0), choice(RAINY, 30.0)
    assert best_of("rain", [likelier, posted], [], None).text == RAIN
    assert best_of("rain", [likelier, posted], [], Read(RAINY)).text == RAINY


def test_what_the_person_read_in_nearly_these_words_is_not_given_again() -> None:
    assert best_of("rain", [choice(RAIN), choice(RAINY, 20.0)], ["The rain fills the river!"], None).text == RAINY


def test_a_likelihood_that_is_not_known_counts_for_nothing() -> None:
    assert best_of("rain", [choice(SUN, None), choice(RAIN, None)], [], None).text == RAIN


def test_only_what_was_not_seen_is_left() -> None:
    assert [each.text for each in unseen([choice(RAIN), choice(SUN)], ["RAIN fills the river"])] == [SUN]


@pytest.mark.parametrize(
    ("keyword", "text", "share"),
    [
        ("rain", "It rains.", 1.0),
        ("rain", "Rainy days end.", 1.0),
        ("try", "She tried.", 1.0),
        ("rain", "The train leaves.", 0.0),
        ("rain, coffee", "Rain is loud.", 0.5),
        ("the first day of school", "A first school day.", 1.0),
        ("the", "The one and only.", 1.0),
        ("Nadia", "Ask Nadia.", 1.0),
        ("", "Nothing was asked.", 0.0),
    ],
)
def test_a_text_names_a_keyword_by_any_of_its_forms(keyword: str, text: str, share: float) -> None:
    assert names(keyword, text) == share


def test_of_two_like_quotes_the_one_with_less_worn_turns_is_given() -> None:
    turns = WornTurns(10)
    choices = [choice("Rain was gone before the guests came."), choice("Rain fills the old river.")]
    assert best_of("rain", choices, [], None, partial(turns.worn, "rain")) is choices[0]
    for word in ("Snow", "Cake", "Tea"):
        turns.add(f"{word} was gone before the guests came.")
    assert best_of("rain", choices, [], None, partial(turns.worn, "rain")) is choices[1]


def test_a_quote_with_a_word_that_the_model_made_up_is_no_choice() -> None:
    made_up = choice("Rain is a glorf for the river.", 8.0)
    assert best_of("rain", [made_up, choice(RAIN, 20.0)], [], Knows()).text == RAIN
    assert best_of("rain", [made_up], [], Knows()).text == made_up.text


def test_the_likeliest_reply_is_given_unless_it_says_a_word_again() -> None:
    soup = choice("Soup is warm. What is in your soup?", 9.0)
    for judge in (None, Knows()):  # which says nothing of replies
        assert best_reply("soup!", [choice(SUN, 12.0), soup], judge).text == soup.text
        assert best_reply("soup!", [choice(SUN, 10.0), soup], judge).text == SUN
        assert best_reply("soup!", [choice(SUN, None), choice(RAIN, None)], judge).text == SUN  # where none is told


def test_the_reply_that_readers_find_fitting_is_given_unless_it_is_far_less_likely() -> None:
    assert best_reply("hi", [choice(SUN, 8.0), choice(RAIN, 13.0)], Read(RAIN)).text == RAIN
    assert best_reply("hi", [choice(SUN, 8.0), choice(RAIN, 30.0)], Read(RAIN)).text == SUN


def test_a_reply_with_a_word_that_the_model_made_up_gives_way() -> None:
    assert best_reply("hi", [choice("What a glorf!", 8.0), choice(SUN, 9.0)], Knows()).text == SUN
    assert best_reply("hi", [choice("What a glorf!"), choice(SUN)], Read("What a glorf!")).text == SUN


def test_a_choice_that_takes_too_long_is_made_smaller_until_it_fits() -> None:
    size = ChoiceSize(16, 0.35)
    assert size.next(64) == 16
    size.took(16, [0.3] * 3 + [0.7] * 5, 0.35, 20)  # half of them had to be waited for
    assert size.next(64) == 4
    size.took(4, [0.36] * 4, 0.35, 20)
    assert size.next(64) == 3
    for _ in range(20):
        size.took(size.next(64), [0.1] * size.next(64), 0.35, 20)
    assert size.next(64) == 16
    assert size.next(3) == 3


def test_a_choice_that_most_texts_are_in_time_for_stays_as_it_is() -> None:
    size = ChoiceSize(16, 0.35)
    size.took(16, [0.3] * 12, 0.35, 20)
    assert size.next(64) == 16
    size.took(16, [0.3] * 13 + [0.351], 0.35, 20)  # the last one ended while the others were being counted
    assert size.next(64) == 16
    size.took(16, [0.3] * 11, 0.35, 20)
    assert size.next(64) == 12
    size.took(12, [0.3] * 9, 0.35, 20)
    assert size.next(64) == 15


def test_what_was_in_time_is_what_took_no_longer_than_was_left() -> None:
    size = ChoiceSize(16, 0.4)
    assert [size.seconds_left(waited_s) for waited_s in (0.0, 0.1, 0.3, 9.0)] == pytest.approx([0.4, 0.3, 0.2, 0.2])
    size.took(16, [0.28] * 11 + [0.35], 0.3, 20)
    assert size.next(64) == 12


def test_a_model_that_is_too_slow_for_two_writes_one() -> None:
    size = ChoiceSize(16, 0.35)
    size.took(16, [9.0] * 8, 0.35, 20)
    assert size.next(16) == 1
    size.took(1, [2.0], 0.35, 20)
    assert size.next(16) == 1
    size.took(1, [0.1], 0.35, 20)
    assert size.next(16) == 2


def test_long_replies_leave_room_for_fewer() -> None:
    size = ChoiceSize(16, 0.4)
    assert size.usual_tokens == 20
    for _ in range(12):
        size.took(1, [3.0], 0.4, 80)
    assert size.usual_tokens == pytest.approx(80, abs=1)


def test_one_alone_because_others_wait_says_nothing_of_the_next_choice() -> None:
    size = ChoiceSize(16, 0.4)
    size.took(1, [3.0], 0.4, 20)
    assert size.next(16) == 16


def test_without_time_there_is_no_choice() -> None:
    size = ChoiceSize(16, 0.0)
    size.took(size.next(16), [0.2] * size.next(16), 0.0, 20)
    assert size.next(16) == 1
