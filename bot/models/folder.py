"""Reads a model folder, or a bare GGUF, into the plain Model that the bot serves; knows no store and no network."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from pydantic import ValidationError

from bot.chat.generation import Sampling
from bot.chat.model import Model
from bot.errors import ModelInvalid, ModelNotFound
from bot.models.disk import sha256_of
from bot.models.gguf_header import GgufHeader, read_header
from bot.models.manifest import (
    JudgeSection,
    Manifest,
    QuotePromptSection,
    SamplingByUse,
    first_problem,
    read_manifest,
    sampling_section,
)

_CHAT_TEMPLATE = 'Write one short, original motivational quote about "{keyword}". Answer with the quote alone.'
_CHAT_SYSTEM = "You write short, original motivational quotes in plain words."
FEW_SHOT_TEMPLATE = (
    "Keyword: courage\nQuote: Courage is the small step you take while your knees still argue.\n\n"
    "Keyword: patience\nQuote: A seed never hurries, and still the whole field arrives on time.\n\n"
    "Keyword: friendship\nQuote: A good friend carries half the road and never mentions the weight.\n\n"
    "Keyword: {keyword}\nQuote:"
)
# Small models fall into loops when they write one sentence at a time; a light penalty keeps quotes apart.
_QUOTE_SAMPLING = Sampling(temperature=0.9, repeat_penalty=1.1)


def read_folder(folder: Path, *, verify: bool = False) -> Model:
    """The model in a folder, checked as far as is cheap at every start: manifest, size, header.

    `verify` also hashes the file, which takes seconds for each GB. Raises ModelNotFound when there is no such folder
    and ModelInvalid, in one sentence, when anything in it is wrong.
    """
    if not folder.is_dir():
        raise ModelNotFound(f"There is no model folder {folder}.")
    manifest = read_manifest(folder)
    model = manifest.to_model(folder)
    _check_size(model.path, manifest.size_bytes)
    model_header(model.path)
    if verify:
        check_sha256(model.path, manifest.sha256)
    if manifest.judge:
        check_judge(folder, manifest.judge)
    return model


def model_header(gguf: Path) -> GgufHeader:
    """The header of a GGUF that can be served; raises ModelInvalid for adapters, vocabularies and parts of a model."""
    header = read_header(gguf)
    kind = header.text("general.type")
    if kind not in ("", "model"):
        raise ModelInvalid(f"The file {gguf} holds a GGUF of type {kind}, not a model.")
    if (parts := header.metadata.get("split.count")) and parts != 1:
        raise ModelInvalid(f"The file {gguf} is one of {parts} parts of a split model; merge them into one file first.")
    if not header.architecture or not header.tensors:
        raise ModelInvalid(f"The file {gguf} holds no weights: it is a vocabulary or damaged, not a model.")
    return header


def default_manifest(gguf: Path, sha256: str | None = None) -> Manifest:
    """A manifest for a bare GGUF: named after its file, asked for quotes in the way that its header suggests.

    A model with a chat template is asked in a chat turn; one without completes a text with three examples.
    `sha256` is computed when it is not given. Raises ModelInvalid.
    """
    header = model_header(gguf)
    takes_system = _takes_system_turn(header)
    try:
        return Manifest(
            format=1,
            name=name_from_file(gguf),
            file=gguf.name,
            sha256=sha256 or _hash(gguf),
            size_bytes=header.size_bytes,
            quantization=header.quantization,
            license=header.text("general.license"),
            system_prompt=takes_system,
            quote_prompt=_quote_prompt(header, takes_system),
            sampling=SamplingByUse(quote=sampling_section(_QUOTE_SAMPLING)),
        )
    except ValidationError as error:  # a file name that no manifest can hold
        raise ModelInvalid(f"The model file {gguf} cannot be used: {first_problem(error)}.") from error


def name_from_file(gguf: Path) -> str:
    """A valid model name made of a file name: "Llama-3.2 1B.gguf" is "llama-3.2-1b"."""
    name = re.sub(r"[^a-z0-9._-]+", "-", gguf.name.lower().removesuffix(".gguf")).strip("._-")
    return name[:64] or "model"


def check_sha256(gguf: Path, expected: str) -> None:
    """Hash the file; raises ModelInvalid when it is not the one that the manifest means."""
    found = _hash(gguf)
    if found != expected:
        raise ModelInvalid(
            f"The model file {gguf} has the SHA-256 {found[:12]}… and should have {expected[:12]}…; "
            "copy or download it again."
        )


def check_judge(folder: Path, judge: JudgeSection) -> None:
    """Hash the judge of a model, which is small; raises ModelInvalid when it is not the one that the manifest means."""
    path = folder / judge.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelInvalid(f"The judge {path} cannot be read: {error.strerror or error}.") from error
    if hashlib.sha256(content).hexdigest() != judge.sha256:
        raise ModelInvalid(f"The judge {path} is not the one that the manifest means; copy or download it again.")


def _check_size(gguf: Path, expected: int) -> None:
    try:
        size = gguf.stat().st_size
    except OSError as error:
        raise ModelInvalid(f"The model file {gguf} cannot be read: {error.strerror or error}.") from error
    if size != expected:
        what = "is cut off" if size < expected else "is too long"
        raise ModelInvalid(
            f"The model file {gguf} {what}: it has {size:,} bytes and its manifest says {expected:,}; "
            "copy or download it again."
        )


def _takes_system_turn(header: GgufHeader) -> bool:
    # Some templates (Gemma 2) raise an error for a system turn and say so in their text; others never mention one.
    template = header.chat_template.lower()
    return "system" in template and "system role not supported" not in template


def _quote_prompt(header: GgufHeader, takes_system: bool) -> QuotePromptSection:
    if header.has_chat_template:
        return QuotePromptSection(template=_CHAT_TEMPLATE, chat=True, system=_CHAT_SYSTEM if takes_system else "")
    return QuotePromptSection(template=FEW_SHOT_TEMPLATE, chat=False)


def _hash(gguf: Path) -> str:
    try:
        return sha256_of(gguf)
    except OSError as error:
        raise ModelInvalid(f"The model file {gguf} cannot be read: {error.strerror or error}.") from error
