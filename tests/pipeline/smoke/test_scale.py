"""Recipes scaled down for a smoke run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.data.json_lines import read_json_lines
from model_pipeline.data.sources import read_source
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import FineTune, Method, Recipe, check_recipe, read_recipe
from model_pipeline.recipe_changes import begin_run
from model_pipeline.smoke.scale import _fine_tune, smoke_recipe

LARGE: dict[str, Any] = {
    "name": "large",
    "about": "A recipe of hours.",
    "license": "Apache-2.0",
    "base": {"family": "gpt2", "model": "some/gpt2", "revision": "abc"},
    "data": {
        "sources": [{"form": "messages", "hub": "some/talks"}, {"form": "messages", "hub": "other/talks"}],
        "replies": "last",
        "max_rows": 1000,
        "max_tokens": 1024,
        "near_duplicate": 0.9,
    },
    "fine_tune": {
        "method": "qlora",
        "r": 16,
        "alpha": 32,
        "dropout": 0.05,
        "targets": ["c_attn"],
        "optimizer": "paged_adamw_8bit",
        "scheduler": "linear",
        "max_steps": 500,
        "warmup": 50,
        "batch_size": 4,
        "accumulate": 8,
    },
    "export": {"outtype": "bf16"},
    "quantize": {"types": ["Q4_K_M", "Q8_0"]},
    "evaluate": {"rows": 200, "temperature": 0.3},
    "served": {
        "context_tokens": 2048,
        "system_prompt": True,
        "quote_prompt": {"template": "Keyword: {keyword}\nQuote:", "chat": False},
    },
}
PRETRAIN = {
    "corpora": [
        {"path": "books.tar.xz", "weight": 2.0},
        {"path": "train-rows", "starts_at": 0.8, "weight": 3.0},
        {"path": "more.jsonl", "starts_at": 0.5},
    ],
    "layers": 6,
    "heads": 8,
    "key_value_heads": 2,
}


def recipe(**changes: Any) -> Recipe:
    return check_recipe(LARGE | changes, "the test's recipe")


def starter() -> Recipe:
    return recipe(base={"family": "starter"}, pretrain=PRETRAIN, fine_tune={"method": "full"})


def silent(text: str) -> None:
    """Nobody listens."""


def test_the_run_is_small(tmp_path: Path) -> None:
    small = smoke_recipe(recipe(), tmp_path, silent)
    assert small.smoke and small.fine_tune
    assert (small.fine_tune.max_steps, small.fine_tune.evaluate_every) == (60, 20)
    assert (small.fine_tune.batch_size, small.fine_tune.accumulate) == (4, 4)
    assert (small.fine_tune.warmup, small.fine_tune.learning_rate) == (6, 2e-3)
    assert (small.evaluate.rows, small.evaluate.max_new_tokens, small.evaluate.latency_requests) == (24, 40, 5)
    assert (small.data.max_tokens, small.export.gate_lines, small.served.context_tokens) == (256, 100, 512)


def test_it_walks_the_recipes_own_ways(tmp_path: Path) -> None:
    large = recipe()
    small = smoke_recipe(large, tmp_path, silent)
    for name in ("method", "r", "alpha", "dropout", "targets", "optimizer", "scheduler", "precision", "seed"):
        assert getattr(small.fine_tune, name) == getattr(large.fine_tune, name)
    for name in ("replies", "near_duplicate", "group_by", "max_rows", "seed"):
        assert getattr(small.data, name) == getattr(large.data, name)
    assert (small.name, small.quantize, small.export.outtype) == (large.name, large.quantize, "bf16")
    assert (small.evaluate.temperature, small.served.quote_prompt) == (0.3, large.served.quote_prompt)


def test_base_and_rows_lie_in_the_folder(tmp_path: Path) -> None:
    small = smoke_recipe(recipe(), tmp_path, silent)
    assert (small.base.family, small.base.revision) == ("gpt2", "main")
    assert (Path(small.base.model) / "model.safetensors").is_file()
    assert Path(small.base.model).is_relative_to(tmp_path)
    first, second = map(read_source, small.data.sources)
    assert first != second
    assert all(Path(source.path).is_relative_to(tmp_path) for source in small.data.sources)


def test_paths_hold_wherever_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = smoke_recipe(recipe(), Path("run/smoke"), silent)
    monkeypatch.chdir("/")
    assert (Path(small.base.model) / "config.json").is_file()
    assert read_source(small.data.sources[0])


@pytest.mark.parametrize("large", [recipe(), starter(), read_recipe("starter-mended")], ids=lambda large: large.name)
def test_a_run_can_be_gone_on_with(tmp_path: Path, large: Recipe) -> None:
    said: list[str] = []
    begin_run(tmp_path / "run", smoke_recipe(large, tmp_path / "smoke", silent), said.append)
    begin_run(tmp_path / "run", smoke_recipe(large, tmp_path / "smoke", silent), said.append)
    assert not said
    with pytest.raises(InputInvalid, match=r"was begun with another smoke \(True, now False\); choose another folder"):
        begin_run(tmp_path / "run", large, said.append)


def test_what_is_smaller_already_stays(tmp_path: Path) -> None:
    tiny = {"method": "lora", "max_steps": 5, "batch_size": 1, "evaluate_every": 2, "learning_rate": 5e-3}
    small = smoke_recipe(recipe(fine_tune=tiny, evaluate={"rows": 3}), tmp_path, silent)
    assert small.fine_tune == FineTune.model_validate(tiny)
    assert small.evaluate.rows == 3


@given(
    method=st.sampled_from(Method),
    batch_size=st.integers(1, 512),
    accumulate=st.integers(1, 512),
    max_steps=st.integers(0, 10_000),
    warmup=st.floats(0, 1_000),
)
def test_whatever_the_recipe_a_step_is_small_and_valid(**settings: Any) -> None:
    small = _fine_tune(FineTune(**settings))
    checked = FineTune.model_validate(small.model_dump())
    assert checked.batch_size <= 8
    assert checked.batch_size * checked.accumulate <= 16
    assert 0 < checked.max_steps <= 60
    assert checked.warmup < max(checked.max_steps, 1) or checked.warmup == 0
    assert checked.warmup == settings["warmup"] or settings["warmup"] >= 1


def test_the_starter_is_pretrained_on_small_texts(tmp_path: Path) -> None:
    small = smoke_recipe(starter(), tmp_path, silent)
    pretrain = small.pretrain
    assert pretrain is not None
    assert small.base.model == ""
    assert (pretrain.vocabulary, pretrain.layers, pretrain.tokens) == (2048, 2, 300_000)
    assert (pretrain.heads, pretrain.key_value_heads) == (8, 2)
    assert (pretrain.hidden_size, pretrain.feed_forward) == (256, 512)
    assert pretrain.corpora[1].path == "train-rows"
    assert [(corpus.weight, corpus.starts_at) for corpus in pretrain.corpora] == [(2, 0), (3, 0.8), (1, 0.5)]
    books, more = (read_json_lines(Path(pretrain.corpora[place].path)) for place in (0, 2))
    assert all(set(row) == {"text"} and row["text"] for row in books + more)
    assert not {row["text"] for row in books} & {row["text"] for row in more}
    assert 200_000 < sum(len(row["text"]) for row in books + more) < 3_000_000


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "texts").write_text("", encoding="utf-8")
    with pytest.raises(InputInvalid, match=r"^The small corpus \S+1\.jsonl cannot be written: [\w ]+\.$"):
        smoke_recipe(starter(), tmp_path, silent)
