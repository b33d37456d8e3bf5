"""Puts text before people on Discord: messages, interactions, buttons; decides nothing about when."""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import discord

from bot.chat.ports import Place
from bot.platforms.address import Address
from bot.platforms.data_files import DataFile
from bot.platforms.outlet import AddressOver, Button, ChatCooldown, ChatGone, ChatUnreachable, Outlet, PostGone

_NOBODY = discord.AllowedMentions.none()
_UNKNOWN_MESSAGE, _TOO_OLD_TO_EDIT = 10008, 30046
_UNKNOWN_WEBHOOK, _INVALID_WEBHOOK, _UNKNOWN_INTERACTION = 10015, 50027, 10062
_COOLDOWN_S = 5.0  # where Discord does not say


class DiscordOutlet(Outlet):
    """The port `Outlet` on discord.py. `now` gives epoch seconds, in which tokens run out.

    An answer to an interaction goes through its token, as long as that serves; its lasting address is the channel, or,
    where nobody else may see the answer, the person's direct messages.
    """

    limit = 1_970  # of 2,000: a mention may come before the text
    file_limit = discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
    typing_s = 9.0  # the sign lasts 10 s
    edit_s = 1.2  # Discord takes about five changes in five seconds for each channel
    private_edit_s = 1.2
    draft_s = 1.2

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.client: discord.Client | None = None  # the one that is connected; a new one after each failure
        self._now = now

    def address_of(self, place: Place) -> Address:
        """The thread, or the channel."""
        return Address(place.thread_id or place.chat_id, "")

    def lasting(self, address: Address) -> Address:
        """The channel, where the person is called, for nothing there points at them."""
        return replace(address, token="", token_until=0.0, mention=True)

    def creates_once(self, address: Address) -> bool:
        """A channel takes a nonce, an interaction does not."""
        return not address.token

    def small_print(self, paragraph: str) -> str:
        """Discord's mark for a line of small grey text."""
        return f"-# {paragraph}"

    def drafts(self, address: Address) -> bool:
        """Discord has none."""
        return False

    async def typing(self, address: Address) -> None:
        """Show that the bot is typing; an interaction shows that it thinks."""
        if not address.token:
            async with _translated():
                await (await self._channel(address)).typing()

    async def draft(self, address: Address, draft_id: int, text: str) -> None:
        """Never asked for."""
        raise NotImplementedError

    async def create(self, address: Address, text: str, buttons: Sequence[Button], nonce: str) -> str:
        """Send a message, or fill the answer that an interaction waits for."""
        self._check_token(address)
        async with _translated():
            if address.token:
                return await self._follow_up(address, text, buttons)
            return await self._send(address, text, buttons, nonce)

    async def send_file(self, address: Address, text: str, file: DataFile, nonce: str) -> str:
        """Send a message with a file."""
        async with _translated():
            channel = await self._channel(address)
            message = await channel.send(text, file=attachment(file), nonce=nonce, allowed_mentions=_NOBODY)
        return str(message.id)

    async def edit(self, address: Address, post_id: str, text: str, buttons: Sequence[Button]) -> None:
        """Change a message."""
        self._check_token(address)
        view, content = view_of(buttons), _with_mention(address, text)
        async with _translated():
            if address.token:
                webhook = self._webhook(address)
                await webhook.edit_message(int(post_id), content=content, view=view, allowed_mentions=_NOBODY)
            else:
                message = (await self._channel(address)).get_partial_message(int(post_id))
                await message.edit(content=content, view=view, allowed_mentions=_NOBODY)

    async def _follow_up(self, address: Address, text: str, buttons: Sequence[Button]) -> str:
        view = view_of(buttons) or discord.utils.MISSING
        message = await self._webhook(address).send(
            text, view=view, ephemeral=address.private, allowed_mentions=_NOBODY, wait=True
        )
        return str(message.id)

    async def _send(self, address: Address, text: str, buttons: Sequence[Button], nonce: str) -> str:
        channel, view = await self._channel(address), view_of(buttons)
        content = _with_mention(address, text)
        more: dict[str, Any] = {"view": view} if view else {}
        if address.reply_to:
            more["reference"] = _reference(address)
        called: list[discord.abc.Snowflake] = [discord.Object(int(address.user_id))] if address.mention else []
        mentions = discord.AllowedMentions(everyone=False, roles=False, users=called, replied_user=True)
        nonce = nonce or secrets.token_hex(12)
        message = await channel.send(content, nonce=nonce, allowed_mentions=mentions, **more)
        if message.content != content:  # the first of two creates with this nonce said something else
            await message.edit(content=content, view=view, allowed_mentions=_NOBODY)
        return str(message.id)

    async def _channel(self, address: Address) -> discord.PartialMessageable | discord.DMChannel:
        client = self._connected()
        if address.private and not address.one_to_one:
            return await client.create_dm(discord.Object(int(address.user_id)))
        return client.get_partial_messageable(int(address.chat_id))

    def _webhook(self, address: Address) -> discord.Webhook:
        client = self._connected()
        if client.application_id is None:
            raise ChatUnreachable("not connected to Discord")
        webhook = discord.Webhook.partial(client.application_id, address.token, client=client)
        webhook.type = discord.WebhookType.application  # which alone may send what only one person sees
        return webhook

    def _connected(self) -> discord.Client:
        if self.client is None or self.client.is_closed():
            raise ChatUnreachable("not connected to Discord")
        return self.client

    def _check_token(self, address: Address) -> None:
        if address.token and self._now() >= address.token_until:
            raise AddressOver("the time to answer the interaction is over")


def _with_mention(address: Address, text: str) -> str:
    return f"<@{address.user_id}> {text}" if address.mention and not address.private else text


def view_of(buttons: Sequence[Button]) -> discord.ui.View | None:
    """The buttons under a message. Presses are dealt with by their data, so that they outlive the process."""
    if not buttons:
        return None
    view = discord.ui.View(timeout=None)
    for button in buttons:
        view.add_item(discord.ui.Button(label=button.label, custom_id=button.data, style=discord.ButtonStyle.secondary))
    view.stop()  # else the library would keep every view for ever, waiting for presses
    return view


def attachment(file: DataFile) -> discord.File:
    """The file as it is sent, once."""
    return discord.File(io.BytesIO(file.content), filename=file.name)


def _reference(address: Address) -> discord.MessageReference:
    return discord.MessageReference(
        message_id=int(address.reply_to), channel_id=int(address.chat_id), fail_if_not_exists=False
    )


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """The library's errors as those of the port."""
    try:
        yield
    except discord.RateLimited as error:
        raise ChatCooldown(error.retry_after) from error
    except discord.HTTPException as error:
        raise _of_http(error) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ChatUnreachable(str(error) or type(error).__name__) from error
    except RuntimeError as error:  # a session that was closed meanwhile
        raise ChatUnreachable(str(error)) from error


def _of_http(error: discord.HTTPException) -> Exception:
    if error.code in (_UNKNOWN_WEBHOOK, _INVALID_WEBHOOK, _UNKNOWN_INTERACTION):
        return AddressOver(str(error))
    if error.status == 429:
        after = error.response.headers.get("Retry-After", "")
        return ChatCooldown(float(after) if after.replace(".", "", 1).isdigit() else _COOLDOWN_S)
    if error.status >= 500 or error.status == 401:  # a token that was revoked: the operator may mend it
        return ChatUnreachable(str(error))
    if error.code in (_UNKNOWN_MESSAGE, _TOO_OLD_TO_EDIT):
        return PostGone(str(error))
    return ChatGone(str(error))
