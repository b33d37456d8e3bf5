"""Tries the token of a platform once, for whoever sets the bot up; serves nobody."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import discord
from telegram.error import InvalidToken, TelegramError

from bot.errors import PlatformRefused, PlatformUnreachable
from bot.platforms.discord_bot import use_endpoints
from bot.platforms.telegram_bot import make_bot
from bot.platforms.telegram_outlet import reason_of

_PATIENCE_S = 15.0
_PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    read_message_history=True,
    attach_files=True,
)
_SCOPES = ("bot", "applications.commands")


@dataclass(frozen=True, slots=True)
class PlatformFacts:
    """Who the bot is there, and what whoever sets it up should know; `advice` is empty when all is well."""

    name: str
    detail: str
    advice: str = ""


async def check_discord(token: str, api_base: str, gateway_url: str) -> PlatformFacts:
    """Log in, without connecting. Raises PlatformRefused and PlatformUnreachable."""
    use_endpoints(api_base, gateway_url)
    client = discord.Client(intents=discord.Intents.none())
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await client.login(token)
        assert client.application_id is not None  # the login asks for it
        return PlatformFacts(str(client.user), f"add it to a server with {invite_link(client.application_id)}")
    except discord.LoginFailure as error:
        raise PlatformRefused("Discord does not accept DISCORD_TOKEN.") from error
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise PlatformUnreachable(f"Discord cannot be reached ({str(error) or type(error).__name__}).") from error
    finally:
        await client.close()


async def check_telegram(token: str, base_url: str) -> PlatformFacts:
    """Ask Telegram who the bot is. Raises PlatformRefused and PlatformUnreachable."""
    bot = make_bot(token, base_url)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await bot.initialize()
            me = await bot.get_me()
    except InvalidToken as error:
        raise PlatformRefused("Telegram does not accept TELEGRAM_TOKEN.") from error
    except (TelegramError, TimeoutError) as error:
        reason = reason_of(error) if isinstance(error, TelegramError) else "no answer in time"
        raise PlatformUnreachable(f"Telegram cannot be reached ({reason}).") from error
    finally:
        with suppress(TelegramError, RuntimeError):
            await bot.shutdown()
    switches = []
    if not me.can_join_groups:
        switches.append("/setjoingroups lets it into groups")
    if not me.supports_inline_queries:
        switches.append("/setinline lets people write @its_name courage in any chat")
    advice = f"In @BotFather, {' and '.join(switches)}." if switches else ""
    return PlatformFacts(f"@{me.username}", f"talk to it at https://t.me/{me.username}", advice)


def invite_link(application_id: int) -> str:
    """The address under which somebody adds the bot to a server, with the rights that it needs."""
    return discord.utils.oauth_url(application_id, permissions=_PERMISSIONS, scopes=_SCOPES)
