"""Lists to read: written by the embedded model, marked here, and counted; what is wrong is named."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from benchmarks.reading import BETTER, read_lists
from bot.composition import STARTER
from tests.integration.benchmarks.command import run

FIRST, LONGER = "my bus is late", "hi\tHello! How are you?\tso tired today"
Rows = list[list[str]]


def write(tmp_path: Path, lines: str, *more: str) -> tuple[int, str, Path]:
    messages, out = tmp_path / "messages.tsv", tmp_path / "lists"
    messages.write_text(lines)
    done = run("reading", "write", "--model", str(STARTER), *more, "--messages", str(messages), "--out", str(out))
    return done.returncode, done.stderr, out


def table(path: Path) -> Rows:
    with path.open(newline="") as file:
        return list(csv.reader(file, delimiter="\t"))


def fill(path: Path, rows: Rows) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(rows)


def test_replies_are_written_to_each_conversation_and_counted(tmp_path: Path) -> None:
    code, said, out = write(tmp_path, f"{FIRST}\n\n{LONGER}\n")
    assert code == 0, said
    head, *rows = table(out / "marks.tsv")
    assert head == ["message", "reply", "fits"]
    asked = [FIRST, "hi / Hello! How are you? / so tired today"]
    assert [row[0] for row in rows] == [asked[0], asked[0], asked[1], asked[1]]
    assert all(row[1].strip() and row[2] == "" for row in rows)
    fill(out / "marks.tsv", [head, *([*row[:2], "y" if row[0] == FIRST else "n"] for row in rows)])
    counted = run("reading", "count", "--out", str(out))
    assert counted.returncode == 0, counted.stderr
    lines = [line.split() for line in counted.stdout.splitlines()]
    assert [line[0] for line in lines] == ["starter", "of", "starter,", "of"]
    assert all("2: 1 count" in " ".join(line) for line in lines[::2])
    assert all(line == ["of", "1", "first", "messages:", "1"] for line in lines[1::2])


def test_quotes_are_written_and_counted_when_every_mark_is_there(tmp_path: Path) -> None:
    out = tmp_path / "lists"
    command = ("--model", str(STARTER), "--skip", "198", "--out", str(out))
    assert run("reading", "write", *command).returncode == 0
    again = run("reading", "write", *command)
    assert again.returncode == 1 and "holds lists already, maybe with marks" in again.stderr
    counted = run("reading", "count", "--out", str(out))
    assert counted.returncode == 1
    assert (
        "Line 2 of" in counted.stderr and "has nothing in the column 'grammatical'; y or n is wanted" in counted.stderr
    )
    head, *rows = table(out / "marks.tsv")
    assert len(rows) == 2 and all(len(row) == len(head) == 5 for row in rows)
    fill(out / "marks.tsv", [head, [*rows[0][:2], "y", "y", "y"], [*rows[1][:2], "y", "y", "n"]])
    head, *pairs = table(out / "pairs.tsv")
    key = json.loads((out / "key.json").read_text())
    chosen = ["l" if key["chosen_left"][pair[0]] else "r" for pair in pairs]
    fill(out / "pairs.tsv", [head, [*pairs[0][:3], chosen[0]], [*pairs[1][:3], "L"]])
    counted = run("reading", "count", "--out", str(out))
    assert counted.returncode == 1 and "has 'L' in the column" in counted.stderr
    fill(out / "pairs.tsv", [head, [*pairs[0][:3], chosen[0]], [*pairs[1][:3], "="]])
    (out / "pairs.tsv").rename(tmp_path / "pairs.tsv")  # the sign test of the pairs needs SciPy
    counted = run("reading", "count", "--out", str(out))
    assert counted.returncode == 0, counted.stderr
    assert "of 2: 1 count; 2 grammatical, 2 sense, 1 post" in counted.stdout


def test_every_reading_that_is_kept_can_be_counted() -> None:
    kept = [key.parent for key in Path("benchmarks/readings").glob("*/key.json")]
    assert len(kept) > 100
    for folder in kept:
        read_lists(folder)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ({"models": ["starter"], "chosen_left": {"ice": True}}, "/pairs.tsv has a pair on 'sea', of which key.json "),
        ({"models": ["starter"] * 2}, "/marks.tsv holds 1 texts, and key.json says of 2 whose they are."),
        ({}, " holds no lists that `write` wrote, with its key.json."),
    ],
)
def test_a_key_of_other_lists_is_told(tmp_path: Path, key: dict[str, object], said: str) -> None:
    (tmp_path / "key.json").write_text(json.dumps(key))
    fill(tmp_path / "marks.tsv", [["keyword", "quote", "good"], ["sea", "The sea waits.", "y"]])
    fill(tmp_path / "pairs.tsv", [["keyword", "left", "right", BETTER], ["sea", "The sea waits.", "It waits.", "="]])
    counted = run("reading", "count", "--out", str(tmp_path))
    assert counted.returncode == 1 and counted.stderr.count("\n") == 1
    assert counted.stderr.startswith(f"{tmp_path}{said}")


@pytest.mark.parametrize(
    ("lines", "more", "reason"),
    [
        ("hi\n\nhi\tHello!\n", (), "Line 3 of .* is no conversation: a person's message, or more turns between tabs"),
        ("hi\t\tso tired\n", (), "Line 1 of .* is no conversation"),
        ("\n", (), "messages.tsv holds no conversation."),
        ("hi\n", ("--model", str(STARTER)), "Two of the models are called starter"),
        ("hi\n", ("--model", "nowhere"), "nowhere is no model folder: it holds no manifest.json."),
    ],
)
def test_wrong_input_is_named(tmp_path: Path, lines: str, more: tuple[str, ...], reason: str) -> None:
    code, said, out = write(tmp_path, lines, *more)
    assert code == 1 and not out.exists()
    assert "Traceback" not in said and len(said.splitlines()) == 1
    assert re.search(reason, said)
