"""The command that makes a model folder of a Hugging Face folder: export, check, quantize, check, describe, write."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from model_pipeline.errors import InputInvalid, PipelineError
from model_pipeline.gguf.converter import PACKAGE, find_converter
from model_pipeline.gguf.description import Description, read_description
from model_pipeline.gguf.export import Export, export_gguf
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.model_card import model_card
from model_pipeline.gguf.model_folder import GGUF_FILE, Provenance, write_model_folder
from model_pipeline.gguf.parity import Gate, LanguageModel, Probes, check_parity, require
from model_pipeline.gguf.probe_lines import DEFAULT_LINES, read_probes
from model_pipeline.gguf.quantize import UNQUANTIZED, parse_type, quantize
from model_pipeline.gguf.samples import chat_samples, quote_samples

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def command(
    hf_folder: Annotated[Path, typer.Argument(help="The trained model, in Hugging Face format.")],
    out: Annotated[Path, typer.Option(help="The model folder to write.")],
    description: Annotated[Path, typer.Option(help="A TOML file with name, base, licence, prompts and sampling.")],
    quant: Annotated[str, typer.Option(help="llama.cpp's name of a type, for example Q8_0 or Q4_K_M.")] = "Q8_0",
    name: Annotated[str | None, typer.Option(help="The model's name, instead of the description's.")] = None,
    lines: Annotated[Path, typer.Option(help="JSONL rows to compare on.")] = DEFAULT_LINES,
    tokenizer_from: Annotated[Path | None, typer.Option(help="A folder with the tokenizer.model.")] = None,
    converter_sdist: Annotated[Path | None, typer.Option(help=f"{PACKAGE}'s source distribution.")] = None,
) -> None:
    """Convert, quantize and check a model, and write the folder that the bot serves."""
    console = Console(stderr=True)
    try:
        about = read_description(description, name=name)
        manifest, gates = build(hf_folder, out, about, quant, lines, tokenizer_from, converter_sdist)
    except PipelineError as error:
        console.print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(_table(gates))
    typer.echo(f"Wrote {manifest}")


def build(
    hf_folder: Path,
    out: Path,
    description: Description,
    quant: str = "Q8_0",
    lines: Path = DEFAULT_LINES,
    tokenizer_from: Path | None = None,
    converter_sdist: Path | None = None,
) -> tuple[Path, dict[str, list[Gate]]]:
    """Build the folder `out`; returns its manifest's path and the gates by file type. Raises `PipelineError`."""
    type_name = parse_type(quant)
    outtype = type_name if type_name in UNQUANTIZED else "F16"
    probes = read_probes(lines, description.quote_prompt.template)
    converter = find_converter(sdist=converter_sdist)
    with tempfile.TemporaryDirectory(prefix="quotesmith-model-") as folder:
        gguf = Path(folder) / f"{outtype.lower()}.gguf"
        exported = export_gguf(
            hf_folder,
            gguf,
            outtype.lower(),
            name=description.name,
            license=description.license,
            tokenizer_from=tokenizer_from,
            converter=converter,
        )
        trained = _trained(hf_folder)
        gates = {outtype: _checked(trained, gguf, probes, outtype)}
        fallback_tensors = 0
        if type_name not in UNQUANTIZED:
            quantized = quantize(gguf, Path(folder) / GGUF_FILE, type_name)
            gguf, fallback_tensors = quantized.path, quantized.fallback_tensors
            gates[type_name] = _checked(trained, gguf, probes, type_name)
        facts, context_tokens = _facts(gguf, type_name, description)
        lineage = _lineage(exported, gates, fallback_tensors)
        card = _card(description, gguf, facts, gates)
        provenance = Provenance(type_name, context_tokens, lineage)
        return write_model_folder(out, gguf, card, description, provenance), gates


def _trained(hf_folder: Path) -> LanguageModel:
    from model_pipeline.gguf.reference import HuggingFaceModel  # late: a wrong option should not wait for torch

    return HuggingFaceModel(hf_folder)


def _checked(trained: LanguageModel, gguf: Path, probes: Probes, type_name: str) -> list[Gate]:
    with GgufModel(gguf) as written:
        gates = check_parity(trained, written, probes, type_name)
    require(*gates)
    return gates


def _facts(gguf: Path, type_name: str, description: Description) -> tuple[dict[str, str], int]:
    """The rows of the card's table that the file itself tells, and the context in tokens."""
    with GgufModel(gguf) as written:
        metadata = written.metadata
        trained = int(metadata[f"{metadata['general.architecture']}.context_length"])
        vocabulary = written.vocabulary_size
    if description.context_tokens > trained:
        raise InputInvalid(f"context_tokens is {description.context_tokens}, and the model was made for {trained}.")
    context_tokens = description.context_tokens or trained
    facts = {
        "architecture": metadata["general.architecture"],
        "parameters": metadata.get("general.size_label", "unknown"),
        "vocabulary": f"{vocabulary} tokens",
        "context": f"{context_tokens} tokens",
        "file": f"{GGUF_FILE}, {type_name}, {gguf.stat().st_size:,} bytes",
    }
    return facts, context_tokens


def _lineage(exported: Export, gates: Mapping[str, Sequence[Gate]], fallback_tensors: int) -> dict[str, object]:
    converter = exported.converter
    return {
        "converter": {"package": PACKAGE, "version": converter.version, "sdist_sha256": converter.sdist_sha256},
        "exported_as": exported.outtype,
        "fallback_tensors": fallback_tensors,
        "sources_sha256": exported.sources,
        "parity": {name: {gate.name: gate.figures for gate in passed} for name, passed in gates.items()},
    }


def _card(description: Description, gguf: Path, facts: Mapping[str, str], gates: Mapping[str, Sequence[Gate]]) -> str:
    card, sampling = description.card, description.sampling
    quotes = quote_samples(gguf, description.quote_prompt, card.sample_keywords, sampling.quote)
    replies = chat_samples(gguf, card.sample_messages, sampling.chat)
    return model_card(description, facts, gates, quotes, replies)


def _table(gates: Mapping[str, Sequence[Gate]]) -> Table:
    table = Table("file", "compared", "figures")
    for type_name, passed in gates.items():
        for gate in passed:
            table.add_row(type_name, gate.name, json.dumps(gate.figures)[1:-1].replace('"', ""))
    return table


if __name__ == "__main__":
    app()
