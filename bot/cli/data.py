"""The commands of `quotesmith data`: stats, export, forget, lineage, discard, backup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.chat.messages import Platform
from bot.cli import session
from bot.cli.session import JsonOption
from bot.composition import open_database, open_store, training_rule
from bot.errors import InputError, SettingsError
from bot.models.lineage import models_of_export, runs_of_export
from bot.models.sizes import in_words
from bot.platforms import line_history
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.chat.ports import ForgetReport
    from bot.storage.backup import Backup
    from bot.storage.export import ExportSummary
    from bot.storage.lineage import StaleExport
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
        compared = f" and {summary.pairs} comparisons" if summary.pairs else ""
        typer.echo(f"{out} holds {summary.rows} rows{compared} of {summary.people} people who agreed.")
        for reason, count in summary.refused.items():
            typer.echo(f"Refused {count}: {reason}.")


@app.command()
def forget(
    platform: Annotated[Platform, typer.Argument(help="Where the person talks to the bot.")],
    user_id: Annotated[str, typer.Argument(help="The person's id there; in the terminal the login name.")],
    json: JsonOption = False,
) -> None:
    """Erase everything that a person said and was told; for the terminal, its history of typed lines too."""
    settings = session.begin()
    report = session.run(_forget(settings, platform, user_id))
    if json:
        session.show_json(report)
    elif not report.known:
        typer.echo(f"Nothing is stored about the {platform} user {user_id}.")
    else:
        typer.echo(
            f"Erased {report.messages} messages in {report.conversations} conversations, {report.feedback} votes, "
            f"{report.corrections} corrections and {report.preferences} comparisons; cancelled {report.jobs} requests"
            f"{' and withdrew the consent to training' if report.consent else ''}."
        )
    if platform is Platform.CONSOLE and _empty_history(settings.console.history_file) and not json:
        typer.echo("Emptied the history of the terminal chat.")


@app.command()
def lineage(
    runs: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Look there for runs of the pipeline too; may be repeated.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Name the exports, models and runs that hold something of people who were forgotten or do not consent now."""
    settings = session.begin()
    for folder in runs or []:
        if not folder.expanduser().is_dir():
            raise InputError(f"{folder} is no folder: name one that holds runs of the pipeline.")
    stale = session.run(_stale_exports(settings))
    found = [
        {
            **asdict(export),
            "models": models_of_export(open_store(settings), export.name),
            "runs": [str(run) for folder in runs or [] for run in runs_of_export(folder.expanduser(), export.name)],
        }
        for export in stale
    ]
    if json:
        session.show_json(found)
    elif not found:
        typer.echo("No export holds anything of people who were forgotten or do not consent now.")
    for export in [] if json else found:
        typer.echo(f"{export['folder']} ({export['name']}): {_whose(export['rows'], export['withdrawn'])}")
        for kind in ("models", "runs"):
            for name in export[kind]:
                typer.echo(f"  {kind.removesuffix('s')} {name}")


@app.command()
def discard(
    name: Annotated[str, typer.Argument(help="Of an export, as its manifest and `lineage` have it.")],
    json: JsonOption = False,
) -> None:
    """Delete an export that no model is made of: its folder, and whose words it held."""
    settings = session.begin()
    if made := models_of_export(open_store(settings), name):
        raise InputError(f"{name} says whose words are in what was made of it: remove the model {made[0]} first.")
    folder = session.run(_discard(settings, name))
    if json:
        session.show_json({"name": name, "folder": folder})
    elif folder is None:
        typer.echo(f"No export of the name {name} is on record.")
    else:
        typer.echo(f"Deleted the export {name} in {folder}.")


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Where the copies are kept; made if it is not there.")],
    keep: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest copies stay.")] = 7,
    json: JsonOption = False,
) -> None:
    """Write a copy of the database to a folder, and remove the oldest copies there.

    The bot may run meanwhile. What was erased from the database before is not in the copy; so a person who is forgotten
    is in no copy any more after as many backups as are kept, and sooner if you delete the older copies.

    To go back to a copy, stop the bot, put the copy in the place of the database, and delete the files beside it that
    end in -wal and -shm. A copy does not know who was forgotten since: forget them again.
    """
    made = session.run(_backup(session.begin(), folder.expanduser(), keep))
    if json:
        session.show_json({"path": made.path, "bytes": made.size_bytes, "removed": [str(old) for old in made.removed]})
        return
    removed = f", which took the place of {len(made.removed)} older" if made.removed else ""
    typer.echo(f"{made.path} holds the database, {in_words(made.size_bytes)}{removed}.")


def _whose(forgotten: int, withdrawn: int) -> str:
    counts = {"were forgotten since": forgotten, "do not consent now": withdrawn}
    return ", ".join(f"{count} rows of people who {did}" for did, count in counts.items() if count)


async def _stale_exports(settings: Settings) -> Sequence[StaleExport]:
    from bot.storage.lineage import stale_exports

    database = await open_database(settings)
    try:
        return await stale_exports(database)
    finally:
        await database.close()


async def _discard(settings: Settings, name: str) -> Path | None:
    from bot.storage.discard import discard_export

    database = await open_database(settings)
    try:
        return await discard_export(database, name)
    finally:
        await database.close()


async def _stats(settings: Settings) -> Statistics:
    from bot.storage.statistics import collect

    database = await open_database(settings)
    try:
        return await collect(database)
    finally:
        await database.close()


async def _backup(settings: Settings, folder: Path, keep: int) -> Backup:
    from bot.storage.backup import back_up

    database = await open_database(settings)
    try:
        return await back_up(database, folder, keep)
    finally:
        await database.close()


async def _export(settings: Settings, out: Path) -> ExportSummary:
    from bot.storage.export import export_rows

    database = await open_database(settings)
    try:
        return await export_rows(database, out, training_rule(settings))
    finally:
        await database.close()


def _empty_history(file: Path) -> bool:
    """It does not say under which name a line was typed, so all of them go. Raises SettingsError."""
    try:
        return line_history.empty(file)
    except OSError as error:
        raise SettingsError(
            f"console.history_file is {str(file)!r}, which cannot be emptied: {error.strerror}."
        ) from error


async def _forget(settings: Settings, platform: Platform, user_id: str) -> ForgetReport:
    from bot.storage.people import People

    database = await open_database(settings)
    try:
        return await People(database).forget(platform, user_id)
    finally:
        await database.close()
