"""Lines from a pipe: what is printed and where, the exit code, and what is on record afterwards."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest

from bot.chat.eligibility import TERMS_VERSION
from bot.chat.messages import JobState, Style, Vote
from bot.chat.ports import NewTerms
from bot.chat.quotes import quote_grammar
from bot.chat.service import ChatService, ChatStores
from bot.errors import InputError, QuotesmithError, WorkerCrashed
from bot.platforms.commands import help_text
from bot.platforms.console import Console
from bot.settings import ChatSettings, ConsoleSettings, QuoteSettings
from tests.fakes import MODEL, FakeGenerator, FakePeople, FakeStore, Script, Stall, fixed_words, says
from tests.integration.console.scripted_console import terminal_rights


class Pipe:
    """A console between a file of typed lines and two streams."""

    def __init__(self, folder: Path, typed: bytes, *scripts: Script) -> None:
        self.store, self.generator = FakeStore(), FakeGenerator(*scripts)
        self.people = FakePeople(new_terms=NewTerms(changed=False, consents=False))
        self.out, self.err = io.StringIO(), io.StringIO()
        self._stores = ChatStores(self.store, self.store, self.store, self.store)
        self._typed = folder / "typed"
        self._typed.write_bytes(typed)

    async def run(self, out: TextIO | None = None) -> int:
        with self._typed.open() as typed:
            return await self.console(typed, out or self.out).run()

    def console(self, typed: TextIO | None, out: TextIO | None) -> Console:
        service = ChatService(
            MODEL,
            self.generator,
            self._stores,
            ChatSettings(),
            QuoteSettings(pool_depth=0),
            deadline_s=60.0,
            fixed_words=fixed_words,
        )
        settings = ConsoleSettings(history_file=self._typed.with_name("history"))
        rights, first_use = terminal_rights(self.people)
        return Console(service, settings, rights, first_use, banner="Ready.", stdin=typed, stdout=out, stderr=self.err)


Piped = Callable[..., Pipe]


@pytest.fixture
def piped(tmp_path: Path) -> Piped:
    return lambda typed, *scripts: Pipe(tmp_path, typed, *scripts)


async def test_replies_are_printed_in_order_and_nothing_else(piped: Piped, tmp_path: Path) -> None:
    pipe = piped(
        b"hello\n\n  \n/quote calm\nlast", says("Hi ", "there."), says("Calm water still moves."), says("Bye.")
    )
    assert await pipe.run() == 0
    assert pipe.out.getvalue() == "Hi there.\nCalm water still moves.\nBye.\n"
    assert pipe.err.getvalue() == ""
    assert pipe.store.states == [JobState.DONE] * 3 and len(pipe.store.delivered) == 3
    assert not (tmp_path / "history").exists()


async def test_a_style_behind_the_keyword_shapes_the_quote(piped: Piped) -> None:
    pipe = piped(b"/quote calm #short\n/quote calm\n", says("Calm water still moves."), says("Be calm, and go on."))
    assert await pipe.run() == 0
    short, plain = pipe.generator.requests
    assert short.grammar == quote_grammar(Style.SHORT) != plain.grammar
    assert short.turns == plain.turns


async def test_without_a_line_it_is_said_why_nothing_happens(piped: Piped) -> None:
    pipe = piped(b"")
    assert await pipe.run() == 0
    assert (pipe.out.getvalue(), pipe.err.getvalue()) == ("", "Ready.\n")


async def test_what_was_taken_back_and_the_waiting_are_not_printed(piped: Piped) -> None:
    pipe = piped(
        b"/quote calm\n", says("One thing. Another. And a third. ", waits=[2, 1]), says("Calm water still moves.")
    )
    assert await pipe.run() == 0
    assert (pipe.out.getvalue(), pipe.err.getvalue()) == ("Calm water still moves.\n", "")


async def test_a_failed_line_is_one_sentence_and_the_others_are_answered(piped: Piped) -> None:
    pipe = piped(b"\xff\xfe\nhello\n/quot x\n/quote\nagain\n", [WorkerCrashed("The model stopped.")], says("Hi."))
    assert await pipe.run() == 1
    assert pipe.out.getvalue() == "Hi.\n"
    assert pipe.err.getvalue().splitlines() == [
        "A line of the input is not UTF-8 text.",
        "The model stopped.",
        "There is no command /quot; did you mean /quote?",
        "Say what the quote should be about: /quote courage.",
    ]


async def test_commands_confirm_beside_the_output(piped: Piped) -> None:
    pipe = piped(b"/good\nhello\n/good\n/bad\n/new\n", says("Hi."))
    assert await pipe.run() == 1
    assert pipe.out.getvalue() == "Hi.\n"
    assert pipe.err.getvalue().splitlines() == [
        "There is no reply to vote on yet.",
        "Thank you, noted as good.",
        "Thank you, noted as bad.",
        "A new conversation: what we said before is no part of it.",
    ]
    assert [vote for _, _, vote, _ in pipe.store.votes] == [Vote.UP, Vote.DOWN]


async def test_help_is_printed(piped: Piped) -> None:
    pipe = piped(b"/help\n")
    assert await pipe.run() == 0
    assert (pipe.out.getvalue(), pipe.err.getvalue()) == (f"{help_text()}\n", "")


async def test_a_persons_rights_are_there_for_a_program_too(piped: Piped, tmp_path: Path) -> None:
    (tmp_path / "history").write_text("+what I typed before")
    pipe = piped(b"/privacy\n/mydata export\n/consent on\n/consent perhaps\n/forget\n/forget me\n/mydata show\n")
    assert await pipe.run() == 1
    printed = pipe.out.getvalue()
    assert printed.startswith("What you write to me") and '"hello"' in printed and "2 messages" in printed
    assert [line[:16] for line in pipe.err.getvalue().splitlines()] == [
        "Noted: from now ",
        "Say /consent on ",
        "Say /forget me.",
        "Erased: 4 messag",
    ]
    assert [given[1:] for given in pipe.people.consents] == [(TERMS_VERSION, True)] and len(pipe.people.forgotten) == 1
    assert (tmp_path / "history").read_text() == ""


async def test_a_program_is_told_no_terms(piped: Piped) -> None:
    pipe = piped(b"hello\n", says("Hi."))
    assert await pipe.run() == 0
    assert (pipe.out.getvalue(), pipe.err.getvalue(), pipe.people.told) == ("Hi.\n", "", {})


async def test_quit_leaves_the_rest_unread(piped: Piped) -> None:
    pipe = piped(b"hello\n/quit\n" + b"more\n" * 100, says("Hi."))
    assert await pipe.run() == 0
    assert pipe.out.getvalue() == "Hi.\n" and len(pipe.store.jobs) == 1


async def test_control_characters_are_no_part_of_the_output(piped: Piped) -> None:
    pipe = piped(b"hello\n/\x1b[2J\n", says("\x1b[31mRed\x07."))
    assert await pipe.run() == 1
    assert pipe.out.getvalue() == "[31mRed.\n" and "\x1b" not in pipe.err.getvalue()


async def test_an_output_of_another_encoding_gets_what_it_can_hold(piped: Piped) -> None:
    pipe, written = piped(b"hello\n", says("Café 勇.")), io.BytesIO()
    out = io.TextIOWrapper(written, encoding="latin-1")
    assert await pipe.run(out) == 0
    assert written.getvalue() == b"Caf\xe9 ?.\n"


async def test_a_reply_that_nobody_reads_ends_the_work_and_is_not_delivered(piped: Piped) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    pipe = piped(b"hello\nand then\n", says("Hi."))
    with os.fdopen(writing, "w") as nobody, pytest.raises(BrokenPipeError):
        try:
            await pipe.run(nobody)
        finally:
            os.dup2(os.open(os.devnull, os.O_WRONLY), writing)  # as the command does, so that closing is quiet
    assert pipe.store.states == [JobState.DONE] and not pipe.store.delivered


async def test_an_input_that_cannot_be_read_is_said_so(piped: Piped, tmp_path: Path) -> None:
    pipe = piped(b"")
    with (
        (tmp_path / "write_only").open("w") as typed,
        pytest.raises(InputError, match=r"The input cannot be read \(Bad file descriptor\)\."),
    ):
        await pipe.console(typed, pipe.out).run()


async def test_a_full_disk_is_said_so(piped: Piped) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    pipe = piped(b"hello\n", says("Hi."))
    with pytest.raises(QuotesmithError, match=r"The output cannot be written \(No space left on device\)\."):
        await pipe.run(Full())
    assert not pipe.store.delivered


@pytest.mark.parametrize(("stream", "said"), [("stdin", "standard input is closed"), ("stdout", "standard output is")])
def test_a_closed_stream_is_said_so(piped: Piped, monkeypatch: pytest.MonkeyPatch, stream: str, said: str) -> None:
    monkeypatch.setattr(sys, stream, None)  # as Python does when it is started so
    with pytest.raises(InputError, match=said):
        piped(b"").console(None, None)


async def test_an_interrupted_reply_is_given_up(piped: Piped) -> None:
    pipe = piped(b"hello\n", [Stall()])
    running = asyncio.ensure_future(pipe.run())
    while not pipe.generator.under_way:
        await asyncio.sleep(0)
    running.cancel()  # what Ctrl-C does to the main task
    with pytest.raises(asyncio.CancelledError):
        await running
    assert pipe.store.states == [JobState.CANCELLED] and pipe.out.getvalue() == ""


async def test_waiting_for_a_line_can_be_interrupted(piped: Piped) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as typing, os.fdopen(reading) as typed:
        pipe = piped(b"", says("Hi."))
        running = asyncio.ensure_future(pipe.console(typed, pipe.out).run())
        typing.write(b"hello\n")
        typing.flush()
        while not pipe.store.delivered:
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert pipe.out.getvalue() == "Hi.\n"


def test_a_pipe_does_not_wait_for_the_line_editor_to_be_imported() -> None:
    code = "import sys, bot.platforms.console; print('prompt_toolkit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
