"""Small bases of three training steps, made once for all tests of this folder, in a cache of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_pipeline.recipe import Family

BaseOf = Callable[[Family], Path]


@pytest.fixture(scope="package", autouse=True)
def short_training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from model_pipeline.smoke import bases, weights

    cache = tmp_path_factory.mktemp("smoke-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "STEPS", 3)
        patch.setattr(weights, "BATCH", 2)
        patch.setattr(bases, "cache_folder", lambda: cache)
        yield


@pytest.fixture
def base_of(tmp_path: Path) -> BaseOf:
    """A base to look at or to damage."""
    from model_pipeline.smoke.bases import make_base

    return lambda family: make_base(family, tmp_path / f"base-{family}")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which nothing lies yet."""
    from model_pipeline.smoke import bases

    folder = tmp_path / "cache"
    shutil.rmtree(folder, ignore_errors=True)
    monkeypatch.setattr(bases, "cache_folder", lambda: folder)
    return folder
