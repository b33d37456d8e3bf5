"""Removes lines of one set that say what a line of more weight says, word for word or nearly; knows no other set."""

from __future__ import annotations

from collections.abc import Sequence

from model_pipeline.curation.lines import Line
from model_pipeline.data.duplicates import remove_duplicates
from model_pipeline.data.rows import Row


def without_duplicates(lines: Sequence[Line], near_duplicate: float) -> tuple[list[Line], list[tuple[Line, str]]]:
    """The lines in their order without those that repeat another, and those with the reason.

    What was asked counts too, but for a correction of a quote: one quote is learned once, whatever its keyword. Chats
    of one person are never near duplicates, because each reply repeats what was said before it.
    """
    places = sorted(range(len(lines)), key=lambda place: -lines[place].weight)  # stable: the earlier of equals is kept
    rows = [_row(lines[place], str(place)) for place in places]
    kept, dropped = remove_duplicates(rows, near_duplicate)
    reasons = [(lines[int(one.origin)], one.reason) for one in dropped]
    return [lines[place] for place in sorted(int(row.origin) for row in kept)], reasons


def _row(line: Line, origin: str) -> Row:
    question, reply = line.question, "\n".join(filter(None, (line.learned, line.refused)))
    if question.kind == "quote" and line.set == "sft":
        return Row(question.keyword, reply, group=origin, keyword=question.keyword, kind="quote", origin=origin)
    turns = [{"role": role, "content": content} for role, content in question.turns]
    group = line.person if question.kind == "chat" else origin
    return Row(turns, [{"role": "assistant", "content": reply}], group=group, keyword="", kind="chat", origin=origin)
