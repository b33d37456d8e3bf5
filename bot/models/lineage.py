"""Finds the models and the runs of the pipeline that were made of an export; knows no database."""

from __future__ import annotations

from pathlib import Path

from bot.errors import ModelInvalid
from bot.models.store import ModelStore


def models_of_export(store: ModelStore, export: str) -> list[str]:
    """The names of the stored models whose manifests name the export."""
    found = []
    for name in store.names():
        try:
            exports = store.show(name).manifest.lineage.get("exports")
        except ModelInvalid:  # `quotesmith model list` says what is wrong with it
            continue
        if isinstance(exports, list) and export in exports:
            found.append(name)
    return found


def runs_of_export(folder: Path, export: str) -> list[Path]:
    """The folders in `folder`, and the folder itself, in which a manifest names the export."""
    found = set()
    for manifest in sorted(folder.rglob("manifest.json")):
        if export in manifest.read_text(encoding="utf-8", errors="replace"):
            inner = manifest.relative_to(folder).parts
            found.add(folder / inner[0] if len(inner) > 2 else manifest.parent)
    return sorted(found)
