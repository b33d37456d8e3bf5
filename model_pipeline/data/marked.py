"""Reads a file of marked quotes, what a reader said of several on one keyword, as preferences; trains nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from model_pipeline.data.curated import Opinion
from model_pipeline.data.items import Message
from model_pipeline.data.json_lines import read_json_lines
from model_pipeline.data.splits import split_of
from model_pipeline.errors import InputInvalid

VALIDATION_SHARE = 0.06  # of the keywords; none are for a test
PAIRS_A_GOOD_QUOTE = (
    2  # with bad ones on the same keyword, drawn by lot: a keyword of many good ones is not all there is
)
SOURCE = "mark"
_NONE = object()
MarkedList = tuple[str, list[str], list[bool]]


@dataclass(frozen=True, slots=True)
class Marked:
    """The lines of such a file. No member of a community said any of it, so no `export` of a bot is behind it.

    A line has `keyword`, `quotes` (two or more that a model wrote), `good` (the places in that list, from 0, of those
    that a reader would post), and `best` and `worst`, the places of the nearest to a good one and the farthest. It may
    have `mends`: pairs of the place of a quote that a reader made of another one, and the place of that other one.
    """

    place: Path
    sha256: str
    lines: Sequence[Mapping[str, Any]] = field(repr=False)
    export: str = ""

    def opinions(self, name: str, split: str, sources: Sequence[str] = ()) -> list[Opinion]:
        """A split of what the set `sft`, `kto` or `dpo` makes of the lines, as `Curated.opinions`.

        sft holds the good quotes and kto all of them; dpo each good one with bad ones on its keyword, a mended one with
        what it was made of, and where none is good, the best with the worst. Keywords are divided, and never the quotes
        on one.
        """
        if sources and SOURCE not in sources:
            return []
        return [
            opinion
            for line in self.lines
            if split_of(line["keyword"].casefold(), VALIDATION_SHARE, 0.0, 0) == split
            for opinion in _opinions(name, line)
        ]

    def lists(self, split: str) -> list[MarkedList]:
        """Of each line of a split its keyword, the quotes that a model wrote, and which are good: no mends."""
        found = []
        for line in self.lines:
            if split_of(line["keyword"].casefold(), VALIDATION_SHARE, 0.0, 0) == split:
                mended, good = {mend for mend, _ in line.get("mends", ())}, set(line["good"])
                own = [place for place in range(len(line["quotes"])) if place not in mended]
                found.append(
                    (line["keyword"], [line["quotes"][place] for place in own], [place in good for place in own])
                )
        return found


def read_marked(path: Path) -> Marked:
    """The marks. Raises `InputInvalid`, which names the line that is none."""
    lines = read_json_lines(path)
    for number, line in enumerate(lines, start=1):
        if reason := _why_not(line):
            raise InputInvalid(f"Line {number} of {path} marks no quotes: {reason}.")
    return Marked(path, hashlib.sha256(path.read_bytes()).hexdigest(), lines)


def _opinions(name: str, line: Mapping[str, Any]) -> list[Opinion]:
    quotes, good, mends = line["quotes"], set(line["good"]), dict(line.get("mends", ()))
    bad = [place for place in range(len(quotes)) if place not in good]

    def opinion(*places: int, liked: bool = True) -> Opinion:
        asked, texts = (Message("user", line["keyword"]),), tuple(quotes[place] for place in places)
        named = " ".join((line["keyword"], name, *map(str, places)))
        return Opinion(named, "quote", line["keyword"], asked, texts, liked, 1.0, (SOURCE,))

    match name:
        case "sft":
            return [opinion(place) for place in sorted(good)]
        case "kto":
            return [opinion(place, liked=place in good) for place in range(len(quotes))]
        case _ if good:
            lot = Random(line["keyword"])
            drawn = {
                place: [mends[place]] if place in mends else lot.sample(bad, min(PAIRS_A_GOOD_QUOTE, len(bad)))
                for place in sorted(good)
            }
            return [opinion(*pair) for place, others in drawn.items() for pair in product([place], others)]
        case _:
            return [opinion(line["best"], line["worst"])]


def _why_not(line: Mapping[str, Any]) -> str:
    keyword, quotes, good = (line.get(name) for name in ("keyword", "quotes", "good"))
    if not isinstance(keyword, str) or not keyword.strip():
        return "it has no keyword"
    if (
        not isinstance(quotes, list)
        or len(quotes) < 2
        or not all(isinstance(one, str) and one.strip() for one in quotes)
    ):
        return "quotes is not a list of two texts or more"
    if reason := why_no_places("good", good, len(quotes), "quotes"):
        return reason
    if reason := why_no_places("best and worst", [line.get("best"), line.get("worst")], len(quotes), "quotes"):
        return reason
    if line["best"] == line["worst"]:
        return "best and worst are the same quote"
    return _why_no_mends(line.get("mends", []), set(good), len(quotes))


def _why_no_mends(mends: object, good: set[int], count: int) -> str:
    if not isinstance(mends, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(_is_place(place, count) for place in pair) for pair in mends
    ):
        return "mends is not a list of pairs of places"
    wrong = next((pair for pair in mends if pair[0] not in good or pair[1] in good), None)
    return f"the mend {wrong} is not of a good quote and one that is not" if wrong else ""


def why_no_places(name: str, places: object, count: int, texts: str) -> str:
    """What is wrong with places in a list of `count` texts, or nothing."""
    if not isinstance(places, list):
        return f"{name} is not a list of places"
    wrong = next((place for place in places if not _is_place(place, count)), _NONE)
    return "" if wrong is _NONE else f"{wrong!r} is no place in a list of {count} {texts}, counted from 0"


def _is_place(place: object, count: int) -> bool:
    return isinstance(place, int) and not isinstance(place, bool) and 0 <= place < count
