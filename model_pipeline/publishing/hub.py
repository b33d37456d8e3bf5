"""Owns the connection to a model hub: new repositories, and one commit for each.

Knows paths and bytes, and nothing of runs, models or cards. A commit is all or nothing: the large files are sent
first, and appear with the others, so that a connection that is cut leaves a repository as it was.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rich.filesize import decimal

from model_pipeline.errors import PublishFailed
from model_pipeline.publishing.hub_failures import one_line, told
from model_pipeline.publishing.repositories import Repository
from model_pipeline.report import Report

if TYPE_CHECKING:
    from huggingface_hub import HfApi

OWN_FILES = {".gitattributes"}  # the hub writes it into every repository


@dataclass(frozen=True, slots=True)
class Hub:
    """Where to publish and as whom; None is what huggingface_hub finds itself: HF_ENDPOINT, HF_TOKEN or a login."""

    endpoint: str | None = None
    token: str | None = None


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
    with told(name, api.token):
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
    with told(name, api.token), warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        operations = [CommitOperationAdd(file.path, file.content) for file in repository.files]
        commit = api.create_commit(name, operations, commit_message=message, repo_type=repository.type)
    for warning in found:
        report.say(f"{name}: {one_line(str(warning.message))}")
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
