"""The command review: shows a person each line that is not decided yet, and writes down at once what they say of it.

It reads whole lines and no single keys, so that it works through a pipe too. Nothing is lost by Ctrl-C or by the end
of the input: what was decided is on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.panel import Panel
from rich.text import Text

from model_pipeline.curation.apply_review import apply_review
from model_pipeline.curation.curated_folder import read_sets
from model_pipeline.curation.decisions import REVIEW_FILE, Choice, Decision, Decisions
from model_pipeline.curation.quality import NO_DIFFERENCE
from model_pipeline.data.curated_manifest import read_manifest
from model_pipeline.data.texts import normalised
from model_pipeline.errors import InputInvalid, Interrupted
from model_pipeline.report import Report

Json = dict[str, Any]
CheckText = Callable[[str], str]  # the reason against a text to be learned, or ""
ReadLine = Callable[[], str]  # of what is typed; "" at its end

KEYS = "a accept   r reject   e edit   n next   q quit"
_CHOICES = {"a": Choice.ACCEPT, "r": Choice.REJECT}
_NO_EDIT = "What people call bad is not edited: accept it or reject it."
_NEW_TEXT = "The new text, in one line, with \\n for a new line; an empty one leaves it as it is:"


def review(folder: Path, read_line: ReadLine, check: CheckText, report: Report) -> None:
    """Go through the queue, then write the decisions into the sets. Raises `InputInvalid` and `Interrupted`."""
    with _alone(folder):
        read_manifest(folder)
        decisions = Decisions.read(folder)
        lines = [line for part in read_sets(folder).values() for line in part]
        queue = [line for line in lines if decisions.on(line["id"]) is None]
        report.say(f"{len(queue):,} of {len(lines):,} lines are not decided yet.")
        try:
            for decision in _asked(queue, read_line, check, report):
                decisions.add(decision)
        except KeyboardInterrupt as error:
            raise Interrupted(f"Stopped; {REVIEW_FILE} holds what was decided, and --apply writes it.") from error
        _apply(folder, report)


def apply(folder: Path, report: Report) -> None:
    """Only write the decisions into the sets. Raises `InputInvalid`."""
    with _alone(folder):
        _apply(folder, report)


def _apply(folder: Path, report: Report) -> None:
    made = apply_review(folder)
    report.say(
        f"Written into {folder}: {made['accept']:,} accepted, {made['edit']:,} edited, {made['reject']:,} rejected."
    )


def _asked(queue: Iterable[Json], read_line: ReadLine, check: CheckText, report: Report) -> Iterator[Decision]:
    """What the person says, until they quit or there is no more to read."""
    waiting = list(queue)
    for number, line in enumerate(waiting, start=1):
        _show(line, f"{number} of {len(waiting)}", report)
        while True:
            report.say(KEYS)
            typed = read_line()
            key = typed.strip().casefold()[:1]
            if not typed or key == "q":
                return
            if key == "n":
                break
            text = _edit(line, read_line, check, report) if key == "e" else ""
            if choice := Choice.EDIT if text else _CHOICES.get(key):
                yield Decision(line["id"], choice, text)
                break


def _edit(line: Json, read_line: ReadLine, check: CheckText, report: Report) -> str:
    """The new text; "" where there is none, or it must not be learned."""
    if line.get("label") is False:
        report.say(_NO_EDIT)
        return ""
    report.say(_NEW_TEXT)
    text = read_line().strip().replace("\\n", "\n")
    same = "rejected" in line and normalised(text) == normalised(line["rejected"])
    if text and (reason := NO_DIFFERENCE if same else check(text)):
        report.say(f"It cannot be taken: {reason}.")
        return ""
    return text


def _show(line: Json, title: str, report: Report) -> None:
    """The line as plain text: nothing in it is markup, and nothing moves the cursor."""
    shown = Text()
    for turn in line["messages"]:
        shown.append(f"{turn['role']}: ", "dim").append(f"{_printable(turn['content'])}\n")
    for name, style in (("completion", "bold"), ("chosen", "bold green"), ("rejected", "red")):
        if name in line:
            shown.append(f"{name}: ", "dim").append(f"{_printable(line[name])}\n", style)
    verdict = {True: "called good, ", False: "called bad, "}.get(line.get("label", ""), "")
    sources = ", ".join(line["sources"])
    shown.append(f"{verdict}by {sources}; weight {line['weight']:.2f}; {line['model'] or 'a person'}", "dim")
    report.console.print(Panel(shown, title=Text(f"{title}   {line['id']}"), title_align="left"))


def _printable(text: str) -> str:
    return "".join(character if character == "\n" or character.isprintable() else " " for character in text)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    if not folder.is_dir():
        raise InputInvalid(f"{folder} is no curated folder; quotesmith-pipeline curate makes one.")
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise InputInvalid(f"Somebody is reviewing {folder} already.") from error
