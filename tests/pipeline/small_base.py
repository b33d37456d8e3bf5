"""Makes a base model that a step of training takes milliseconds for, and the folder in which the bot serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

VOCABULARY = 512
QUOTE_PROMPT = {"template": "Keyword: {keyword}\nQuote:", "chat": False}


def write_small_base(folder: Path) -> Path:
    """A Llama with two layers and random weights, and a byte-level tokenizer with a chat template."""
    from benchmarks.make_model import Shape, write_tokenizer, write_weights

    write_tokenizer(folder, VOCABULARY)
    shape = Shape(64, 128, 2, 2, 1, VOCABULARY, max_position_embeddings=512)
    write_weights(folder, shape, seed=1)
    return folder


def write_served(folder: Path, type_name: str = "Q8_0", **manifest: Any) -> Path:
    """The model folder of a small base, which needs llama.cpp's converter; `manifest` are keys that it shall have."""
    import json

    from model_pipeline.gguf.description import Description
    from model_pipeline.gguf.export import export_gguf
    from model_pipeline.gguf.model_folder import Provenance, write_model_folder
    from model_pipeline.gguf.quantize import quantize

    work = folder.with_name(f"{folder.name}-made")
    unquantized, gguf = work / "f16.gguf", work / "quantized.gguf"
    export_gguf(write_small_base(work / "base"), unquantized, "f16", name="tiny")
    quantize(unquantized, gguf, type_name)
    description = Description(
        name="tiny",
        base="trained from scratch",
        license="Apache-2.0",
        system_prompt=False,
        quote_prompt=QUOTE_PROMPT,
        lineage={"exports": ["an earlier export"]},
    )
    path = write_model_folder(folder, gguf, "# tiny", description, Provenance(type_name, 512, {}))
    path.write_text(json.dumps(json.loads(path.read_text()) | manifest))
    return folder
