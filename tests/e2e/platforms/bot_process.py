"""The real bot, `quotesmith run`, as a process of its own that a test starts, stops, holds up and kills."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

PATIENCE_S = 60.0


class BotProcess:
    """`lines` is what the operator sees, standard output and error together, as far as it was read."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *arguments: str) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self._environment = dict(environment)
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        await self.ended()

    @property
    def pid(self) -> int:
        """Of the bot; its worker is a child of it."""
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """All that was read so far."""
        return "\n".join(self.lines)

    async def start(self) -> None:
        """Start, or start again, with the same database."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run", *self._arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self.folder,
            env=self._environment,
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._read(self._process))

    async def says(self, text: str, *, times: int = 1) -> None:
        """Wait until so many lines contain the text."""
        async with self._news:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._news.wait_for(lambda: sum(text in line for line in self.lines) >= times)
            except TimeoutError:
                raise AssertionError(f"{text!r} was not said {times} times, but: {self.output}") from None

    async def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Ask it to stop; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal_number)
        return await self.ended()

    async def kill(self) -> None:
        """End it at once, its worker too, as a power cut would."""
        workers = self.workers()
        os.killpg(self.pid, signal.SIGKILL)
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        await self.ended()

    def workers(self) -> list[int]:
        """The process numbers of its model workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(number) for number in children.read_text().split()] if children.exists() else []

    async def ended(self) -> int:
        """Wait for the end; returns the exit code."""
        assert self._process is not None and self._reader is not None
        code = await asyncio.wait_for(self._process.wait(), PATIENCE_S)
        await self._reader
        return code

    def rows(self, query: str, *values: object) -> list[Any]:
        """What the database holds."""
        path = self.folder / "data" / "quotesmith.db"
        connection = sqlite3.connect(path, timeout=10)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    async def stores(self, query: str, expected: list[Any]) -> None:
        """Wait until the database answers the query so; nobody tells a test of what changes there."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self.rows(query) != expected:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{query}: {self.rows(query)}, not {expected}; {self.output}") from None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for data in process.stdout:
            async with self._news:
                self.lines.append(data.decode(errors="replace").rstrip("\n"))
                self._news.notify_all()


@contextmanager
def worker_stopped(bot: BotProcess) -> Iterator[None]:
    """The model writes nothing until the block ends."""
    workers = bot.workers()
    assert workers
    _signal(workers, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(workers, signal.SIGCONT)


@asynccontextmanager
async def worker_slowed(bot: BotProcess, pause_s: float = 0.2) -> AsyncIterator[None]:
    """The model writes about a word between two pauses, however fast the machine is, until the block ends."""
    braking = [asyncio.create_task(_brake(worker, pause_s)) for worker in bot.workers()]
    assert braking
    try:
        yield
    finally:
        for each in braking:
            each.cancel()
        await asyncio.gather(*braking, return_exceptions=True)


async def _brake(worker: int, pause_s: float) -> None:
    """Stop the worker after each line that it writes; let go of it when cancelled.

    A share of the time instead would be a word on one machine and nothing, or the whole reply, on another.
    """
    with suppress(psutil.Error):  # it was killed
        process = psutil.Process(worker)
        try:
            while True:
                process.suspend()
                await asyncio.sleep(pause_s)
                written = process.io_counters().write_chars
                process.resume()
                while process.io_counters().write_chars == written:
                    await asyncio.sleep(0.001)
        finally:
            process.resume()


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)
