"""Reads a file of marked texts, what a reader said of several on one keyword or message, as preferences."""

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

VALIDATION_SHARE = 0.06  # of the keywords and conversations; none are for a test
PAIRS_A_GOOD_TEXT = (
    2  # with bad ones on the same keyword, drawn by lot: a keyword of many good ones is not all there is
)
SOURCE = "mark"


@dataclass(frozen=True, slots=True)
class MarkedTexts:
    """Texts that a model wrote on one keyword, or in reply to what was `said`, and which of them are good."""

    keyword: str
    said: tuple[Message, ...]  # of a person and the model by turns, a person's last; none where there is a keyword
    texts: tuple[str, ...]
    good: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Marked:
    """The lines of such a file. No member of a community said any of it, so no `export` of a bot is behind it.

    A line on quotes has `keyword`, and `quotes` (two or more that a model wrote); one on replies has `messages` (turns
    of {role, content}, of user and assistant by turns, a user's first and last), and `replies`. Both have `good` (the
    places in that list, from 0, of those that a reader would post or finds fitting), and may have `mends`: pairs of the
    place of a text that a reader made of another one, and the place of that other one. `best` and `worst`, the places
    of the nearest to a good one and the farthest, stand in each line on quotes.
    """

    place: Path
    sha256: str
    lines: Sequence[Mapping[str, Any]] = field(repr=False)
    export: str = ""

    def opinions(self, name: str, split: str, sources: Sequence[str] = ()) -> list[Opinion]:
        """A split of what the set `sft`, `kto` or `dpo` makes of the lines, as `Curated.opinions`.

        sft holds the good texts and kto all of them; dpo each good one with bad ones of its line, a mended one with
        what it was made of, and where no quote is good, the best with the worst. Keywords and conversations are
        divided, and never the texts of one.
        """
        if sources and SOURCE not in sources:
            return []
        return [opinion for line in self._of(split) for opinion in _opinions(name, line)]

    def lists(self, split: str) -> list[MarkedTexts]:
        """Of each line of a split the texts that a model wrote: no mends."""
        found = []
        for line in self._of(split):
            mended, good = {mend for mend, _ in line.get("mends", ())}, set(line["good"])
            own = [place for place in range(len(_texts(line))) if place not in mended]
            texts = tuple(_texts(line)[place] for place in own)
            found.append(
                MarkedTexts(line.get("keyword", ""), _said(line), texts, tuple(place in good for place in own))
            )
        return found

    def _of(self, split: str) -> list[Mapping[str, Any]]:
        return [line for line in self.lines if split_of(_group(line), VALIDATION_SHARE, 0.0, 0) == split]


def read_marked(path: Path) -> Marked:
    """The marks. Raises `InputInvalid`, which names the line that is none."""
    lines = read_json_lines(path)
    for number, line in enumerate(lines, start=1):
        if reason := _why_not(line):
            raise InputInvalid(f"Line {number} of {path} marks no {_kind(line)}: {reason}.")
    return Marked(path, hashlib.sha256(path.read_bytes()).hexdigest(), lines)


def _opinions(name: str, line: Mapping[str, Any]) -> list[Opinion]:
    texts, good = _texts(line), set(line["good"])
    mends: dict[int, list[int]] = {}  # a mend, and what it was made of
    for mend, made_of in line.get("mends", ()):
        mends.setdefault(mend, []).append(made_of)
    bad = [place for place in range(len(texts)) if place not in good]
    keyword, about = line.get("keyword", ""), _about(line)
    asked = _said(line) or (Message("user", keyword),)

    def opinion(*places: int, liked: bool = True) -> Opinion:
        named = " ".join((about, name, *map(str, places)))
        chosen = tuple(texts[place] for place in places)
        return Opinion(named, "quote" if keyword else "chat", keyword, asked, chosen, liked, 1.0, (SOURCE,))

    match name:
        case "sft":
            return [opinion(place) for place in sorted(good)]
        case "kto":
            return [opinion(place, liked=place in good) for place in range(len(texts))]
        case _ if good:
            lot = Random(about)
            drawn = {
                place: mends[place] if place in mends else lot.sample(bad, min(PAIRS_A_GOOD_TEXT, len(bad)))
                for place in sorted(good)
            }
            return [opinion(*pair) for place, others in drawn.items() for pair in product([place], others)]
        case _:
            return [opinion(line["best"], line["worst"])] if "best" in line else []


def _kind(line: Mapping[str, Any]) -> str:
    """What the line's texts are called, in it and to a person."""
    return "replies" if "messages" in line else "quotes"


def _texts(line: Mapping[str, Any]) -> Sequence[str]:
    texts: Sequence[str] = line[_kind(line)]
    return texts


def _said(line: Mapping[str, Any]) -> tuple[Message, ...]:
    return tuple(Message(turn["role"], turn["content"]) for turn in line.get("messages", ()))


def _about(line: Mapping[str, Any]) -> str:
    return str(line["keyword"]) if "keyword" in line else "\n".join(turn["content"] for turn in line["messages"])


def _group(line: Mapping[str, Any]) -> str:
    """What is never divided between the splits: a keyword, or a conversation, which may go on in another line."""
    return str(line["keyword"] if "keyword" in line else line["messages"][0]["content"]).casefold()


def _why_not(line: Mapping[str, Any]) -> str:
    kind, places = _kind(line), [("good", line.get("good"))]
    texts = line.get(kind)
    if kind == "quotes":
        if not _is_text(line.get("keyword")):
            return "it has no keyword"
        places.append(("best and worst", [line.get("best"), line.get("worst")]))
    elif "keyword" in line:
        return "it has a keyword too; give quotes on a keyword or replies to messages"
    elif reason := _why_no_turns(line["messages"]):
        return reason
    if not isinstance(texts, list) or len(texts) < 2 or not all(map(_is_text, texts)):
        return f"{kind} is not a list of two texts or more"
    for name, listed in places:
        if not isinstance(listed, list):
            return f"{name} is not a list of places"
        for place in listed:
            if not _is_place(place, len(texts)):
                return f"{place!r} is no place in a list of {len(texts)} {kind}, counted from 0"
    if kind == "quotes" and line["best"] == line["worst"]:
        return "best and worst are the same quote"
    return _why_no_mends(line.get("mends", []), set(line["good"]), len(texts))


def _why_no_turns(turns: object) -> str:
    if not isinstance(turns, list) or not turns or not all(map(_is_turn, turns)):
        return "messages is not a list of turns, each with a role and a content"
    wanted = [("user", "assistant")[place % 2] for place in range(len(turns))]
    if [turn["role"] for turn in turns] != wanted or wanted[-1] != "user":
        return "its turns are not of user and assistant by turns, with a user's first and last"
    return ""


def _why_no_mends(mends: object, good: set[int], count: int) -> str:
    if not isinstance(mends, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(_is_place(place, count) for place in pair) for pair in mends
    ):
        return "mends is not a list of pairs of places"
    wrong = next((pair for pair in mends if pair[0] not in good or pair[1] in good), None)
    return f"the mend {wrong} is not of a good text and one that is not" if wrong else ""


def _is_turn(turn: object) -> bool:
    return isinstance(turn, dict) and isinstance(turn.get("role"), str) and _is_text(turn.get("content"))


def _is_text(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _is_place(place: object, count: int) -> bool:
    return isinstance(place, int) and not isinstance(place, bool) and 0 <= place < count
