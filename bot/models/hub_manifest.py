"""What a repository's own manifest.json means for a file that is pulled from it; reaches no network.

The training pipeline publishes the manifest of a model folder beside its GGUF files: it is about the one that it
names, and the prompts and the sampling hold for the other quantizations too.
"""

from __future__ import annotations

import json
from pathlib import Path

from bot.errors import InputError, ModelInvalid
from bot.models.folder import model_header
from bot.models.hub_spec import HubFile, HubRepository
from bot.models.intake import Origin
from bot.models.manifest import MANIFEST_FILE, MAX_MANIFEST_BYTES, Manifest, parse_manifest


def manifest_file(repository: HubRepository) -> HubFile | None:
    """The file that may be a manifest; one that is larger than any of ours is not looked at."""
    found = next((file for file in repository.files if file.path == MANIFEST_FILE), None)
    return found if found and found.size_bytes <= MAX_MANIFEST_BYTES else None


def read_published(content: bytes, repo: str) -> Manifest | None:
    """The manifest, or None for the manifest.json of another program: JSON without our `"format": 1`.

    Raises ModelInvalid, with the key and what is allowed, for one that is broken.
    """
    where = f"The {MANIFEST_FILE} of {repo}"
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelInvalid(f"{where} cannot be used: it is not JSON.") from error
    if not isinstance(found, dict) or found.get("format") != 1:
        return None
    return parse_manifest(content, where)


def check_belongs(manifest: Manifest, repository: HubRepository) -> None:
    """Raise ModelInvalid unless the GGUF that the manifest names, if it is there at all, is the one that it means."""
    named = next((file for file in repository.files if is_about(manifest, file)), None)
    if named and (named.sha256, named.size_bytes) != (manifest.sha256, manifest.size_bytes):
        raise ModelInvalid(
            f"The {MANIFEST_FILE} of {repository.name} does not belong to its {named.path}: it gives the SHA-256 "
            f"{manifest.sha256[:12]}… and {manifest.size_bytes:,} bytes, and the hub has {named.sha256[:12]}… and "
            f"{named.size_bytes:,} bytes."
        )


def default_file(manifest: Manifest, repository: HubRepository) -> str:
    """The file to take when none is asked for. Raises ModelInvalid when it is not there."""
    if not any(is_about(manifest, file) for file in repository.files):
        raise ModelInvalid(
            f"The {MANIFEST_FILE} of {repository.name} names {manifest.file!r}, which is not there: say which file "
            f"is wanted, as {repository.name}:FILE."
        )
    return manifest.file


def judge_file(manifest: Manifest, repository: HubRepository) -> HubFile | None:
    """The file of the manifest's judge, if it has one. Raises ModelInvalid when that is gone or of another size."""
    judge = manifest.judge
    if judge is None:
        return None
    found = next((file for file in repository.files if file.path == judge.file), None)
    if found is None:
        raise ModelInvalid(
            f"The {MANIFEST_FILE} of {repository.name} names the judge {judge.file!r}, which is not there."
        )
    if found.size_bytes != judge.size_bytes:
        raise ModelInvalid(
            f"The {MANIFEST_FILE} of {repository.name} does not belong to its {judge.file}: it gives "
            f"{judge.size_bytes:,} bytes, and the hub has {found.size_bytes:,} bytes."
        )
    return found


def is_about(manifest: Manifest, file: HubFile) -> bool:
    """Whether this is the file that the manifest names, and not another quantization of the same model."""
    return file.path == manifest.file


def manifest_for(manifest: Manifest, file: HubFile, gguf: Path, origin: Origin) -> Manifest:
    """The manifest of the downloaded `gguf`; figures that were measured on another quantization are left out.

    Raises ModelInvalid for a GGUF whose header cannot be read.
    """
    own = {} if is_about(manifest, file) else {"quantization": model_header(gguf).quantization, "evaluation": {}}
    changes = {
        "file": gguf.name,
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
        "base": manifest.base or origin.base,
        "license": manifest.license or origin.license,
        "lineage": {**manifest.lineage, **origin.lineage},
    }
    return manifest.model_copy(update=changes | own)


def check_same_use(manifest: Manifest, here: Manifest, name: str) -> None:
    """Raise InputError when the same GGUF is here as `name` and is asked, sampled or judged in another way."""
    if _use(manifest) != _use(here):
        raise InputError(
            f"The same model file is here as {name} with other prompts, sampling or judge: remove it first."
        )


def _use(manifest: Manifest) -> tuple[object, ...]:
    return (
        manifest.quote_prompt,
        manifest.sampling,
        manifest.system_prompt,
        manifest.history_messages,
        manifest.context_tokens,
        manifest.judge,
    )
