"""A person at the terminal: stopping a reply, and what is shown of one that waits, is taken back or plays tricks."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.terminal import CTRL_C, CTRL_D, ENTER, UP, Terminal

ROOT = Path(__file__).parents[3]
Open = Callable[[str], Terminal]


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Open]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    with ExitStack() as opened:

        def open_terminal(scenario: str) -> Terminal:
            command = [sys.executable, "-m", "tests.integration.console.scripted_console", scenario]
            return opened.enter_context(Terminal(command, environment, str(tmp_path)))

        yield open_terminal


def test_ctrl_c_stops_the_reply_and_the_chat_goes_on(open_terminal: Open) -> None:
    terminal = open_terminal("stalls")
    terminal.at_prompt(f"tell me a story{ENTER}")
    shown = terminal.wait_for("Once upon a time")
    assert "(third in line, about 12 s)" in shown
    terminal.press(CTRL_C)
    terminal.wait_for("Stopped.")
    terminal.at_prompt(f"go on{ENTER}")
    terminal.wait_for("It goes on.")
    terminal.at_prompt(f"and then{ENTER}")
    repeated = terminal.wait_for("A second answer.")
    assert "It goes on." not in repeated
    terminal.at_prompt(CTRL_D)
    assert terminal.exit_code() == 0
    assert "states: cancelled, done, done delivered: 2" in terminal.screen


def test_a_second_ctrl_c_leaves(open_terminal: Open) -> None:
    terminal = open_terminal("stalls")
    terminal.at_prompt(f"tell me a story{ENTER}")
    terminal.wait_for("Once upon a time")
    terminal.press(CTRL_C)
    terminal.at_prompt(CTRL_C)
    assert terminal.exit_code() == 0
    assert "states: cancelled" in terminal.screen and "Traceback" not in terminal.screen


@pytest.mark.parametrize("times", [1, 2])
def test_a_terminal_that_is_closed_ends_what_was_asked(open_terminal: Open, times: int) -> None:
    terminal = open_terminal("stalls")
    terminal.at_prompt(f"tell me a story{ENTER}")
    terminal.wait_for("Once upon a time")
    for _ in range(times):
        terminal.signal(signal.SIGHUP)
    assert terminal.exit_code() == 129
    assert "states: cancelled" in terminal.screen and "Traceback" not in terminal.screen


def test_a_reply_that_is_taken_back_is_erased_with_its_wrapped_rows(open_terminal: Open) -> None:
    terminal = open_terminal("retracts")
    terminal.at_prompt(f"/quote the sea{ENTER}")
    shown = terminal.wait_for("Calm water still moves.")
    # What the terminal draws next may have come in the same read.
    assert "The sea is wide" in shown and "\x1b[2A\r\x1b[JCalm water still moves." in shown
    terminal.at_prompt(f"/quit{ENTER}")
    assert terminal.exit_code() == 0
    assert "states: done delivered: 1" in terminal.screen


def test_the_note_comes_once_after_the_first_reply(open_terminal: Open) -> None:
    terminal = open_terminal("tells")
    terminal.at_prompt(f"hello{ENTER}")
    assert "It goes on." in terminal.wait_for("/forget me erases it.")
    terminal.at_prompt(f"hello{ENTER}")
    assert "/consent" not in terminal.wait_for("A second answer.")
    terminal.at_prompt(CTRL_D)
    assert terminal.exit_code() == 0 and terminal.screen.count("/consent on") == 1


def test_an_error_is_one_sentence_and_the_chat_goes_on(open_terminal: Open) -> None:
    terminal = open_terminal("fails")
    terminal.at_prompt(f"hello{ENTER}")
    terminal.wait_for("The model stopped.")
    terminal.at_prompt(f"hello{ENTER}")
    terminal.wait_for("Here I am again.")
    terminal.at_prompt(CTRL_D)
    assert terminal.exit_code() == 0
    assert "states: failed, done" in terminal.screen and "Traceback" not in terminal.screen


def test_a_model_cannot_steer_the_terminal(open_terminal: Open) -> None:
    terminal = open_terminal("steers")
    terminal.at_prompt(f"in red{ENTER}")
    assert "\x1b[31m" not in terminal.wait_for("[31mRed")
    terminal.press(CTRL_C)
    terminal.at_prompt(CTRL_D)
    assert terminal.exit_code() == 0


def test_the_history_is_private_and_outlives_the_chat(open_terminal: Open, tmp_path: Path) -> None:
    first = open_terminal("fails")
    first.at_prompt(f"/new{ENTER}")
    first.wait_for("A new conversation")
    first.at_prompt(CTRL_D)
    assert first.exit_code() == 0
    assert stat.S_IMODE((tmp_path / "history").stat().st_mode) == 0o600
    second = open_terminal("fails")
    second.at_prompt(f"{UP}{ENTER}")
    second.wait_for("A new conversation")
    second.at_prompt(CTRL_D)
    assert second.exit_code() == 0


def test_what_was_typed_is_forgotten_with_the_rest(open_terminal: Open, tmp_path: Path) -> None:
    terminal = open_terminal("fails")
    terminal.at_prompt(f"/new{ENTER}")
    terminal.wait_for("A new conversation")
    terminal.at_prompt(f"/forget me{ENTER}")
    terminal.wait_for("Erased: 4 messages")
    assert (tmp_path / "history").read_text() == ""
    terminal.at_prompt(f"{UP}/help{ENTER}")  # nothing comes back, so that is all of the line
    terminal.wait_for("begin a new conversation")
    terminal.at_prompt(CTRL_D)
    assert terminal.exit_code() == 0


def test_a_history_that_cannot_be_written_is_only_a_warning(open_terminal: Open, tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    terminal = open_terminal("fails")
    terminal.at_prompt(f"/new{ENTER}")
    assert "What you type is not remembered: history cannot be written (Is a directory)." in terminal.screen
    terminal.wait_for("A new conversation")
    terminal.at_prompt(CTRL_D)
    assert terminal.exit_code() == 0


def test_tab_completes_a_command(open_terminal: Open) -> None:
    terminal = open_terminal("fails")
    terminal.at_prompt("/ne\t")
    terminal.wait_for("/new")
    terminal.press(ENTER)
    terminal.wait_for("A new conversation")
    terminal.at_prompt(CTRL_D)
    assert terminal.exit_code() == 0
