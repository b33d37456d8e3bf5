"""The review queue as it is typed through a pipe, interrupted, and gone on with."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from model_pipeline.curation.apply_review import apply_review
from model_pipeline.curation.edited_text import checked_by
from model_pipeline.curation.review import apply, review
from model_pipeline.errors import InputInvalid
from model_pipeline.report import Report
from tests.pipeline.curation.small_export import Curated, SmallExport, curated

BAD, GOOD, BETTER = "Doors door doors.", "A kettle sings of leaving.", "Tea is a small and patient weather."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three lines of one person: a correction, a good and a bad reply, and the preference of the correction."""
    export = SmallExport()
    export.quote("tea", GOOD, export.vote("ada", 1))
    export.quote("door", BAD, export.vote("ada", -1), corrections=[("ada", "A door is a wall that agreed.")])
    return curated(export, tmp_path).folder


def typed(*lines: str) -> Iterator[str]:
    yield from (f"{line}\n" for line in lines)
    while True:
        yield ""


def reviewed(folder: Path, *lines: str) -> tuple[Curated, str]:
    told, keys = io.StringIO(), typed(*lines)
    review(folder, lambda: next(keys), checked_by(folder), Report(Console(file=told, width=120)))
    return Curated(folder), told.getvalue()


def test_what_is_rejected_goes_and_is_listed_and_what_is_edited_changes(folder: Path) -> None:
    before = Curated(folder)
    found, told = reviewed(folder, "e", BETTER, "a", "r", "n")
    assert "4 of 4 lines are not decided yet." in told and "1 accepted, 1 edited, 1 rejected" in told
    assert [line["completion"] for line in found.lines("sft")] == [BETTER]
    (kto,) = found.lines("kto")
    assert kto["completion"] == GOOD
    assert ("kto", "rejected in review") in found.reasons("rows/2")
    assert found.lines("dpo") == before.lines("dpo")
    assert found.manifest["counts"]["kto"] == {"train": 1, "validation": 0, "test": 0}
    assert found.manifest["dropped"]["rejected in review"] == 1
    for name, sha256 in found.manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
    assert "1 lines accepted, 1 edited, 1 rejected" in (folder / "README.md").read_text()


def test_it_goes_on_where_it_was_quit(folder: Path) -> None:
    reviewed(folder, "a", "q")
    _, told = reviewed(folder, "a", "n", "n")
    assert "3 of 4 lines are not decided yet." in told
    _, told = reviewed(folder)
    assert "2 of 4 lines are not decided yet." in told


def test_what_is_not_a_key_is_asked_again(folder: Path) -> None:
    found, told = reviewed(folder, "what?", "", "r")
    assert found.lines("sft") == [] and told.count("a accept") >= 3


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Write to ada@example.com for tea.", "held personal data"),
        ("Ring 0151 23456789, said the kettle.", "held personal data"),
        ("You are a worthless piece of shit.", "profane or toxic"),
        ("!", "shorter than least_characters"),
    ],
)
def test_an_edit_is_held_to_the_same_rules(folder: Path, text: str, why: str) -> None:
    before = Curated(folder).lines("sft")
    found, told = reviewed(folder, "e", text, "q")
    assert found.lines("sft") == before and why in told
    assert text not in (folder / "review.jsonl").read_text() if (folder / "review.jsonl").exists() else True


def test_a_bad_example_is_not_edited_and_a_choice_stays_a_choice(folder: Path) -> None:
    found, told = reviewed(folder, "n", "n", "e", "n", "e", BAD, "q")
    assert "What people call bad is not edited" in told and "both replies say the same" in told
    assert found.lines("dpo")[0]["chosen"] == "A door is a wall that agreed."


def test_half_a_line_that_a_kill_left_is_nothing(folder: Path) -> None:
    reviewed(folder, "r", "q")
    with (folder / "review.jsonl").open("a") as file:
        file.write('{"id": "rows/1#kto", "choi')
    found, told = reviewed(folder, "a", "q")
    assert "3 of 3 lines are not decided yet." in told
    assert found.lines("sft") == []
    assert [json.loads(line)["choice"] for line in (folder / "review.jsonl").read_text().splitlines()] == [
        "reject",
        "accept",
    ]


def test_applying_twice_or_after_an_interruption_changes_nothing_more(folder: Path) -> None:
    once, _ = reviewed(folder, "r", "e", "A kettle keeps its own weather.", "q")
    files = once.manifest["files"]
    (folder / "dropped.jsonl").write_text("")  # as if it had stopped before it was written
    apply_review(folder)
    apply(folder, Report(Console(file=io.StringIO())))
    again = Curated(folder)
    assert again.lines("kto") == once.lines("kto") and again.lines("sft") == []
    assert again.reasons("rows/2") == once.reasons("rows/2")
    assert {name: again.manifest["files"][name] for name in files} == files


def test_ctrl_c_loses_nothing_that_was_decided(folder: Path) -> None:
    command = [sys.executable, "-m", "model_pipeline.cli", "review", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a job in the background ignores it
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stderr=pipe, text=True, preexec_fn=heard) as process:
        assert process.stdin and process.stderr
        process.stdin.write("r\n")
        process.stdin.flush()
        while "2 of 4" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "goes on from there" in said
    assert len(Curated(folder).lines("sft")) == 1  # not written into the sets yet
    done = subprocess.run([*command, "--apply"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "1 rejected" in done.stderr
    assert Curated(folder).lines("sft") == []


def test_two_people_do_not_review_one_folder_at_once(folder: Path) -> None:
    from filelock import FileLock

    with FileLock(folder / ".lock"), pytest.raises(InputInvalid, match="reviewing"):
        reviewed(folder, "a")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="is no curated folder"):
        reviewed(tmp_path / "nowhere")
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputInvalid, match="is no curated folder"):
        reviewed(tmp_path / "mine")


def test_nothing_in_a_text_moves_the_cursor_or_is_markup(tmp_path: Path) -> None:
    export = SmallExport()
    export.quote("tea", "A \x1b[2J[bold red]kettle[/] sings of leaving.", export.vote("ada", 1))
    _, told = reviewed(curated(export, tmp_path).folder)
    assert "\x1b[2J" not in told and "[bold red]kettle[/]" in told
