"""The commands of `quotesmith model`: list, show, add, pull, use, canary, status, rollback, remove."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bot.chat.canary import LEAST_PEOPLE, Canary, CanaryReport, parse_share, weigh
from bot.chat.model import Model
from bot.chat.preference_evidence import DECIDES
from bot.cli import session
from bot.cli.session import JsonOption
from bot.composition import open_database, open_store
from bot.models.catalogue import CATALOGUE
from bot.models.hub import pull as pull_model
from bot.models.memory import bytes_needed
from bot.models.sizes import in_words
from bot.models.store import StoredModel
from bot.settings import Settings

app = typer.Typer(help="The models that the bot can serve.", no_args_is_help=True, rich_markup_mode=None)

_HERE = "The model {model} is here; `quotesmith model use {model}` makes it the one that is served."

NameArgument = Annotated[str, typer.Argument(help="A model of `quotesmith model list`.")]
NameOption = Annotated[str | None, typer.Option(help="What to call it here. Default: made of the file's name.")]


@app.command("list")
def list_models(json: JsonOption = False) -> None:
    """The models that are here, and those that can be pulled by name."""
    store = open_store(session.begin())
    here = store.list()
    names = {model.name for model in here}
    known = [entry for entry in CATALOGUE if entry.name not in names]
    if json:
        session.show_json({"models": here, "catalogue": CATALOGUE})
        return
    for model in here:
        typer.echo(_line(model))
    if known:
        typer.echo("\nTo be had with `quotesmith model pull NAME`:")
    for entry in known:
        typer.echo(f"  {entry.name:<24} {in_words(entry.size_bytes):>8}  {entry.license:<14} {entry.advice}")


@app.command()
def show(name: NameArgument, json: JsonOption = False) -> None:
    """Everything that is known about a model."""
    settings = session.begin()
    details = open_store(settings).show(name)
    header = details.header
    inference = settings.inference
    needed = bytes_needed(header, inference.context_tokens, inference.batch_tokens, inference.slots)
    manifest = details.manifest.model_dump()
    if json:
        facts = {"path": details.model.path, "active": details.stored.active, "memory_bytes": needed}
        session.show_json({**manifest, **facts, "architecture": header.architecture, "layers": header.layers})
        return
    lines = {
        "name": details.model.name + (" (active)" if details.stored.active else ""),
        "file": details.model.path,
        "size": in_words(header.size_bytes),
        "memory": f"about {in_words(needed)} with {inference.context_tokens} context tokens",
        "architecture": f"{header.architecture}, {header.layers} layers, width {header.embedding_width}",
        "quantization": header.quantization or "unknown",
        "context": f"{details.model.context_tokens or header.context_tokens} tokens",
        "base": details.model.base or "unknown",
        "licence": details.model.license or "unknown",
        "sha256": details.model.sha256,
        "quote prompt": repr(details.model.quote_prompt.template),
        "sampling": ", ".join(f"{key} {value}" for key, value in asdict(details.model.quote_sampling).items()),
    }
    for key, value in lines.items():
        typer.echo(f"{key:<13} {value}")


@app.command()
def add(
    path: Annotated[Path, typer.Argument(metavar="FOLDER_OR_GGUF", help="A model folder, or a .gguf file.")],
    name: NameOption = None,
    json: JsonOption = False,
) -> None:
    """Copy a model from the disk into the bot's own folder."""
    model = open_store(session.begin()).add(path.expanduser(), name)
    _report(model, _HERE.format(model=model.name), json)


