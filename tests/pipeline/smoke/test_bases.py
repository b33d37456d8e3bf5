"""Making, keeping and copying small bases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Family
from model_pipeline.smoke import bases, weights
from model_pipeline.smoke.bases import MADE_FILE, cache_folder, make_base


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_base_is_made_once_and_copied_later(empty_cache: Path, tmp_path: Path) -> None:
    said: list[str] = []
    first = make_base(Family.GPT2, tmp_path / "runs" / "first", say=said.append)
    assert [line.split()[0] for line in said] == ["Making", "Its"]
    second = make_base(Family.GPT2, tmp_path / "second", say=said.append)
    assert len(said) == 2
    assert content(first) == content(second)
    assert {"config.json", "model.safetensors", "tokenizer.json", "vocab.json", "merges.txt"} <= set(content(first))
    made = json.loads((first / MADE_FILE).read_text(encoding="utf-8"))
    assert (made["family"], made["seed"], made["steps"]) == ("gpt2", 0, 3)


def test_asking_again_keeps_the_folder_as_it_is(tmp_path: Path) -> None:
    folder = make_base(Family.GPT2, tmp_path / "base")
    (folder / "mine.txt").write_text("kept", encoding="utf-8")
    assert make_base(Family.GPT2, folder) == folder
    assert (folder / "mine.txt").exists()


def test_another_seed_or_family_takes_the_place_of_a_small_base(tmp_path: Path) -> None:
    folder = make_base(Family.GPT2, tmp_path / "base")
    before = content(folder)
    make_base(Family.GPT2, folder, seed=1)
    assert content(folder)["model.safetensors"] != before["model.safetensors"]
    make_base(Family.TINYLLAMA, folder)
    assert (folder / "tokenizer.model").exists()
    assert not (folder / "merges.txt").exists()


@pytest.mark.parametrize("stopped_by", [KeyboardInterrupt, OSError])
def test_a_cut_off_leaves_nothing(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_by: type[BaseException]
) -> None:
    def cut_off(family: Family, folder: Path, *rest: object) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise stopped_by("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(weights, "write_weights", cut_off)
        with pytest.raises((KeyboardInterrupt, InputInvalid)):
            make_base(Family.GPT2, tmp_path / "base")
    assert [path.name for path in empty_cache.iterdir() if path.suffix != ".lock"] == []
    assert not (tmp_path / "base").exists()
    assert (make_base(Family.GPT2, tmp_path / "base") / MADE_FILE).exists()


def test_what_a_killed_process_left_is_made_anew(empty_cache: Path, tmp_path: Path) -> None:
    make_base(Family.GPT2, tmp_path / "base")
    (kept,) = [path for path in empty_cache.iterdir() if path.is_dir()]
    (kept / MADE_FILE).unlink()
    (kept / "model.safetensors").write_bytes(b"half")
    partial = kept.with_name(f".{kept.name}.partial")
    partial.mkdir()
    (partial / "config.json").write_text("{", encoding="utf-8")
    again = make_base(Family.GPT2, tmp_path / "again")
    assert (again / "model.safetensors").read_bytes() == (tmp_path / "base" / "model.safetensors").read_bytes()
    assert not partial.exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputInvalid, match=r"is there and holds no small base; choose a folder that is not there\.$"):
        make_base(Family.GPT2, tmp_path)
    with pytest.raises(InputInvalid, match=r"is there and holds no small base"):
        make_base(Family.GPT2, tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_a_folder_or_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputInvalid, match=r"^The small base \S+base cannot be written: [\w ]+\.$"):
        make_base(Family.GPT2, tmp_path / "file" / "base")
    monkeypatch.setattr(bases, "cache_folder", lambda: tmp_path / "file" / "cache")
    with pytest.raises(InputInvalid, match=r"^A small base cannot be made in \S+cache: .*; set QUOTESMITH_CACHE to "):
        make_base(Family.GPT2, tmp_path / "base")


def test_the_starter_has_no_base(tmp_path: Path) -> None:
    with pytest.raises(
        InputInvalid, match=r"^There is no small base of the family starter; there is one of tinyllama, "
    ):
        make_base(Family.STARTER, tmp_path / "base")


def test_the_cache_lies_where_the_environment_says() -> None:
    assert cache_folder({"QUOTESMITH_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}) == Path("/own/smoke")
    assert cache_folder({"XDG_CACHE_HOME": "/xdg"}) == Path("/xdg/quotesmith/smoke")
    assert cache_folder({}) == Path.home() / ".cache" / "quotesmith" / "smoke"
