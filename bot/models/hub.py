"""Downloads a GGUF from a model hub into the store; the only importer of huggingface_hub, which it loads when called.

The library finds the repository, the address, the token and the proxy (HF_ENDPOINT, HF_TOKEN). The transfer is our
own loop over the library's HTTP session: since version 1 its `hf_hub_download` deletes what has arrived when a
download is interrupted, and a person with a slow line would begin a gigabyte again and again.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.chat.model import Model
from bot.errors import DownloadFailed, InputError, ModelError, ModelInvalid
from bot.models import hub_errors
from bot.models.disk import disk_errors
from bot.models.folder import name_from_file
from bot.models.hub_spec import HubFile, HubSpec, choose_file, parse_spec
from bot.models.intake import Origin
from bot.models.memory import available_memory, check_memory, least_bytes_needed
from bot.models.store import ModelStore

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes of the whole file."""

TIMEOUT_S = 20.0  # without a single byte
MAX_FAILURES = 5  # in a row, without a byte in between
MAX_PAUSE_S = 8.0


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

    `spec` is a catalogue name, OWNER/REPO or OWNER/REPO:FILE. Disk and memory are checked before the first byte, the
    checksum and the header after the last. Blocks for as long as the download takes. Raises ModelNotFound, InputError
    (a choice or another name is needed), ModelTooLarge, DownloadFailed, and ModelInvalid when what came is damaged.
    """
    wanted = parse_spec(spec)
    options = options or PullOptions()
    info = _repository(wanted, options)
    file = choose_file(wanted, _files(info))
    if not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
        raise DownloadFailed(f"The hub gives no checksum for {file.path} of {wanted.repo}, so it cannot be verified.")
    if present := store.find_content(file.sha256):
        return store.get(present)
    name = name or (wanted.entry.name if wanted.entry else name_from_file(Path(file.name)))
    store.check_free(name)
    check_memory(name, least_bytes_needed(file.size_bytes), options.available_memory())
    transfer = _Transfer(wanted.repo, info.sha or "main", file, progress or (lambda done, total: None), options)
    return _fetch_and_add(transfer, store, name, _origin(wanted, info, file))


def _fetch_and_add(transfer: _Transfer, store: ModelStore, name: str, origin: Origin) -> Model:
    folder = store.downloads / transfer.file.sha256
    target = folder / transfer.file.name
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _sole_downloader(target):
            store.check_disk(transfer.file.size_bytes - target.stat().st_size)
            transfer.run(target)
            try:
                model = store.add(target, name, move=True, origin=origin)
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


@dataclass(frozen=True, slots=True)
class _Transfer:
    """One file on its way: asks for the bytes that are missing until all are there."""

    repo: str
    revision: str
    file: HubFile
    progress: Progress
    options: PullOptions

    def run(self, target: Path) -> None:
        """Append to `target` until it is whole; raises DownloadFailed when nothing comes any more, and OSError."""
        failures = 0
        while (done := target.stat().st_size) < self.file.size_bytes:
            error = self._attempt(target, done)
            failures = 0 if target.stat().st_size > done else failures + 1
            if failures > MAX_FAILURES:
                raise _explain(error, self.repo, self.file.path) from error
            if failures:
                self.options.pause(min(MAX_PAUSE_S, 2.0 ** (failures - 1)))

    def _attempt(self, target: Path, done: int) -> Exception | None:
        """Receive what comes; return the error that a later attempt may not meet, and raise every other one."""
        from huggingface_hub.errors import HfHubHTTPError

        try:
            self._receive(target, done)
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status < 500 and status not in (408, 429):
                raise _explain(error, self.repo, self.file.path) from error
            return error
        except _transport_error() as error:
            return error
        return None

    def _receive(self, target: Path, done: int) -> None:
        from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status

        url = hf_hub_url(self.repo, self.file.path, revision=self.revision, endpoint=self.options.endpoint)
        with get_session().stream("GET", url, headers=_headers(done), timeout=TIMEOUT_S) as response:
            hf_raise_for_status(response)
            with target.open("ab") as out:
                if response.status_code != 206:  # the server does not do ranges and sends the whole file
                    out.truncate(0)
                    done = 0
                for piece in response.iter_bytes():
                    out.write(piece)
                    done += len(piece)
                    self.progress(done, self.file.size_bytes)
                    if done > self.file.size_bytes:  # no file of ours: the checksum will say so
                        return
                out.flush()
                os.fsync(out.fileno())


def _headers(done: int) -> dict[str, str]:
    """What the library would send, from the byte `done` on."""
    from huggingface_hub import constants, get_token

    headers = {"Accept-Encoding": "identity", "User-Agent": "quotesmith"}
    if done:
        headers["Range"] = f"bytes={done}-"
    if not constants.HF_HUB_DISABLE_IMPLICIT_TOKEN and (token := get_token()):
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _repository(wanted: HubSpec, options: PullOptions) -> ModelInfo:
    """What the hub says of a repository and its files."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

    hub = HfApi(endpoint=options.endpoint)
    try:
        _ = urlsplit(hub.endpoint).port  # a ValueError here, where the HTTP library has one that cannot be named
        return hub.model_info(wanted.repo, files_metadata=True, timeout=TIMEOUT_S)
    except HFValidationError as error:
        raise InputError(f"{wanted.repo} cannot be the name of a repository: {error}") from error
    except (_transport_error(), OfflineModeIsEnabled) as error:
        raise _explain(error, wanted.repo) from error
    except UnicodeEncodeError:  # a token with a letter outside ASCII; the cause would repeat it
        raise hub_errors.bad_token() from None
    except (KeyError, TypeError, ValueError) as error:
        raise hub_errors.not_a_hub() from error


def _files(info: ModelInfo) -> list[HubFile]:
    kept = [(sibling.rfilename, sibling.size or 0, sibling.lfs) for sibling in info.siblings or []]
    return [HubFile(path, lfs.size if lfs else size, lfs.sha256 if lfs else "") for path, size, lfs in kept]


def _origin(wanted: HubSpec, info: ModelInfo, file: HubFile) -> Origin:
    card_license = info.card_data.get("license") if info.card_data else None
    return Origin(
        sha256=file.sha256,
        base=wanted.repo,
        license=wanted.entry.license if wanted.entry else str(card_license or ""),
        lineage={"repository": wanted.repo, "revision": info.sha or "", "file": file.path},
    )


def _transport_error() -> type[Exception]:
    """The root of the HTTP library's errors: of httpx or httpx2, as huggingface_hub's version has it."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__[0]


def _explain(error: Exception | None, repo: str, file: str = "") -> ModelError:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return hub_errors.offline()
    if isinstance(error, HfHubHTTPError):
        headers = error.response.headers
        code, message = headers.get("X-Error-Code", ""), headers.get("X-Error-Message", "")
        return hub_errors.refused(error.response.status_code, code, message, repo, file)
    return hub_errors.unreachable(repo, type(error).__name__ if error else "empty answers")
