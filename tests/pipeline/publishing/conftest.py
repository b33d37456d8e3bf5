"""A hub, and huggingface_hub as on a machine without a proxy, a login and its second way to upload."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _http

from tests.pipeline.publishing.finished_run import OWNER, finished_run
from tests.pipeline.publishing.publisher import TOKEN, Publisher
from tests.servers.hub import LoopbackHub, clean_hub_client, loopback_hub


@pytest.fixture(autouse=True)
def clean_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # whose servers we do not play
    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda seconds: None, time=time.time))
    with clean_hub_client(monkeypatch, tmp_path):
        yield


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with loopback_hub() as hub:
        hub.accounts = {TOKEN: (OWNER,)}
        yield hub


@pytest.fixture
def person(tmp_path: Path, hub: LoopbackHub) -> Publisher:
    return Publisher(finished_run(tmp_path / "run"), hub)
