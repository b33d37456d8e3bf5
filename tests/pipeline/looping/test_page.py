"""The page of a turn says what each step came to, in a file that needs no other."""

from __future__ import annotations

import base64
from pathlib import Path

from model_pipeline.looping.page import write_page
from model_pipeline.looping.record import Ending, Step
from tests.unit.pipeline.looping.turns import turn

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_every_step_is_there_with_its_figures(tmp_path: Path) -> None:
    done = turn(tmp_path, Step.CANARY, Ending.CANARY, "starter-votes-1 answers 20% of the people.")
    (tmp_path / "run" / "prefer" / "1-kto").mkdir(parents=True)
    (tmp_path / "run" / "prefer" / "1-kto" / "rewards.png").write_bytes(PIXEL)
    write_page(done)
    page = page_of(tmp_path)
    for step in Step:
        assert f"What {step} came to." in page
    for shown in ("no consent", "near duplicate", "KTO", "0.4321", "Adherence", "-0.02 to 0.04", "passed"):
        assert shown in page
    assert "starter-votes-1 answers 20% of the people." in page and "Not done" not in page
    assert "data:image/png;base64," in page and "http" not in page


def test_a_turn_that_is_under_way_says_so_and_what_is_left(tmp_path: Path) -> None:
    write_page(turn(tmp_path, Step.CURATE))
    page = page_of(tmp_path)
    assert "This turn has not ended yet." in page and "prefer, gate, add, canary" in page


def test_what_people_called_their_models_is_no_markup(tmp_path: Path) -> None:
    write_page(turn(tmp_path, Step.EXPORT, Ending.TOO_FEW, "<script>alert(1)</script> & co"))
    assert "<script>" not in page_of(tmp_path) and "&lt;script&gt;" in page_of(tmp_path)
