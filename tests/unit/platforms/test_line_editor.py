"""Lines typed at a terminal: keys go through a real line editor whose screen nobody sees."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from bot.platforms import line_history
from bot.platforms.commands import COMMANDS
from bot.platforms.line_editor import LineEditor

ENTER, UP, CTRL_C, CTRL_D = "\r", "\x1b[A", "\x03", "\x04"


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        yield keys


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history"


def editor(history: Path | None) -> LineEditor:
    return LineEditor(history, COMMANDS)


async def test_a_line_is_read(keys: PipeInput, history: Path) -> None:
    keys.send_text(f"/quote the sea{ENTER}")
    assert await editor(history).read() == "/quote the sea"


async def test_bytes_that_are_no_text_become_question_marks(keys: PipeInput, history: Path) -> None:
    keys.send_bytes(b"a\xff\xfe\r")
    assert await editor(history).read() == "a??"


async def test_ctrl_d_leaves(keys: PipeInput, history: Path) -> None:
    keys.send_text(CTRL_D)
    assert await editor(history).read() is None


async def test_ctrl_c_takes_back_what_was_typed_and_then_leaves(keys: PipeInput, history: Path) -> None:
    reading = editor(history)
    keys.send_text(f"half a thought{CTRL_C}")
    assert await reading.read() == ""
    keys.send_text(CTRL_C)
    assert await reading.read() is None


async def test_a_history_that_cannot_be_written_is_told_once_and_lasts_for_the_chat(
    keys: PipeInput, history: Path
) -> None:
    history.mkdir(parents=True)
    reading = editor(history)
    assert reading.warning() == f"What you type is not remembered: {history} cannot be written (Is a directory)."
    keys.send_text(f"first{ENTER}")
    assert await reading.read() == "first"
    keys.send_text(f"{UP}{ENTER}")
    assert await reading.read() == "first"
    assert reading.warning() is None


async def test_a_history_that_is_lost_meanwhile_is_told_once(keys: PipeInput, history: Path) -> None:
    reading = editor(history)
    assert reading.warning() is None
    keys.send_text(f"first{ENTER}")
    assert await reading.read() == "first" and history.read_text().endswith("+first\n")
    history.unlink()
    history.mkdir()
    warnings = []
    for line in ("second", "third"):
        keys.send_text(f"{line}{ENTER}")
        assert await reading.read() == line
        warnings.append(reading.warning())
    assert warnings[0] is not None and "Is a directory" in warnings[0] and warnings[1] is None


async def test_without_a_file_lines_are_remembered_until_the_end_only(
    keys: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reading = editor(None)
    keys.send_text(f"first{ENTER}")
    assert await reading.read() == "first"
    keys.send_text(f"{UP}{ENTER}")
    assert await reading.read() == "first"
    assert reading.warning() is None and list(tmp_path.iterdir()) == []


async def test_what_is_forgotten_does_not_come_back(keys: PipeInput, history: Path) -> None:
    reading = editor(history)
    for line in ("first", "second"):
        keys.send_text(f"{line}{ENTER}")
        await reading.read()
    assert line_history.empty(history) and not line_history.empty(history)
    reading.forget()
    keys.send_text(f"{UP}third{ENTER}")
    assert await reading.read() == "third"
    assert b"first" not in history.read_bytes() and b"third" in history.read_bytes()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


async def test_what_was_typed_long_ago_is_dropped_and_the_rest_comes_back(keys: PipeInput, history: Path) -> None:
    reading = editor(history)
    for line in ("young", "\x1b[200~old\nof two lines\x1b[201~", "younger"):  # the second is pasted
        keys.send_text(f"{line}{ENTER}")
        await reading.read()
    long_ago = datetime.now() - timedelta(days=31)
    before, _, after = history.read_text().partition("+old")
    history.write_text(f"+undated\n{before.rpartition('# ')[0]}# {long_ago}\n+old{after}")
    line_history.drop_before(history, datetime.now(UTC) - timedelta(days=30))
    kept = history.read_text()
    assert [line for line in kept.splitlines() if line.startswith("+")] == ["+undated", "+young", "+younger"]
    keys.send_text(f"{UP}{UP}{ENTER}")
    assert await editor(history).read() == "young"
    line_history.drop_before(history, datetime.now(UTC) - timedelta(days=30))
    assert history.read_text().startswith(kept)  # there is nothing to drop any more


def test_a_history_that_nobody_began_holds_nothing(history: Path) -> None:
    line_history.drop_before(history, datetime.now(UTC))
    assert not line_history.empty(history) and not history.exists()
