"""Where the gate's settings come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.gating.settings import Gate, Per
from model_pipeline.recipe import read_gate, read_recipe, recipe_text


def test_without_a_recipe_the_defaults_count() -> None:
    assert read_gate("") == Gate()
    assert read_gate("", ["gate.prompts=50", "gate.per=text"]) == Gate(prompts=50, per=Per.TEXT)


def test_a_run_has_its_own_settings_and_a_named_recipe_comes_before_them(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"{recipe_text('starter')}\n[gate]\nleast_people = 40\n")
    assert read_gate("", ["gate.prompts=50"], Gate(seed=3)) == Gate(seed=3, prompts=50)
    assert read_gate(str(path), ["gate.prompts=50"], Gate(seed=3)) == Gate(least_people=40, prompts=50)
    assert read_recipe(str(path)).gate.least_people == 40


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("gate.least_people=1", "gate.least_people input should be greater than or equal to 2"),
        ("gate.margins=1", "gate.margins is not a key of a recipe"),
        ("prompts=1", "'prompts=1' cannot be set for this command; allowed is gate.KEY=VALUE"),
        ("gate.prompts", "'gate.prompts' sets nothing"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, sentence: str) -> None:
    with pytest.raises(InputInvalid, match=sentence):
        read_gate("", [setting])
