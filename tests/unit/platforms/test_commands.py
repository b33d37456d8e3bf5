"""What a typed line means."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InputError
from bot.platforms.commands import COMMANDS, Action, Command, help_text, parse


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("hello there", Command(Action.CHAT, "hello there")),
        ("  hello  ", Command(Action.CHAT, "hello")),
        ("/quote courage", Command(Action.QUOTE, "courage")),
        ("/QUOTE\tthe open sea ", Command(Action.QUOTE, "the open sea")),
        ("/new", Command(Action.NEW)),
        ("/new please", Command(Action.NEW)),
        ("//etc is a folder", Command(Action.CHAT, "/etc is a folder")),
        ("/exit", Command(Action.QUIT)),
        ("/?", Command(Action.HELP)),
        ("", Command(Action.CHAT)),
    ],
)
def test_a_line_is_one_command(line: str, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/quote", "/quote courage"),
        ("/quote   ", "/quote courage"),
        ("/quot x", "did you mean /quote?"),
        ("/compare sea", "There is no command /compare; there are /quote, "),  # not: did you mean /forget?
        ("/", "/help"),
    ],
)
def test_a_wrong_command_says_what_is_allowed(line: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        parse(line)


@given(st.text())
def test_any_text_is_one_command_or_one_sentence(line: str) -> None:
    try:
        command = parse(line)
    except InputError as error:
        assert line.strip().startswith("/") and len(str(error)) < 200
        return
    if not line.strip().startswith("/"):
        assert command == Command(Action.CHAT, line.strip())
    if command.action is Action.QUOTE:
        assert command.text == command.text.strip() != ""


def test_the_help_names_every_command() -> None:
    assert all(command in help_text() for command in COMMANDS)
