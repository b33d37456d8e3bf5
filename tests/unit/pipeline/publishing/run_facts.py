"""A small recipe and what a run of it leaves behind, and how a card is read."""

from __future__ import annotations

import re
from typing import Any

from huggingface_hub import RepoCard

from model_pipeline.recipe import Recipe, check_recipe

BASE = "some/base-1B"
FILES = [("model.gguf", 1_234_567), ("evaluation/report.md", 9)]


def recipe(**changes: Any) -> Recipe:
    content = {
        "name": "tiny-quotes",
        "about": "Writes a quote for a keyword.",
        "license": "Apache-2.0",
        "base": {"family": "tinyllama", "model": BASE},
        "data": {"sources": [{"form": "quotes", "hub": "some/quotes", "revision": "abc"}]},
        "fine_tune": {"method": "lora"},
        "served": {"system_prompt": False, "quote_prompt": {"template": "Keyword: {keyword}\nQuote:", "chat": False}},
        "publish": {"adapter": "me/a", "gguf": "me/g"},
    }
    return check_recipe(content | changes, "the test")


def manifest(began: str = "2026-03-01T10:00:00+00:00", **figures: Any) -> dict[str, Any]:
    """A finished stage's, as far as cards read it."""
    return {"began": began, "packages": {}, "figures": figures}


def metadata(card: str) -> dict[str, Any]:
    """As the library reads it."""
    found: dict[str, Any] = RepoCard(card).data.to_dict()  # type: ignore[no-untyped-call]
    return found


def section(card: str, title: str) -> str:
    """The text under a heading."""
    found = re.search(rf"^## {title}\n\n(.*?)(?=^## |\Z)", card, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]
