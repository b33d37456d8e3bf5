"""Cuts a long text into messages: behind a line or a sentence if possible, never in a word or a code fence; pure."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]*(```|~~~)([^\n`]*)$", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n\s*\n")
_LINE = re.compile(r"\n")  # of a list, such as that of favourites, each is one item, however many sentences it has
_SENTENCE = re.compile(r"(?<=[.!?…])[\"”»')\]]*\s+|(?<=[。！？])")
_WORD = re.compile(r"\s+")
_JOINER, _AS_EMOJI = "\u200d", "\ufe0f"
_LEAST = 0.4  # of the limit: a nicer place to cut that leaves less than this in a message is not taken


def length(text: str) -> int:
    """UTF-16 code units, as the platforms count at most; a limit kept in them is kept in characters too."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, limit: int) -> list[str]:
    """The text as messages of at most `limit` UTF-16 units, none of them empty but for the only one.

    White space at a cut is dropped. A code fence that is longer than a message is closed at its end and opened again
    in the next one; anything else without a space that is longer is cut between characters.
    """
    parts: list[str] = []
    rest = text.strip()
    while length(rest) > limit:
        part, rest = _cut(rest, limit)
        if part:
            parts.append(part)
    return [*parts, rest] if rest or not parts else parts


def _cut(text: str, limit: int) -> tuple[str, str]:
    fits = _longest_prefix(text, limit)
    fence = _open_fence(text, fits)
    if fence is None:
        end = _good_end(text, fits, int(fits * _LEAST))
        return text[:end].rstrip(), text[end:].lstrip()
    if before := text[: fence.start()].rstrip():  # what stands before the fence goes first: the fence begins a message
        return before, text[fence.start() :].lstrip("\n")
    return _cut_fence(text, fence, limit)


def _cut_fence(text: str, fence: re.Match[str], limit: int) -> tuple[str, str]:
    """The text begins with a fence that does not fit: close it at the end of a line, and open it again."""
    mark, head = fence[1], fence[0].strip()
    room = _longest_prefix(text, limit - len(mark) - 1)
    end = text.rfind("\n", fence.end() + 1, room)
    end = room if end <= fence.end() else end
    if end <= fence.end() + 1:  # the line that opens the fence fills the message: cut it as if it were text
        return text[:room], text[room:]
    return f"{text[:end].rstrip()}\n{mark}", f"{head}\n{text[end:].removeprefix(chr(10))}"


def _longest_prefix(text: str, limit: int) -> int:
    """How many characters of the text fit, at least one, without cutting off a mark that belongs to a character."""
    end = used = 0
    for char in text:
        used += 2 if ord(char) > 0xFFFF else 1
        if used > limit:
            break
        end += 1
    whole = end
    while 0 < whole < len(text) and _joins(text[whole - 1], text[whole]) and end - whole < 16:
        whole -= 1
    return max(1, whole or end)


def _joins(before: str, after: str) -> bool:
    """The two characters are shown as one: accents, skin tones, and emoji that are joined."""
    joined = _JOINER in (before, after) or after == _AS_EMOJI
    return joined or "\u0300" <= after <= "\u036f" or "\U0001f3fb" <= after <= "\U0001f3ff"


def _open_fence(text: str, end: int) -> re.Match[str] | None:
    """The fence that is open where the text would be cut."""
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text, 0, end):
        if opened is None:
            opened = fence
        elif fence[1] == opened[1] and not fence[2].strip():
            opened = None
    return opened


def _good_end(text: str, end: int, least: int) -> int:
    """The last end of a paragraph, else of a line, a sentence, a word, up to `end`; `end` where there is none."""
    window = text[: end + 1] if text[end : end + 1].isspace() else text[:end]
    for boundary, floor in ((_PARAGRAPH, least), (_LINE, least), (_SENTENCE, least), (_WORD, 1)):
        ends = [match.end() for match in boundary.finditer(window) if match.start() >= floor]
        if ends:
            return ends[-1]
    return end
