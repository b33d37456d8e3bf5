"""Writes curated folders as `quotesmith-pipeline curate` does, from rows that a test chooses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def sft_row(number: int, keyword: str, completion: str, **changes: Any) -> Row:
    return _row(number, keyword, "sft", "correction") | {"completion": completion} | changes


def kto_row(number: int, keyword: str, completion: str, label: bool, **changes: Any) -> Row:
    return _row(number, keyword, "kto", "button") | {"completion": completion, "label": label} | changes


def dpo_row(number: int, keyword: str, chosen: str, rejected: str, **changes: Any) -> Row:
    return _row(number, keyword, "dpo", "comparison") | {"chosen": chosen, "rejected": rejected} | changes


def write_curated(
    folder: Path,
    sft: Sequence[Row] = (),
    kto: Sequence[Row] = (),
    dpo: Sequence[Row] = (),
    validation: Sequence[tuple[str, Row]] = (),
    export: str = "an export",
) -> Path:
    """The folder `curated` in `folder`, whose training rows are those; `validation` are rows with the set's name."""
    target, files = folder / "curated", {}
    for name, rows in (("sft", sft), ("kto", kto), ("dpo", dpo)):
        (target / name).mkdir(parents=True, exist_ok=True)
        held_out = [row for kind, row in validation if kind == name]
        for split, part in (("train", rows), ("validation", held_out), ("test", ())):
            path = target / name / f"{split}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
            files[f"{name}/{split}.jsonl"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = {"format": 1, "export": export, "export_sha256": "", "settings": {}, "counts": {}, "dropped": {}}
    (target / "manifest.json").write_text(json.dumps(manifest | {"files": files}), encoding="utf-8")
    return target


def _row(number: int, keyword: str, kind: str, source: str) -> Row:
    return {
        "id": f"rows/{number}#{kind}",
        "kind": "quote",
        "keyword": keyword,
        "messages": [{"role": "user", "content": keyword or "hello there"}],
        "person": f"person {number}",
        "weight": 1.0,
        "sources": [source],
        "model": "starter",
    }
