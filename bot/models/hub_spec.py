"""What a person may ask the hub for, and which of a repository's files that means; reaches no network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath

from bot.errors import InputError, ModelNotFound
from bot.models.catalogue import CATALOGUE, CatalogueEntry, find

PREFERRED = "Q4_K_M"
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_PART = re.compile(r"-\d{5}-of-(\d{5})\.gguf$", re.IGNORECASE)
_BESIDE = ("mmproj", "imatrix")  # GGUF files that belong to a model and are none
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class HubSpec:
    """A repository and, if given, a file name or a quantization in it; `entry` if it came from the catalogue."""

    repo: str
    file: str = ""
    entry: CatalogueEntry | None = None


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file in a repository; `sha256` is empty for a file that is kept without one."""

    path: str
    size_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """The file name without folders, and without what a disk or a manifest might not take."""
        return re.sub(r"[^A-Za-z0-9._-]", "-", PurePosixPath(self.path).name)


@dataclass(frozen=True, slots=True)
class HubRepository:
    """What the hub tells of OWNER/NAME: the newest commit ("" if it does not say), the card's licence, the files."""

    name: str
    revision: str
    license: str
    files: tuple[HubFile, ...]


def parse_spec(spec: str) -> HubSpec:
    """Understand a catalogue name, OWNER/REPO or OWNER/REPO:FILE, where FILE may be a quantization such as Q8_0.

    Raises ModelNotFound for a name that is not in the catalogue, with the nearest names.
    """
    spec = spec.strip()
    if entry := find(spec):
        return HubSpec(entry.repo, entry.file, entry)
    repo, _, file = spec.partition(":")
    if _REPO.fullmatch(repo):
        return HubSpec(repo, file)
    names = [known.name for known in CATALOGUE]
    near = get_close_matches(spec.lower(), names, n=3, cutoff=0.5) or names
    raise ModelNotFound(
        f"There is no model {spec!r} in the catalogue ({', '.join(near)}); another model of the hub is written "
        "OWNER/REPO or OWNER/REPO:FILE."
    )


def choose_file(spec: HubSpec, files: Sequence[HubFile]) -> HubFile:
    """The file that the spec means: the one it names, else the Q4_K_M one, else the only one.

    Raises ModelNotFound when there is none, InputError when a choice is needed or a model is split into parts.
    """
    models = [file for file in files if file.name.lower().endswith(".gguf") and not file.name.startswith(_BESIDE)]
    if not models:
        raise ModelNotFound(
            f"The hub's repository {spec.repo} has no GGUF file; look for one whose name ends in -GGUF."
        )
    chosen = _named(spec.file, models) if spec.file else _default(models)
    if chosen is None and spec.file:
        raise ModelNotFound(f"The hub's repository {spec.repo} has no file {spec.file}; it has {_shown(models)}.")
    if chosen is None:
        raise InputError(f"Say which file of {spec.repo} is wanted, as {spec.repo}:FILE; it has {_shown(models)}.")
    if part := _PART.search(chosen.name):
        raise InputError(
            f"{chosen.name} is one of {int(part[1])} parts of a split model, which cannot be used: "
            "choose a quantization that comes in one file."
        )
    return chosen


def _named(wanted: str, models: Sequence[HubFile]) -> HubFile | None:
    exact = [file for file in models if wanted in (file.path, file.name)]
    return exact[0] if exact else _only(_of_quantization(wanted, models))


def _default(models: Sequence[HubFile]) -> HubFile | None:
    return _only(_of_quantization(PREFERRED, models)) or _only(models)


def _of_quantization(quantization: str, models: Sequence[HubFile]) -> list[HubFile]:
    ending = re.compile(rf"(^|[.\-_]){re.escape(quantization)}(-\d{{5}}-of-\d{{5}})?\.gguf$", re.IGNORECASE)
    return [file for file in models if ending.search(file.name)]


def _only(models: Sequence[HubFile]) -> HubFile | None:
    # The parts of a split model count as one, so that the reason given is the split and not the choice.
    whole = {_PART.sub("", file.path): file for file in models}
    return next(iter(whole.values())) if len(whole) == 1 else None


def _shown(models: Sequence[HubFile]) -> str:
    names = ", ".join(file.path for file in models[:_SHOWN])
    return names if len(models) <= _SHOWN else f"{names} and {len(models) - _SHOWN} more"
