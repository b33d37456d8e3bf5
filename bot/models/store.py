"""The models that can be chosen: the embedded one and those that were added; knows no network and loads no model.

The store is a folder with one model folder for each name. Every change is one rename under a lock, so that a reader
or another process sees a model whole or not at all.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from bot.chat.canary import LEAST_PEOPLE, Canary, CanaryState
from bot.chat.model import Model
from bot.errors import InputError, ModelInvalid, ModelNotFound
from bot.models.disk import check_disk, disk_errors, free_disk, locked, remove_folder, workspace
from bot.models.folder import model_header, read_folder
from bot.models.gguf_header import GgufHeader
from bot.models.intake import Origin, Source, fill, open_source
from bot.models.manifest import NAME_PATTERN, NAME_RULE, Manifest, read_manifest
from bot.models.state import StoreState, read_state, write_state

EMBEDDED_NAME = "starter"
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

        A GGUF that is to be moved must be on the same disk, and stays where it is when it is refused. Adding the same
        content again returns what is there. Raises InputError for a bad or taken name, ModelNotFound, ModelInvalid
        (also for a wrong checksum), ModelTooLarge when the disk is too small.
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
                if move:
                    source.gguf.rename(fresh / source.gguf.name)
                fresh.rename(self.folder / manifest.name)
        return self.get(manifest.name)

    def remove(self, name: str) -> None:
        """Delete an added model. Raises InputError for the embedded and the active one, ModelNotFound."""
        with self._changing():
            folder = self._folder_of(name)
            if name == EMBEDDED_NAME:
                raise InputError(f"The model {name} is part of Quotesmith and cannot be removed.")
            state = read_state(self.folder)
            if name == state.active:
                raise InputError(f"The model {name} is active: choose another with `quotesmith model use NAME` first.")
            if state.canary and state.canary.running and name == state.canary.name:
                raise InputError(f"The model {name} is being tried out: `quotesmith model rollback` ends that.")
            remove_folder(folder)

    def use(self, name: str) -> Model:
        """Make a model the active one, now and after a restart; a running canary ends with it.

        Raises ModelNotFound and ModelInvalid.
        """
        with self._changing():
            model, state = self.get(name), self._state_to_change()
            canary = _ended(state.canary, CanaryState.STOPPED, f"{name} was chosen")
            write_state(self.folder, _with_active(state, name, canary))
        return model

    def active(self) -> Model:
        """The model to serve: the chosen one, else the embedded. Raises ModelNotFound and ModelInvalid."""
        name = self.active_name()
        if name in self.names():
            return self.get(name)
        raise ModelNotFound(
            f"The active model {name} is not in {self.folder} any more: add it again, or choose another with "
            "`quotesmith model use NAME`."
        )

    def active_name(self) -> str:
        """The name of the model to serve. Raises ModelInvalid."""
        return read_state(self.folder).active or EMBEDDED_NAME

    # -- trying a model out -----------------------------------------------------------------------------------------

    def canary(self) -> Canary | None:
        """The running canary, or the last one. Raises ModelInvalid."""
        return read_state(self.folder).canary

    def decided(self) -> tuple[Canary | None, str]:
        """The running or last canary, and the name of the model to serve, of one moment. Raises ModelInvalid."""
        state = read_state(self.folder)
        return state.canary, state.active or EMBEDDED_NAME

    def try_out(self, name: str, share: float, least_people: int = LEAST_PEOPLE) -> Canary:
        """Begin a canary: the model answers that share of the people from now on.

        Raises InputError where one runs already or the model is the active one, ModelNotFound, ModelInvalid.
        """
        with self._changing():
            state = read_state(self.folder)
            if state.canary and state.canary.running:
                raise InputError(
                    f"{state.canary.name} is being tried out already: `quotesmith model rollback` ends that."
                )
            new, old = self.get(name), self.active()
            if new.sha256 == old.sha256:
                raise InputError(f"{name} is what answers already: try out another model.")
            begun = datetime.now(UTC)
            salt = secrets.token_hex(8)
            canary = Canary(name, new.sha256, old.name, old.sha256, share, salt, begun, least_people)
            write_state(self.folder, replace(state, canary=canary))
        return canary

    def end_canary(self, canary: Canary, state: CanaryState, why: str) -> bool:
        """Put the end of a running canary on record; a promoted model is the active one then.

        False where another process ended it before, and nothing has changed.
        """
        with self._changing():
            known = read_state(self.folder)
            if known.canary != canary or not canary.running:
                return False
            ended = _ended(canary, state, why)
            promoted = state is CanaryState.PROMOTED
            changed = _with_active(known, canary.name, ended) if promoted else replace(known, canary=ended)
            write_state(self.folder, changed)
        return True

    def roll_back(self) -> str:
        """End the running canary, or serve what was served before; returns the name of what is served.

        Raises InputError where there is neither, ModelNotFound and ModelInvalid.
        """
        with self._changing():
            state = read_state(self.folder)
            name = state.active or EMBEDDED_NAME
            if state.canary and state.canary.running:
                ended = _ended(state.canary, CanaryState.ROLLED_BACK, "an operator took it back")
                write_state(self.folder, replace(state, canary=ended))
                return name
            if not state.previous:
                raise InputError(f"There is nothing to take back: {name} was served all along.")
            self.get(state.previous)
            write_state(self.folder, _with_active(state, state.previous, _taken_back(state.canary, name)))
            return state.previous

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
            return name == self.active_name()
        except ModelInvalid:
            return False

    def _state_to_change(self) -> StoreState:
        """A broken state is no reason not to choose anew."""
        try:
            return read_state(self.folder)
        except ModelInvalid:
            return StoreState("")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with disk_errors(self.folder), locked(self.folder):
            yield


def _with_active(state: StoreState, name: str, canary: Canary | None) -> StoreState:
    was = state.active or EMBEDDED_NAME
    return StoreState(name, state.previous if was == name else was, canary)


def _ended(canary: Canary | None, state: CanaryState, why: str) -> Canary | None:
    """The canary with its end; one that ended before stays as it is."""
    if canary is None or not canary.running:
        return canary
    return replace(canary, state=state, why=why, ended_at=datetime.now(UTC))


def _taken_back(canary: Canary | None, name: str) -> Canary | None:
    """The record of a model that was promoted and is served no more; votes counted for it until it was promoted."""
    if canary is None or canary.name != name or canary.state is not CanaryState.PROMOTED:
        return canary
    return replace(canary, state=CanaryState.ROLLED_BACK, why="an operator took it back")
