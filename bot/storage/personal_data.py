"""Takes personal data out of what is exported, by patterns alone; knows no row.

It is the first of two filters: the curation of the pipeline reads the same patterns, and what needs larger libraries.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache
from importlib.resources import files

import regex

_FILE = "personal_data.toml"
_PASSES = 3  # what is replaced may uncover what stood beside it
_INVISIBLE = regex.compile("[\u00ad\u180e\u200b\u2060-\u2064\ufeff]")  # not the joiners of words and emoji
_HANDLE, _EMAIL = "HANDLE", "EMAIL"
_NAME = regex.compile(r"(?:@|/?u/)?([\w.-]*\w)")  # of @ada_l, u/ada_l, ada_l#1234 and ada_l@example.com
_SHORTEST_NAME = 3  # letters; two are too often a word


def without_personal_data(text: str, names: Collection[str] = ()) -> str:
    """The text with `<EMAIL>` and the like in the place of personal data; as it was where nothing is found.

    What is hidden behind full-width digits or invisible characters is found too, and the text is then without them.
    `names` are those of `names_in` what was said beside the text: a model repeats a handle without what marks it.
    """
    for _ in range(_PASSES):
        plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
        replaced = next((done for each in dict.fromkeys((plain, text)) if (done := _replaced(each)) != each), None)
        if replaced is None:
            break
        text = replaced
    return _without(text, names)


def names_in(text: str) -> frozenset[str]:
    """The names in the handles and e-mail addresses of a text, as they may be repeated beside it."""
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    found = {plain[first:last] for first, last, kind in _hits(plain) if kind in (_HANDLE, _EMAIL)}
    names = {name[1].casefold() for each in found if (name := _NAME.match(each))}
    return frozenset(name for name in names if len(name) >= _SHORTEST_NAME)


def _without(text: str, names: Collection[str]) -> str:
    if not names:
        return text
    either = "|".join(map(regex.escape, sorted(names, key=len, reverse=True)))
    named = regex.compile(rf"(?<![\w<])(?:{either})(?![\w>])", regex.IGNORECASE)
    return str(named.sub(f"<{_HANDLE}>", text))


def _replaced(text: str) -> str:
    """Where two kinds overlap, the one that begins first takes all of the place, of two the longer one."""
    parts, end = [], 0
    for first, last, kind in sorted(_hits(text), key=lambda hit: (hit[0], -hit[1])):
        if first >= end:
            parts += [text[end:first], f"<{kind}>"]
        end = max(end, last)
    return "".join([*parts, text[end:]])


def _hits(text: str) -> Iterator[tuple[int, int, str]]:
    for kind, pattern in _patterns():
        for found in pattern.finditer(text):
            yield found.start(), found.end(), kind


@lru_cache(1)
def _patterns() -> tuple[tuple[str, regex.Pattern[str]], ...]:
    known = tomllib.loads((files(__package__) / _FILE).read_text(encoding="utf-8"))
    return tuple(
        (kind, regex.compile(pattern, flags))
        for case, flags in (("exact", regex.MULTILINE), ("any_case", regex.MULTILINE | regex.IGNORECASE))
        for kind, patterns in known[case].items()
        for pattern in patterns
    )
