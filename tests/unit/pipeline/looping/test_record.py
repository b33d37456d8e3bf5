"""A turn goes on where it was left, whatever was left beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.looping.record import RECORD_FILE, Ending, Step, next_folder, open_turn, turn_before
from tests.unit.pipeline.looping.turns import turn


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    saved = turn(tmp_path / "one", Step.GATE, Ending.REFUSED, "The gate says no.")
    saved.failures = 2
    saved.save()
    assert open_turn(tmp_path / "one") == saved
    assert saved.done(Step.ADD) is None


def test_a_new_turn_wants_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "free").mkdir()
    (tmp_path / "free" / ".lock").touch()
    assert open_turn(tmp_path / "free").steps == []
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    with pytest.raises(InputInvalid, match=r"full is there and holds no turn of the loop; name another folder"):
        open_turn(tmp_path / "full")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1, "steps": [{"step": "dance"}]}', "{}"])
def test_a_record_that_cannot_be_read_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / RECORD_FILE).write_text(content)
    with pytest.raises(InputInvalid, match=r"loop\.json cannot be read; delete .* to begin that turn anew\.$"):
        open_turn(tmp_path)


def test_the_newest_open_turn_goes_on(tmp_path: Path) -> None:
    turn(tmp_path / "a", Step.CURATE, began="2026-10-02")
    turn(tmp_path / "b", Step.EXPORT, began="2026-10-03")
    turn(tmp_path / "c", Step.CANARY, Ending.CANARY, began="2026-10-04")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / RECORD_FILE).write_text("cut o")
    assert next_folder(tmp_path) == tmp_path / "b"


def test_where_all_have_ended_a_new_one_begins(tmp_path: Path) -> None:
    turn(tmp_path / "a", Step.GATE, Ending.REFUSED)
    found = next_folder(tmp_path)
    assert found.parent == tmp_path and not found.exists()
    assert next_folder(tmp_path / "nothing here").parent == tmp_path / "nothing here"


def test_the_turn_before_is_the_newest_that_learned(tmp_path: Path) -> None:
    turn(tmp_path / "a", Step.CANARY, Ending.CANARY, began="2026-10-01")
    turn(tmp_path / "b", Step.GATE, Ending.REFUSED, began="2026-10-02")
    turn(tmp_path / "c", Step.EXPORT, Ending.TOO_FEW, began="2026-10-03")
    turn(tmp_path / "now", Step.PREFER, began="2026-10-04")
    before = turn_before(tmp_path / "now")
    assert before is not None and before.folder == tmp_path / "b"
    assert turn_before(tmp_path / "alone" / "now") is None
