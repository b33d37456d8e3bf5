"""Text on a terminal that grows and may be taken back; knows the width of characters and no command."""

from __future__ import annotations

import shutil
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_BIDI_CONTROLS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))  # they make text look like another text
_REMOVED = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *_BIDI_CONTROLS)) | {ord("\n"): "\n", ord("\t"): "    "}


def printable(text: str) -> str:
    """The text without what would steer a terminal: whatever a model writes, it stays text."""
    return text.translate(_REMOVED)


def rows_and_column(text: str, width: int) -> tuple[int, int]:
    """How many rows below its first one a text ends on a terminal of that width, and in which column.

    A character that fills a row leaves the cursor in it: the next one begins the next row.
    """
    from prompt_toolkit.utils import get_cwidth

    row = column = 0
    for character in text:
        if character == "\n":
            row, column = row + 1, 0
            continue
        cells = max(0, get_cwidth(character))
        if column + cells > width:
            row, column = row + 1, 0
        column += cells
    return row, column


@contextmanager
def without_echo(keyboard: TextIO) -> Iterator[None]:
    """Keep what is typed meanwhile off the screen, where it would stand between the words of a reply."""
    before = termios.tcgetattr(keyboard)
    quiet = [*before]
    quiet[3] = before[3] & ~termios.ECHO
    termios.tcsetattr(keyboard, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSANOW, before)


class GrowingText:
    """One reply on the terminal, beginning at the start of a row."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown = ""
        self._notice = False

    def add(self, text: str) -> None:
        """Show more of it, at once."""
        self._clear_notice()
        text = printable(text)
        self._shown += text
        self._write(text)

    def notice(self, text: str) -> None:
        """Show a remark for as long as there is no text."""
        if not self._shown:
            self._notice = True
            width, _ = shutil.get_terminal_size()  # a notice that wraps could not be removed again
            self._write("\r\x1b[K" + f"({printable(text)})"[: width - 1])

    def take_back(self) -> None:
        """Remove all that was shown, as far as it still stands on the screen."""
        self._clear_notice()
        width, height = shutil.get_terminal_size()
        rows, _ = rows_and_column(self._shown, width)
        if rows >= height:  # its beginning has scrolled away
            self._write("\n[once more]\n")
        elif self._shown:
            self._write(f"\x1b[{rows}A\r\x1b[J" if rows else "\r\x1b[J")
        self._shown = ""

    def end(self) -> None:
        """Finish the row."""
        self._clear_notice()
        if self._shown and not self._shown.endswith("\n"):
            self._write("\n")

    def _clear_notice(self) -> None:
        if self._notice:
            self._notice = False
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
