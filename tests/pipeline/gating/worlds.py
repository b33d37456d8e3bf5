"""Model folders that differ from the embedded one, and curated folders of people who vote on written quotes."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from bot.models.gguf_header import read_header
from model_pipeline.data.json_lines import read_json_lines, write_json_lines

STARTER = Path(str(files("model_pipeline"))).parent / "bot" / "starter"
EXPORT = "export-2026-01-01"
NORM = "output_norm.weight"  # 32-bit numbers in every quantized file


def changed_model(folder: Path, scale: float, name: str = "changed") -> Path:
    """The embedded model with all logits `scale` times as large: above 1 it is surer of itself, below 1 less sure."""
    shutil.copytree(STARTER, folder)
    path = folder / "model.gguf"
    norm = next(tensor for tensor in read_header(path).tensors if tensor.name == NORM)
    weights = np.memmap(path, dtype="<f4", mode="r+", offset=norm.offset, shape=norm.shape)
    weights *= scale
    weights.flush()
    state(folder, name=name, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), lineage={"exports": [EXPORT]})
    return folder


def state(folder: Path, **changes: object) -> None:
    """Change what a model's manifest says."""
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def written_quotes(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Keywords and quotes, drawn from those that come with the pipeline."""
    rows = read_json_lines(Path(str(files("model_pipeline"))) / "data" / "quotes.jsonl")
    return [(row["keyword"], row["quote"]) for row in random.Random(seed).sample(rows, count)]


def vote(person: str, keyword: str, quote: str, good: bool) -> dict[str, Any]:
    """A row of the KTO set."""
    return _line(person, keyword) | {"completion": quote, "label": good}


def pair(person: str, keyword: str, chosen: str, rejected: str) -> dict[str, Any]:
    """A row of the DPO set."""
    return _line(person, keyword) | {"chosen": chosen, "rejected": rejected}


def votes_of(
    people: int, each: int, finds_good: Callable[[str, str, random.Random], bool], seed: int = 0
) -> list[dict[str, Any]]:
    """`each` votes of every person on quotes that no two of them share."""
    drawn = random.Random(seed)
    quotes = written_quotes(people * each, seed)
    return [vote(f"person-{number % people}", *quote, finds_good(*quote, drawn)) for number, quote in enumerate(quotes)]


def curated_folder(folder: Path, sets: Mapping[str, Iterable[Mapping[str, Any]]]) -> Path:
    """A folder as curate writes it, with rows such as those of "kto/test"; the other sets are empty."""
    hashes = {}
    for kind in ("sft", "kto", "dpo"):
        (folder / kind).mkdir(parents=True)
        for split in ("train", "validation", "test"):
            name = f"{kind}/{split}.jsonl"
            rows = [{"id": f"rows/{n}#{kind}", **row} for n, row in enumerate(sets.get(f"{kind}/{split}", ()))]
            write_json_lines(folder / name, rows)
            hashes[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    manifest = {"format": 1, "export": EXPORT, "export_sha256": "0" * 64, "settings": {}, "files": hashes}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def result(out: Path) -> dict[str, Any]:
    """What gate.json says."""
    content: dict[str, Any] = json.loads((out / "gate.json").read_text())
    return content


def outcomes(out: Path, *names: str) -> Sequence[str]:
    """What became of figures."""
    figures = result(out)["figures"]
    return [figures[name]["outcome"] for name in names]


def _line(person: str, keyword: str) -> dict[str, Any]:
    return {
        "kind": "quote",
        "keyword": keyword,
        "messages": [{"role": "user", "content": keyword}],
        "person": person,
        "weight": 1.0,
        "sources": ["button"],
        "model": "starter",
    }
