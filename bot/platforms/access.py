"""Who may use the bot and where, by the operator's lists; pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether somebody is answered; the values name the sentence that says why not."""

    YES = "yes"
    DENIED = "denied"
    NOT_ALLOWED = "not-allowed"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class AccessLists:
    """Ids of people, chats and servers of one platform.

    `allow` empty lets everybody in; else only who or where is named. `deny` goes before it. In a `quiet` chat nobody
    but the person who asks sees an answer. `operators` are people, and are always answered.
    """

    allow: Collection[str] = ()
    deny: Collection[str] = ()
    quiet: Collection[str] = ()
    operators: Collection[str] = ()

    def verdict(self, user_id: str, places: Collection[str], *, private: bool) -> Verdict:
        """`places` are the ids of the chat and of what it belongs to; `private` that nobody else sees the answer."""
        named = {user_id, *places}
        if user_id not in self.operators:
            if named & set(self.deny):
                return Verdict.DENIED
            if self.allow and not named & set(self.allow):
                return Verdict.NOT_ALLOWED
        return Verdict.QUIET if not private and set(places) & set(self.quiet) else Verdict.YES