@app.command()
def pull(
    spec: Annotated[
        str, typer.Argument(metavar="NAME_OR_HUB_REPO[:FILE]", help="A name of `model list`, or OWNER/REPO[:FILE].")
    ],
    name: NameOption = None,
    json: JsonOption = False,
) -> None:
    """Download a GGUF from the model hub; a download that was cut off goes on where it stopped.

    Where its repository has the manifest.json of a published model, the model is served with those prompts and that
    sampling, and FILE may be left out.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    settings = session.begin()
    if settings.secrets.hf_token is not None:  # it may stand in .env; the hub's library looks in the environment
        os.environ["HF_TOKEN"] = settings.secrets.hf_token.get_secret_value()
    store = open_store(settings)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    terminal = Console(stderr=True)
    try:
        with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
            task = bar.add_task(spec, total=None)
            model = pull_model(spec, store, name, lambda done, total: bar.update(task, completed=done, total=total))
    except KeyboardInterrupt:
        typer.echo("Stopped; the same command goes on from here.", err=True)
        raise typer.Exit(session.INTERRUPTED) from None
    _report(model, _HERE.format(model=model.name), json)


@app.command()
def use(name: NameArgument, json: JsonOption = False) -> None:
    """Serve this model from now on; a bot that runs changes within seconds."""
    model = open_store(session.begin()).use(name)
    _report(model, f"The model {model.name} is served from now on.", json)


@app.command()
def canary(
    name: NameArgument,
    share: Annotated[str, typer.Option(help="How many of the people it answers, from 1% to 50%.")] = "20%",
    least_people: Annotated[
        int, typer.Option(min=1, help="Who must have said something before anything is decided.")
    ] = LEAST_PEOPLE,
    json: JsonOption = False,
) -> None:
    """Try a model out: it answers a part of the people, and their votes promote it or take it back."""
    begun = open_store(session.begin()).try_out(name, parse_share(share), least_people)
    if json:
        session.show_json(begun)
        return
    typer.echo(
        f"{begun.name} answers {begun.share:.0%} of the people from now on, and {begun.against} the others. It is "
        "promoted when votes show that it is liked better, and taken back when they show that it is liked less; "
        "`quotesmith model status` says how far it is, and `quotesmith model rollback` ends it."
    )


@app.command()
def status(json: JsonOption = False) -> None:
    """Which model answers, and what the votes show of the one that is tried out."""
    settings = session.begin()
    store = open_store(settings)
    active, canary = store.active_name(), store.canary()
    report = session.run(_weighed(settings, canary)) if canary else None
    if json:
        session.show_json({"active": active, "canary": canary, "votes": report})
        return
    typer.echo(f"{active} answers.")
    if canary and report:
        for line in _told(canary, report):
            typer.echo(line)


@app.command()
def rollback(json: JsonOption = False) -> None:
    """Take back the model that is tried out, or the last change of the model; a bot that runs does so at once."""
    served = open_store(session.begin()).roll_back()
    if json:
        session.show_json({"active": served})
    else:
        typer.echo(f"{served} answers everybody from now on.")


@app.command()
def remove(name: NameArgument, json: JsonOption = False) -> None:
    """Delete a model from the bot's own folder."""
    open_store(session.begin()).remove(name)
    if json:
        session.show_json({"removed": name})
    else:
        typer.echo(f"The model {name} is removed.")


async def _weighed(settings: Settings, canary: Canary) -> CanaryReport:
    from bot.storage.canary_votes import said_of

    database = await open_database(settings)
    try:
        return weigh(canary, await said_of(database, canary))
    finally:
        await database.close()


def _told(canary: Canary, report: CanaryReport) -> Iterator[str]:
    began = f"{canary.begun_at:%Y-%m-%d %H:%M} UTC"
    if canary.running:
        yield f"{canary.name} is tried out by {canary.share:.0%} of the people, since {began}."
    else:
        yield f"{canary.name} was tried out from {began} on, and is {canary.state}: {canary.why}."
    yield f"  votes on {canary.name}: {report.new_up} good, {report.new_down} bad"
    yield f"  votes on {canary.against}: {report.old_up} good, {report.old_down} bad"
    yield f"  side by side: {canary.name} {report.new_wins}, {canary.against} {report.old_wins}"
    better, worse = report.evidence
    if canary.running and report.people < canary.least_people:
        yield f"  {report.people} people said something; nothing is decided by fewer than {canary.least_people}"
    yield f"  evidence that it is liked better: {better:.2f}, that it is liked less: {worse:.2f}; {DECIDES:.1f} decides"


def _report(model: Model, text: str, as_json: bool) -> None:
    if as_json:
        session.show_json({"name": model.name, "path": model.path, "sha256": model.sha256, "license": model.license})
    else:
        typer.echo(text)


def _line(model: StoredModel) -> str:
    mark = "*" if model.active else " "
    if model.problem:
        return f"{mark} {model.name:<24} unusable: {model.problem}"
    size = in_words(model.size_bytes)
    return f"{mark} {model.name:<24} {size:>8}  {model.license or 'licence unknown':<14} {model.quantization}".rstrip()
