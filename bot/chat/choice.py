"""Which of several quotes on a keyword is given: weighs what is known of each; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

import snowballstemmer

from bot.chat.generation import Candidate
from bot.chat.ports import Judge
from bot.chat.quotes import same_text_key, words_of

# In log odds that a reader would post the quote: near what `python -m benchmarks.choice_weights` fits to readers'
# marks, which names the first four in this order. The last three are rules, and outweigh most of what the others say.
UNLIKELY = 0.17  # for each nat less likely than the likeliest of them; a judge of readers weighs that itself
NAMES_KEYWORD = 1.0
SAYS_AGAIN = 1.5  # for each longer word that stands in it once more, in whatever form
JUDGED = 0.1  # for each of the judge's log odds that a person wrote it
READERS_JUDGED = 1.0  # for each of its log odds that a reader would post it
WORN = 0.1  # for each of `WornTurns.worn`: of 1,000 quotes a fifth more pairs of words differ (see DECISIONS.md)
MADE_UP = 3.0  # for each word that the model never learned
COPY = 12.0
LIKE_SEEN = 10.0  # for a quote whose words this person saw all lately
# In log odds that a reader would find that a reply fits; of 160 replies 75 fit with it, and 69 without (DECISIONS.md).
UNLIKELY_REPLY = 0.3  # for each nat

_USUAL_TOKENS = 20.0  # of a quote, and of a small model's reply, before any was written
_NEWEST = 0.3  # weight of the newest choice in the mean length: a few long replies say that a model writes long ones

_SMALL = frozenset(
    ("the", "a", "an", "and", "for", "of", "to", "in", "on", "at", "with", "my", "your")
)  # of a keyword of several words


class ChoiceSize:
    """How many candidates fit into the time for a choice: learned from what the last choices took.

    `seconds` is that time, from the request on; `usual_tokens` is the length of such a text lately.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._size, self._most, self._seconds = most, most, seconds
        self.usual_tokens = _USUAL_TOKENS

    def seconds_left(self, waited_s: float) -> float:
        """The time that is left after so many seconds; never less than half of it, without which there is no choice."""
        return max(self._seconds / 2, self._seconds - waited_s)

    def next(self, at_once: int) -> int:
        """So many, where `at_once` can be written at the same time; at least 1."""
        return max(1, min(self._size, at_once))

    def took(self, begun: int, took_s: Sequence[float], within_s: float, tokens: float) -> None:
        """The seconds of those that had ended when the choice was made, one or more: fewer next time if too few had.

        `begun` is how many there were, `within_s` the time that they had, and `tokens` the mean length of those that
        ended. Only where the choice had to wait for half of them are there fewer by more than a quarter: how long the
        rest would have taken does not follow from their number, since sixteen texts at once take little longer than
        eight. Of one alone where there could be more, because others waited, only the length counts.
        """
        self.usual_tokens += _NEWEST * (tokens - self.usual_tokens)
        if begun == 1 < self._size:
            return
        in_time = sum(seconds <= within_s for seconds in took_s)
        if in_time < begun / 2:
            self._size = max(1, min(begun * 3 // 4, int(len(took_s) * within_s / max(took_s))))
        elif in_time < begun * 3 / 4:
            self._size = max(1, begun * 3 // 4)
        elif begun >= self._size:
            self._size = min(self._most, begun + max(1, begun // 4))


def best_of(
    keyword: str,
    choices: Sequence[Candidate],
    seen: Sequence[str],
    judge: Judge | None,
    worn: Callable[[str], float] = lambda text: 0.0,
) -> Candidate:
    """The quote to give. Without a judge, keyword, likelihood and what was seen lately decide.

    `worn` says how worn a quote's turns of phrase are, as `WornTurns.worn` does.
    """
    judged = judge.scores(keyword, choices) if judge else [0.0] * len(choices)
    of_readers = judge is not None and judge.of_readers
    nats = [None if of_readers else choice.finished.nats for choice in choices]
    least = min((each for each in nats if each is not None), default=0.0)
    lately = [_words(text) for text in seen]

    def worth(number: int) -> float:
        text, surprise = choices[number].text, nats[number]
        return (
            (READERS_JUDGED if of_readers else JUDGED) * judged[number]
            + NAMES_KEYWORD * names(keyword, text)
            - UNLIKELY * ((surprise if surprise is not None else least) - least)
            - SAYS_AGAIN * repeated(text)
            - MADE_UP * (judge.unknown_words(keyword, text) if judge else 0)
            - COPY * bool(judge and judge.is_copy(text))
            - LIKE_SEEN * _likeness(text, lately)
            - WORN * worn(text)
        )

    return choices[max(range(len(choices)), key=worth)]


def best_reply(said: str, replies: Sequence[Candidate], judge: Judge | None) -> Candidate:
    """The reply to give to all that was `said`.

    Where the judge learned which ones readers find fitting, that counts, with the likelihood beside it; else the one
    that the model finds least surprising as a whole: of sixteen replies of a small model either fits more often than
    one by lot (see DECISIONS.md).
    """
    of_replies = judge is not None and judge.of_replies
    fits = judge.reply_scores(replies) if judge is not None and of_replies else [0.0] * len(replies)
    unlikely = UNLIKELY_REPLY if of_replies else 1.0

    def worth(number: int) -> float:
        text, nats = replies[number].text, replies[number].finished.nats or 0.0
        made_up = judge.unknown_words(said, text) if judge else 0
        return fits[number] - unlikely * nats - SAYS_AGAIN * repeated(text) - MADE_UP * made_up

    return replies[max(range(len(replies)), key=worth)]


def names(keyword: str, text: str) -> float:
    """The share of the keyword's words of which the text holds a form: 1 where it names the whole keyword."""
    words = _words(keyword)
    wanted = _stems(words - _SMALL or words)
    return len(wanted & _stems(_words(text))) / max(1, len(wanted))


def repeated(text: str) -> int:
    """How many words of four letters or more say again what stands there already ("a castle is a castle")."""
    long = [word for word in words_of(text) if len(word) > 3]
    return len(long) - len(_stems(long))


def _words(text: str) -> frozenset[str]:
    return frozenset(words_of(text))


def _stems(words: Iterable[str]) -> frozenset[str]:
    """What the forms of a word have in common, by Porter's rules for English, which part rain from rainy."""
    return frozenset(_stem(word) for word in words)


@lru_cache(maxsize=10_000)  # quotes share most of their words, and the stemmer is slow
def _stem(word: str) -> str:
    return re.sub(r"(?<=...)i$", "", _stemmer().stemWord(word))


@cache
def _stemmer() -> Any:
    return snowballstemmer.stemmer("english")


def _likeness(text: str, lately: Sequence[frozenset[str]]) -> float:
    """How much of the quote's wording the likest of the earlier ones shares: 0 to 1, and little counts for nothing."""
    own = _words(text)
    most = max((len(own & other) / math.sqrt(max(1, len(own)) * max(1, len(other))) for other in lately), default=0.0)
    return max(0.0, most - 0.5) * 2


def unseen(choices: Sequence[Candidate], seen: Sequence[str]) -> list[Candidate]:
    """The quotes that this person did not see lately."""
    keys = {same_text_key(text) for text in seen}
    return [choice for choice in choices if same_text_key(choice.text) not in keys]
