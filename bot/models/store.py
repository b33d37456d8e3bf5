"""The models that can be chosen: the embedded one and those that were added; knows no network and loads no model.

The store is a folder with one model folder for each name. Every change is one rename under a lock, so that a reader
or another process sees a model whole or not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from bot.chat.model import Model
from bot.errors import InputError, ModelInvalid, ModelNotFound
from bot.models.disk import check_disk, disk_errors, free_disk, locked, remove_folder, workspace, write_durably
from bot.models.folder import model_header, read_folder
from bot.models.gguf_header import GgufHeader
from bot.models.intake import Origin, Source, fill, open_source
from bot.models.manifest import NAME_PATTERN, NAME_RULE, Manifest, read_manifest

EMBEDDED_NAME = "starter"
STATE_FILE = ".active.json"  # the dot keeps it apart from every valid model name
DOWNLOADS = ".downloads"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A line of the list; `problem` says why the model cannot be used, and the other facts are then empty."""

    name: str
    active: bool
    embedded: bool
    size_bytes: int = 0
    quantization: str = ""
    license: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """Everything that is known about one model without loading it."""

    stored: StoredModel
    model: Model
    manifest: Manifest
    header: GgufHeader


class ModelStore:
    """The store in `folder`, with the model in the `embedded` folder always listed first, as "starter"."""

    def __init__(self, folder: Path, embedded: Path, free_disk: Callable[[Path], int] = free_disk) -> None:
        self.folder = folder
        self.embedded = embedded
        self._free_disk = free_disk

    @property
    def downloads(self) -> Path:
        """Where unfinished downloads wait, on the same disk as the store."""
        return self.folder / DOWNLOADS

    def names(self) -> tuple[str, ...]:
        """The embedded model, then the others in order."""
        found = (
            entry.name for entry in self.folder.glob("*") if entry.is_dir() and re.fullmatch(NAME_PATTERN, entry.name)
        )
        return (EMBEDDED_NAME, *sorted(name for name in found if name != EMBEDDED_NAME))

    def list(self) -> tuple[StoredModel, ...]:
        """All models with what they are; one that cannot be read is listed with its problem."""
        return tuple(self._stored(name) for name in self.names())

    def get(self, name: str, *, verify: bool = False) -> Model:
        """The model of that name, checked; `verify` also hashes it. Raises ModelNotFound and ModelInvalid."""
        return replace(read_folder(self._folder_of(name), verify=verify), name=name)

    def show(self, name: str) -> ModelDetails:
        """All details of one model. Raises ModelNotFound and ModelInvalid."""
        model = self.get(name)
        return ModelDetails(self._stored(name), model, read_manifest(model.path.parent), model_header(model.path))

    def add(self, path: Path, name: str | None = None, *, move: bool = False, origin: Origin | None = None) -> Model:
        """Copy (or move) a model folder or a .gguf file into the store, whole or not at all, and return the model.

        Adding the same content again returns what is there. Raises InputError for a bad or taken name,
        ModelNotFound, ModelInvalid (also for a wrong checksum), ModelTooLarge when the disk is too small.
        """
        source = open_source(path)
        origin = origin or Origin()
        self.check_name(name or source.name)
        if not move:
            self.check_disk(source.size_bytes)
        with disk_errors(self.folder), workspace(self.folder) as fresh:
            manifest = fill(fresh, source, name or source.name, origin, move=move)
            with locked(self.folder):
                twin = self._twin(source, manifest, name)
                if twin is not None:
                    return self.get(twin)
                fresh.rename(self.folder / manifest.name)
        return self.get(manifest.name)

    def remove(self, name: str) -> None:
        """Delete an added model. Raises InputError for the embedded and the active one, ModelNotFound."""
        with self._changing():
            folder = self._folder_of(name)
            if name == EMBEDDED_NAME:
                raise InputError(f"The model {name} is part of Quotesmith and cannot be removed.")
            if name == self._chosen_name():
                raise InputError(f"The model {name} is active: choose another with `quotesmith model use NAME` first.")
            remove_folder(folder)

    def use(self, name: str) -> Model:
        """Make a model the active one, now and after a restart. Raises ModelNotFound and ModelInvalid."""
        with self._changing():
            model = self.get(name)
            write_durably(self.folder / STATE_FILE, json.dumps({"active": name}) + "\n")
        return model

    def active(self) -> Model:
        """The model to serve: the chosen one, else the embedded. Raises ModelNotFound and ModelInvalid."""
        name = self._chosen_name() or EMBEDDED_NAME
        if name in self.names():
            return self.get(name)
        raise ModelNotFound(
            f"The active model {name} is not in {self.folder} any more: add it again, or choose another with "
            "`quotesmith model use NAME`."
        )

    def find_content(self, sha256: str) -> str | None:
        """The name under which a GGUF with that checksum is here already."""
        return next((name for name in self.names() if self._manifest_sha256(name) == sha256), None)

    def check_name(self, name: str) -> None:
        """Raise InputError unless it can be the name of an added model."""
        if not re.fullmatch(NAME_PATTERN, name):
            raise InputError(f"{name!r} cannot be the name of a model: {NAME_RULE}.")

    def check_free(self, name: str) -> None:
        """Raise InputError unless a new model can get that name."""
        self.check_name(name)
        if name in self.names():
            raise InputError(f"A different model is already called {name}: choose another name, or remove it first.")

    def check_disk(self, needed_bytes: int) -> None:
        """Raise ModelTooLarge when so many further bytes do not fit onto the disk of the store."""
        check_disk(self.folder, needed_bytes, self._free_disk)

    def _stored(self, name: str) -> StoredModel:
        line = StoredModel(name, self._is_active(name), name == EMBEDDED_NAME)
        try:
            folder = self._folder_of(name)
            read_folder(folder)
            manifest = read_manifest(folder)
        except (ModelInvalid, ModelNotFound) as error:
            return replace(line, problem=str(error))
        return replace(
            line, size_bytes=manifest.size_bytes, quantization=manifest.quantization, license=manifest.license
        )

    def _folder_of(self, name: str) -> Path:
        if name not in self.names():
            near = get_close_matches(name, self.names(), n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(self.names())}."
            raise ModelNotFound(f"There is no model called {name}; {hint}")
        return self.embedded if name == EMBEDDED_NAME else self.folder / name

    def _twin(self, source: Source, manifest: Manifest, name: str | None) -> str | None:
        """The name of the same content, if adding it again changes nothing; InputError if the name cannot be had."""
        twin = self.find_content(manifest.sha256)
        if twin is None:
            self.check_free(manifest.name)
            return None
        if name not in (None, twin):
            raise InputError(f"The same model file is already here as {twin}: use that name, or remove it first.")
        there = read_manifest(self._folder_of(twin)).model_copy(update={"name": manifest.name})
        if source.manifest is not None and there != manifest:
            raise InputError(f"The same model file is here as {twin} with another manifest: remove it first.")
        return twin

    def _manifest_sha256(self, name: str) -> str:
        try:
            return read_manifest(self._folder_of(name)).sha256
        except ModelInvalid:
            return ""

    def _is_active(self, name: str) -> bool:
        try:
            return name == (self._chosen_name() or EMBEDDED_NAME)
        except ModelInvalid:
            return False

    def _chosen_name(self) -> str:
        """The name in the state file, or "" when nothing was chosen yet."""
        path = self.folder / STATE_FILE
        try:
            state = json.loads(path.read_bytes()[:4_096])
            name = state["active"]
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._bad_state(path) from error
        if not isinstance(name, str):
            raise self._bad_state(path)
        return name

    def _bad_state(self, path: Path) -> ModelInvalid:
        return ModelInvalid(f"{path} does not name the active model: choose one with `quotesmith model use NAME`.")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with disk_errors(self.folder), locked(self.folder):
            yield
