"""The terminal chat as a person sees it."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from tests.e2e.conftest import COMMAND
from tests.e2e.terminal import CTRL_C, CTRL_D, ENTER, UP, Terminal


def test_a_person_asks_chats_votes_and_leaves(terminal: Terminal) -> None:
    terminal.at_prompt(f"/good{ENTER}")
    assert "DISCORD_TOKEN or TELEGRAM_TOKEN" in terminal.screen
    terminal.wait_for("There is no reply to vote on yet.")
    terminal.at_prompt(f"/quote courage{ENTER}")
    terminal.at_prompt(f"/good{ENTER}")
    asked, _, answer = terminal.screen.rpartition("courage")
    assert asked and re.search(r"[A-Za-z ,']+[.!?\"]", answer)
    terminal.wait_for("noted as good")
    terminal.at_prompt(f"/nwe{ENTER}")
    terminal.wait_for("did you mean /new?")
    terminal.at_prompt(f"/new{ENTER}")
    terminal.wait_for("A new conversation")
    terminal.at_prompt(f"/quit{ENTER}")
    assert terminal.exit_code() == 0
    assert "Traceback" not in terminal.screen


def test_what_is_stored_is_told_once(terminal: Terminal, environment: dict[str, str], tmp_path: Path) -> None:
    terminal.at_prompt(f"/quote courage{ENTER}")
    terminal.wait_for("/forget me erases it.")
    terminal.at_prompt(CTRL_D)
    assert terminal.exit_code() == 0
    with Terminal([*COMMAND, "run"], environment, str(tmp_path)) as again:
        again.at_prompt(f"/quote courage{ENTER}")
        again.at_prompt(f"/privacy{ENTER}")
        assert "Just this once" not in again.wait_for("/forget me erases it.")


def test_the_up_arrow_brings_back_what_was_typed(terminal: Terminal, tmp_path: Path) -> None:
    terminal.at_prompt(f"/help{ENTER}")
    terminal.wait_for("begin a new conversation")
    terminal.at_prompt(f"{UP}{ENTER}")
    terminal.wait_for("begin a new conversation", times=2)
    terminal.at_prompt(CTRL_D)
    assert terminal.exit_code() == 0
    history = tmp_path / "data" / "console_history"
    assert "+/help" in history.read_text() and stat.S_IMODE(history.stat().st_mode) == 0o600


def test_with_a_data_key_what_was_typed_is_on_no_disk(environment: dict[str, str], tmp_path: Path) -> None:
    with Terminal([*COMMAND, "run"], {**environment, "QUOTESMITH_DATA_KEY": "ab" * 32}, str(tmp_path)) as terminal:
        terminal.at_prompt(f"/help{ENTER}")
        terminal.wait_for("begin a new conversation")
        terminal.at_prompt(f"{UP}{ENTER}")
        terminal.wait_for("begin a new conversation", times=2)
        terminal.at_prompt(CTRL_D)
        assert terminal.exit_code() == 0
    assert not (tmp_path / "data" / "console_history").exists()


def test_ctrl_c_takes_back_what_was_typed_and_then_leaves(terminal: Terminal) -> None:
    terminal.at_prompt(f"half a thought{CTRL_C}")
    terminal.at_prompt(CTRL_C)
    assert terminal.exit_code() == 0
    assert "Traceback" not in terminal.screen
