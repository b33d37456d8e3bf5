"""The stage evaluate from a quantized run to its report and the card of its model."""

from __future__ import annotations

import errno
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from model_pipeline.data.prepared import read_rows, write_rows
from model_pipeline.errors import InputInvalid, TrainingFailed
from model_pipeline.evaluation.answer_lines import read_answers
from model_pipeline.evaluation.bot_replies import BotUnavailable
from model_pipeline.evaluation.run_comparison import compare_runs
from model_pipeline.gguf.converter import MARKER, cache_folder, installed_version
from model_pipeline.recipe import Evaluate, Quantize
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage
from model_pipeline.stages import evaluate as stage
from model_pipeline.stages.evaluate import evaluate
from model_pipeline.stages.export_gguf import export_gguf
from model_pipeline.stages.quantize import quantize
from tests.pipeline.merged_run import merged_run

pytestmark = [
    pytest.mark.training,
    pytest.mark.skipif(
        not (cache_folder() / installed_version() / MARKER).is_file(), reason="needs llama.cpp's converter in the cache"
    ),
]
SETTINGS = {
    "evaluate": Evaluate(rows=4, max_new_tokens=8, batch_size=3, latency_requests=2),
    "quantize": Quantize(types=("Q8_0",)),
}
NAMES = ["base", "tuned", "quantized"]


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run after quantize; nobody writes into it."""
    run = merged_run(tmp_path_factory.mktemp("quantized") / "run", context_tokens=1024)
    run, quiet = Run(run.folder, run.recipe.model_copy(update=SETTINGS)), Report(Console(file=io.StringIO()))
    export_gguf(run, quiet)
    quantize(run, quiet)
    return run


@pytest.fixture(scope="module")
def evaluated(quantized: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """A run after evaluate, and what was told of it."""
    folder = shutil.copytree(quantized.folder, tmp_path_factory.mktemp("evaluated") / "run")
    run, told = Run(Path(folder), quantized.recipe), io.StringIO()
    evaluate(run, Report(Console(file=told, width=200)))
    return run, told.getvalue()


def served(run: Run) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run.model_folder / "manifest.json").read_text(encoding="utf-8"))
    return content


def test_the_report_is_there_and_the_figures_are_in_the_manifest(evaluated: tuple[Run, str]) -> None:
    run, told = evaluated
    files = run.manifest(Stage.EVALUATE)["files"]
    assert {"report.html", "report.md", "eval_results.csv", "results.json", "answers.jsonl"} <= set(files)
    assert any(name.startswith("plots/") for name in files)
    figures = run.figures(Stage.EVALUATE)
    assert list(figures["models"]) == NAMES and (figures["rows"], figures["quotes"]) == (4, 3)
    for figure in figures["models"]["tuned"].values():
        assert figure["low"] <= figure["value"] <= figure["high"]
    for change in figures["changes"]:
        assert "verdict" in change["differences"]["perplexity"]
    results = json.loads((run.of(Stage.EVALUATE) / "results.json").read_text())
    assert results["models"][2]["figures"]["perplexity"] == figures["models"]["quantized"]["perplexity"]
    assert "Perplexity" in told and "report.html" in told


def test_every_model_reads_the_same_references(evaluated: tuple[Run, str]) -> None:
    run, _ = evaluated
    asked, models = read_answers(run.of(Stage.EVALUATE) / "answers.jsonl")
    base, tuned, quantized = models
    assert [model.name for model in models] == NAMES
    assert asked[3].prompt == "Hello there" and asked[3].reference == "Hello! How are you?"
    assert base.reference_tokens == tuned.reference_tokens == quantized.reference_tokens
    assert base.negative_log_likelihoods != tuned.negative_log_likelihoods
    # Eight bits lose so little that anything else between the two, such as another tokenization, would show.
    assert quantized.negative_log_likelihoods == pytest.approx(tuned.negative_log_likelihoods, rel=0.01)
    assert all(answer.tokens <= 8 for model in models for answer in model.answers)


def test_the_served_model_tells_what_it_is_worth(evaluated: tuple[Run, str], quantized: Run) -> None:
    run, _ = evaluated
    before, after = served(quantized), served(run)
    assert {**after, "evaluation": 0} == {**before, "evaluation": 0}
    assert after["evaluation"] == {**before["evaluation"], **run.figures(Stage.EVALUATE)}
    card = (run.model_folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith((quantized.model_folder / "MODEL_CARD.md").read_text(encoding="utf-8").rstrip())
    section = card.partition("## Evaluation\n")[2]
    assert "|  | base | tuned | quantized |" in section and "no difference shown" in section
    assert "A smoke run" in section and str(run.folder) not in card


def test_latency_is_measured_or_said_to_be_missing(evaluated: tuple[Run, str]) -> None:
    run, _ = evaluated
    figures = run.figures(Stage.EVALUATE)
    notes = " ".join(figures["notes"])
    if figures["latency"] is None:
        assert "There is no latency, for the bot could not be asked: " in notes
    else:
        assert figures["latency"]["p95_ms"] >= figures["latency"]["p50_ms"] > 0
        assert "what a person waits for" in notes


def test_a_model_is_asked_as_it_is_served_and_reads_whole_conversations(
    evaluated: tuple[Run, str], quantized: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_pipeline.stages.evaluate.time_bot", no_bot)
    served = quantized.recipe.served.model_copy(update={"history_messages": 1})
    folder = Path(shutil.copytree(quantized.folder, tmp_path / "run"))
    run = Run(folder, quantized.recipe.model_copy(update={"served": served}))
    *quotes, chat = read_rows(run.of(Stage.PREPARE) / "test.jsonl")
    before = [{"role": "user", "content": "My cat is ill"}, {"role": "assistant", "content": "Oh no."}]
    write_rows(run.of(Stage.PREPARE) / "test.jsonl", [*quotes, replace(chat, prompt=[*before, *chat.prompt])])
    evaluate(run, Report(Console(file=io.StringIO())))
    (_, alone), (_, behind) = (read_answers(each.of(Stage.EVALUATE) / "answers.jsonl") for each in (evaluated[0], run))
    for one, other in zip(alone, behind, strict=True):
        assert one.answers == other.answers
        assert one.negative_log_likelihoods[3] != other.negative_log_likelihoods[3]
    assert "as quantized is served, with the newest message alone" in " ".join(run.figures(Stage.EVALUATE)["notes"])


def no_bot(*_: object) -> None:
    raise BotUnavailable("its command ended with 1 (No module named bot)")


def test_quotes_on_held_out_keywords_are_read_by_all_models_and_by_those_beside(quantized: Run, tmp_path: Path) -> None:
    rows = [row for row in read_rows(quantized.of(Stage.PREPARE) / "test.jsonl") if row.kind == "quote"]
    held_out = tmp_path / "held-out.txt"
    held_out.write_text("\n".join({row.keyword.upper() for row in rows}), encoding="utf-8")
    shutil.copytree(quantized.of(Stage.MERGE) / "model", tmp_path / "rival")
    recipe = quantized.recipe.model_copy(
        update={
            "data": quantized.recipe.data.model_copy(update={"held_out": str(held_out)}),
            "evaluate": quantized.recipe.evaluate.model_copy(update={"beside": (str(tmp_path / "rival"),)}),
        }
    )
    run, told = Run(Path(shutil.copytree(quantized.folder, tmp_path / "run")), recipe), io.StringIO()
    evaluate(run, Report(Console(file=told, width=200)))
    found = run.figures(Stage.EVALUATE)["held_out_bits"]
    bits, ((name, count),) = found["models"], found["quotes"].items()
    assert count == len(rows) and list(bits) == [*NAMES, "rival"]
    assert bits["rival"][name] == bits["tuned"][name] != bits["base"][name]
    assert bits["quantized"][name]["value"] == pytest.approx(bits["tuned"][name]["value"], rel=0.01)
    assert "Bits a character" in told.getvalue()
    assert "Quotes on keywords that no model was trained on" in (run.model_folder / "MODEL_CARD.md").read_text()


def test_a_held_out_quote_is_read_whatever_its_length_up_to_the_context_of_the_model(
    quantized: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_pipeline.stages.evaluate.time_bot", no_bot)
    (tmp_path / "held-out.txt").write_text("sea\n", encoding="utf-8")
    data = quantized.recipe.data.model_copy(update={"held_out": str(tmp_path / "held-out.txt")})
    folder = Path(shutil.copytree(quantized.folder, tmp_path / "run"))
    run = Run(folder, quantized.recipe.model_copy(update={"data": data}))
    sea, *others = read_rows(run.of(Stage.PREPARE) / "test.jsonl")
    long, endless = (replace(sea, completion=" sea and sky" * times) for times in (80, 400))
    write_rows(run.of(Stage.PREPARE) / "test.jsonl", [sea, *others, long, endless])
    evaluate(run, Report(Console(file=io.StringIO())))
    found = run.figures(Stage.EVALUATE)["held_out_bits"]
    ((name, count),) = found["quotes"].items()
    assert count == 2 and list(found["models"]) == NAMES
    assert found["models"]["quantized"][name]["value"] == pytest.approx(
        found["models"]["tuned"][name]["value"], rel=0.01
    )


def test_two_models_of_one_name_are_refused(quantized: Run, tmp_path: Path) -> None:
    held_out = tmp_path / "held-out.txt"
    rows = read_rows(quantized.of(Stage.PREPARE) / "test.jsonl")
    held_out.write_text("\n".join({row.keyword for row in rows if row.kind == "quote"}), encoding="utf-8")
    recipe = quantized.recipe.model_copy(
        update={
            "data": quantized.recipe.data.model_copy(update={"held_out": str(held_out)}),
            "evaluate": quantized.recipe.evaluate.model_copy(update={"beside": (str(tmp_path / "tuned"),)}),
        }
    )
    run = Run(Path(shutil.copytree(quantized.folder, tmp_path / "run")), recipe)
    with pytest.raises(InputInvalid, match="Two models of the evaluation are called tuned"):
        evaluate(run, Report(Console(file=io.StringIO())))


def test_a_second_run_gives_the_same_answers_and_one_section(
    evaluated: tuple[Run, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_pipeline.stages.evaluate.time_bot", no_bot)
    first, _ = evaluated
    again = Run(Path(shutil.copytree(first.folder, tmp_path / "again")), first.recipe)
    evaluate(again, Report(Console(file=io.StringIO())))
    assert again.figures(Stage.EVALUATE)["latency"] is None
    assert "the bot could not be asked: its command ended with 1" in again.figures(Stage.EVALUATE)["notes"][-1]
    answers = "answers.jsonl"
    assert (again.of(Stage.EVALUATE) / answers).read_bytes() == (first.of(Stage.EVALUATE) / answers).read_bytes()
    assert (again.model_folder / "MODEL_CARD.md").read_text(encoding="utf-8").count("## Evaluation\n") == 1
    told = io.StringIO()
    compare_runs(first, again, Report(Console(file=told, width=300)))
    assert "Both runs have the same settings." in told.getvalue()
    assert "no difference shown" in told.getvalue()


def allocated_too_much(*_: object, **__: object) -> torch.Tensor:
    return torch.empty(2**60)


def written_to_a_full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


SHORT_OF_MEMORY = (
    "The memory was not enough: set a smaller evaluate.batch_size, or end other programs, or do it on a machine with "
    "more of it."
)


@pytest.mark.parametrize(
    ("work", "lack", "told"),
    [
        ("load_base", allocated_too_much, SHORT_OF_MEMORY),
        ("reply_nats", allocated_too_much, SHORT_OF_MEMORY),
        ("write_answers", written_to_a_full_disk, "The disk is full: make room, and run it again."),
    ],
)
def test_what_the_machine_lacks_is_told_in_a_sentence(
    work: str, lack: Callable[..., object], told: str, quantized: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(Path(shutil.copytree(quantized.folder, tmp_path / "run")), quantized.recipe)
    monkeypatch.setattr(stage, "time_bot", no_bot)
    monkeypatch.setattr(stage, work, lack)
    with pytest.raises(TrainingFailed) as failed:
        evaluate(run, Report(Console(file=io.StringIO())))
    assert str(failed.value) == told and not run.is_finished(Stage.EVALUATE)


def test_rows_without_room_for_an_answer_are_refused(quantized: Run, tmp_path: Path) -> None:
    settings = quantized.recipe.evaluate.model_copy(update={"max_new_tokens": 100_000})
    folder = Path(shutil.copytree(quantized.folder, tmp_path / "run"))
    run = Run(folder, quantized.recipe.model_copy(update={"evaluate": settings}))
    rows = len(read_rows(run.of(Stage.PREPARE) / "test.jsonl"))
    with pytest.raises(InputInvalid, match=f"0 of {rows} held-out rows leave room .* smaller evaluate.max_new_tokens"):
        evaluate(run, Report(Console(file=io.StringIO())))


def test_it_needs_what_it_evaluates(tmp_path: Path, quantized: Run) -> None:
    folder = Path(shutil.copytree(quantized.folder, tmp_path / "run"))
    (folder / "quantize" / "manifest.json").unlink()
    with pytest.raises(InputInvalid, match="has not been through quantize"):
        evaluate(Run(folder, quantized.recipe), Report(Console(file=io.StringIO())))
