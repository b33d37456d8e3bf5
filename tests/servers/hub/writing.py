"""The pages of the hub that write: accounts, new repositories, uploads of large files, and commits."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.servers.hub.loopback import NO_REPOSITORY, WRONG_TOKEN, LoopbackHub, repository_of
from tests.servers.hub.repositories import (
    GIT_ATTRIBUTES,
    Commit,
    Refusal,
    Refused,
    git_blob_id,
    is_large,
    problems_of,
)


@dataclass(frozen=True, slots=True)
class Writing:
    """What a client does to put files into a repository, step by step."""

    hub: LoopbackHub

    async def whoami(self, request: web.Request) -> web.StreamResponse:
        """GET /api/whoami-v2: the account of the token."""
        self.hub.note(request)
        owners = self.hub.owners(request)
        if not owners:
            return WRONG_TOKEN.response()
        organizations = [{"name": name} for name in owners[1:]]
        return web.json_response({"type": "user", "name": owners[0], "orgs": organizations})

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /api/repos/create: a repository with nothing but .gitattributes in it."""
        asked = json.loads(await self._sent(request, "create"))
        owners = self.hub.owners(request)
        if not owners:
            return WRONG_TOKEN.response()
        owner, kind = asked["organization"] or owners[0], asked.get("type", "model")
        if owner not in owners:
            error = f'You don\'t have the rights to create a {kind} under the namespace "{owner}"'
            return Refusal(403, message=error, error=error).response()
        repo = f"{'datasets/' if kind == 'dataset' else ''}{owner}/{asked['name']}"
        url = f"{self.hub.endpoint}/{repo}"
        if repo in self.hub.repositories:
            return web.json_response({"error": f"You already created this {kind} repo", "url": url}, status=409)
        self.hub.repositories[repo] = {}
        self.hub.add(repo, ".gitattributes", GIT_ATTRIBUTES)
        self.hub.heads[repo] = hashlib.sha1(repo.encode()).hexdigest()
        if asked.get("visibility") == "private":
            self.hub.private.add(repo)
        return web.json_response({"url": url, "name": f"{owner}/{asked['name']}"})

    async def validate_yaml(self, request: web.Request) -> web.StreamResponse:
        """POST /api/validate-yaml: whether the metadata of a card can be used."""
        asked = json.loads(await self._sent(request, "validate"))
        errors = [{"message": problem} for problem in problems_of(asked["content"])]
        return web.json_response({"errors": errors, "warnings": []}, status=400 if errors else 200)

    async def preupload(self, request: web.Request) -> web.StreamResponse:
        """POST .../preupload/REVISION: which files go through LFS, and which are there already."""
        asked = json.loads(await self._sent(request, "preupload"))
        there = self.hub.repositories[self._writable(request)]
        return web.json_response({"files": [_mode(file, there.get(file["path"])) for file in asked["files"]]})

    async def batch(self, request: web.Request) -> web.StreamResponse:
        """POST /REPO.git/info/lfs/objects/batch: where to send what is not stored; the transfer is always basic."""
        asked = json.loads(await self._sent(request, "batch"))
        self._writable(request)
        objects = [self._object(request, one["oid"], one["size"]) for one in asked["objects"]]
        return web.json_response({"transfer": "basic", "objects": objects})

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """PUT /SHA256 at the second address: the bytes, kept once they have that checksum."""
        if self.hub.upload_cuts:
            return await _cut(request, self.hub.upload_cuts.pop(0))
        content = await self._sent(request, "upload")
        sha256 = request.match_info["sha256"]
        if hashlib.sha256(content).hexdigest() != sha256:
            return Refusal(400, error="The content has another checksum.").response()
        self.hub.stored[sha256] = content
        return web.Response()

    async def verify(self, request: web.Request) -> web.StreamResponse:
        """POST /REPO.git/info/lfs/verify: whether a large file arrived whole."""
        asked = json.loads(await self._sent(request, "verify"))
        self._writable(request)
        whole = len(self.hub.stored.get(asked["oid"], b"")) == asked["size"]
        return web.Response() if whole else Refusal(404, error="The file did not arrive.").response()

    async def commit(self, request: web.Request) -> web.StreamResponse:
        """POST .../commit/REVISION, one JSON object a line: all of its files appear at once, or none."""
        body = await self._sent(request, "commit")
        repo, (header, *operations) = self._writable(request), [json.loads(line) for line in body.splitlines()]
        files, paths = dict(self.hub.repositories[repo]), []
        for operation in operations:
            self._apply(operation["key"], operation["value"], files)
            paths.append(operation["value"]["path"])
        self.hub.repositories[repo] = {}
        for path, content in files.items():
            self.hub.add(repo, path, content)
        identifier = hashlib.sha1(self.hub.head(repo).encode() + body).hexdigest()
        self.hub.heads[repo] = identifier
        self.hub.commits.append(Commit(repo, identifier, header["value"]["summary"], tuple(paths)))
        return web.json_response(
            {"success": True, "commitOid": identifier, "commitUrl": f"{self.hub.endpoint}/{repo}/commit/{identifier}"}
        )

    async def _sent(self, request: web.Request, step: str) -> bytes:
        """The body of a request, unless this step is to be refused."""
        self.hub.note(request)
        content = await request.read()  # all of it: a client that still sends would not see the answer
        if waiting := self.hub.refusals.get(step):
            raise Refused(waiting.pop(0))
        return content

    def _writable(self, request: web.Request) -> str:
        repo, owners = repository_of(request), self.hub.owners(request)
        if not owners:
            raise Refused(WRONG_TOKEN)
        if repo not in self.hub.repositories:
            raise Refused(NO_REPOSITORY)
        if repo.removeprefix("datasets/").split("/")[0] not in owners:
            error = "You don't have write access to this repository"
            raise Refused(Refusal(403, message=error, error=error))
        return repo

    def _object(self, request: web.Request, oid: str, size: int) -> dict[str, object]:
        described: dict[str, object] = {"oid": oid, "size": size}
        if oid in self.hub.stored:
            return described
        used = sum(len(content) for content in self.hub.stored.values())
        if self.hub.quota_bytes is not None and used + size > self.hub.quota_bytes:
            return described | {"error": {"code": 507, "message": "Storage limit reached, free some space"}}
        verify = request.path.removesuffix("objects/batch") + "verify"
        actions = {
            "upload": {"href": f"{self.hub.content_address}/{oid}"},
            "verify": {"href": f"{self.hub.endpoint}{verify}"},
        }
        return described | {"actions": actions}

    def _apply(self, key: str, value: dict[str, Any], files: dict[str, bytes]) -> None:
        path = value["path"]
        if key == "file":
            files[path] = base64.b64decode(value["content"])
        elif key == "lfsFile" and value["oid"] in self.hub.stored:
            files[path] = self.hub.stored[value["oid"]]
        elif key == "deletedFile" and path in files:
            del files[path]
        else:
            error = f"The commit cannot do {key} with {path}"
            raise Refused(Refusal(400, message=error, error=error))


def _mode(file: dict[str, Any], there: bytes | None) -> dict[str, object]:
    large = is_large(file["path"], file["size"], base64.b64decode(file["sample"]))
    described: dict[str, object] = {"path": file["path"], "uploadMode": "lfs" if large else "regular"}
    if there is not None:
        described["oid"] = hashlib.sha256(there).hexdigest() if large else git_blob_id(there)
    return described | {"shouldIgnore": False}


async def _cut(request: web.Request, after: int) -> web.StreamResponse:
    """Close the connection once so many bytes came; what is returned reaches nobody."""
    received = 0
    async for piece in request.content.iter_any():
        received += len(piece)
        if received >= after:
            break
    assert request.transport is not None
    request.transport.abort()
    return web.Response(status=500)
