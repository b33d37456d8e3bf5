"""The stage judge on readers' marks: what it makes of them, and what it says of files that cannot be learned from."""

from __future__ import annotations

import io
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from bot.models.judge import load_judge
from model_pipeline.data.prepared import write_rows
from model_pipeline.data.rows import Row
from model_pipeline.errors import InputInvalid, TrainingFailed
from model_pipeline.gguf.model_folder import JUDGE_FILE
from model_pipeline.judging.learned_filters import learned_filters
from model_pipeline.learned_texts import LEARNED_FILE
from model_pipeline.recipe import Judge
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage
from model_pipeline.stages import judge as stage
from model_pipeline.stages.judge import judge
from tests.pipeline.merged_run import merged_run

pytestmark = pytest.mark.training


def marks(path: Path, keywords: int) -> str:
    """Readers who like short quotes; one of the long ones was mended."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(keywords):
            quotes = [f"The sea {'and the sea ' * times}waits {number}." for times in (4, 0, 5)] + ["The sea is here."]
            line = {"keyword": f"sea {number}", "quotes": quotes, "good": [1, 3], "best": 1, "worst": 2}
            file.write(json.dumps(line | {"mends": [[3, 0]]}) + "\n")
    return str(path)


def reply_marks(path: Path, messages: int, *, said_twice: bool = False) -> str:
    """Readers who like short replies, maybe to what was said before already."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(messages):
            replies = [f"The sea {'and the sea ' * times}waits {number}." for times in (4, 0, 5)]
            said = [{"role": "user", "content": f"the sea took {number} hats"}]
            before = [*said, {"role": "assistant", "content": "What?"}] if said_twice else []
            file.write(json.dumps({"messages": [*before, *said], "replies": replies, "good": [1]}) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that is merged, with a model folder to put a judge into."""
    run = merged_run(tmp_path_factory.mktemp("judging") / "run")
    run.of(Stage.QUANTIZE).mkdir()
    run.model_folder.mkdir()
    (run.model_folder / "manifest.json").write_text("{}")
    run.finish(Stage.QUANTIZE, datetime.now(UTC), {})
    return run


def judged(run: Run, *files: str) -> tuple[Run, str]:
    settings = Judge(marks=files, readers_hidden=16, epochs=4, readers_learning_rate=1e-2, dropout=0.0)
    told, asked = io.StringIO(), Run(run.folder, run.recipe.model_copy(update={"judge": settings}))
    judge(asked, Report(Console(file=told, width=300)))
    return asked, told.getvalue()


def test_what_readers_would_post_comes_first(merged: Run, tmp_path: Path) -> None:
    run, told = judged(merged, marks(tmp_path / "marks.jsonl", 600), marks(tmp_path / "more.jsonl", 40))
    figures = run.figures(Stage.JUDGE)
    assert figures["first_is_good"] == 1.0 and figures["good_by_lot"] == pytest.approx(1 / 3)
    assert figures["marked_keywords"] + figures["held_out_keywords"] == 640
    assert "the quote that the judge puts first is good on 100.0% of the keywords, one drawn by lot on 33.3%" in told
    section = json.loads((run.model_folder / "manifest.json").read_text())["judge"]
    found = load_judge(run.model_folder / section["file"], _width(run))
    assert found.of_readers and found.is_copy("The sea keeps no diary.")
    assert not found.of_replies


def test_replies_that_fit_come_first_too(merged: Run, tmp_path: Path) -> None:
    quotes, replies = marks(tmp_path / "marks.jsonl", 600), reply_marks(tmp_path / "replies.jsonl", 400)
    run, told = judged(merged, quotes, replies)
    figures = run.figures(Stage.JUDGE)
    assert figures["replies_first_is_good"] == 1.0 and figures["first_is_good"] == 1.0
    assert figures["replies_marked_messages"] + figures["replies_held_out_messages"] == 400
    assert "the reply that the judge puts first is good on 100.0% of the messages, one drawn by lot on 33.3%" in told
    assert load_judge(run.of(Stage.JUDGE) / "judge.npz", _width(run)).of_replies


def test_replies_are_judged_behind_what_the_model_is_shown(merged: Run, tmp_path: Path) -> None:
    quotes, once = marks(tmp_path / "marks.jsonl", 600), reply_marks(tmp_path / "once.jsonl", 400)
    twice = reply_marks(tmp_path / "twice.jsonl", 400, said_twice=True)
    served = merged.recipe.served.model_copy(update={"history_messages": 1})
    limited = Run(merged.folder, merged.recipe.model_copy(update={"served": served}))
    read = []
    for run, replies in ((merged, once), (limited, twice), (merged, twice)):
        judged(run, quotes, replies)
        read.append(np.load(run.of(Stage.JUDGE) / "judge.npz")["reply_mean"])
    assert np.array_equal(read[0], read[1]) and not np.array_equal(read[0], read[2])


def test_what_preferences_taught_is_a_copy_too(merged: Run, tmp_path: Path) -> None:
    folder = merged.of(Stage.PREFER)
    folder.mkdir()
    taught = Row("Keyword: sea\nQuote:", " The sea forgives every umbrella that it takes.", "sea", "sea", "quote")
    write_rows(folder / LEARNED_FILE, [taught])
    run, _ = judged(merged, marks(tmp_path / "marks.jsonl", 600))
    found = load_judge(run.of(Stage.JUDGE) / "judge.npz", _width(run))
    assert found.is_copy("The sea forgives every umbrella that it takes.")
    assert found.is_copy("The sea keeps no diary.") and not found.is_copy("The sea forgives nobody at all.")


def test_what_a_base_knows_by_heart_is_a_copy_too(merged: Run, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(merged.folder, tmp_path / "run")), merged.recipe)
    shutil.rmtree(run.of(Stage.JUDGE), ignore_errors=True)
    known = ["A borrowed umbrella is the weather's way home.", *(f"word{number} stands" for number in range(10_000))]
    filters: dict[str, Any] = learned_filters(known)
    run.of(Stage.DEQUANTIZE).mkdir()
    np.savez_compressed(run.of(Stage.DEQUANTIZE) / JUDGE_FILE, **filters)
    judged(run, marks(tmp_path / "marks.jsonl", 600))
    found = load_judge(run.model_folder / JUDGE_FILE, _width(run))
    assert found.is_copy("A borrowed umbrella is the weather's way home.") and found.is_copy("The sea keeps no diary.")
    assert not found.is_copy("A borrowed umbrella is nobody's way home.")
    assert found.unknown_words("sea", "word42 keeps umbrella diary snorf") == 1


def _width(run: Run) -> int:
    """Of the model's hidden states."""
    return int(np.load(run.of(Stage.JUDGE) / "judge.npz")["mean"].size) - 2


def test_few_marks_and_no_marks_are_told(merged: Run, tmp_path: Path) -> None:
    with pytest.raises(
        InputInvalid, match=r"needs marks on 20 keywords for training and for validation; there are \d+ and"
    ):
        judged(merged, marks(tmp_path / "marks.jsonl", 60))
    with pytest.raises(InputInvalid, match=r"There is no file or folder nothing\.jsonl"):
        judged(merged, "nothing.jsonl")
    enough, few = marks(tmp_path / "enough.jsonl", 600), reply_marks(tmp_path / "replies.jsonl", 60)
    with pytest.raises(InputInvalid, match=r"needs marks on 20 messages for training and for validation"):
        judged(merged, enough, few)


def test_too_little_memory_is_told_with_a_setting_of_the_judge(
    merged: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(stage, "reply_states", broken)
    with pytest.raises(TrainingFailed) as failed:
        judged(merged, marks(tmp_path / "marks.jsonl", 600))
    assert str(failed.value) == "The memory was not enough: set a smaller judge.batch_size."


def test_without_a_model_folder_nothing_is_learned_that_could_not_be_put_there(merged: Run, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(merged.folder, tmp_path / "run")), merged.recipe)
    shutil.rmtree(run.of(Stage.JUDGE), ignore_errors=True)
    (run.model_folder / "manifest.json").unlink()
    with pytest.raises(InputInvalid) as refused:
        judged(run, marks(tmp_path / "marks.jsonl", 600))
    assert str(refused.value) == (
        f"{run.model_folder} holds no whole model to put a judge into; quotesmith-pipeline quantize {run.folder} "
        "--again writes it."
    )
    assert not (run.of(Stage.JUDGE) / "judge.npz").exists()


def test_without_marks_no_keyword_is_both_trained_on_and_held_out(merged: Run, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(merged.folder, tmp_path / "run")), merged.recipe)
    shutil.rmtree(run.of(Stage.JUDGE), ignore_errors=True)
    for split in ("train", "validation"):
        rows = [
            Row(f"Keyword: sea {number}\nQuote:", f" A sea of {split}.", f"{split} {number}", f"Sea {number}", "quote")
            for number in range(30)
        ]
        write_rows(run.of(Stage.PREPARE) / f"{split}.jsonl", rows)
    with pytest.raises(InputInvalid) as refused:
        judged(run)
    assert str(refused.value) == (
        "A judge needs 20 quotes for training, and as many for validation on keywords that training has not; there are "
        '30 and 0. data.group_by = "keyword" divides no keyword.'
    )
    assert not (run.of(Stage.JUDGE) / "quotes.jsonl").exists()


