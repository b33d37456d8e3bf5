"""How much each word of a person counts, so that neither one person nor a crowd of a minute decides; knows no text.

A word is a vote, a choice between two replies, or a correction. Its weight is the product of

- 1, or `weak_weight` for what a person did and did not say (a retry, a share, a favourite);
- min(1, sqrt(full / n), most / n), with n words of that person: up to `full_votes_a_person` count in full, then their
  sum grows like a square root, and it never exceeds `most_votes_a_person`;
- burst_votes / c where a window of `burst_seconds` around it holds c > burst_votes words of that person: no window of
  one person weighs more than burst_votes;
- burst_people / c where such a window holds c > burst_people people who say the same of the same reply: however many
  arrive together, they weigh no more than burst_people.

Every factor is at most 1, so no weight is above it.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from model_pipeline.curation.settings import WEAK_SOURCES, Curate


@dataclass(frozen=True, slots=True)
class Word:
    """Who said what about which reply or pair; `at` in seconds, None where an export does not tell."""

    person: str
    about: str
    value: str
    source: str
    at: float | None

    @property
    def weak(self) -> bool:
        """The person did something, and said nothing."""
        return self.source in WEAK_SOURCES


def weigh(words: Sequence[Word], settings: Curate) -> list[float]:
    """The weight of each word, above 0 and at most 1; the words of one person sum to most_votes_a_person or less."""
    of_people, of_crowds = _places(words, _person), _places(words, _crowd)
    weights = [settings.weak_weight if word.weak else 1.0 for word in words]
    for places in of_people.values():
        share = share_of_person(len(places), settings.full_votes_a_person, settings.most_votes_a_person)
        for place in places:
            weights[place] *= share
    for groups, most in ((of_people, settings.burst_votes), (of_crowds, settings.burst_people)):
        for places in groups.values():
            _damp(weights, words, places, most, settings.burst_seconds)
    return weights


def share_of_person(words: int, full: int, most: int) -> float:
    """What each of so many words of one person counts for."""
    return min(1.0, math.sqrt(full / words), most / words)


def burst_shares(times: Sequence[float], most: int, seconds: float) -> list[float]:
    """For each of ascending times, what it counts for: no window of so many seconds sums to more than `most`."""
    within = _counts_from(times, seconds)
    shares, largest = [], deque[int]()  # starts of the windows that hold the time, the fullest first
    for place, time in enumerate(times):
        while largest and within[largest[-1]] <= within[place]:
            largest.pop()
        largest.append(place)
        while time - times[largest[0]] > seconds:
            largest.popleft()
        shares.append(min(1.0, most / within[largest[0]]))
    return shares


def _counts_from(times: Sequence[float], seconds: float) -> list[int]:
    """How many times lie in the window that each begins."""
    counts, end = [], 0
    for place, time in enumerate(times):
        while end < len(times) and times[end] - time <= seconds:
            end += 1
        counts.append(end - place)
    return counts


def _damp(weights: list[float], words: Sequence[Word], places: Iterable[int], most: int, seconds: float) -> None:
    timed = sorted((at, place) for place in places if (at := words[place].at) is not None)
    shares = burst_shares([at for at, _ in timed], most, seconds)
    for (_, place), share in zip(timed, shares, strict=True):
        weights[place] *= share


def _places(words: Sequence[Word], key: Callable[[Word], Hashable]) -> dict[Hashable, list[int]]:
    places: dict[Hashable, list[int]] = defaultdict(list)
    for place, word in enumerate(words):
        places[key(word)].append(place)
    return places


def _person(word: Word) -> Hashable:
    return word.person


def _crowd(word: Word) -> Hashable:
    return word.about, word.value, word.weak
