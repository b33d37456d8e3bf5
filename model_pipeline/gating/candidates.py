"""A model folder as the gate sees it: what its manifest states and what its files are; loads no model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.description import HistoryMessages, QuotePrompt, first_problem
from model_pipeline.gguf.model_folder import MANIFEST_FILE
from model_pipeline.runs import MODEL_FOLDER, RECIPE_FILE, sha256

# What changes answers beside the files.
ASKING = ("quote_prompt", "sampling", "system_prompt", "history_messages", "context_tokens")


class _Asked(BaseModel):
    """How the manifest says that the model is asked; the rest of it is for the bot to check."""

    quote_prompt: QuotePrompt
    history_messages: HistoryMessages = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is compared. `sha256` is that of the GGUF as it lies there, "" where there is none."""

    folder: Path
    manifest: dict[str, Any]
    quote_prompt: QuotePrompt
    history_messages: HistoryMessages
    gguf: Path
    sha256: str

    @property
    def name(self) -> str:
        """As its manifest calls it."""
        return str(self.manifest.get("name", self.folder.name))

    def context_within(self, tokens: int) -> int:
        """So many tokens, or the model's own context where that is shorter."""
        return min(tokens, int(self.manifest.get("context_tokens") or tokens))

    @property
    def served(self) -> str:
        """A hash of everything that its answers depend on: the files, the prompt and the sampling."""
        asking = {key: self.manifest.get(key) for key in ASKING}
        judge = (self.manifest.get("judge") or {}).get("sha256")
        return hashlib.sha256(json.dumps([self.sha256, judge, asking], sort_keys=True).encode()).hexdigest()

    def wrong_files(self) -> Iterator[str]:
        """What the manifest states of its files and is not so."""
        stated = [self.manifest, self.manifest.get("judge")]
        for entry in (entry for entry in stated if isinstance(entry, dict)):
            name = str(entry.get("file", ""))
            path = self.folder / name
            if not name or not path.is_file():
                yield f"the file {name or '(without a name)'} that {self.name}'s manifest names is not there"
            elif (self.sha256 if path == self.gguf else sha256(path)) != entry.get("sha256"):
                yield f"{self.name}'s {name} is another file than its manifest says"

    def learned_from(self, export: str) -> bool:
        """The lineage names the export."""
        return any(text == export for text in _texts(self.manifest.get("lineage")))


def read_candidate(folder: Path) -> Candidate:
    """The model of a model folder, or of a run folder. Raises `InputInvalid` where there is none."""
    found = folder / MODEL_FOLDER if (folder / RECIPE_FILE).is_file() else folder
    path = found / MANIFEST_FILE
    if not path.is_file():
        raise InputInvalid(f"{folder} holds no model; give a model folder, or a run that has been through quantize.")
    try:
        manifest = dict(json.loads(path.read_text(encoding="utf-8")))
        asked = _Asked.model_validate(manifest)
        gguf = found / str(manifest["file"])
    except ValidationError as error:
        raise InputInvalid(
            f"{path} is not the manifest of a model ({first_problem(error)}); quotesmith-pipeline quantize writes one."
        ) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputInvalid(
            f"{path} is not the manifest of a model; quotesmith-pipeline quantize writes one."
        ) from error
    digest = sha256(gguf) if gguf.is_file() else ""
    return Candidate(found, manifest, asked.quote_prompt, asked.history_messages, gguf, digest)


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for inner in content.values():
            yield from _texts(inner)
    elif isinstance(content, list):
        for inner in content:
            yield from _texts(inner)
