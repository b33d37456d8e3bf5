"""Writes a small curated folder whose invented people like short quotes, from the project's own quotes; reads none."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from model_pipeline.data.curated_manifest import FORMAT, MANIFEST_FILE, SETS
from model_pipeline.data.json_lines import write_json_lines
from model_pipeline.data.splits import SPLITS
from model_pipeline.errors import InputInvalid
from model_pipeline.smoke.texts import Quote, quotes

VOTES, PAIRS, CORRECTIONS = 240, 120, 60
LEAST_ROWS = 20  # of a method's training rows; each has more
_ROWS_OF_A_PERSON = 6

Row = dict[str, Any]


def write_curated(folder: Path, seed: int) -> None:
    """Write votes, pairs and corrections as `quotesmith-pipeline curate` does, the same for the same seed.

    Raises `InputInvalid` where they cannot be written.
    """
    sets = dict(zip(SETS, _rows(Random(seed)), strict=True))
    try:
        files = {}
        for name, rows in sets.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            for split in SPLITS:
                path = folder / name / f"{split}.jsonl"
                write_json_lines(path, (row for row in rows if _split(row["person"]) == split))
                files[f"{name}/{split}.jsonl"] = hashlib.sha256(path.read_bytes()).hexdigest()
        counts = {name: len(rows) for name, rows in sets.items()}
        manifest = {"format": FORMAT, "export": "smoke", "export_sha256": "", "settings": {}, "counts": counts}
        text = json.dumps(manifest | {"dropped": {}, "files": files}, indent=2) + "\n"
        (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputInvalid(
            f"The small curated folder {folder} cannot be written: {error.strerror or error}."
        ) from error


def _rows(random: Random) -> tuple[list[Row], list[Row], list[Row]]:
    drawn = random.sample(quotes(), VOTES + CORRECTIONS)
    votes, corrections = drawn[:VOTES], drawn[VOTES:]
    middle = median(len(quote.text) for quote in votes)
    sft = [_row("correction", n, quote) | {"completion": quote.text} for n, quote in enumerate(corrections)]
    kto = [
        _row("button", n, quote) | {"completion": quote.text, "label": len(quote.text) < middle}
        for n, quote in enumerate(votes)
    ]
    dpo = [
        _row("comparison", n, shorter) | {"chosen": shorter.text, "rejected": longer.text}
        for n, (shorter, longer) in enumerate(random.sample(list(_pairs()), PAIRS))
    ]
    return sft, kto, dpo


def _pairs() -> Iterator[Sequence[Quote]]:
    """The shortest and the longest quote on each keyword that has two of different lengths."""
    by_keyword = defaultdict(list)
    for quote in quotes():
        by_keyword[quote.keyword].append(quote)
    for found in by_keyword.values():
        ordered = sorted(found, key=lambda quote: len(quote.text))
        if len(ordered[0].text) < len(ordered[-1].text):
            yield ordered[0], ordered[-1]


def _row(source: str, number: int, quote: Quote) -> Row:
    return {
        "id": f"{source}/{number}",
        "kind": "quote",
        "keyword": quote.keyword,
        "messages": [{"role": "user", "content": quote.keyword}],
        "person": f"person {number // _ROWS_OF_A_PERSON}",
        "weight": 1.0,
        "sources": [source],
        "model": "",
    }


def _split(person: str) -> str:
    """Of ten people eight are for training, and one for each of the others."""
    return {8: "validation", 9: "test"}.get(int(person.split()[-1]) % 10, "train")
