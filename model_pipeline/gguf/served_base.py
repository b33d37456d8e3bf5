"""Finds and reads a model folder that the bot serves, for a run that starts from it; loads no weights.

The embedded model is found where the package of the bot is installed, and no code of that package is run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.model_folder import FORMAT, JUDGE_FILE, MANIFEST_FILE

EMBEDDED = "starter"  # names the embedded model; a folder of that name is given as ./starter
_PACKAGE = "bot"


@dataclass(frozen=True, slots=True)
class ServedBase:
    """A model folder: its manifest, its GGUF, and the judge beside it if there is one."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.manifest["name"])

    @property
    def gguf(self) -> Path:
        """Its weights."""
        return self.folder / str(self.manifest["file"])

    @property
    def sha256(self) -> str:
        """Of the GGUF, in hex, as the manifest says."""
        return str(self.manifest["sha256"])

    @property
    def exports(self) -> list[str]:
        """The exports of people's rows that it was trained on, by name."""
        named = (self.manifest.get("lineage") or {}).get("exports") or []
        return [str(name) for name in named]

    @property
    def judge(self) -> Path | None:
        """What chooses among several quotes of this model."""
        path = self.folder / JUDGE_FILE
        return path if "judge" in self.manifest and path.is_file() else None


def read_served_base(model: str) -> ServedBase:
    """The model folder at that path, or the embedded one. Raises `InputInvalid` where it is missing or broken."""
    folder = _embedded() if model == EMBEDDED else Path(model).expanduser()
    path = folder / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        found = {key: str(manifest[key]) for key in ("format", "name", "file", "sha256", "quantization")}
        found["template"] = str(manifest["quote_prompt"]["template"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputInvalid(
            f"base.model is {model!r}, and {path} is missing or broken; give a model folder of the bot, or {EMBEDDED} "
            "for the embedded one."
        ) from error
    if found["format"] != str(FORMAT):
        raise InputInvalid(f"{path} has the format {found['format']}; this version reads format {FORMAT}.")
    base = ServedBase(folder, manifest)
    _check_gguf(base)
    return base


def _check_gguf(base: ServedBase) -> None:
    try:
        with base.gguf.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputInvalid(f"{base.gguf} cannot be read: {error.strerror or error}.") from error
    if digest != base.sha256:
        raise InputInvalid(f"{base.gguf} is not the file that its manifest names; add the model to the bot again.")


def _embedded() -> Path:
    spec = find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations if spec else None) or ():
        if (folder := Path(place) / EMBEDDED).is_dir():
            return folder
    raise InputInvalid(
        f"The embedded model is not installed here; give base.model the path of a {_PACKAGE} model folder."
    )
