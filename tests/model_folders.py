"""Model folders that can really be served, made of the embedded one."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from bot.composition import STARTER


def twin_of_the_embedded_model(folder: Path, name: str, written: bytes = b"stander") -> Path:
    """The same weights under another name and checksum; `written` are seven bytes that no other twin has."""
    assert len(written) == len(b"starter")
    shutil.copytree(STARTER, folder)
    content = (folder / "model.gguf").read_bytes()
    (folder / "model.gguf").write_bytes(content.replace(b"starter", written, 1))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"name": name, "sha256": hashlib.sha256((folder / "model.gguf").read_bytes()).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
