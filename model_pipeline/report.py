"""Tells a person at the terminal what a run is doing: lines, tables and progress, on standard error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text


class Advance(Protocol):
    """Moves a progress bar to `done`, with a few words on how it goes."""

    def __call__(self, done: int, how: str = "") -> None: ...


class Report:
    """Writes to a console; a fake one in tests."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows of text under a head, shown as they are: nothing in them is markup."""
        table = Table(*(Column(Text(title)) for title in head))
        for row in rows:
            table.add_row(*map(Text, row))
        self.console.print(table)

    @contextmanager
    def progress(self, title: str, total: int, begun_at: int = 0) -> Iterator[Advance]:
        """A bar until the block ends; it shows nothing that moves where the console is no terminal."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[how]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bar:
            task = bar.add_task(title, total=total, completed=begun_at, how="")

            def advance(done: int, how: str = "") -> None:
                bar.update(task, completed=done, how=how)

            yield advance
