"""The terminal as a platform: a chat with line editing, or lines from a pipe; translates and decides nothing else."""

from __future__ import annotations

import asyncio
import getpass
import io
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, TextIO

from bot.chat.generation import Queued, TextDelta
from bot.chat.messages import ConversationKey, Platform, Vote, VoteSource
from bot.chat.replies import Reply, ReplyEvent, Retracted
from bot.chat.service import ChatService
from bot.errors import InputError, QuotesmithError
from bot.platforms import line_history
from bot.platforms.catalogue import ENGLISH, Texts
from bot.platforms.commands import COMMANDS, Action, Command, choice, help_text, parse
from bot.platforms.data_files import as_json
from bot.platforms.first_use import FirstUse
from bot.platforms.piped_lines import lines_of
from bot.platforms.replies import STARTED_OVER, STOPPED, THANKS_DOWN, THANKS_UP, user_text, waiting_text
from bot.platforms.rights import Rights
from bot.platforms.screen import GrowingText, printable, without_echo
from bot.settings import ConsoleSettings

if TYPE_CHECKING:
    from bot.platforms.line_editor import LineEditor

_TEXTS = Texts(ENGLISH)


def console_key() -> ConversationKey:
    """The conversation of whoever is logged in."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return ConversationKey(Platform.CONSOLE, "terminal", "", user)


class Console:
    """Serves one person at a terminal, or one pipe. Raises InputError when there is no input or no output.

    What is typed at a terminal is remembered in the history file, and without `keep_typed` until the end only.
    """

    def __init__(
        self,
        service: ChatService,
        settings: ConsoleSettings,
        rights: Rights,
        first_use: FirstUse,
        *,
        banner: str,
        keep_typed: bool = True,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self._service = service
        self._rights = rights
        self._first_use = first_use
        self._history_file = settings.history_file
        self._keep_typed = keep_typed
        self._editor: LineEditor | None = None
        self._banner = banner
        self._in = _opened(stdin or sys.stdin, "input")
        self._out = _opened(stdout or sys.stdout, "output")
        self._err = stderr or sys.stderr or io.StringIO()
        if isinstance(self._out, io.TextIOWrapper):  # a terminal of another encoding shows what it can
            self._out.reconfigure(errors="replace")
        self._key = console_key()
        self._answering: asyncio.Task[None] | None = None
        self._leaving = False

    async def run(self) -> int:
        """Serve until the person leaves or the input ends; returns the exit code.

        Raises BrokenPipeError when nobody reads the output any more.
        """
        if self._in.isatty() and self._out.isatty():
            await self._chat()
            return 0
        try:
            return await self._answer_lines()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise QuotesmithError(f"The output cannot be written ({error.strerror}).") from error

    # -- a terminal -------------------------------------------------------------------------------------------------

    async def _chat(self) -> None:
        from bot.platforms.line_editor import LineEditor  # takes a while to import, and a pipe needs none

        editor = self._editor = LineEditor(self._history_file if self._keep_typed else None, COMMANDS)
        self._say(self._banner)
        while not self._leaving:
            if warning := editor.warning():
                self._complain(warning)
            line = await editor.read()
            if line is None:
                return
            if line.strip():
                await self._obey_interruptibly(line)

    async def _obey_interruptibly(self, line: str) -> None:
        """Carry out a line; Ctrl-C stops it, and once more leaves."""
        self._answering = asyncio.ensure_future(self._obey_on_screen(line))
        # The line editor has its own handler while it reads and leaves none behind.
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._interrupt)
        try:
            await asyncio.wait([self._answering])
            self._answering.result()
        except asyncio.CancelledError:
            if not self._answering.cancelled():  # it is this one that is to end
                self._answering.cancel()
                await asyncio.wait([self._answering])
                raise
            self._say(_TEXTS(STOPPED))
        except QuotesmithError as error:
            self._say(user_text(error))
        finally:
            self._answering = None

    def _interrupt(self) -> None:
        if self._answering is None or self._answering.cancelling():
            self._leaving = True
        else:
            self._answering.cancel()

    async def _obey_on_screen(self, line: str) -> None:
        command = parse(line)
        if (events := self._reply(command)) is None:
            self._say(await self._do(command))
            return
        with without_echo(self._in):
            text = GrowingText(self._out)
            try:
                reply = await _finished(events, text)
            finally:
                text.end()
        await self._service.delivered(reply.message_id)
        # A pipe is read by a program, which nobody needs to tell.
        self._say(await self._first_use.note(self._key, reply.message_id, alone=True, texts=_TEXTS))

    # -- a pipe -----------------------------------------------------------------------------------------------------

    async def _answer_lines(self) -> int:
        """Answer each line in turn: replies to the output, all else to the error output."""
        failed, asked = False, False
        lines = lines_of(self._in.fileno())
        async with aclosing(lines):
            async for data in lines:
                asked = True
                try:
                    done = await self._obey_from_pipe(data)
                except QuotesmithError as error:
                    failed = True
                    self._complain(user_text(error))
                    continue
                if done:
                    break
        if not asked:  # a service or a container without a token, most likely: its log says what to do
            self._complain(self._banner)
        return int(failed)

    async def _obey_from_pipe(self, data: bytes) -> bool:
        """Carry out a line; True if it was the last."""
        try:
            line = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError("A line of the input is not UTF-8 text.") from error
        if not line.strip():
            return False
        command = parse(line)
        if (events := self._reply(command)) is not None:
            reply = await _finished(events, None)
            self._say(reply.text)
            await self._service.delivered(reply.message_id)
        elif command.action in (Action.HELP, Action.PRIVACY, Action.MYDATA):
            self._say(await self._do(command))
        elif command.action is not Action.QUIT:
            self._complain(await self._do(command))
        return command.action is Action.QUIT

    # -- both -------------------------------------------------------------------------------------------------------

    def _reply(self, command: Command) -> AsyncGenerator[ReplyEvent, None] | None:
        """The reply that the model is to write, None for a command that needs no model."""
        if command.action is Action.QUOTE:
            return self._service.quote(self._key, command.text, command.style)
        if command.action is Action.CHAT:
            return self._service.chat(self._key, command.text)
        return None

    async def _do(self, command: Command) -> str:
        """Carry out a command that needs no model, and say what came of it."""
        match command.action:
            case Action.NEW:
                await self._service.start_over(self._key)
                return _TEXTS(STARTED_OVER)
            case Action.GOOD:
                await self._service.vote(self._key, Vote.UP, VoteSource.COMMAND)
                return _TEXTS(THANKS_UP)
            case Action.BAD:
                await self._service.vote(self._key, Vote.DOWN, VoteSource.COMMAND)
                return _TEXTS(THANKS_DOWN)
            case Action.PRIVACY | Action.CONSENT | Action.MYDATA | Action.FORGET:
                return await self._exercise(command)
            case Action.QUIT:
                self._leaving = True
                return ""
            case _:
                return help_text()

    async def _exercise(self, command: Command) -> str:
        """A person's rights."""
        user_id = self._key.user_id
        if command.action is Action.CONSENT:
            return await self._rights.consent(user_id, choice(command, "on", "off") == "on", _TEXTS)
        if command.action is Action.MYDATA:
            export = choice(command, "show", "export") == "export"
            if export:
                return as_json(await self._rights.exported(user_id))
            return await self._rights.shown(user_id, _TEXTS)
        if command.action is Action.PRIVACY:
            return self._rights.privacy(_TEXTS)
        choice(command, "me")
        with suppress(OSError):  # it is somebody else's, and so are its lines
            line_history.empty(self._history_file)
        if self._editor is not None:
            self._editor.forget()
        return await self._rights.forgotten(user_id, _TEXTS)

    def _say(self, text: str) -> None:
        if text:
            self._out.write(f"{printable(text)}\n")
            self._out.flush()

    def _complain(self, text: str) -> None:
        self._err.write(f"{printable(text)}\n")
        self._err.flush()


def _opened(stream: TextIO | None, name: str) -> TextIO:
    if stream is None:
        raise InputError(f"The standard {name} is closed; the terminal chat needs one.")
    return stream


async def _finished(events: AsyncGenerator[ReplyEvent, None], text: GrowingText | None) -> Reply:
    """The reply at the end of the events; what comes before is shown on `text`, if there is one."""
    reply: Reply | None = None
    async with aclosing(events):
        async for event in events:
            match event:
                case Reply():
                    reply = event
                case TextDelta() if text is not None:
                    text.add(event.text)
                case Retracted() if text is not None:
                    text.take_back()
                case Queued() if text is not None:
                    text.notice(waiting_text(event))
    assert reply is not None  # the service ends with a Reply or an error
    return reply
