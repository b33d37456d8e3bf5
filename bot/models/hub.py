"""Pulls a GGUF from a model hub into the store: chosen, checked, downloaded, verified, added; knows no HTTP."""

from __future__ import annotations

import fcntl
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bot.chat.model import Model
from bot.errors import DownloadFailed, ModelInvalid
from bot.models.disk import disk_errors, workspace
from bot.models.folder import check_judge, name_from_file
from bot.models.hub_client import HubClient, Progress
from bot.models.hub_manifest import (
    check_belongs,
    check_same_use,
    default_file,
    is_about,
    judge_file,
    manifest_file,
    manifest_for,
    read_published,
)
from bot.models.hub_spec import HubFile, HubRepository, HubSpec, choose_file, parse_spec
from bot.models.intake import Origin
from bot.models.manifest import Manifest, write_manifest
from bot.models.memory import available_memory, check_memory, least_bytes_needed
from bot.models.store import ModelStore


@dataclass(frozen=True, slots=True)
class PullOptions:
    """What tests and callers may replace; `endpoint` None is the library's own, from HF_ENDPOINT."""

    endpoint: str | None = None
    available_memory: Callable[[], int] = available_memory
    pause: Callable[[float], None] = time.sleep


def pull(
    spec: str,
    store: ModelStore,
    name: str | None = None,
    progress: Progress | None = None,
    options: PullOptions | None = None,
) -> Model:
    """Download a model into the store and return it; a download that was cut off goes on where it stopped.

    `spec` is a catalogue name, OWNER/REPO or OWNER/REPO:FILE. Where the repository has a manifest of ours, that names
    the file unless `spec` does, and the model is asked and sampled as it says. Disk and memory are checked before the
    first byte, the checksum and the header after the last. Blocks for as long as the download takes. Raises
    ModelNotFound, InputError (a choice or another name is needed), ModelTooLarge, DownloadFailed, and ModelInvalid
    when what came is damaged or the manifest cannot be used.
    """
    wanted = parse_spec(spec)
    options = options or PullOptions()
    client = HubClient(options.endpoint, options.pause)
    repository = client.look_up(wanted.repo)
    manifest = _published(client, repository, store)
    file = _chosen(wanted, repository, manifest)
    if present := store.find_content(file.sha256):
        return _already_here(store, present, manifest)
    name = name or _name(wanted, file, manifest)
    store.check_free(name)
    check_memory(name, least_bytes_needed(file.size_bytes), options.available_memory())
    judge = judge_file(manifest, repository) if manifest else None
    arrival = _Arrival(file, name, _origin(wanted, repository, file), manifest, judge)

    def fetch(target: Path) -> None:
        if manifest and manifest.judge and judge:
            # It is small, so it comes first, and anew: the half of an older one may lie there.
            (target.parent / judge.path).unlink(missing_ok=True)
            client.fetch(repository, judge, target.parent / judge.path)
            check_judge(target.parent, manifest.judge)
        client.fetch(repository, file, target, progress)

    return _fetch_and_add(arrival, store, fetch)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A file, and what it becomes in the store; `manifest` and `judge` are the repository's, if it has some of ours."""

    file: HubFile
    name: str
    origin: Origin
    manifest: Manifest | None
    judge: HubFile | None

    @property
    def size_bytes(self) -> int:
        return self.file.size_bytes + (self.judge.size_bytes if self.judge else 0)

    def add_to(self, store: ModelStore, gguf: Path) -> Model:
        if self.manifest is None:
            return store.add(gguf, self.name, move=True, origin=self.origin)
        write_manifest(manifest_for(self.manifest, self.file, gguf, self.origin), gguf.parent)
        return store.add(gguf.parent, self.name, move=True)


def _published(client: HubClient, repository: HubRepository, store: ModelStore) -> Manifest | None:
    """The repository's own manifest; None where it has none of ours."""
    file = manifest_file(repository)
    if file is None:
        return None
    with disk_errors(store.folder), workspace(store.folder) as folder:
        client.fetch(repository, file, folder / file.name)
        content = (folder / file.name).read_bytes()
    manifest = read_published(content, repository.name)
    if manifest is not None:
        check_belongs(manifest, repository)
    return manifest


def _chosen(wanted: HubSpec, repository: HubRepository, manifest: Manifest | None) -> HubFile:
    if manifest is not None and not wanted.file:
        wanted = replace(wanted, file=default_file(manifest, repository))
    file = choose_file(wanted, repository.files)
    if not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
        raise DownloadFailed(f"The hub gives no checksum for {file.path} of {wanted.repo}, so it cannot be verified.")
    return file


def _already_here(store: ModelStore, name: str, manifest: Manifest | None) -> Model:
    if manifest is not None:
        check_same_use(manifest, store.show(name).manifest, name)
    return store.get(name)


def _name(wanted: HubSpec, file: HubFile, manifest: Manifest | None) -> str:
    """The catalogue's name, else the manifest's for the file that it is about, else one made of the file's."""
    if wanted.entry:
        return wanted.entry.name
    return manifest.name if manifest and is_about(manifest, file) else name_from_file(Path(file.name))


def _origin(wanted: HubSpec, repository: HubRepository, file: HubFile) -> Origin:
    return Origin(
        sha256=file.sha256,
        base=wanted.repo,
        license=wanted.entry.license if wanted.entry else repository.license,
        lineage={"repository": wanted.repo, "revision": repository.revision, "file": file.path},
    )


def _fetch_and_add(arrival: _Arrival, store: ModelStore, fetch: Callable[[Path], None]) -> Model:
    folder = store.downloads / arrival.file.sha256
    target = folder / arrival.file.name
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _sole_downloader(target):
            store.check_disk(arrival.size_bytes - target.stat().st_size)
            fetch(target)
            try:
                model = arrival.add_to(store, target)
            except ModelInvalid as error:
                shutil.rmtree(folder, ignore_errors=True)
                text = str(error)
                raise ModelInvalid(f"The download was deleted: {text[0].lower()}{text[1:]}") from error
            shutil.rmtree(folder, ignore_errors=True)
    return model


@contextmanager
def _sole_downloader(target: Path) -> Iterator[None]:
    with target.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadFailed(f"Another process is downloading {target.name} already.") from error
        yield
