"""Writes what a person decided into a curated folder: what is rejected goes, what is edited changes; asks nobody.

It may be done again at any time, also after it was interrupted: files are replaced whole, and the manifest last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model_pipeline.curation.curated_folder import (
    DROPPED_FILE,
    json_lines,
    read_sets,
    write_into,
)
from model_pipeline.curation.decisions import Choice, Decision, Decisions
from model_pipeline.curation.lines import Dropped, row_of, set_of
from model_pipeline.data.curated_manifest import SET_FILES, SETS, read_manifest
from model_pipeline.data.json_lines import read_json_lines
from model_pipeline.data.splits import SPLITS
from model_pipeline.errors import InputInvalid

REJECTED = "rejected in review"

Json = dict[str, Any]


def apply_review(folder: Path) -> dict[str, int]:
    """Bring the sets, dropped.jsonl, the card and the manifest in line with review.jsonl; how many of each decision.

    Raises `InputInvalid`.
    """
    manifest, decisions = read_manifest(folder), Decisions.read(folder)
    sets = {name: _decided(lines, decisions) for name, lines in read_sets(folder).items()}
    # Those of an earlier time are listed anew, so that doing it twice changes nothing.
    dropped = [one for one in read_json_lines(folder / DROPPED_FILE) if one["reason"] != REJECTED]
    rejected = [one for one in decisions.all() if one.choice is Choice.REJECT]
    dropped += [asdict(Dropped(row_of(one.id), set_of(one.id), REJECTED)) for one in rejected]
    made = Counter(one.choice for one in decisions.all())
    reviewed = {str(choice): made[choice] for choice in Choice}
    files = {name: json_lines(lines) for name, lines in sets.items()} | {DROPPED_FILE: json_lines(dropped)}
    try:
        write_into(folder, files, _changed(manifest, sets, dropped, reviewed))
    except OSError as error:
        raise InputInvalid(f"{folder} cannot be written: {error.strerror or error}.") from error
    return reviewed


def _decided(lines: Sequence[Json], decisions: Decisions) -> list[Json]:
    left = []
    for line in lines:
        decision = decisions.on(line["id"])
        if decision is None or decision.choice is not Choice.REJECT:
            left.append(_edited(line, decision) if decision else line)
    return left


def _edited(line: Json, decision: Decision) -> Json:
    if decision.choice is not Choice.EDIT:
        return line
    return line | {"chosen" if "chosen" in line else "completion": decision.text}


def _changed(
    manifest: Mapping[str, Any],
    sets: Mapping[str, Sequence[Json]],
    dropped: Sequence[Json],
    reviewed: Mapping[str, int],
) -> Json:
    counts = {name: {split: len(sets[SET_FILES[name, split]]) for split in SPLITS} for name in SETS}
    people = {
        split: len({line["person"] for name in SETS for line in sets[SET_FILES[name, split]]}) for split in SPLITS
    }
    lines = [line for part in sets.values() for line in part]
    sources = dict(sorted(Counter(source for line in lines for source in line["sources"]).items()))
    counted = {**manifest["counts"], **counts, "people": people, "sources": sources, "reviewed": dict(reviewed)}
    reasons = dict(Counter(one["reason"] for one in dropped).most_common())
    return {**manifest, "counts": counted, "dropped": reasons}
