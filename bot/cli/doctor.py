"""The command `quotesmith doctor`: tries every part once and says what to do about what fails."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bot.chat.generation import TextDelta
from bot.chat.messages import Platform
from bot.chat.model import Model
from bot.chat.prompts import quote_request
from bot.chat.quotes import finished_quote
from bot.cli import session
from bot.cli.session import JsonOption
from bot.composition import client_limits, open_database, open_store, worker_options
from bot.errors import GenerationError, PlatformRefused, PlatformUnreachable, QuotesmithError
from bot.inference.worker_client import WorkerClient
from bot.models.disk import free_disk
from bot.models.folder import model_header
from bot.models.memory import available_memory, bytes_needed
from bot.models.sizes import in_words
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.storage.database import Database

_LITTLE_DISK_BYTES = 200 * 10**6
_KEYWORD = "courage"
# The forms that the platforms give out today; a token of another form is nearly always a copying mistake.
_TOKEN_FORMS = {
    "discord_token": ("DISCORD_TOKEN", r"[\w-]{20,}\.[\w-]{5,}\.[\w-]{20,}", "three parts with dots between them"),
    "telegram_token": ("TELEGRAM_TOKEN", r"\d{5,}:[\w-]{30,}", "digits, a colon, and 35 letters, digits, - and _"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report; `advice` says what to do where it failed."""

    name: str
    ok: bool
    detail: str
    advice: str = ""


def doctor(json: JsonOption = False) -> None:
    """Check settings, database, model, platforms and disk; exit code 1 if anything is wrong."""
    checks = session.run(_report(json))
    if json:
        session.show_json({"ok": all(check.ok for check in checks), "checks": checks})
    raise typer.Exit(0 if all(check.ok for check in checks) else session.FAILED)


async def _report(quiet: bool) -> list[Check]:
    checks = []
    async for check in _checks():
        checks.append(check)
        if not quiet:
            advice = f" -> {check.advice}" if check.advice else ""
            typer.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name:<10} {check.detail}{advice}")
    return checks


async def _checks() -> AsyncIterator[Check]:
    try:
        settings = session.begin()
    except QuotesmithError as error:
        yield Check("settings", False, str(error), "Correct it and run quotesmith doctor again for the rest.")
        return
    sources = sorted({line.source for line in settings.describe()} - {"", "default"})
    yield Check("settings", True, f"read from {', '.join(sources)}" if sources else "all at their defaults")
    async for check in _database(settings):
        yield check
    async for check in _model(settings):
        yield check
    async for check in _platforms(settings):
        yield check
    yield _disk(settings)


async def _database(settings: Settings) -> AsyncIterator[Check]:
    try:
        database = await open_database(settings)
    except QuotesmithError as error:
        yield Check("database", False, str(error), "Nothing can be stored until this is mended.")
        return
    try:
        yield Check("database", True, f"{settings.database.url}, {in_words(await database.size_bytes())}")
        yield await _migrations(database)
        sealed = database.cipher.has_key
        yield Check("encryption", True, "on" if sealed else "off; set QUOTESMITH_DATA_KEY to encrypt stored messages")
    finally:
        await database.close()


async def _migrations(database: Database) -> Check:
    from bot.storage.schema import known_revisions

    revision, newest = await database.revision(), known_revisions()[-1]
    return Check("migrations", revision == newest, f"at revision {revision} of {newest}")


async def _model(settings: Settings) -> AsyncIterator[Check]:
    store = open_store(settings)
    try:
        model = store.get(store.active().name, verify=True)
    except QuotesmithError as error:
        yield Check("model", False, str(error), "Choose another with `quotesmith model use NAME`, such as starter.")
        return
    yield Check("model", True, f"{model.name}, {in_words(model.path.stat().st_size)}, checksum right")
    try:
        options = worker_options(settings, model)
    except QuotesmithError as error:
        yield Check("memory", False, str(error), "Choose a smaller model with `quotesmith model use NAME`.")
        return
    needed = bytes_needed(model_header(model.path), options.context_tokens, options.batch_tokens, options.slots)
    cache = f"{options.context_tokens} of {settings.inference.context_tokens} context tokens"
    yield Check("memory", True, f"about {in_words(needed)} of {in_words(available_memory())}, for {cache}")
    worker = WorkerClient(options, client_limits(settings.inference))
    worker.start()
    try:
        facts = await worker.ready()
        yield Check(
            "speed",
            True,
            f"one text {facts.stream_rate:.0f} tokens/s (threads: {facts.threads}), many together "
            f"{facts.batch_rate:.0f} tokens/s (threads: {facts.batch_threads}), loaded in {facts.load_s:.1f} s",
        )
        yield Check("answer", True, f'{_KEYWORD}: "{await _answer(settings, model, worker)}"')
    except QuotesmithError as error:
        yield Check("answer", False, str(error), "Try another model: `quotesmith model use starter`.")
    finally:
        await worker.close()


async def _answer(settings: Settings, model: Model, worker: WorkerClient) -> str:
    request = quote_request(
        model,
        _KEYWORD,
        person="doctor",
        max_tokens=settings.quote.max_tokens,
        seed=0,
        deadline_s=settings.inference.deadline_s,
    )
    text = ""
    async with aclosing(worker.generate(request)) as events:
        async for event in events:
            text += event.text if isinstance(event, TextDelta) else ""
    quote = finished_quote(text)
    if quote is None:
        raise GenerationError("The model answers, but not with a quote.")
    return quote


async def _platforms(settings: Settings) -> AsyncIterator[Check]:
    for field, (variable, form, in_words_) in _TOKEN_FORMS.items():
        secret = getattr(settings.secrets, field)
        name = variable.partition("_")[0].lower()
        if secret is None:
            yield Check(name, True, f"{variable} is not set")
        elif re.fullmatch(form, secret.get_secret_value()):
            yield await _platform(name, secret.get_secret_value(), settings)
        else:
            advice = f"Copy it again: it is {in_words_}."
            yield Check(name, False, f"{variable} does not have the form of a token", advice)


async def _platform(name: str, token: str, settings: Settings) -> Check:
    """Whether the platform takes the token."""
    from bot.platforms.checks import check_discord, check_telegram

    try:
        if name == Platform.DISCORD:
            facts = await check_discord(token, settings.discord.api_base, settings.discord.gateway_url)
        else:
            facts = await check_telegram(token, settings.telegram.base_url)
    except PlatformRefused as error:
        return Check(name, False, str(error), "Copy the token again, or make a new one.")
    except PlatformUnreachable as error:
        return Check(name, False, str(error), "Look at this machine's network; the bot keeps trying by itself.")
    return Check(name, True, f"{facts.name}; {facts.detail}", facts.advice)


def _disk(settings: Settings) -> Check:
    path = settings.database.url.partition(":///")[2].partition("?")[0]
    free = free_disk(Path(path).parent)
    enough = free >= _LITTLE_DISK_BYTES
    advice = "" if enough else f"Free some space: {in_words(_LITTLE_DISK_BYTES)} is the least to be safe."
    return Check("disk", enough, f"{in_words(free)} free", advice)
