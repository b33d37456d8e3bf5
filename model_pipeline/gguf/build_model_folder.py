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

from model_pipeline.errors import PipelineError
from model_pipeline.gguf.converter import PACKAGE, find_converter
from model_pipeline.gguf.description import Description, read_description
from model_pipeline.gguf.export import export_gguf
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.model_folder import GGUF_FILE
from model_pipeline.gguf.parity import Gate, LanguageModel, Probes, check_parity, require
from model_pipeline.gguf.probe_lines import DEFAULT_LINES, read_probes
from model_pipeline.gguf.quantize import UNQUANTIZED, parse_type, quantize
from model_pipeline.gguf.served_model import Origin, converter_facts, write_served_model

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
        origin = Origin(converter_facts(converter), exported.outtype, exported.sources)
        return write_served_model(out, gguf, type_name, description, origin, gates, fallback_tensors), gates


def _trained(hf_folder: Path) -> LanguageModel:
    from model_pipeline.gguf.reference import HuggingFaceModel  # late: a wrong option should not wait for torch

    return HuggingFaceModel(hf_folder)


def _checked(trained: LanguageModel, gguf: Path, probes: Probes, type_name: str) -> list[Gate]:
    with GgufModel(gguf) as written:
        gates = check_parity(trained, written, probes, type_name)
    require(*gates)
    return gates


def _table(gates: Mapping[str, Sequence[Gate]]) -> Table:
    table = Table("file", "compared", "figures")
    for type_name, passed in gates.items():
        for gate in passed:
            table.add_row(type_name, gate.name, json.dumps(gate.figures)[1:-1].replace('"', ""))
    return table


if __name__ == "__main__":
    app()
