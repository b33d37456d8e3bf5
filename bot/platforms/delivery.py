"""Brings finished texts to people: a reply until its platform has confirmed it, anything else as well as it goes."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bot.chat.ports import AcceptedJob, Outbox, PendingReply
from bot.errors import StorageError
from bot.platforms.address import Address
from bot.platforms.data_files import DataFile, data_files
from bot.platforms.lanes import Lanes
from bot.platforms.outlet import (
    AddressOver,
    Button,
    ChatCooldown,
    ChatGone,
    ChatUnreachable,
    Outlet,
    PostGone,
    reply_buttons,
)
from bot.platforms.posts import Posts
from bot.platforms.splitting import split

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
_MOST_DEFECTS = 5  # attempts that end in an error that nobody foresaw
_SAYINGS = 3  # attempts at a sentence that is no reply
_LONGEST_WAIT_S = 60.0  # for a chat that is closed for longer, such a sentence is not kept


class Delivery:
    """The way of one platform's texts to its chats."""

    def __init__(self, outlet: Outlet, outbox: Outbox, lanes: Lanes, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self._outlet = outlet
        self._outbox = outbox
        self._lanes = lanes
        self._first_pause_s = first_pause_s

    async def deliver(self, reply: PendingReply, address: Address, posts: Posts | None = None) -> bool:
        """Show a reply, as often as it takes; what cannot be shown at all is given up, with the reason on record.

        Returns whether it is shown. `posts` are the messages that its progress was shown in, if this process has shown
        any.
        """
        posts = posts or Posts(self._outlet, self._outbox, reply.job, address)
        buttons = reply_buttons(address.texts, reply)
        pause_s, defects = self._first_pause_s, 0
        while True:
            try:
                await self._show(posts, address, reply.text, buttons)
                await self._outbox.confirm(reply.reply_id)
                return True
            except ChatGone as error:
                log.warning("a reply in chat %s cannot be shown and is given up: %s", address.chat_id, error)
                await self._outbox.give_up(reply.reply_id, str(error))
                return False
            except ChatCooldown as error:
                self._lanes.close_for(address.chat_id, error.retry_s)
            except (ChatUnreachable, PostGone, StorageError) as error:
                log.warning("a reply in chat %s is tried again in %g s: %s", address.chat_id, pause_s, error)
                await self._note(reply, str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except Exception as error:  # a defect of ours; it may lie in this text, or in a passing state
                log.exception("a reply in chat %s was not shown", address.chat_id)
                defects += 1
                if defects == _MOST_DEFECTS:
                    await self._outbox.give_up(reply.reply_id, f"{type(error).__name__}: {error}")
                    return False
                await asyncio.sleep(pause_s)

    async def conclude(
        self, job: AcceptedJob, posts: Posts, address: Address, text: str, buttons: Sequence[Button]
    ) -> None:
        """Say in place of a reply why there is none."""
        for _ in range(_SAYINGS):
            try:
                return await self._show(posts, address, text, buttons)
            except ChatCooldown as error:
                self._lanes.close_for(address.chat_id, error.retry_s)
            except (ChatGone, ChatUnreachable, PostGone, StorageError) as error:
                log.info("the end of job %d was not shown: %s", job.job_id, error)
                await asyncio.sleep(self._first_pause_s)
        return None

    async def say(self, address: Address, text: str, buttons: Sequence[Button] = ()) -> str | None:
        """Say something that answers no job, in as many messages as it takes; the buttons are under the last one.

        Returns that message's id, None when it could not be said to the end. Where a repeated create makes a second
        message, it is not repeated if the first may have arrived.
        """
        *before, last = split(text, self._outlet.limit)
        for part in before:
            if await self._say_part(address, part, ()) is None:
                return None
        return await self._say_part(address, last, buttons)

    async def hand_over(self, address: Address, text: str, data: Mapping[str, object]) -> None:
        """Send somebody what is stored about them, in as many files as it takes; say so if that fails."""
        for file in await asyncio.to_thread(data_files, data, self._outlet.file_limit):
            if await self._send_file(address, text, file) is None:
                await self.say(address, address.texts("mydata-not-sent"))
                return

    async def send(self, address: Address, sending: Callable[[str], Awaitable[str]]) -> str | None:
        """Send one message that answers no job; `sending` takes the nonce for it, and returns its id.

        Returns that id, None when it could not be sent. Where a repeated create makes a second message, it is not
        repeated if the first may have arrived.
        """
        nonce = secrets.token_hex(12)
        for _ in range(_SAYINGS):
            if self._lanes.closed_s(address.chat_id) > _LONGEST_WAIT_S:
                break
            try:
                async with self._lanes.reply(address.chat_id):
                    return await sending(nonce)
            except ChatCooldown as error:
                self._lanes.close_for(address.chat_id, error.retry_s)
            except ChatUnreachable as error:
                log.info("a sentence in chat %s was not said: %s", address.chat_id, error)
                if not self._outlet.creates_once(address):
                    break
                await asyncio.sleep(self._first_pause_s)
            except (ChatGone, PostGone) as error:
                log.info("a sentence in chat %s cannot be said: %s", address.chat_id, error)
                break
        return None

    async def _send_file(self, address: Address, text: str, file: DataFile) -> str | None:
        return await self.send(address, lambda nonce: self._outlet.send_file(address, text, file, nonce))

    async def _say_part(self, address: Address, text: str, buttons: Sequence[Button]) -> str | None:
        return await self.send(address, lambda nonce: self._outlet.create(address, text, buttons, nonce))

    async def _show(self, posts: Posts, address: Address, text: str, buttons: Sequence[Button]) -> None:
        async with self._lanes.reply(address.chat_id):
            await posts.load()
            try:
                await self._put(posts, text, buttons)
            except AddressOver:
                await posts.move()
                await self._put(posts, text, buttons)

    async def _put(self, posts: Posts, text: str, buttons: Sequence[Button]) -> None:
        parts = split(text, self._outlet.limit)
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            await posts.put(number, part, buttons if last else ())

    async def _note(self, reply: PendingReply, reason: str) -> None:
        try:
            await self._outbox.try_later(reply.reply_id, reason)
        except StorageError as error:
            log.warning("an attempt at a reply is not on record: %s", error)
