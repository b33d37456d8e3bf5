"""A short list of small models that are known to serve well, by name; knows the hub's names for them and no network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model that can be pulled by name; `size_bytes` is that of the file when this list was made."""

    name: str
    repo: str
    file: str
    size_bytes: int
    license: str
    advice: str


CATALOGUE: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        name="qwen2.5-0.5b-instruct",
        repo="Qwen/Qwen2.5-0.5B-Instruct-GGUF",
        file="qwen2.5-0.5b-instruct-q4_k_m.gguf",
        size_bytes=491_400_032,
        license="apache-2.0",
        advice="The smallest that still follows instructions; about 1 GB of memory with the default settings.",
    ),
    CatalogueEntry(
        name="tinyllama-1.1b-chat",
        repo="TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF",
        file="tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf",
        size_bytes=668_788_096,
        license="apache-2.0",
        advice="A well-known base for fine-tuning; untuned it often misses the form of a quote; 1.1 GB of memory.",
    ),
    CatalogueEntry(
        name="llama-3.2-1b-instruct",
        repo="bartowski/Llama-3.2-1B-Instruct-GGUF",
        file="Llama-3.2-1B-Instruct-Q4_K_M.gguf",
        size_bytes=807_694_464,
        license="llama3.2",
        advice="The first to try on two processors: quick, and good at short texts; about 1.5 GB of memory.",
    ),
    CatalogueEntry(
        name="qwen2.5-1.5b-instruct",
        repo="Qwen/Qwen2.5-1.5B-Instruct-GGUF",
        file="qwen2.5-1.5b-instruct-q4_k_m.gguf",
        size_bytes=1_117_320_736,
        license="apache-2.0",
        advice="Many languages and a free licence; about 1.8 GB of memory.",
    ),
    CatalogueEntry(
        name="llama-3.2-3b-instruct",
        repo="bartowski/Llama-3.2-3B-Instruct-GGUF",
        file="Llama-3.2-3B-Instruct-Q4_K_M.gguf",
        size_bytes=2_019_377_600,
        license="llama3.2",
        advice="Follows instructions better than the 1B and is slower on a processor; about 3.4 GB of memory.",
    ),
    CatalogueEntry(
        name="qwen2.5-3b-instruct",
        repo="Qwen/Qwen2.5-3B-Instruct-GGUF",
        file="qwen2.5-3b-instruct-q4_k_m.gguf",
        size_bytes=2_104_932_768,
        license="qwen-research",
        advice="Strong in many languages, but licensed for research only; about 2.9 GB of memory.",
    ),
)


def find(name: str) -> CatalogueEntry | None:
    """The entry of that name, whatever its case, or None."""
    return next((entry for entry in CATALOGUE if entry.name == name.strip().lower()), None)
