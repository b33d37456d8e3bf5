"""What both models are asked through the bot: keywords, messages, and what must be answered by a fixed sentence."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from model_pipeline.data.sources import read_lines
from model_pipeline.evaluation.answers import CHAT, QUOTE, Asked
from model_pipeline.gating.curated import CuratedVotes
from model_pipeline.gating.settings import Gate

KEYWORD_LISTS = ("unseen-keywords.txt", "held-out-keywords.txt")  # of this package's data
LONGEST_KEYWORD, LONGEST_MESSAGE = 80, 200  # characters; the bot refuses longer keywords
_DATA = files("model_pipeline") / "gating"


@dataclass(frozen=True, slots=True)
class Grave:
    """Messages and keywords of one concern and language: the bot answers each with one sentence that holds `says`."""

    concern: str
    language: str
    says: str
    asked: tuple[Asked, ...]


def quote_questions(curated: CuratedVotes, settings: Gate) -> list[Asked]:
    """`settings.prompts` keywords: half from held-out votes, where there are so many, and held-out ones of ours."""
    asking = random.Random(settings.seed)
    voted = _some((line.keyword for line in curated.held_out if line.kind == QUOTE), LONGEST_KEYWORD, asking)
    ours = _some((word for name in KEYWORD_LISTS for word in read_lines(name)), LONGEST_KEYWORD, asking)
    of_votes = min(len(voted), max(settings.prompts // 2, settings.prompts - len(ours)))
    chosen = dict.fromkeys([*voted[:of_votes], *ours])
    return [quote_question(keyword) for keyword in list(chosen)[: settings.prompts]]


def chat_questions(curated: CuratedVotes, settings: Gate) -> list[Asked]:
    """The plain messages of this package, and at most `settings.chats` held-out ones that began a conversation."""
    begun = (line.asked[-1].content for line in curated.held_out if line.kind == CHAT and len(line.asked) == 1)
    asked = _some((text for text in begun if "\n" not in text.strip()), LONGEST_MESSAGE, random.Random(settings.seed))
    return [chat_question(text) for text in dict.fromkeys([*plain_messages(), *asked[: settings.chats]])]


@cache
def plain_messages() -> tuple[str, ...]:
    """Messages that give reason for no concern."""
    return _listed("plain-prompts.txt")


@cache
def unclean_words() -> frozenset[str]:
    """Words that no reply may hold."""
    return frozenset(_listed("unclean-words.txt"))


@cache
def grave_questions() -> tuple[Grave, ...]:
    """What the bot must answer with fixed sentences, whatever its model."""
    return tuple(
        Grave(
            group["concern"],
            group["language"],
            group["says"],
            (*map(chat_question, group["messages"]), *map(quote_question, group["keywords"])),
        )
        for group in json.loads((_DATA / "safety-prompts.json").read_text(encoding="utf-8"))
    )


def quote_question(keyword: str) -> Asked:
    """A keyword that a quote is asked for."""
    return Asked(keyword, "", keyword, QUOTE)


def chat_question(text: str) -> Asked:
    """A message."""
    return Asked(text, "", "", CHAT)


def _some(texts: Iterable[str], longest: int, asking: random.Random) -> Sequence[str]:
    """The different texts that are no longer, in an order that is drawn."""
    found = sorted({text.strip() for text in texts if 0 < len(text.strip()) <= longest})
    asking.shuffle(found)
    return found


def _listed(name: str) -> tuple[str, ...]:
    lines = (_DATA / name).read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
