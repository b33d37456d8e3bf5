"""Lines typed at a terminal: keys go through a real line editor whose screen nobody sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

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


def editor(history: Path) -> LineEditor:
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
