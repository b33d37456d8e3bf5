"""The commands of `quotesmith model`: list, show, add, pull, use, remove."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bot.chat.model import Model
from bot.cli import session
from bot.cli.session import JsonOption
from bot.composition import open_store
from bot.models.catalogue import CATALOGUE
from bot.models.hub import pull as pull_model
from bot.models.memory import bytes_needed
from bot.models.sizes import in_words
from bot.models.store import StoredModel

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
    needed = bytes_needed(header, settings.inference.context_tokens, settings.inference.batch_tokens)
    manifest = details.manifest.model_dump()
    if json:
        facts = {"path": details.model.path, "active": details.stored.active, "memory_bytes": needed}
        session.show_json({**manifest, **facts, "architecture": header.architecture, "layers": header.layers})
        return
    lines = {
        "name": details.model.name + (" (active)" if details.stored.active else ""),
        "file": details.model.path,
        "size": in_words(header.size_bytes),
        "memory": f"about {in_words(needed)} with {settings.inference.context_tokens} context tokens",
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
    """Serve this model from the next start on."""
    model = open_store(session.begin()).use(name)
    _report(model, f"The model {model.name} is served from the next start on.", json)


@app.command()
def remove(name: NameArgument, json: JsonOption = False) -> None:
    """Delete a model from the bot's own folder."""
    open_store(session.begin()).remove(name)
    if json:
        session.show_json({"removed": name})
    else:
        typer.echo(f"The model {name} is removed.")


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
