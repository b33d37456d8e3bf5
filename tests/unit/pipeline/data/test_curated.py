"""Curated folders: what is read of them, what is refused, and which rows are drawn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.data.curated import Opinion, draw, read_curated
from model_pipeline.data.items import Message
from model_pipeline.errors import InputInvalid
from tests.pipeline.curated_folder import dpo_row, kto_row, sft_row, write_curated

OPINION = Opinion("rows/1#kto", "quote", "sea", (Message("user", "sea"),), ("The sea keeps no diary.",))


def test_each_set_gives_its_replies_and_its_opinion(tmp_path: Path) -> None:
    folder = write_curated(
        tmp_path,
        sft=[sft_row(1, "", "Better.", kind="chat")],
        kto=[kto_row(2, "sea", "Good.", True), kto_row(3, "sea", "Bad.", False, weight=0.5)],
        dpo=[dpo_row(4, "sea", "Good.", "Bad.")],
    )
    curated = read_curated(folder)
    assert curated.export == "an export"
    sft, kto, dpo = (curated.opinions(name, "train") for name in ("sft", "kto", "dpo"))
    assert [(each.replies, each.kind) for each in sft] == [(("Better.",), "chat")]
    assert [(each.replies, each.liked, each.weight) for each in kto] == [(("Good.",), True, 1), (("Bad.",), False, 0.5)]
    assert dpo[0].replies == ("Good.", "Bad.") and dpo[0].asked == (Message("user", "sea"),)
    assert curated.opinions("kto", "validation") == []


def test_only_the_named_sources_are_used(tmp_path: Path) -> None:
    rows = [kto_row(n, "sea", "Good.", True, sources=sources) for n, sources in enumerate((["button"], ["retry"], []))]
    curated = read_curated(write_curated(tmp_path, kto=rows))
    assert [each.id for each in curated.opinions("kto", "train", ("button", "correction"))] == ["rows/0#kto"]
    assert len(curated.opinions("kto", "train")) == 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"label": "yes"}, "its label is 'yes', neither true nor false"),
        ({"weight": 0}, "its weight is 0, not above 0 and at most 1"),
        ({"weight": 1.5}, "its weight is 1.5, not above 0 and at most 1"),
        ({"kind": "poem"}, "its kind is 'poem', neither quote nor chat"),
        ({"keyword": " "}, "a quote without a keyword"),
        ({"messages": []}, "its messages do not end with the user's"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, "its messages do not end with the user's"),
        ({"messages": [{"role": "tool", "content": "Hi"}]}, "a turn of the role 'tool'"),
        ({"completion": " "}, "a text is ' '"),
        ({"completion": None}, "a text is None"),
    ],
)
def test_a_row_that_means_nothing_is_refused_with_its_line(
    change: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    folder = write_curated(tmp_path, kto=[kto_row(1, "sea", "Good.", True), kto_row(2, "sea", "Good.", True) | change])
    with pytest.raises(InputInvalid) as refused:
        read_curated(folder).opinions("kto", "train")
    assert str(refused.value) == f"Line 2 of {folder}/kto/train.jsonl is no curated row: {sentence}."


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    row = kto_row(1, "sea", "Good.", True)
    del row["completion"]
    with pytest.raises(InputInvalid, match="'completion' is missing"):
        read_curated(write_curated(tmp_path, kto=[row])).opinions("kto", "train")


def test_a_file_that_was_changed_afterwards_is_refused(tmp_path: Path) -> None:
    folder = write_curated(tmp_path, kto=[kto_row(1, "sea", "Good.", True)])
    (folder / "kto" / "train.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(InputInvalid, match=r"kto/train\.jsonl is not the file that manifest\.json names"):
        read_curated(folder).opinions("kto", "train")


def test_what_is_no_curated_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match=r"quotesmith-pipeline curate EXPORT --out .* makes one"):
        read_curated(tmp_path)
    folder = write_curated(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 2}), encoding="utf-8")
    with pytest.raises(InputInvalid, match="was curated in the format 2; this version reads format 1"):
        read_curated(folder)


@given(st.floats(min_value=0.01, max_value=1.0), st.integers())
def test_half_a_weight_is_drawn_half_as_often(weight: float, seed: int) -> None:
    opinions = [replace(OPINION, id=f"rows/{n}#kto", weight=weight) for n in range(2_000)]
    assert len(draw(opinions, seed)) / len(opinions) == pytest.approx(weight, abs=0.06)


@given(st.integers(), st.sets(st.integers(0, 30)))
def test_whether_a_row_is_drawn_does_not_depend_on_the_others(seed: int, kept: set[int]) -> None:
    opinions = [replace(OPINION, id=f"rows/{n}#kto", weight=0.5) for n in range(31)]
    alone = [opinion for opinion in opinions if int(opinion.id[5:-4]) in kept]
    drawn = {opinion.id for opinion in draw(opinions, seed)}
    assert {opinion.id for opinion in draw(alone, seed)} == {opinion.id for opinion in alone} & drawn
