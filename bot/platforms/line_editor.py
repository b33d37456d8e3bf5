"""Reads lines typed at a terminal, with editing, completion and a private history; knows nothing of what they mean.

Imports prompt_toolkit, so it is itself imported only where there is a terminal.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import FileHistory

PROMPT = "> "


class LineEditor:
    """The line that the person is typing. Without a `history_file`, lines are remembered until the end only."""

    def __init__(self, history_file: Path | None, words: Sequence[str]) -> None:
        self._history = _PrivateHistory(history_file)
        self._session: PromptSession[str] = PromptSession(
            history=self._history,
            completer=WordCompleter(list(words), sentence=True),
            complete_while_typing=False,
        )

    async def read(self) -> str | None:
        """The next line, "" after Ctrl-C took back what was typed, None when the person wants to leave."""
        try:
            line = await self._session.prompt_async(PROMPT)
        except KeyboardInterrupt:
            return "" if self._session.default_buffer.text else None
        except EOFError:
            return None
        return line.encode(errors="replace").decode()  # bytes that are no UTF-8 come as lone surrogates

    def forget(self) -> None:
        """No line that was typed comes back; what the file holds is not touched."""
        self._history.forget()

    def warning(self) -> str | None:
        """Why lines are not remembered from now on; told once."""
        warning, self._history.warning = self._history.warning, None
        return warning


class _PrivateHistory(FileHistory):
    """A file that only its owner may read; where there is none, the lines are remembered until the end only."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(path or "")
        self.warning: str | None = None
        self._usable = path is not None
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            self._give_up(error)

    def forget(self) -> None:
        self._loaded_strings.clear()

    def load_history_strings(self) -> Iterable[str]:
        if self._usable:
            try:
                return list(super().load_history_strings())
            except OSError as error:  # it was replaced meanwhile
                self._give_up(error)
        return ()

    def store_string(self, string: str) -> None:
        if self._usable:
            try:
                super().store_string(string)
            except OSError as error:  # the disk is full, or as above
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._usable = False
        self.warning = f"What you type is not remembered: {self.filename!s} cannot be written ({error.strerror})."
