"""Text that grows on a terminal and is taken back: compared with a small terminal that obeys the same sequences."""

from __future__ import annotations

import io
import os
import pty
import re
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from bot.platforms.screen import GrowingText, printable, rows_and_column, without_echo

WIDTH, HEIGHT = 12, 50


class SmallTerminal:
    """Rows of characters, wrapped as xterm wraps them; obeys the sequences that GrowingText writes."""

    def __init__(self) -> None:
        self.rows: list[str] = [""]
        self.row = self.column = 0

    def write(self, text: str) -> None:
        for sequence, character in re.findall(r"(\x1b\[\d*[A-Za-z])|(.)", text, re.DOTALL):
            if sequence:
                self._obey(sequence)
            else:
                self._put(character)

    def _obey(self, sequence: str) -> None:
        if sequence.endswith("A"):
            self.row -= int(sequence[2:-1])
        else:
            self.rows[self.row] = self.rows[self.row][: self.column]
            del self.rows[self.row + 1 :]

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
            return
        cells = 0 if character == "\n" else get_cwidth(character)
        if character == "\n" or self.column + cells > WIDTH:
            self.row, self.column = self.row + 1, 0
            self.rows.append("")
        if character != "\n":
            self.rows[self.row] += character
            self.column += cells


@pytest.fixture(autouse=True)
def size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_, **__: os.terminal_size((WIDTH, HEIGHT)))


LETTERS = st.text(st.sampled_from("ab c\n勇気é🦁"), max_size=60)


@given(st.lists(LETTERS, max_size=4))
def test_what_is_taken_back_leaves_no_trace(pieces: list[str]) -> None:
    terminal, out = SmallTerminal(), io.StringIO()
    text = GrowingText(out)
    text.notice("third in line")
    for piece in pieces:
        text.add(piece)
    text.take_back()
    text.add("again")
    terminal.write(out.getvalue().replace("\r\x1b[K", "\r\x1b[J"))
    assert "".join(terminal.rows).strip() == "again"


def test_a_text_longer_than_the_screen_is_begun_anew_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_, **__: os.terminal_size((WIDTH, 3)))
    out = io.StringIO()
    text = GrowingText(out)
    text.add("one\ntwo\nthree\nfour")
    text.take_back()
    text.add("five")
    text.end()
    assert out.getvalue() == "one\ntwo\nthree\nfour\n[once more]\nfive\n"


@given(st.text())
def test_nothing_steers_the_terminal(text: str) -> None:
    shown = printable(text)
    assert not any(ord(character) < 32 and character != "\n" for character in shown)
    assert "\x1b" not in shown and "\x9b" not in shown and "\u202e" not in shown
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "place"),
    [("", (0, 0)), ("abc", (0, 3)), ("a" * 12, (0, 12)), ("a" * 13, (1, 1)), ("a\nb", (1, 1)), ("勇" * 7, (1, 2))],
)
def test_where_a_text_ends(text: str, place: tuple[int, int]) -> None:
    assert rows_and_column(text, WIDTH) == place


def test_what_is_typed_during_a_reply_is_kept_but_not_shown() -> None:
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb+", buffering=0) as person, os.fdopen(follower) as keyboard:
        with without_echo(keyboard):
            person.write(b"impatient\n")
            assert keyboard.readline() == "impatient\n"
        person.write(b"shown\n")
        assert keyboard.readline() == "shown\n"
        assert person.readline() == b"shown\r\n"
