"""Owns the connection to a model hub: new repositories, one commit for each, and what can go wrong there.

Knows paths and bytes, and nothing of runs, models or cards. A commit is all or nothing: the large files are sent
first, and appear with the others, so that a connection that is cut leaves a repository as it was.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from rich.filesize import decimal

from model_pipeline.errors import InputInvalid, PublishFailed
from model_pipeline.report import Report

if TYPE_CHECKING:
    from huggingface_hub import HfApi

RepositoryType = Literal["model", "dataset"]
OWN_FILES = {".gitattributes"}  # the hub writes it into every repository
LONGEST_REASON = 300  # characters of what a hub said


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """A file of a repository: what lies at `content`, or those bytes."""

    path: str
    content: Path | bytes

    @property
    def size_bytes(self) -> int:
        """The size of what will be sent."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


@dataclass(frozen=True, slots=True)
class Repository:
    """OWNER/NAME, and everything that is to be in it, in the order in which it is sent."""

    name: str
    type: RepositoryType
    files: tuple[RepositoryFile, ...]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Hub:
    """Where to publish and as whom; None is what huggingface_hub finds itself: HF_ENDPOINT, HF_TOKEN or a login."""

    endpoint: str | None = None
    token: str | None = None


def check_repositories(repositories: Sequence[Repository]) -> None:
    """Raise `InputInvalid` for a name that no hub takes, or one that is given twice."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    seen = set()
    for repository in repositories:
        name = repository.name
        try:
            validate_repo_id(name)
        except HFValidationError as error:
            raise InputInvalid(f"{name!r} cannot be the name of a repository; it is written OWNER/NAME.") from error
        if "/" not in name:
            raise InputInvalid(f"The repository {name!r} has no owner; it is written OWNER/NAME.")
        if (repository.type, name.lower()) in seen:
            raise InputInvalid(f"The repository {name} is named twice; each of them needs a name of its own.")
        seen.add((repository.type, name.lower()))


def publish_repositories(
    repositories: Sequence[Repository], message: str, hub: Hub, report: Report, *, private: bool
) -> list[str]:
    """Send each repository in one commit, and return the ids of the commits.

    All repositories are made first, so that a token that may not write is found before anything is sent. One whose
    files are on the hub already gets no new commit. Raises `PublishFailed`.
    """
    api = _connect(hub, repositories[0].name)
    with _quiet(report):
        heads = [_prepare(api, repository, report, private=private) for repository in repositories]
        return [_send(api, *each, message, report) for each in zip(repositories, heads, strict=True)]


def _connect(hub: Hub, first: str) -> HfApi:
    from huggingface_hub import HfApi, get_token

    token = (hub.token or get_token() or "").strip()
    if not token:
        raise PublishFailed(f"There is no token to publish {first} with: set HF_TOKEN to one that may write.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise PublishFailed(f"The token to publish {first} with cannot be one: set HF_TOKEN to one that may write.")
    api = HfApi(endpoint=hub.endpoint, token=token, library_name="quotesmith")
    _check_address(api.endpoint, first)
    return api


def _check_address(endpoint: str, first: str) -> None:
    try:
        address = urlsplit(endpoint)
        usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise PublishFailed(f"{first} cannot be published to {endpoint!r}: give the hub's address as https://HOST.")


def _prepare(api: HfApi, repository: Repository, report: Report, *, private: bool) -> str:
    """Make the repository unless it is there, and return its newest commit."""
    name, kind = repository.name, repository.type
    with _told(name, api.token):
        if not api.repo_exists(name, repo_type=kind):  # a token may write to what it could not create
            api.create_repo(name, repo_type=kind, private=private, exist_ok=True)
        info = api.repo_info(name, repo_type=kind)
        paths = api.list_repo_files(name, repo_type=kind, revision=info.sha)
    if private and info.private is False:
        raise PublishFailed(
            f"{name} is public already, and publish.private is true: make it private on the hub, "
            "or set publish.private=false."
        )
    if info.private and not private:
        report.say(f"{name} is private and stays so; make it public on the hub.")
    if others := sorted({*paths} - {file.path for file in repository.files} - OWN_FILES):
        report.say(f"{name} keeps what this run did not write: {', '.join(others)}.")
    return str(info.sha)


def _send(api: HfApi, repository: Repository, head: str, message: str, report: Report) -> str:
    """One commit with every file, its id; `head`, the newest one, where the hub has all of them already."""
    from huggingface_hub import CommitOperationAdd

    name = repository.name
    report.say(f"Publishing {name}: {len(repository.files)} files, {decimal(repository.size_bytes)}.")
    with _told(name, api.token), warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        operations = [CommitOperationAdd(file.path, file.content) for file in repository.files]
        commit = api.create_commit(name, operations, commit_message=message, repo_type=repository.type)
    for warning in found:
        report.say(f"{name}: {_one_line(str(warning.message))}")
    report.say(f"{name} {'holds all of this already' if commit.oid == head else 'is published'}: {commit.oid}.")
    return commit.oid


@contextmanager
def _quiet(report: Report) -> Iterator[None]:
    """The library's bars only on a terminal, and none of its warnings: they repeat addresses, and we tell the end."""
    from huggingface_hub.utils import logging as hub_logging
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    verbosity, disabled = hub_logging.get_verbosity(), are_progress_bars_disabled()
    hub_logging.set_verbosity(logging.ERROR)
    if not report.console.is_terminal:
        disable_progress_bars()
    try:
        yield
    finally:
        hub_logging.set_verbosity(verbosity)
        if not disabled:
            enable_progress_bars()


