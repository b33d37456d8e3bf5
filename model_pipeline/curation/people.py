"""Divides lines by person into training, validation and test; knows nothing of what a line says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from model_pipeline.curation.lines import Line
from model_pipeline.curation.opinions import asked
from model_pipeline.data.splits import SPLITS, split_of
from model_pipeline.data.texts import normalised

ELSEWHERE = "another person's line with the same answer is in another split"
_HELD_OUT = ("test", "validation")


def split_people(people: Iterable[str], validation_share: float, test_share: float, seed: int) -> dict[str, str]:
    """The split of each person: by a hash of their pseudonym and the seed, so that nobody's depends on another's.

    Of three people or more, every split gets somebody: the last in the order of the alphabet move where nobody is.
    """
    splits = {person: split_of(person, validation_share, test_share, seed) for person in sorted(set(people))}
    if len(splits) >= len(SPLITS):
        for name in SPLITS:
            if name not in splits.values():
                crowded = max(SPLITS, key=list(splits.values()).count)
                splits[max(person for person, split in splits.items() if split == crowded)] = name
    return splits


def divide(lines: Sequence[Line], splits: Mapping[str, str]) -> tuple[dict[str, list[Line]], list[Line]]:
    """The lines of each split, and those that would repeat a training or test answer where it is held out."""
    divided: dict[str, list[Line]] = {name: [] for name in SPLITS}
    leaked: list[Line] = []
    seen: dict[tuple[str, str], str] = {}
    for name in ("train", *_HELD_OUT):
        for line in lines:
            if splits[line.person] != name:
                continue
            answers = [(asked(line.question), normalised(text)) for text in (line.learned, line.refused) if text]
            if any(seen.get(answer, name) != name for answer in answers):
                leaked.append(line)
                continue
            seen |= dict.fromkeys(answers, name)
            divided[name].append(line)
    return divided, leaked
