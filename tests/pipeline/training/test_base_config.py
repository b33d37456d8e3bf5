"""Where the configuration of a base model is found: in a folder, or among what the Hub's client has in its cache."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from model_pipeline.errors import InputInvalid
from model_pipeline.training.base_model import base_config_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hub's cache with one model in it, and no way to the Hub."""
    repository = tmp_path / "models--maker--small"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return repository / "snapshots" / COMMIT


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert base_config_folder(str(tmp_path), "main") == tmp_path


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match=r"has no config\.json; give a Hugging Face model\.$"):
        base_config_folder(str(tmp_path), "main")


def test_a_hub_id_is_found_in_the_cache(cache: Path) -> None:
    (cache / "config.json").write_text("{}")
    assert base_config_folder("maker/small", "main") == cache


@pytest.mark.parametrize("model", ["maker/other", "not a/hub id", "/nowhere/at/all"])
def test_what_cannot_be_found_is_told_in_a_sentence(cache: Path, model: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        base_config_folder(model, "main")
    assert str(refused.value).startswith(f"The configuration of {model} cannot be loaded: ")
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
