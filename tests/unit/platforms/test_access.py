"""The operator's lists decide who is answered, and where."""

from __future__ import annotations

import pytest

from bot.platforms.access import AccessLists, Verdict

LISTS = {
    "open": AccessLists(),
    "members": AccessLists(allow=("club",), operators=("root",)),
    "without bob": AccessLists(deny=("bob", "dark alley"), operators=("root",)),
    "quiet hall": AccessLists(quiet=("hall",)),
}


@pytest.mark.parametrize(
    ("lists", "user", "places", "private", "verdict"),
    [
        ("open", "ada", ("hall",), False, Verdict.YES),
        ("members", "ada", ("hall", "club"), False, Verdict.YES),
        ("members", "ada", ("hall",), True, Verdict.NOT_ALLOWED),
        ("members", "club", ("hall",), True, Verdict.YES),
        ("members", "root", ("hall",), False, Verdict.YES),
        ("without bob", "bob", ("hall",), True, Verdict.DENIED),
        ("without bob", "ada", ("dark alley",), False, Verdict.DENIED),
        ("without bob", "ada", ("hall",), False, Verdict.YES),
        ("quiet hall", "ada", ("hall",), False, Verdict.QUIET),
        ("quiet hall", "ada", ("hall",), True, Verdict.YES),
    ],
)
def test_who_is_answered_where(lists: str, user: str, places: tuple[str, ...], private: bool, verdict: Verdict) -> None:
    assert LISTS[lists].verdict(user, places, private=private) is verdict


def test_deny_goes_before_allow() -> None:
    assert AccessLists(allow=("club",), deny=("bob",)).verdict("bob", ("club",), private=False) is Verdict.DENIED