@contextmanager
def _told(repository: str, token: object) -> Iterator[None]:
    """Translate what goes wrong with a repository into one sentence, without the token, whoever repeats it."""
    try:
        yield
    except (_transport_error(), OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        text = _explain(_first_cause(error), repository)
        raise PublishFailed(text.replace(str(token), "(token)")) from error


def _transport_error() -> type[Exception]:
    """The root of the HTTP library's errors: of httpx or httpx2, as huggingface_hub's version has it."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__[0]


def _first_cause(error: BaseException) -> BaseException:
    """What an upload's thread met: the library wraps it in a RuntimeError that says only which file it was."""
    while type(error) is RuntimeError and error.__cause__ is not None:
        error = error.__cause__
    return error


def _explain(error: BaseException, repository: str) -> str:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return f"{repository} cannot be published while HF_HUB_OFFLINE is set: unset it."
    if isinstance(error, HfHubHTTPError):
        return _refusal(error.response.status_code, _one_line(error.server_message or ""), repository)
    if isinstance(error, _transport_error()):
        reason = type(error).__name__
        return (
            f"The hub cannot be reached for {repository}, or the connection was cut ({reason}): a repository changes "
            "as a whole or not at all, and the same command sends it again."
        )
    if isinstance(error, ConnectionError):  # of hf_xet, the library's other way to upload
        return (
            f"The upload of {repository} ended ({_one_line(str(error))}): a repository changes as a whole or not at "
            "all; send it again, with HF_HUB_DISABLE_XET=1 if that does not help."
        )
    if "metadata in README.md" in str(error):
        return f"The hub does not take the card of {repository}: {_one_line(str(error).partition(chr(10))[2])}."
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename} cannot be read for {repository}: {error.strerror}."
    return f"The hub did not take {repository} ({type(error).__name__}: {_one_line(str(error))}): nothing was changed."


def _refusal(status: int, said: str, repository: str) -> str:
    because = f": {said}" if said else ""
    if status == 401:
        return f"The hub does not accept the token for {repository}: set HF_TOKEN to one that may write there."
    if status == 403:
        return f"The hub does not let this token write to {repository}{because or ': use one that has the right'}."
    if status == 429 or status >= 500:
        return f"The hub has no time for {repository} now (status {status}{because}): try again later."
    return f"The hub refuses {repository} (status {status}{because}): nothing of it was changed."


def _one_line(text: str) -> str:
    line = " ".join(text.split()).lstrip("- ").rstrip(". ")
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."
