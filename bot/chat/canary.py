"""A new model that answers a part of the people, and what their votes show of it; knows no file and no worker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.chat.messages import ConversationKey, Preferred, Vote
from bot.chat.preference_evidence import PreferenceTest, Verdict
from bot.errors import InputError

LEAST_SHARE, MOST_SHARE = 0.01, 0.5
LEAST_PEOPLE = 10  # who said something, before anything is decided: one person may compare as often as they like


class CanaryState(StrEnum):
    """How far a canary is; the values are what its record says."""

    RUNNING = "running"
    PROMOTED = "promoted"  # the votes showed that the new model is liked better, and it answers everybody
    ROLLED_BACK = "rolled back"  # the votes showed harm, or an operator took it back
    STOPPED = "stopped"  # another model was chosen meanwhile
    FAILED = "failed"  # the new model could not be loaded


@dataclass(frozen=True, slots=True)
class Canary:
    """`name` answers a `share` of the people instead of `against`; who they are follows from the `salt`."""

    name: str
    sha256: str  # of the GGUF; hex
    against: str
    against_sha256: str
    share: float
    salt: str
    begun_at: datetime
    least_people: int = LEAST_PEOPLE
    state: CanaryState = CanaryState.RUNNING
    why: str = ""
    ended_at: datetime | None = None

    @property
    def running(self) -> bool:
        """Nothing is decided yet."""
        return self.state is CanaryState.RUNNING

    def takes_part(self, key: ConversationKey) -> bool:
        """Whether the new model answers this person: always the same, in all of their chats on the platform."""
        drawn = hashlib.sha256(f"{self.salt}:{key.person}".encode()).digest()
        return int.from_bytes(drawn[:8], "big") < self.share * 2**64


@dataclass(frozen=True, slots=True)
class VoteOnModel:
    """A person's spoken vote on a reply, and the model that wrote it."""

    person_id: int
    sha256: str
    vote: Vote
    at: datetime


@dataclass(frozen=True, slots=True)
class ModelsCompared:
    """Which of two replies a person liked better, and the models that wrote them."""

    person_id: int
    message_id: int
    left_sha256: str
    right_sha256: str
    preferred: Preferred
    at: datetime


@dataclass(frozen=True, slots=True)
class CanaryReport:
    """What was said so far, and what it shows; `evidence` is for better and for worse, 1 is none."""

    people: int
    new_up: int
    new_down: int
    old_up: int
    old_down: int
    new_wins: int
    old_wins: int
    evidence: tuple[float, float]
    verdict: Verdict


def weigh(canary: Canary, said: Iterable[VoteOnModel | ModelsCompared]) -> CanaryReport:
    """What people said of the two models, in the order in which they said it.

    The test holds for votes that say something of their own. So of votes on replies of one model only a person's first
    counts, as it was given, and of each comparison a person's first word; that they changed their mind later shows in
    what is trained on. Likings for both or neither are a first word too, and decide nothing; and nothing is decided by
    fewer than the canary's `least_people`.
    """
    test = PreferenceTest(max(1, round((1 - canary.share) / canary.share)))
    counts = dict.fromkeys(("new_up", "new_down", "old_up", "old_down", "new_wins", "old_wins"), 0)
    seen: set[tuple[int, str | int]] = set()
    people: set[int] = set()
    for one in sorted(said, key=lambda each: each.at):
        about = one.sha256 if isinstance(one, VoteOnModel) else one.message_id
        if (one.person_id, about) in seen:
            continue
        counted = _count(canary, one)
        if counted or isinstance(one, ModelsCompared):
            seen.add((one.person_id, about))
        if not counted:
            continue
        people.add(one.person_id)
        counts[counted] += 1
        side, _, what = counted.partition("_")
        if what == "wins":
            test.compare(side == "new")
        else:
            test.vote(side == "new", what == "up")
        if test.verdict is not Verdict.UNDECIDED and len(people) >= canary.least_people:
            break  # what came afterwards was said of a model that was promoted or taken back
    verdict = test.verdict if len(people) >= canary.least_people else Verdict.UNDECIDED
    return CanaryReport(len(people), **counts, evidence=test.evidence, verdict=verdict)


def parse_share(text: str) -> float:
    """A share such as 20% or 0.2. Raises InputError."""
    number = text.strip()
    try:
        share = float(number[:-1]) / 100 if number.endswith("%") else float(number)
    except ValueError:
        share = -1.0
    if not LEAST_SHARE <= share <= MOST_SHARE:
        allowed = f"from {LEAST_SHARE:.0%} to {MOST_SHARE:.0%}"
        raise InputError(f"{text!r} is no share of the people; give one {allowed}, such as 20%.")
    return share


def _count(canary: Canary, said: VoteOnModel | ModelsCompared) -> str:
    """What it counts as; "" for what says nothing of the two."""
    sides = {canary.sha256: "new", canary.against_sha256: "old"}
    if isinstance(said, VoteOnModel):
        side = sides.get(said.sha256, "")
        return f"{side}_{said.vote.name.lower()}" if side and said.vote is not Vote.NONE else ""
    left, right = sides.get(said.left_sha256, ""), sides.get(said.right_sha256, "")
    if {left, right} != {"new", "old"} or said.preferred not in (Preferred.LEFT, Preferred.RIGHT):
        return ""
    return f"{left if said.preferred is Preferred.LEFT else right}_wins"
