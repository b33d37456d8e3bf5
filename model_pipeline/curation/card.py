"""Writes README.md of a curated folder from its manifest alone: no word of anybody can be in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_pipeline.data.curated_manifest import SETS
from model_pipeline.data.splits import SPLITS

FEW_LINES = 50  # to train on; below it the card and the command say so
_ABOUT = {
    "sft": "texts that people wrote instead of a reply",
    "kto": "replies that people called good or bad",
    "dpo": "the better of two replies over the other",
}


def card_text(manifest: Mapping[str, Any]) -> str:
    """The dataset card in Markdown."""
    counts = manifest["counts"]
    sections = (
        ["# Curated votes, corrections and comparisons", _opening(manifest), *sentences(manifest)],
        ["## Sets", _sets(counts), _how_split(manifest)],
        ["## What was dropped", _reasons(manifest["dropped"], "Nothing.")],
        ["## Consent", _consent(manifest), _reasons(manifest["refused"], "The export refused nothing.")],
        ["## Personal data", _personal(counts)],
        ["## Licence", _LICENCE],
        ["## Settings", _settings(manifest["settings"])],
    )
    return "\n\n".join(part for section in sections for part in section if part) + "\n"


def sentences(manifest: Mapping[str, Any]) -> list[str]:
    """What a person should know before training on it: which sets are empty or small."""
    said = []
    for name in SETS:
        lines = manifest["counts"][name]["train"]
        if not lines:
            said.append(f"The set {name} has no line to train on.")
        elif lines < FEW_LINES:
            plural = "" if lines == 1 else "s"
            said.append(f"The set {name} has {lines} line{plural} to train on, which is few: collect more votes first.")
    return said


def _opening(manifest: Mapping[str, Any]) -> str:
    reviewed = manifest["counts"].get("reviewed")
    text = f"Made of the export `{manifest['export']}` (SHA-256 of its manifest `{manifest['export_sha256']}`)."
    if reviewed:
        text += (
            f" A person reviewed it: {reviewed['accept']:,} lines accepted, {reviewed['edit']:,} edited, "
            f"{reviewed['reject']:,} rejected."
        )
    return text


def _sets(counts: Mapping[str, Any]) -> str:
    rows = [(name, _ABOUT[name], *(f"{counts[name][split]:,}" for split in SPLITS)) for name in SETS]
    people = [("people", "whose lines they are", *(f"{counts['people'][split]:,}" for split in SPLITS))]
    return _table(("set", "what it holds", *SPLITS), [*rows, *people])


def _how_split(manifest: Mapping[str, Any]) -> str:
    settings = manifest["settings"]
    return (
        f"All lines of one person are in one split: about {settings['validation_share']:.0%} of the people in "
        f"validation and {settings['test_share']:.0%} in test, by a hash of the pseudonym and the seed "
        f"{settings['seed']}. People have other pseudonyms in another export, and so may be in other splits there."
    )


def _consent(manifest: Mapping[str, Any]) -> str:
    counts = manifest["counts"]
    return (
        f"The export held {counts['rows']:,} replies and {counts['pairs']:,} compared pairs of people who had agreed "
        "when they wrote and agreed when it was made. Who withdraws or is forgotten is gone from the next export, and "
        "`quotesmith data lineage` then names this one and what was made of it: train on it no more. What the export "
        "refused:"
    )


def _personal(counts: Mapping[str, Any]) -> str:
    found = _reasons(counts["personal_data"], "None was found.", "kind", "texts that held it")
    return (
        "Replaced by their kind, such as `<EMAIL>`, in what was asked and in bad examples; a reply to be learned that "
        "held any was dropped. The names of people are found only where they are in `curate.names_file`, and postal "
        f"addresses not at all.\n\n{found}"
    )


_LICENCE = (
    "None is granted. People let their words train this bot's models, and not be published: keep the folder, and "
    "delete it with the export that it is made of."
)


def _reasons(counts: Mapping[str, int], nothing: str, first: str = "reason", second: str = "count") -> str:
    rows = [(reason, f"{count:,}") for reason, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]
    return _table((first, second), rows) if rows else nothing


def _settings(settings: Mapping[str, Any]) -> str:
    settings = {**settings, "names_file": Path(settings["names_file"]).name}  # the path may hold a person's name
    shown = {key: ", ".join(map(str, one)) if isinstance(one, list) else str(one) for key, one in settings.items()}
    return _table(("curate.", "value"), list(shown.items()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)
