"""The hub's repositories, accounts and failures, and every page that is read; writing.py has those that write."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from aiohttp import web

from tests.servers.hub.repositories import Commit, Refusal, Refused, front_matter, git_blob_id, is_large

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WRONG_TOKEN = Refusal(401, message="Invalid credentials in Authorization header", error="Invalid credentials")
WHO_ARE_YOU = Refusal(401, message="Invalid username or password.")  # of what is not there or not public
NO_REPOSITORY = Refusal(404, "RepoNotFound", "Repository not found", "Repository not found")


@dataclass(slots=True)
class LoopbackHub:
    """The repositories of the hub, what goes wrong next, and what was asked. Files come from a second address.

    A dataset's repository is called datasets/OWNER/NAME here. A list of things that go wrong is used up from the
    front, one for each request; `refusals` has one for each step of a writing: create, validate, preupload, batch,
    upload, verify, commit.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    heads: dict[str, str] = field(default_factory=dict)  # the newest commit, COMMIT where nothing was pushed
    commits: list[Commit] = field(default_factory=list)
    accounts: dict[str, tuple[str, ...]] = field(default_factory=dict)  # token to the owners it writes for
    card_data: dict[str, object] = field(default_factory=dict)
    info_refusals: list[Refusal] = field(default_factory=list)
    info_text: str | None = None  # sent in place of the metadata: what a login page does
    file_refusals: list[Refusal] = field(default_factory=list)
    refusals: dict[str, list[Refusal]] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)  # bytes after which the connection is closed
    upload_cuts: list[int] = field(default_factory=list)  # the same, of what is sent to the hub
    quota_bytes: int | None = None  # of all large files together
    serves_ranges: bool = True
    stored: dict[str, bytes] = field(default_factory=dict)  # by SHA-256; a test may damage it
    ranges: list[str] = field(default_factory=list)  # the Range header of each request for content, "" without one
    tokens: list[tuple[str, str]] = field(default_factory=list)  # path and Authorization header of each request
    endpoint: str = ""
    content_address: str = ""

    def add(self, repo: str, path: str, content: bytes) -> str:
        """Put a file into a repository and return its SHA-256."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.repositories.setdefault(repo, {})[path] = content
        self.stored[sha256] = content
        return sha256

    async def info(self, request: web.Request) -> web.StreamResponse:
        """GET /api/models/OWNER/REPO: the metadata, with sizes and checksums when `blobs` is asked for."""
        self.note(request)
        if self.info_refusals:
            return self.info_refusals.pop(0).response()
        if self.info_text is not None:
            return web.Response(text=self.info_text, content_type="text/html")
        repo = self._readable(request)
        files = self.repositories[repo]
        card = self.card_data or front_matter(files.get("README.md", b""))
        return web.json_response(
            {
                "id": request.match_info["repo"],
                "sha": self.head(repo),
                "private": repo in self.private,
                "siblings": [self._sibling(path, content) for path, content in files.items()],
                "cardData": card,
            }
        )

    async def tree(self, request: web.Request) -> web.StreamResponse:
        """GET .../tree/REVISION[/FOLDER]: what lies in a folder, and with `recursive` what lies below it."""
        self.note(request)
        files = self.repositories[self._readable(request)]
        folder = unquote(request.match_info.get("path", "")).strip("/")
        prefix = f"{folder}/" if folder else ""
        inside = {path: content for path, content in files.items() if path.startswith(prefix)}
        if not inside:
            return Refusal(404, "EntryNotFound").response()
        deep = request.query.get("recursive", "").lower() == "true"
        return web.json_response(_listing(inside, prefix, deep=deep))

    async def paths_info(self, request: web.Request) -> web.StreamResponse:
        """POST .../paths-info/REVISION: what the named paths are; those that are not there are left out."""
        self.note(request)
        files = self.repositories[self._readable(request)]
        asked = [str(path).strip("/") for path in (await request.post()).getall("paths", [])]
        entries = {str(entry["path"]): entry for entry in _listing(files, "", deep=True)}
        return web.json_response([entries[path] for path in asked if path in entries])

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        """HEAD and GET /OWNER/REPO/resolve/REVISION/FILE: to where the content lies."""
        self.note(request)
        if self.file_refusals:
            return self.file_refusals.pop(0).response()
        repo = self._readable(request)
        content = self.repositories[repo].get(unquote(request.match_info["path"]))
        if content is None:
            return Refusal(404, "EntryNotFound").response()
        sha256 = hashlib.sha256(content).hexdigest()
        raise web.HTTPFound(
            f"{self.content_address}/{sha256}",
            headers={
                "X-Repo-Commit": self.head(repo),
                "X-Linked-Etag": f'"{sha256}"',
                "X-Linked-Size": str(len(content)),
                "ETag": f'"{sha256[:40]}"',
            },
        )

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET /SHA256 at the second address: the bytes, from the one that was asked for."""
        self.note(request)
        self.ranges.append(request.headers.get("Range", ""))
        content = self.stored[request.match_info["sha256"]]
        asked = re.fullmatch(r"bytes=(\d+)-", self.ranges[-1]) if self.serves_ranges else None
        start = int(asked[1]) if asked else 0
        if start >= len(content) > 0:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
        response = web.StreamResponse(status=206 if asked else 200)
        response.content_length = len(content) - start
        response.headers["ETag"] = f'"{request.match_info["sha256"]}"'
        if asked:
            response.headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        await response.prepare(request)
        await response.write(content[start:][: self.cuts[0] if self.cuts else None])
        if self.cuts:
            del self.cuts[0]
            assert request.transport is not None
            request.transport.close()  # what was written still arrives
        return response

    def head(self, repo: str) -> str:
        """The id of the newest commit."""
        return self.heads.get(repo, COMMIT)

    def owners(self, request: web.Request) -> tuple[str, ...]:
        """Whom the token of a request writes for; a token that is not known is refused once there are accounts."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.accounts and token and token not in self.accounts:
            raise Refused(WRONG_TOKEN)
        return self.accounts.get(token, ())

    def note(self, request: web.Request) -> None:
        """Remember which token came to which page."""
        self.tokens.append((request.path, request.headers.get("Authorization", "")))

    def _readable(self, request: web.Request) -> str:
        """The repository of a request that may be read, at a revision that is there."""
        repo, owners = repository_of(request), self.owners(request)
        if repo not in self.repositories or (repo in self.private and _owner(repo) not in owners):
            raise Refused(NO_REPOSITORY if owners else WHO_ARE_YOU)
        if request.match_info.get("revision", "main") not in (self.head(repo), "main"):
            raise Refused(Refusal(404, "RevisionNotFound"))
        return repo

    @staticmethod
    def _sibling(path: str, content: bytes) -> dict[str, object]:
        sibling: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": "b" * 40}
        if path.lower().endswith(".gguf"):
            sibling["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        return sibling


def repository_of(request: web.Request) -> str:
    """The repository that a page is about: OWNER/NAME, or datasets/OWNER/NAME."""
    kind = request.match_info.get("kind", "models")
    return f"{'datasets/' if kind.startswith('datasets') else ''}{request.match_info['repo']}"


def _owner(repo: str) -> str:
    return repo.removeprefix("datasets/").split("/")[0]


def _listing(files: Mapping[str, bytes], prefix: str, *, deep: bool) -> list[dict[str, object]]:
    entries: dict[str, dict[str, object]] = {}
    for path, content in files.items():
        below = path.removeprefix(prefix).split("/")
        for depth in range(1, len(below)) if deep else range(1, min(2, len(below))):
            folder = prefix + "/".join(below[:depth])
            entries[folder] = {"type": "directory", "path": folder, "size": 0, "oid": git_blob_id(folder.encode())}
        if deep or len(below) == 1:
            entries[path] = _file(path, content)
    return list(entries.values())


def _file(path: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": git_blob_id(content)}
    if is_large(path, len(content), content[:512]):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return entry
