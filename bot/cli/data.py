"""The commands of `quotesmith data`: stats, export, forget."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.chat.messages import Platform
from bot.cli import session
from bot.cli.session import JsonOption
from bot.composition import open_database
from bot.models.sizes import in_words
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.chat.ports import ForgetReport
    from bot.storage.export import ExportSummary
    from bot.storage.statistics import Statistics

app = typer.Typer(help="What the database holds about people.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def stats(json: JsonOption = False) -> None:
    """Count what is stored."""
    found = session.run(_stats(session.begin()))
    if json:
        session.show_json(found)
        return
    for key, value in asdict(found).items():
        if key == "jobs":
            value = ", ".join(f"{count} {state}" for state, count in value.items())
        elif key == "database_bytes":
            key, value = "database", in_words(value)
        typer.echo(f"{key.replace('_', ' '):<19} {'-' if value is None else value}")


@app.command()
def export(
    out: Annotated[Path, typer.Option(metavar="DIR", help="A folder that is new or empty.")], json: JsonOption = False
) -> None:
    """Write what people agreed to have trained on to a folder, for the model pipeline."""
    summary = session.run(_export(session.begin(), out.expanduser()))
    if json:
        session.show_json({"out": out, **asdict(summary)})
    else:
        typer.echo(f"{out} holds {summary.rows} rows of {summary.people} people who agreed.")


@app.command()
def forget(
    platform: Annotated[Platform, typer.Argument(help="Where the person talks to the bot.")],
    user_id: Annotated[str, typer.Argument(help="The person's id there; in the terminal the login name.")],
    json: JsonOption = False,
) -> None:
    """Erase everything that a person said and was told."""
    report = session.run(_forget(session.begin(), platform, user_id))
    if json:
        session.show_json(report)
    elif not report.known:
        typer.echo(f"Nothing is stored about the {platform} user {user_id}.")
    else:
        typer.echo(
            f"Erased {report.messages} messages in {report.conversations} conversations and {report.feedback} votes, "
            f"and cancelled {report.jobs} requests."
        )


async def _stats(settings: Settings) -> Statistics:
    from bot.storage.statistics import collect

    database = await open_database(settings)
    try:
        return await collect(database)
    finally:
        await database.close()


async def _export(settings: Settings, out: Path) -> ExportSummary:
    from bot.storage.export import export_rows

    database = await open_database(settings)
    try:
        return await export_rows(database, out)
    finally:
        await database.close()


async def _forget(settings: Settings, platform: Platform, user_id: str) -> ForgetReport:
    from bot.storage.people import People

    database = await open_database(settings)
    try:
        return await People(database).forget(platform, user_id)
    finally:
        await database.close()
