"""What was made of an export: models of the store, and runs of the pipeline."""

from __future__ import annotations

import json
from pathlib import Path

from bot.models.lineage import models_of_export, runs_of_export
from bot.models.store import ModelStore
from tests.unit.models.folders import model_folder

EXPORT = "0123456789abcdef0123456789abcdef"


def test_models_whose_manifests_name_the_export_are_found(tmp_path: Path) -> None:
    model_folder(tmp_path / "embedded")
    for name, lineage in {"of-it": {"exports": [EXPORT]}, "of-another": {"exports": ["f" * 32]}, "of-none": {}}.items():
        model_folder(tmp_path / "store" / name, lineage=lineage)
    (tmp_path / "store" / "broken").mkdir()
    store = ModelStore(tmp_path / "store", tmp_path / "embedded")
    assert models_of_export(store, EXPORT) == ["of-it"]


def test_runs_whose_manifests_name_the_export_are_found(tmp_path: Path) -> None:
    for run, export in {"nightly": EXPORT, "other": "f" * 32}.items():
        folder = tmp_path / run / "prepare"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({"figures": {"sources": [{"export": export}]}}))
    assert runs_of_export(tmp_path, EXPORT) == [tmp_path / "nightly"]
    assert runs_of_export(tmp_path / "nightly", EXPORT) == [tmp_path / "nightly" / "prepare"]
