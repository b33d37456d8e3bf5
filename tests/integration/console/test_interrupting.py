"""Stopping a reply at the terminal, and what is shown of one that waits, repeats itself or plays tricks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import CTRL_C, CTRL_D, ENTER, Terminal

ROOT = Path(__file__).parents[3]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    command = [sys.executable, "-m", "tests.integration.console.stalling_console"]
    with Terminal(command, environment, str(tmp_path)) as opened:
        yield opened


def test_ctrl_c_stops_the_reply_and_the_chat_goes_on(terminal: Terminal) -> None:
    terminal.at_prompt(f"tell me a story{ENTER}")
    shown = terminal.wait_for("Once upon a time")
    assert "(third in line, about 12 s)" in shown
    terminal.press(CTRL_C)
    terminal.wait_for("Stopped.")
    terminal.at_prompt(f"go on{ENTER}")
    terminal.wait_for("It goes on.")
    terminal.at_prompt(f"and then{ENTER}")
    repeated = terminal.wait_for("A second answer.")
    assert "It goes on." not in repeated.replace("go on", "")
    terminal.at_prompt(CTRL_D)
    assert terminal.exit_code() == 0
    assert "states: cancelled, done, done delivered: 2" in terminal.screen


def test_a_second_ctrl_c_leaves(terminal: Terminal) -> None:
    terminal.at_prompt(f"tell me a story{ENTER}")
    terminal.wait_for("Once upon a time")
    terminal.press(CTRL_C)
    terminal.at_prompt(CTRL_C)
    assert terminal.exit_code() == 0
    assert "states: cancelled" in terminal.screen and "Traceback" not in terminal.screen


def test_a_model_cannot_steer_the_terminal(terminal: Terminal) -> None:
    for line in ("tell me a story", "go on", "and then", "in red"):
        terminal.at_prompt(line + ENTER)
        if line == "tell me a story":
            terminal.wait_for("Once upon a time")
            terminal.press(CTRL_C)
    shown = terminal.wait_for("[31mRed")
    assert "[31mRed" in shown and "\x1b[31m" not in shown
    terminal.press(CTRL_C)
    terminal.at_prompt(CTRL_D)
    assert terminal.exit_code() == 0
