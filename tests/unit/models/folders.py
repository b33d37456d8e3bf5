"""Builds model folders for tests, with a manifest as the pipeline writes it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.unit.models.gguf_builder import write


def manifest_for(gguf: Path, **changes: Any) -> dict[str, Any]:
    content = gguf.read_bytes()
    return {
        "format": 1,
        "name": "tiny",
        "file": gguf.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "quantization": "F32",
        "base": "none",
        "license": "CC0-1.0",
        "context_tokens": 64,
        "system_prompt": False,
        "quote_prompt": {"template": "Keyword: {keyword}\nQuote:", "chat": False, "system": ""},
        "sampling": {"quote": {"temperature": 0.5}, "chat": {"top_k": 7}},
        "lineage": {"corpus": "books"},
        "evaluation": {"perplexity": 9.5},
    } | changes


def model_folder(folder: Path, *, filling: bytes = b"\1", **changes: Any) -> Path:
    """A folder with model.gguf and its manifest; `changes` replaces keys of the manifest."""
    gguf = write(folder / "model.gguf", filling=filling)
    (folder / "manifest.json").write_text(json.dumps(manifest_for(gguf, **changes)))
    return folder
