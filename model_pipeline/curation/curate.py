"""The command curate, read top to bottom: an export folder becomes a curated folder; each rule is in its own module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_pipeline.curation.card import sentences
from model_pipeline.curation.cleaning import clean_export
from model_pipeline.curation.curated_folder import DROPPED_FILE, check_new, json_lines, write_new
from model_pipeline.curation.export_folder import read_export
from model_pipeline.curation.language import Languages
from model_pipeline.curation.lines import Dropped, Line, json_of
from model_pipeline.curation.near_duplicates import without_duplicates
from model_pipeline.curation.offence import Offence
from model_pipeline.curation.opinions import gather
from model_pipeline.curation.people import ELSEWHERE, divide, split_people
from model_pipeline.curation.personal_data import PersonalData
from model_pipeline.curation.quality import Quality
from model_pipeline.curation.sets import make_sets
from model_pipeline.curation.settings import Curate
from model_pipeline.curation.words import Export
from model_pipeline.data.curated_manifest import FORMAT, SET_FILES, SETS
from model_pipeline.data.sources import read_lines
from model_pipeline.data.splits import SPLITS
from model_pipeline.report import Report

Divided = Mapping[str, Mapping[str, Sequence[Line]]]  # by set and split


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The lines by set and split, what was dropped, and whose lines are where."""

    divided: Divided
    dropped: list[Dropped]


def curate(folder: Path, out: Path, settings: Curate, report: Report) -> None:
    """Read, clean, weigh, judge, compare, divide and write. Raises `InputInvalid`; then nothing is written."""
    check_new(out)
    names, export = read_lines(settings.names_file), read_export(folder)
    report.say(f"Read {len(export.replies):,} replies and {len(export.pairs):,} comparisons of {folder}.")
    personal = PersonalData(names)
    found: Counter[str] = Counter()
    cleaned = clean_export(export, _counting(personal, found))
    made = make_sets(cleaned, gather(cleaned, settings), settings.liked_as_sft)
    result = _sort(made.lines, settings)
    result.dropped[:0] = made.dropped
    manifest = _manifest(export, settings, result, found)
    _write(out, result, manifest)
    _tell(manifest, report)


def _counting(personal: PersonalData, found: Counter[str]) -> Callable[[str], str]:
    """The filter, which counts each text once, however often it is repeated in the rows of a chat."""
    seen: set[str] = set()

    def clean(text: str) -> str:
        cleaned = personal.clean(text)
        if text not in seen:
            seen.add(text)
            found.update(cleaned.found)
        return cleaned.text

    return clean


def _sort(lines: Sequence[Line], settings: Curate) -> _Sorted:
    """Bad lines go first, so that no good one is dropped as the duplicate of one that is not there."""
    offence, languages = Offence(settings.offensive_from), Languages(settings.languages, settings.language_certainty)
    quality = Quality(settings, offence.is_offensive, languages.is_unwanted)
    dropped: list[Dropped] = []
    kept: list[Line] = []
    for line in lines:
        if reason := quality.why_not(line):
            dropped.append(Dropped(line.row, line.set, reason))
        else:
            kept.append(line)
    unique: list[Line] = []
    for name in SETS:
        lines, repeated = without_duplicates([line for line in kept if line.set == name], settings.near_duplicate)
        unique += lines
        dropped += [Dropped(line.row, name, reason) for line, reason in repeated]
    people = [line.person for line in unique]
    splits = split_people(people, settings.validation_share, settings.test_share, settings.seed)
    divided, leaked = divide(unique, splits)
    dropped += [Dropped(line.row, line.set, ELSEWHERE) for line in leaked]
    by_set = {name: {split: [one for one in divided[split] if one.set == name] for split in SPLITS} for name in SETS}
    return _Sorted(by_set, dropped)


def _manifest(export: Export, settings: Curate, result: _Sorted, found: Mapping[str, int]) -> dict[str, Any]:
    lines = [line for part in result.divided.values() for of_split in part.values() for line in of_split]
    people = {split: len({line.person for part in result.divided.values() for line in part[split]}) for split in SPLITS}
    return {
        "format": FORMAT,
        "export": export.name,
        "export_sha256": export.sha256,
        "settings": settings.model_dump(mode="json"),
        "counts": {
            **{name: {split: len(part[split]) for split in SPLITS} for name, part in result.divided.items()},
            "people": people,
            "rows": len(export.replies),
            "pairs": len(export.pairs),
            "sources": dict(sorted(Counter(source for line in lines for source in line.sources).items())),
            "personal_data": dict(sorted(found.items())),
        },
        "dropped": dict(Counter(one.reason for one in result.dropped).most_common()),
        "refused": export.refused,
    }


def _write(out: Path, result: _Sorted, manifest: Mapping[str, Any]) -> None:
    files = {path: json_lines(map(json_of, result.divided[name][split])) for (name, split), path in SET_FILES.items()}
    write_new(out, {**files, DROPPED_FILE: json_lines(map(asdict, result.dropped))}, manifest)


def _tell(manifest: Mapping[str, Any], report: Report) -> None:
    for reason, count in manifest["dropped"].items():
        report.say(f"Dropped {count:,}: {reason}.")
    counts = manifest["counts"]
    rows = [(name, *(f"{counts[name][split]:,}" for split in SPLITS)) for name in (*SETS, "people")]
    report.table(("", *SPLITS), rows)
    for sentence in sentences(manifest):
        report.say(sentence)
