"""Makes the model folder of a finished GGUF: what the file tells of itself, its lineage, unpicked samples, its card.

Knows neither how the GGUF was made nor whether its gates were passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.converter import PACKAGE, Converter
from model_pipeline.gguf.description import Description
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.model_card import model_card
from model_pipeline.gguf.model_folder import GGUF_FILE, Provenance, write_model_folder
from model_pipeline.gguf.parity import Gate
from model_pipeline.gguf.samples import chat_samples, quote_samples


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a GGUF came from: the converter, the type that it wrote, and the SHA-256 (hex) of what it read, by name."""

    converter: Mapping[str, str]
    exported_as: str
    sources_sha256: Mapping[str, str]


def converter_facts(converter: Converter) -> dict[str, str]:
    """Package, version and hash of a converter, for manifests."""
    return {"package": PACKAGE, "version": converter.version, "sdist_sha256": converter.sdist_sha256}


def context_of(model: GgufModel, description: Description) -> int:
    """The context in tokens that is served. Raises `InputInvalid` where the model was made for less."""
    trained = int(model.metadata[f"{model.metadata['general.architecture']}.context_length"])
    if description.context_tokens > trained:
        raise InputInvalid(f"context_tokens is {description.context_tokens}, and the model was made for {trained}.")
    return description.context_tokens or trained


def write_served_model(
    out: Path,
    gguf: Path,
    type_name: str,
    description: Description,
    origin: Origin,
    gates: Mapping[str, Sequence[Gate]],
    fallback_tensors: int = 0,
) -> Path:
    """Write the model folder `out` of `gguf`; returns its manifest's path.

    `gates` are those that were passed, by the type of the file. Raises `InputInvalid`.
    """
    facts, context_tokens = _facts(gguf, type_name, description)
    lineage = _lineage(origin, gates, fallback_tensors)
    card = _card(description, gguf, facts, gates)
    return write_model_folder(out, gguf, card, description, Provenance(type_name, context_tokens, lineage))


def _facts(gguf: Path, type_name: str, description: Description) -> tuple[dict[str, str], int]:
    """The rows of the card's table that the file itself tells, and the context in tokens."""
    with GgufModel(gguf) as written:
        metadata, vocabulary = written.metadata, written.vocabulary_size
        context_tokens = context_of(written, description)
    facts = {
        "architecture": metadata["general.architecture"],
        "parameters": metadata.get("general.size_label", "unknown"),
        "vocabulary": f"{vocabulary} tokens",
        "context": f"{context_tokens} tokens",
        "file": f"{GGUF_FILE}, {type_name}, {gguf.stat().st_size:,} bytes",
    }
    return facts, context_tokens


def _lineage(origin: Origin, gates: Mapping[str, Sequence[Gate]], fallback_tensors: int) -> dict[str, object]:
    return {
        "converter": dict(origin.converter),
        "exported_as": origin.exported_as,
        "fallback_tensors": fallback_tensors,
        "sources_sha256": dict(origin.sources_sha256),
        "parity": {name: {gate.name: gate.figures for gate in passed} for name, passed in gates.items()},
    }


def _card(description: Description, gguf: Path, facts: Mapping[str, str], gates: Mapping[str, Sequence[Gate]]) -> str:
    card, sampling = description.card, description.sampling
    quotes = quote_samples(gguf, description.quote_prompt, card.sample_keywords, sampling.quote)
    replies = chat_samples(gguf, card.sample_messages, sampling.chat)
    return model_card(description, facts, gates, quotes, replies)
