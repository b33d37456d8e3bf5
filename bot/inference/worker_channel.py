"""The worker's end of the pipe to its parent: lines out, lines in, signs of life; knows no model."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from typing import NoReturn

from bot.inference import wire

BEAT_S = 1.0  # between two signs of life while there is nothing to do


class Channel:
    """Lines to the parent, and the parent's lines as a queue that a thread fills."""

    def __init__(self) -> None:
        # Whatever a library prints must not end up between our lines.
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._lines: queue.SimpleQueue[wire.Line | None] = queue.SimpleQueue()
        self._unsent = bytearray()
        self._wrote = time.monotonic()
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, op: str, **fields: object) -> None:
        """Add a line to what the next flush writes."""
        self._unsent += wire.encode({"op": op, **fields})

    def flush(self) -> None:
        """Write what was sent, or a sign of life when there was nothing for a while."""
        if not self._unsent:
            if time.monotonic() - self._wrote < BEAT_S:
                return
            self.send("beat")
        data, self._unsent = memoryview(bytes(self._unsent)), bytearray()
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except BrokenPipeError:  # the parent has gone
            leave(0)
        self._wrote = time.monotonic()

    def receive(self, timeout: float | None) -> list[wire.Line]:
        """All lines that are there; waits up to `timeout` seconds for the first. Ends the process with the input."""
        lines: list[wire.Line] = []
        try:
            lines.append(self._open(self._lines.get(block=timeout != 0, timeout=timeout)))
            while True:
                lines.append(self._open(self._lines.get_nowait()))
        except queue.Empty:
            return lines

    def _open(self, line: wire.Line | None) -> wire.Line:
        if line is None:
            leave(0)
        return line

    def _read(self) -> None:
        for data in sys.stdin.buffer:
            self._lines.put(wire.decode(data))
        self._lines.put(None)


def leave(code: int) -> NoReturn:
    """End at once: the kernel frees the model faster than the interpreter's own shutdown."""
    sys.stderr.flush()
    os._exit(code)
