"""Owns the layout of a model folder, which the bot reads: a GGUF, its card, and manifest.json, written last.

That the manifest is there means that the folder is complete. Knows neither how the GGUF was made nor who reads it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.description import Description

FORMAT = 1
GGUF_FILE = "model.gguf"
CARD_FILE = "MODEL_CARD.md"
JUDGE_FILE = "judge.npz"
MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the file itself tells and where it came from; `lineage` joins the manifest as it is."""

    quantization: str
    context_tokens: int
    lineage: Mapping[str, object]


def write_model_folder(out: Path, gguf: Path, card: str, description: Description, provenance: Provenance) -> Path:
    """Write the folder `out` from a finished GGUF and return the manifest's path; files of other names stay.

    An older model in `out` is replaced: its manifest goes first, so that at no moment a manifest names another file.
    Raises `InputInvalid` when `out` cannot be written.
    """
    manifest = build_manifest(gguf, description, provenance)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / MANIFEST_FILE).unlink(missing_ok=True)
        _replace(out / GGUF_FILE, gguf)
        (out / CARD_FILE).write_text(card, encoding="utf-8")
        _write_last(out / MANIFEST_FILE, json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")
    except OSError as error:
        raise InputInvalid(f"The model folder {out} cannot be written: {error.strerror or error}.") from error
    return out / MANIFEST_FILE


def build_manifest(gguf: Path, description: Description, provenance: Provenance) -> dict[str, object]:
    """The manifest of a GGUF that will lie in its folder as `GGUF_FILE`."""
    with gguf.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "format": FORMAT,
        "name": description.name,
        "file": GGUF_FILE,
        "sha256": digest,
        "size_bytes": gguf.stat().st_size,
        "quantization": provenance.quantization,
        "base": description.base,
        "license": description.license,
        "context_tokens": provenance.context_tokens,
        "system_prompt": description.system_prompt,
        "history_messages": description.history_messages,
        "quote_prompt": description.quote_prompt.model_dump(),
        "sampling": description.sampling.model_dump(),
        "lineage": {**description.lineage, **provenance.lineage},
        "evaluation": description.evaluation,
    }


def record_judge(folder: Path, judge: Path) -> None:
    """Put a judge into a finished model folder, which stays as it was until all of it is written.

    Raises `InputInvalid` when there is no such folder, or the judge cannot be written.
    """
    try:
        manifest = dict(json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8")))
        content = judge.read_bytes()
        section = {"file": JUDGE_FILE, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        text = json.dumps(manifest | {"judge": section}, ensure_ascii=False, indent=2) + "\n"
        # A disk that fills must not cost the manifest, which only quantizing anew would write again.
        _partial(folder / JUDGE_FILE).write_bytes(content)
        _partial(folder / MANIFEST_FILE).write_text(text, encoding="utf-8")
        for name in (JUDGE_FILE, MANIFEST_FILE):
            _partial(folder / name).replace(folder / name)
    except (OSError, ValueError, TypeError) as error:
        reason = (error.strerror or error) if isinstance(error, OSError) else f"{MANIFEST_FILE} is broken"
        raise InputInvalid(f"The judge cannot be written into the model folder {folder}: {reason}.") from error


def record_evaluation(folder: Path, evaluation: Mapping[str, object], section: str) -> None:
    """Put an evaluation into the manifest of a finished model folder, and `section` (Markdown) into its card.

    Figures of other names that the manifest's `evaluation` holds already stay. Raises
    `InputInvalid` when `folder` holds no model or cannot be written.
    """
    try:
        manifest = dict(json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8")))
        joined = manifest | {"evaluation": {**manifest["evaluation"], **evaluation}}
        text = json.dumps(joined, ensure_ascii=False, indent=2) + "\n"
        card = (folder / CARD_FILE).read_text(encoding="utf-8")
        _write_last(folder / CARD_FILE, _with_section(card, "Evaluation", section))
        _write_last(folder / MANIFEST_FILE, text)
    except (OSError, ValueError, TypeError, KeyError) as error:
        unreadable = f"{MANIFEST_FILE} is not one that the pipeline wrote"
        reason = (error.strerror or error) if isinstance(error, OSError) else unreadable
        raise InputInvalid(f"The evaluation cannot be written into the model folder {folder}: {reason}.") from error


def _with_section(card: str, title: str, body: str) -> str:
    """The card with that section in the place of an earlier one, or at its end."""
    section = f"## {title}\n\n{body.strip()}\n"
    earlier = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    if found := earlier.search(card):
        rest = card[found.end() :]
        return card[: found.start()] + section + (f"\n{rest}" if rest else "")
    return f"{card.rstrip()}\n\n{section}"


def _replace(target: Path, source: Path) -> None:
    partial = _partial(target)
    shutil.copyfile(source, partial)
    partial.replace(target)


def _write_last(path: Path, text: str) -> None:
    partial = _partial(path)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")
