"""Reads the lines of a pipe or a file without holding up the event loop; knows nothing of what they mean."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress

from bot.errors import InputError

_LINE_BYTES = 1 << 20
_LINES_AHEAD = 16


async def lines_of(descriptor: int) -> AsyncGenerator[bytes, None]:
    """The lines, line ends included. Raises InputError when they cannot be read.

    A thread reads, because event loops cannot wait for plain files. It reads a copy of the descriptor: a thread that
    sits in `sys.stdin` would keep the interpreter from ending.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    room = threading.Semaphore(_LINES_AHEAD)
    copy = os.dup(descriptor)

    def read() -> None:
        end: bytes | OSError = b""
        with suppress(RuntimeError):  # the loop has ended, and nobody wants the lines any more
            try:
                with os.fdopen(copy, "rb") as file:
                    while room.acquire() and (line := file.readline(_LINE_BYTES)):
                        loop.call_soon_threadsafe(lines.put_nowait, line)
            except OSError as error:
                end = error
            loop.call_soon_threadsafe(lines.put_nowait, end)

    threading.Thread(target=read, daemon=True).start()
    while line := await lines.get():
        if isinstance(line, OSError):
            raise InputError(f"The input cannot be read ({line.strerror}).") from line
        yield line
        room.release()