def test_without_marks_it_learns_from_written_quotes_and_its_own(tmp_path: Path) -> None:
    run = merged_run(tmp_path / "run")
    run.of(Stage.QUANTIZE).mkdir()
    run.model_folder.mkdir()
    (run.model_folder / "manifest.json").write_text("{}")
    run.finish(Stage.QUANTIZE, datetime.now(UTC), {})
    things = [f"{first}{second}" for first in ("sea", "rain", "door", "hill", "tea") for second in "bcdfghklmnprstvw"]
    for split, number in (("train", 0), ("validation", 1)):
        rows = [
            Row(f"Keyword: {thing}\nQuote:", f" The {thing} keeps no diary of {number}.", thing, thing, "quote")
            for thing in things[number::2] * 2 + things[:6:2] * number  # a few of training's in validation too
        ]
        write_rows(run.of(Stage.PREPARE) / f"{split}.jsonl", rows)
    settings = Judge(quotes_a_keyword=1, epochs=2, buckets=512, width=8, hidden=16)
    asked = Run(run.folder, run.recipe.model_copy(update={"judge": settings}))
    told = io.StringIO()
    judge(asked, Report(Console(file=told, width=300)))
    figures = asked.figures(Stage.JUDGE)
    assert figures["written_quotes"] == figures["held_out_written"] == 80
    assert 0 < figures["told_from_other_keywords"] < 1 and figures["own_quotes"] <= 40
    assert ("told_from_own" in figures) == bool(figures["held_out_own"])  # of nothing there is no share
    assert ("an unknown share (it wrote none) of held-out pairs" in told.getvalue()) == (not figures["held_out_own"])
    found = load_judge(run.model_folder / "judge.npz", 1)
    assert not found.of_readers and found.is_copy("The seab keeps no diary of 0.")
