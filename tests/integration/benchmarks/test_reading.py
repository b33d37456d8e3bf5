"""Lists of replies to read: written by the embedded model, marked here, and counted; what is wrong is named."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from bot.composition import STARTER
from tests.integration.benchmarks.test_benchmarks import run

FIRST, LONGER = "my bus is late", "hi\tHello! How are you?\tso tired today"


def write(tmp_path: Path, lines: str, *more: str) -> tuple[int, str, Path]:
    messages, out = tmp_path / "messages.tsv", tmp_path / "lists"
    messages.write_text(lines)
    done = run("reading", "write", "--model", str(STARTER), *more, "--messages", str(messages), "--out", str(out))
    return done.returncode, done.stderr, out


def test_replies_are_written_to_each_conversation_and_counted(tmp_path: Path) -> None:
    code, said, out = write(tmp_path, f"{FIRST}\n\n{LONGER}\n")
    assert code == 0, said
    with (out / "marks.tsv").open(newline="") as file:
        head, *rows = list(csv.reader(file, delimiter="\t"))
    assert head == ["message", "reply", "fits"]
    asked = [FIRST, "hi / Hello! How are you? / so tired today"]
    assert [row[0] for row in rows] == [asked[0], asked[0], asked[1], asked[1]]
    assert all(row[1].strip() and row[2] == "" for row in rows)
    with (out / "marks.tsv").open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(
            [head, *([*row[:2], "y" if row[0] == FIRST else "n"] for row in rows)]
        )
    counted = run("reading", "count", "--out", str(out))
    assert counted.returncode == 0, counted.stderr
    lines = [line.split() for line in counted.stdout.splitlines()]
    assert [line[0] for line in lines] == ["starter", "of", "starter,", "of"]
    assert all("2: 1 count" in " ".join(line) for line in lines[::2])
    assert all(line == ["of", "1", "first", "messages:", "1"] for line in lines[1::2])


@pytest.mark.parametrize(
    ("lines", "more", "reason"),
    [
        ("hi\n\nhi\tHello!\n", (), "Line 3 of .* is no conversation: a person's message, or more turns between tabs"),
        ("hi\t\tso tired\n", (), "Line 1 of .* is no conversation"),
        ("\n", (), "messages.tsv holds no conversation."),
        ("hi\n", ("--model", "elsewhere/starter"), "Two of the models are called starter"),
    ],
)
def test_wrong_input_is_named(tmp_path: Path, lines: str, more: tuple[str, ...], reason: str) -> None:
    code, said, out = write(tmp_path, lines, *more)
    assert code == 1 and not out.exists()
    assert "Traceback" not in said and len(said.splitlines()) == 1
    assert re.search(reason, said)
