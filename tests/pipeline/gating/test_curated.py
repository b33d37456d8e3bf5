"""The curated folder as the gate reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.gating.curated import read_curated_votes
from tests.pipeline.gating.worlds import EXPORT, curated_folder, pair, vote


def folder_of(path: Path) -> Path:
    return curated_folder(
        path,
        {
            "kto/train": [vote("ann", "sea", "The sea is wide.", True), vote("ann", "sea", "Sea sea sea.", False)],
            "dpo/train": [pair("ann", "sun", "The sun comes back.", "Sun.")],
            "kto/validation": [vote("eve", "hat", "A hat keeps the rain out.", True)],
            "kto/test": [vote("bob", "tea", "Tea is warm.", True)],
            "dpo/test": [pair("bob", "oak", "An oak takes its time.", "Oak oak.")],
        },
    )


def test_test_rows_are_held_out_and_the_good_training_texts_were_learned(tmp_path: Path) -> None:
    curated = read_curated_votes(folder_of(tmp_path / "data"), validation=False)
    assert curated.export == EXPORT
    assert [line.keyword for line in curated.held_out] == ["tea", "oak"]
    assert curated.learned == ("The sea is wide.", "The sun comes back.")


def test_validation_rows_count_where_a_setting_says_so(tmp_path: Path) -> None:
    curated = read_curated_votes(folder_of(tmp_path / "data"), validation=True)
    assert [line.keyword for line in curated.held_out] == ["hat", "tea", "oak"]


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "data")
    (folder / "kto" / "test.jsonl").write_text("")
    with pytest.raises(InputInvalid, match=r"kto/test.jsonl is not the file that manifest.json names"):
        read_curated_votes(folder, validation=False)


@pytest.mark.parametrize(("key", "value"), [("weight", 0), ("label", None), ("messages", []), ("kind", "poem")])
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, key: str, value: object) -> None:
    row = vote("bob", "tea", "Tea is warm.", True) | {key: value}
    with pytest.raises(InputInvalid, match=rf"Line 1 of .*kto/test.jsonl is no curated row: its {key}"):
        read_curated_votes(curated_folder(tmp_path / "data", {"kto/test": [row]}), validation=False)


@pytest.mark.parametrize("manifest", ["", "[]", '{"format": 1}'])
def test_a_folder_without_a_whole_manifest_is_refused(tmp_path: Path, manifest: str) -> None:
    folder = folder_of(tmp_path / "data")
    (folder / "manifest.json").write_text(manifest)
    with pytest.raises(InputInvalid, match="is no curated folder"):
        read_curated_votes(folder, validation=False)


def test_another_format_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "data")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))
    with pytest.raises(InputInvalid, match="in the format 2; this version reads format 1"):
        read_curated_votes(folder, validation=False)
