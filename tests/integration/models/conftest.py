"""A hub, a person who pulls from it, and huggingface_hub as on a machine without a proxy and without a login."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.models.store import ModelStore
from tests.integration.models.puller import FILE, GGUF, REPO, Puller
from tests.servers.hub import LoopbackHub, clean_hub_client, loopback_hub
from tests.unit.models.folders import model_folder


@pytest.fixture(autouse=True)
def clean_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The library as on a machine without a proxy and without a login."""
    with clean_hub_client(monkeypatch, tmp_path):
        yield


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with loopback_hub() as hub:
        yield hub


@pytest.fixture
def person(tmp_path: Path, hub: LoopbackHub) -> Puller:
    hub.add(REPO, FILE, GGUF)
    hub.add(REPO, "README.md", b"# tiny")
    embedded = model_folder(tmp_path / "embedded", filling=b"\0", name="starter")
    return Puller(ModelStore(tmp_path / "models", embedded), hub)
