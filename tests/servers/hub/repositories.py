"""What the hub knows of files, cards and refusals: plain data and rules, without a connection."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

import yaml  # type: ignore[import-untyped]
from aiohttp import web

# What the real hub writes into every new repository; these files go through LFS, as do large and binary ones.
LARGE = ("*.bin", "*.gguf", "*.model", "*.parquet", "*.safetensors")
GIT_ATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LARGE).encode()
LARGE_BYTES = 10 << 20
LICENSES = {"apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-nc-4.0", "llama2", "llama3.2", "unknown", "other"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that the hub gives instead of what was asked for; `code` and `message` as X-Error-* headers.

    `error` is the text in a JSON body, where there is one.
    """

    status: int
    code: str = ""
    message: str = ""
    error: str = ""

    def response(self) -> web.Response:
        headers = {"X-Error-Code": self.code, "X-Error-Message": self.message}
        given = {name: value for name, value in headers.items() if value}
        if self.error:
            return web.json_response({"error": self.error}, status=self.status, headers=given)
        return web.Response(status=self.status, headers=given)


class Refused(Exception):
    """Raised inside a page: the hub answers with `refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: the repository as the hub's addresses name it, its id, its message, and the paths that it wrote."""

    repo: str
    id: str
    message: str
    paths: tuple[str, ...]


def git_blob_id(content: bytes) -> str:
    """The id that git gives a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def is_large(path: str, size: int, sample: bytes) -> bool:
    """Whether a file must come through LFS."""
    return size > LARGE_BYTES or b"\0" in sample or any(fnmatch(path, pattern) for pattern in LARGE)


def front_matter(card: bytes) -> Any:
    """The metadata at the head of a README.md. Raises `ValueError`, as `yaml.YAMLError` is not one."""
    found = re.match(r"---\n(.*?\n)---\n", card.decode("utf-8"), re.DOTALL)
    try:
        return yaml.safe_load(found[1]) if found else {}
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def problems_of(card: str) -> list[str]:
    """Why the hub does not take a card; empty when it does."""
    try:
        content = front_matter(card.encode())
    except ValueError as error:
        return [f"bad indentation or syntax in YAML: {error}"]
    if not isinstance(content, dict):
        return ["the metadata must be an object"]
    licenses = content.get("license", "unknown")
    wrong = {str(name) for name in (licenses if isinstance(licenses, list) else [licenses])} - LICENSES
    return [f'"license" must be one of {json.dumps(sorted(LICENSES))}'] if wrong else []
