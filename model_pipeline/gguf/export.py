"""Owns the step from a Hugging Face folder or adapter to an unquantized GGUF; judges its tokens, not its answers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf import convert_runner
from model_pipeline.gguf.converter import Converter, find_converter
from model_pipeline.gguf.hf_folder import check_hf_folder, read_json, source_hashes, stage
from model_pipeline.gguf.parity import PROBE_LINES, Gate, require, token_gate

OUTTYPES = ("f16", "bf16", "f32")
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
LORA_SCRIPT = "convert_lora_to_gguf.py"


@dataclass(frozen=True, slots=True)
class Export:
    """An unquantized GGUF and where it came from; `sources` maps each input file to its SHA-256 (hex)."""

    path: Path
    outtype: str
    converter: Converter
    sources: dict[str, str] = field(repr=False)
    tokens: Gate


def export_gguf(
    hf_folder: Path,
    out: Path,
    outtype: str = "f16",
    *,
    name: str = "",
    license: str = "",
    lines: Sequence[str] = (),
    tokenizer_from: Path | None = None,
    converter: Converter | None = None,
) -> Export:
    """Convert the folder into the GGUF `out`, which appears only when its tokens equal those of the tokenizer.

    `outtype` is one of `OUTTYPES`; `name` and `license` go into the metadata; `lines` are tokenized for the
    comparison beside `PROBE_LINES`; `tokenizer_from` is where a missing tokenizer.model is taken from.
    Raises `InputInvalid`, `ConverterUnavailable`, `ExportFailed` or `ParityFailed`. Needs the training extra.
    """
    if outtype not in OUTTYPES:
        raise InputInvalid(f"{outtype!r} is no export type; allowed are {', '.join(OUTTYPES)}.")
    check_hf_folder(hf_folder)
    converter = converter or find_converter()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent) as work:
        written = _convert(converter, hf_folder, Path(work), outtype, name or "model", license, tokenizer_from)
        tokens = _compare_tokens(hf_folder, written, [*PROBE_LINES, *lines])
        written.replace(out)
    return Export(out, outtype, converter, source_hashes(hf_folder, tokenizer_from), tokens)


def export_lora(adapter: Path, base_config: Path, out: Path, converter: Converter) -> None:
    """Convert a LoRA adapter of PEFT into the GGUF `out`, in fp32, which appears only when it is complete.

    Of its base model only `base_config`, a folder with config.json and the tokenizer's files, is needed.
    Raises `InputInvalid` or `ExportFailed`. Needs the training extra.
    """
    for path in (adapter / ADAPTER_CONFIG, adapter / ADAPTER_WEIGHTS, base_config / "config.json"):
        if not path.is_file():
            raise InputInvalid(f"{path} is missing; give an adapter as PEFT saves it, and its base's configuration.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent) as work:
        staged, written = Path(work) / "adapter", Path(work) / "adapter.gguf"
        _stage_adapter(adapter, staged, base_config)
        options = ["--base", str(base_config), "--outfile", str(written)]
        converter.run(converter.folder / LORA_SCRIPT, [*options, str(staged)])
        written.replace(out)


def _stage_adapter(adapter: Path, staged: Path, base_config: Path) -> None:
    """Without PEFT's model card, from which the converter would take paths of this disk into the GGUF."""
    staged.mkdir()
    (staged / ADAPTER_CONFIG).symlink_to((adapter / ADAPTER_CONFIG).resolve())
    if read_json(base_config / "config.json").get("model_type") == "gpt2":
        _write_as_conv1d(adapter / ADAPTER_WEIGHTS, staged / ADAPTER_WEIGHTS)
    else:
        (staged / ADAPTER_WEIGHTS).symlink_to((adapter / ADAPTER_WEIGHTS).resolve())


def _write_as_conv1d(adapter: Path, out: Path) -> None:
    """Write B A as the transposed A' B', which is how GPT-2 holds its weights.

    The converter transposes every matrix of GPT-2, those of an adapter too, although PEFT's are not transposed; so a
    square one would be wrong in silence.
    """
    from safetensors.torch import load_file, save_file  # late: torch

    def swapped(name: str) -> str:
        return name.replace("lora_A", "lora_?").replace("lora_B", "lora_A").replace("lora_?", "lora_B")

    save_file({swapped(name): tensor.T.contiguous() for name, tensor in load_file(adapter).items()}, out)


def _convert(
    converter: Converter, hf_folder: Path, work: Path, outtype: str, name: str, license: str, tokenizer: Path | None
) -> Path:
    # The name is always given: left to itself, the converter takes that of the temporary folder.
    staged, written, facts = work / "model", work / "model.gguf", work / "metadata.json"
    staged.mkdir()
    stage(hf_folder, staged, tokenizer)
    facts.write_text(json.dumps({"general.name": name}), encoding="utf-8")
    if license:  # the converter takes a licence from a model card alone
        (staged / "README.md").write_text(f"---\nlicense: {license.lower()}\n---\n", encoding="utf-8")
    options = ["--outfile", str(written), "--outtype", outtype, "--metadata", str(facts)]
    converter.run(Path(convert_runner.__file__), [*options, str(staged)])
    return written


def _compare_tokens(hf_folder: Path, gguf: Path, lines: Sequence[str]) -> Gate:
    from model_pipeline.gguf.gguf_model import GgufModel  # late: it loads llama.cpp's library
    from model_pipeline.gguf.reference import HuggingFaceModel  # late: it loads transformers

    with GgufModel(gguf) as written:
        gate = token_gate(HuggingFaceModel(hf_folder), written, lines)
    require(gate)
    return gate
