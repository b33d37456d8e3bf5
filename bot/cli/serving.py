"""The commands that answer people: `run`, `quote` and `chat`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated

import typer

from bot.chat.messages import Platform
from bot.chat.replies import Reply, ReplyEvent
from bot.cli import session
from bot.cli.session import JsonOption
from bot.composition import Bot, chores, open_bot, open_console, platform_clients, token_of
from bot.errors import GenerationError, InputError
from bot.platforms.console import console_key
from bot.platforms.screen import printable
from bot.settings import Settings

_SEEDS = 2**32 - 1  # llama.cpp's are of 32 bits, and it takes the last number as the wish for any seed
_BANNER = (
    "Quotesmith with the model {model}; /help says what you can type. "
    "To connect a platform, set DISCORD_TOKEN or TELEGRAM_TOKEN in the environment or in .env."
)


def run(
    platform: Annotated[
        list[Platform] | None,
        typer.Option(help="Serve this platform; may be repeated. Default: those whose token is set, else console."),
    ] = None,
) -> None:
    """Start the bot."""
    settings = session.begin()
    platforms = list(dict.fromkeys(platform or _with_token(settings)))
    if platforms == [Platform.CONSOLE]:
        raise typer.Exit(session.run(_terminal(settings)))
    if Platform.CONSOLE in platforms:
        raise InputError("The terminal chat is served alone: leave out --platform console, or all others.")
    for one in platforms:
        token_of(settings, one)  # before anything is loaded
    raise typer.Exit(session.run(_platforms(settings, platforms)))


def quote(
    keyword: Annotated[str, typer.Argument(help="What the quote is about.")],
    count: Annotated[int, typer.Option(min=1, max=1_000, help="How many quotes.")] = 1,
    seed: Annotated[
        int | None, typer.Option(min=0, max=_SEEDS - 1, help="The same seed gives the same quotes.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A model of `quotesmith model list`.")] = None,
    json: JsonOption = False,
) -> None:
    """Write quotes on a keyword."""
    session.run(_quotes(session.begin(), keyword, count, seed, model, json))


def chat(
    text: Annotated[str | None, typer.Argument(help="One message; without it the terminal chat opens.")] = None,
    json: JsonOption = False,
) -> None:
    """Say something to the model, or open the terminal chat."""
    if text is None and json:
        raise InputError("--json needs a TEXT to answer: quotesmith chat TEXT --json.")
    settings = session.begin()
    if text is None:
        raise typer.Exit(session.run(_terminal(settings)))
    session.run(_one_reply(settings, text, json))


async def _terminal(settings: Settings) -> int:
    async with open_bot(settings) as bot:
        await bot.worker.ready()
        console = open_console(bot, _BANNER.format(model=bot.model.name))
        async with chores(bot, _tell_nobody):
            return await console.run()


async def _platforms(settings: Settings, platforms: Sequence[Platform]) -> int:
    """Serve until a signal comes, or until no platform is left."""
    from bot.platforms.serving import serve, stop

    async with open_bot(settings) as bot:
        clients, desks = platform_clients(bot, platforms, _say)
        await bot.worker.ready()
        _say(f"Quotesmith answers with the model {bot.model.name}.")

        async def tell(model: str) -> None:
            try:
                _say(f"Quotesmith answers with the model {model} from now on.")
            finally:  # the chats want to know it also where nobody reads what is said here any more
                for desk in desks:
                    await desk.announce("announce-model", model=model)

        async with chores(bot, tell):
            serving = asyncio.create_task(serve(clients, _say, time.monotonic), name="serving the platforms")
            try:
                await asyncio.wait([serving])
                serving.result()
            finally:  # a signal came, or no platform is left: what is under way is finished or kept for the next start
                bot.service.park()
                await stop(desks, settings.platforms.stop_within_s)
                serving.cancel()
                await asyncio.wait([serving])
                for client in clients:
                    await client.close()
    _say("No platform is left to serve.")
    return session.FAILED


async def _tell_nobody(model: str) -> None:
    """A person at the terminal sees by /help and the replies what answers; a line between would break theirs."""


def _say(line: str) -> None:
    """A line for whoever watches the bot run."""
    typer.echo(printable(line))
    sys.stdout.flush()


async def _quotes(
    settings: Settings, keyword: str, count: int, seed: int | None, model: str | None, as_json: bool
) -> None:
    async with open_bot(settings, model) as bot:
        for number in range(count):
            # A quote may take several attempts, each with a seed of its own: these must not be the next quote's.
            own_seed = None if seed is None else (seed + number * settings.quote.attempts) % _SEEDS
            reply = await _finished(bot, bot.service.quote(console_key(), keyword, seed=own_seed))
            if as_json:
                session.show_json(
                    {
                        "keyword": keyword,
                        "quote": reply.text,
                        "model": reply.model,
                        "source": reply.source,
                        "tokens": reply.tokens,
                        "elapsed_ms": reply.elapsed_ms,
                    }
                )
            else:
                typer.echo(printable(reply.text))
            sys.stdout.flush()


async def _one_reply(settings: Settings, text: str, as_json: bool) -> None:
    async with open_bot(settings) as bot:
        reply = await _finished(bot, bot.service.chat(console_key(), text))
        if as_json:
            session.show_json(
                {"reply": reply.text, "model": reply.model, "tokens": reply.tokens, "elapsed_ms": reply.elapsed_ms}
            )
        else:
            typer.echo(printable(reply.text))


async def _finished(bot: Bot, events: AsyncGenerator[ReplyEvent, None]) -> Reply:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Reply):
                await bot.service.delivered(event.message_id)
                return event
    raise GenerationError("The model gave no reply.")


def _with_token(settings: Settings) -> list[Platform]:
    tokens = {Platform.DISCORD: settings.secrets.discord_token, Platform.TELEGRAM: settings.secrets.telegram_token}
    return [platform for platform, token in tokens.items() if token is not None] or [Platform.CONSOLE]
