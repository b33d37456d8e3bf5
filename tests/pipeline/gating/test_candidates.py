"""Model folders, and whether their files are what they claim to be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.gating.candidates import read_candidate
from model_pipeline.gating.curated import read_curated_votes
from model_pipeline.gating.integrity import integrity
from tests.pipeline.gating.worlds import STARTER, changed_model, curated_folder, state


def outcomes(new: Path, data: Path) -> dict[str, str]:
    curated = read_curated_votes(curated_folder(data, {}), validation=False)
    found = integrity(read_candidate(STARTER), read_candidate(new), curated)
    return {each.text.name: each.sentence for each in found if each.outcome == "failed"}


def test_another_model_of_this_export_is_what_is_wanted(tmp_path: Path) -> None:
    assert outcomes(changed_model(tmp_path / "new", 1.1), tmp_path / "data") == {}


def test_a_model_is_not_another_one_than_itself(tmp_path: Path) -> None:
    assert set(outcomes(STARTER, tmp_path / "data")) == {"different", "lineage"}


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    new = changed_model(tmp_path / "new", 1.1)
    with (new / "model.gguf").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01" if file.read(1) != b"\x01" else b"\x02")
    assert outcomes(new, tmp_path / "data") == {
        "files": "Files: 1 of 4 wrong: changed's model.gguf is another file than its manifest says."
    }


def test_a_renamed_file_is_missed(tmp_path: Path) -> None:
    new = changed_model(tmp_path / "new", 1.1)
    (new / "model.gguf").rename(new / "other.gguf")
    found = outcomes(new, tmp_path / "data")
    assert found["files"].startswith(
        "Files: 1 of 4 wrong: the file model.gguf that changed's manifest names is not there"
    )


def test_a_judge_of_another_model_is_found(tmp_path: Path) -> None:
    new = changed_model(tmp_path / "new", 1.1)
    (new / "judge.npz").write_bytes(b"another")
    assert "changed's judge.npz is another file" in outcomes(new, tmp_path / "data")["files"]


def test_a_model_of_another_export_is_refused(tmp_path: Path) -> None:
    new = changed_model(tmp_path / "new", 1.1)
    state(new, lineage={"exports": ["export-of-others"]})
    assert set(outcomes(new, tmp_path / "data")) == {"lineage"}


def test_the_model_of_a_run_is_found(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.json").write_text("{}")
    shutil.copytree(STARTER, tmp_path / "run" / "model")
    assert read_candidate(tmp_path / "run").sha256 == read_candidate(STARTER).sha256


def test_answers_depend_on_prompt_sampling_and_judge(tmp_path: Path) -> None:
    served = {read_candidate(STARTER).served}
    changes: tuple[dict[str, object], ...] = (
        {"sampling": {}},
        {"judge": None},
        {"system_prompt": True},
        {"history_messages": 3},
    )
    for number, change in enumerate(changes):
        shutil.copytree(STARTER, tmp_path / str(number))
        state(tmp_path / str(number), **change)
        served.add(read_candidate(tmp_path / str(number)).served)
    assert len(served) == 5


@pytest.mark.parametrize(
    ("history_messages", "told"),
    [(0, "greater than or equal to 1, and is 0"), ("all", "a valid integer, and is 'all'"), (True, "and is true")],
)
def test_a_manifest_that_the_bot_would_refuse_is_refused(tmp_path: Path, history_messages: object, told: str) -> None:
    shutil.copytree(STARTER, tmp_path / "model")
    state(tmp_path / "model", history_messages=history_messages)
    with pytest.raises(InputInvalid, match=rf"is not the manifest of a model \(history_messages: .*{told}\)"):
        read_candidate(tmp_path / "model")


@pytest.mark.parametrize("manifest", [None, "{", json.dumps({"file": "model.gguf"})])
def test_what_is_no_model_is_refused(tmp_path: Path, manifest: str | None) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InputInvalid, match="holds no model" if manifest is None else "is not the manifest of a model"):
        read_candidate(tmp_path)
