"""Asks a model hub what a repository holds, and for its files; alone imports huggingface_hub, and only when called.

The library finds the repository, the address, the token and the proxy (HF_ENDPOINT, HF_TOKEN). The transfer is our
own loop over the library's HTTP session: since version 1 its `hf_hub_download` deletes what has arrived when a
download is interrupted, and a person with a slow line would begin a gigabyte again and again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.errors import InputError, ModelError
from bot.models import hub_errors
from bot.models.hub_spec import HubFile, HubRepository

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes of the whole file."""

TIMEOUT_S = 20.0  # without a single byte
MAX_FAILURES = 5  # in a row, without a byte in between
MAX_PAUSE_S = 8.0


@dataclass(frozen=True, slots=True)
class HubClient:
    """Asks the hub at `endpoint`, None being the library's own, and waits with `pause` after bad answers."""

    endpoint: str | None = None
    pause: Callable[[float], None] = time.sleep

    def look_up(self, name: str) -> HubRepository:
        """What the hub says of the repository OWNER/NAME; raises ModelNotFound, InputError and DownloadFailed."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

        hub = HfApi(endpoint=self.endpoint)
        try:
            _ = urlsplit(hub.endpoint).port  # a ValueError here, where the HTTP library has one that cannot be named
            return _repository(name, hub.model_info(name, files_metadata=True, timeout=TIMEOUT_S))
        except HFValidationError as error:
            raise InputError(f"{name} cannot be the name of a repository: {error}") from error
        except (_transport_error(), OfflineModeIsEnabled) as error:
            raise _explain(error, name) from error
        except UnicodeEncodeError:  # a token with a letter outside ASCII; the cause would repeat it
            raise hub_errors.bad_token() from None
        except (KeyError, TypeError, ValueError) as error:
            raise hub_errors.not_a_hub() from error

    def fetch(self, repository: HubRepository, file: HubFile, target: Path, progress: Progress | None = None) -> None:
        """Append to `target` until it is whole; raises DownloadFailed when nothing comes any more, and OSError."""
        _Transfer(self, repository, file, progress or (lambda done, total: None)).run(target)


@dataclass(frozen=True, slots=True)
class _Transfer:
    """One file on its way: asks for the bytes that are missing until all are there."""

    client: HubClient
    repository: HubRepository
    file: HubFile
    progress: Progress

    def run(self, target: Path) -> None:
        target.touch()
        failures = 0
        while (done := target.stat().st_size) < self.file.size_bytes:
            error = self._attempt(target, done)
            failures = 0 if target.stat().st_size > done else failures + 1
            if failures > MAX_FAILURES:
                raise _explain(error, self.repository.name, self.file.path) from error
            if failures:
                self.client.pause(min(MAX_PAUSE_S, 2.0 ** (failures - 1)))

    def _attempt(self, target: Path, done: int) -> Exception | None:
        """Receive what comes; return the error that a later attempt may not meet, and raise every other one."""
        from huggingface_hub.errors import HfHubHTTPError

        try:
            self._receive(target, done)
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status < 500 and status not in (408, 429):
                raise _explain(error, self.repository.name, self.file.path) from error
            return error
        except _transport_error() as error:
            return error
        return None

    def _receive(self, target: Path, done: int) -> None:
        from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status

        name, revision = self.repository.name, self.repository.revision or None
        url = hf_hub_url(name, self.file.path, revision=revision, endpoint=self.client.endpoint)
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


def _repository(name: str, info: ModelInfo) -> HubRepository:
    kept = [(sibling.rfilename, sibling.size or 0, sibling.lfs) for sibling in info.siblings or []]
    files = [HubFile(path, lfs.size if lfs else size, lfs.sha256 if lfs else "") for path, size, lfs in kept]
    card_license = info.card_data.get("license") if info.card_data else None
    return HubRepository(name, info.sha or "", str(card_license or ""), tuple(files))


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
