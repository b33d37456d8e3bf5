"""What a curated folder is made of, and its manifest, for all that read one; reads no line of a set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from model_pipeline.data.splits import SPLITS
from model_pipeline.errors import InputInvalid

FORMAT = 1
MANIFEST_FILE = "manifest.json"
SETS = ("sft", "kto", "dpo")
SET_FILES = {(name, split): f"{name}/{split}.jsonl" for name in SETS for split in SPLITS}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a curated folder. Raises `InputInvalid` where there is none, or one of another format."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        found, named = manifest["format"], manifest["export"] and set(SET_FILES.values()) <= set(manifest["files"])
        why_not = "" if named else f"its {MANIFEST_FILE} names no sets"
    except (OSError, ValueError, KeyError, TypeError):
        why_not = f"its {MANIFEST_FILE} is missing or broken"
    if why_not:
        raise InputInvalid(
            f"{folder} is no curated folder: {why_not}; quotesmith-pipeline curate EXPORT --out {folder} makes one."
        )
    if found != FORMAT:
        raise InputInvalid(f"{folder} was curated in the format {found!r}; this version reads format {FORMAT}.")
    return dict(manifest)
