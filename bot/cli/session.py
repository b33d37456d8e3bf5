"""What every command shares: settings and log at its start, an exit code at its end; knows no single command."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from dataclasses import asdict, is_dataclass
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Annotated, Any, TypeVar

import typer

from bot.errors import QuotesmithError
from bot.settings import Settings, load_settings

log = logging.getLogger(__name__)

FAILED = 1  # typer itself ends with 2 for wrong usage
INTERRUPTED = 130  # as a shell reports a process that SIGINT ended; so with the other signals
_ENDED_BY_SIGNAL = 128

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_Result = TypeVar("_Result")


def begin() -> Settings:
    """Read the settings and open the log. Raises SettingsError."""
    from bot.logs import set_up_logging

    settings = load_settings()
    set_up_logging(settings.logging.level, settings.logging.file, settings.secrets.values())
    return settings


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a command's coroutine to its end; Ctrl-C, SIGTERM and SIGHUP end it in order, and set the exit code."""
    ended_by: list[int] = []

    async def until_terminated() -> _Result:
        task = asyncio.current_task()
        assert task is not None

        def end(number: int) -> None:
            # A closed terminal may say so twice, by the kernel and by the shell: the end is not to be cut short.
            if number == signal.SIGTERM or not ended_by:
                task.cancel()
            ended_by.append(number)

        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has it that way
                asyncio.get_running_loop().add_signal_handler(number, end, number)
        return await work

    try:
        return asyncio.run(until_terminated())
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except asyncio.CancelledError:
        raise typer.Exit(_ENDED_BY_SIGNAL + (ended_by or [signal.SIGTERM])[0]) from None


def show_json(value: object) -> None:
    """Print one line of JSON; dataclasses are written as objects, paths and times as text."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def show_error(error: QuotesmithError) -> None:
    """Print an error as its sentence, on standard error."""
    typer.echo(f"quotesmith: {error}", err=True)


def show_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The hook for what nothing else caught: a defect of the program gets a sentence, and the log its traceback."""
    if issubclass(kind, KeyboardInterrupt):
        return
    log.debug("an unexpected error", exc_info=(kind, error, trace))
    place = ""
    while trace is not None:
        place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    typer.echo(
        f"quotesmith: This is a defect of Quotesmith ({kind.__name__}{place}). "
        "Please report it; QUOTESMITH_LOGGING__LEVEL=debug writes the details to the log.",
        err=True,
    )


def is_of_output(error: OSError) -> bool:
    """Whether it was printing that failed, and not a file or a connection."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return frame.f_code is typer.echo.__code__


def leave_quietly() -> None:
    """The output cannot be written: keep the interpreter from complaining about it while it shuts down."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)
