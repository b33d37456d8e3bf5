"""The stage prepare from files to files."""

from __future__ import annotations

import json
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from rich.console import Console

from model_pipeline.data.prepared import read_rows
from model_pipeline.data.rows import Row
from model_pipeline.errors import InputInvalid, TrainingFailed
from model_pipeline.lineage import exports_of, write_exports
from model_pipeline.recipe import Corpus, Recipe, check_recipe, read_recipe
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage, create_run, sha256
from model_pipeline.stages import prepare as stage
from model_pipeline.stages.prepare import prepare
from tests.pipeline.curated_folder import kto_row, write_curated
from tests.pipeline.data.small_tokenizer import NO_SYSTEM, ZEPHYR, write_tokenizer

KEYWORDS = [f"word{number}" for number in range(40)]
QUOTES = [
    {"quote": f"“{keyword} number {n} grows slowly in garden {n * 7}.”", "author": "A", "tags": [keyword, "life"]}
    for keyword in KEYWORDS
    for n in range(3)
]
CHATS = [
    {
        "conversations": [
            {"from": "system", "value": "Be kind."},
            {"from": "human", "value": f"question {n} about bread and butter"},
            {"from": "gpt", "value": f"answer {n}: bread comes first"},
            {"from": "human", "value": f"and then {n}?"},
            {"from": "gpt", "value": f"then butter {n}, and a cup of tea"},
        ]
    }
    for n in range(30)
]


def report() -> tuple[Report, StringIO]:
    out = StringIO()
    return Report(Console(file=out, width=200)), out


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def recipe(sources: list[dict[str, Any]], model: Path | None, **data: Any) -> Recipe:
    base = {"family": "tinyllama", "model": str(model)} if model else {"family": "starter"}
    shares = {"validation_share": 0.2, "test_share": 0.2}
    return check_recipe(
        {
            "name": "garden",
            "about": "For a test.",
            "license": "CC0-1.0",
            "base": base,
            "data": {"sources": sources, **shares, **data},
            "fine_tune": {"method": "lora"},
            "served": {
                "system_prompt": False,
                "quote_prompt": {"template": "Keyword: {keyword}\nQuote:", "chat": False},
            },
        }
        | ({} if model else {"pretrain": {"corpora": [{"path": "train-rows"}]}}),
        "the test's recipe",
    )


@pytest.fixture
def run_of(tmp_path: Path) -> Any:
    numbers = count()

    def make(sources: list[dict[str, Any]], template: str | None = ZEPHYR, **data: Any) -> Run:
        model = write_tokenizer(tmp_path / "base", template) if template is not None else None
        if model:
            (model / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_positions": 1024}))
        return create_run(tmp_path / f"run{next(numbers)}", recipe(sources, model, **data))

    return make


def rows_of(run: Run) -> dict[str, list[Row]]:
    return {name: read_rows(run.of(Stage.PREPARE) / f"{name}.jsonl") for name in ("train", "validation", "test")}


def test_marks_that_are_missing_are_told_before_anything_is_trained(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", read_recipe("starter-continued", ["prefer.data=nothing.jsonl"]))
    with pytest.raises(InputInvalid, match=r"There is no file or folder nothing\.jsonl"):
        prepare(run, report()[0])
    assert not run.is_finished(Stage.PREPARE)


@pytest.mark.parametrize(
    ("section", "settings", "sentence"),
    [
        ("evaluate", {"unseen_keywords": "no.txt"}, "There is no file or folder no.txt, neither here nor among the "),
        ("data", {"held_out": "no.txt"}, "There is no file or folder no.txt, neither here nor among the data "),
        ("data", {"max_tokens": 1025}, "data.max_tokens is 1025, and the model is made for 1024; set it to so "),
        ("prefer", {"max_tokens": 2048}, "prefer.max_tokens is 2048, and the model is made for 1024; set it to so "),
        ("served", {"context_tokens": 2048}, "served.context_tokens is 2048, and the model is made for 1024; set it "),
    ],
)
def test_what_a_later_stage_would_refuse_is_told_before_a_row_is_read(
    section: str, settings: dict[str, Any], sentence: str, run_of: Any, tmp_path: Path
) -> None:
    run = run_of([{"form": "quotes", "path": str(write_lines(tmp_path / "quotes.jsonl", QUOTES))}])
    write_curated(tmp_path, kto=[kto_row(1, "sea", "Waves wait.", True)])
    content = run.recipe.model_dump(mode="json") | {"prefer": {"data": str(tmp_path / "curated")}}
    asked = check_recipe(content | {section: content[section] | settings}, "the test's recipe")
    told, out = report()
    with pytest.raises(InputInvalid) as refused:
        prepare(Run(run.folder, asked), told)
    assert str(refused.value).startswith(sentence) and "Read " not in out.getvalue()


def test_an_unseen_keyword_that_is_trained_on_is_told_before_anything_is_trained(run_of: Any, tmp_path: Path) -> None:
    run = run_of([{"form": "quotes", "path": str(write_lines(tmp_path / "quotes.jsonl", QUOTES))}], group_by="keyword")
    (tmp_path / "unseen.txt").write_text("\n".join(["kite", *(keyword.upper() for keyword in KEYWORDS)]))
    evaluate = run.recipe.evaluate.model_copy(update={"unseen_keywords": str(tmp_path / "unseen.txt")})
    with pytest.raises(InputInvalid, match=r"^The unseen keyword 'WORD\d+' is among the training rows; take it out of"):
        prepare(Run(run.folder, run.recipe.model_copy(update={"evaluate": evaluate})), report()[0])
    assert not run.is_finished(Stage.PREPARE)


def test_a_run_is_found_by_the_exports_that_its_base_learned_from(run_of: Any, tmp_path: Path) -> None:
    run = run_of([{"form": "quotes", "path": str(write_lines(tmp_path / "quotes.jsonl", QUOTES))}])
    write_exports(tmp_path / "base", ["an earlier export"])
    prepare(run, report()[0])
    assert exports_of(run) == ["an earlier export"]
    # `quotesmith data lineage --runs` looks for the names in manifests.
    assert "an earlier export" in (run.of(Stage.PREPARE) / "manifest.json").read_text(encoding="utf-8")


def test_a_corpus_that_is_missing_is_told_before_a_row_is_read(run_of: Any, tmp_path: Path) -> None:
    run = run_of([{"form": "quotes", "path": str(write_lines(tmp_path / "quotes.jsonl", QUOTES))}], template=None)
    for path, sentence in (("corpus.tar.xz", "There is no file or folder corpus.tar.xz"), (__file__, "is no corpus; ")):
        pretrain = run.recipe.pretrain.model_copy(update={"corpora": (Corpus(path="train-rows"), Corpus(path=path))})
        told, out = report()
        with pytest.raises(InputInvalid, match=sentence):
            prepare(Run(run.folder, run.recipe.model_copy(update={"pretrain": pretrain})), told)
        assert "Read " not in out.getvalue()


def test_a_base_whose_judge_is_damaged_is_told_before_anything_is_trained(run_of: Any, tmp_path: Path) -> None:
    run = run_of([{"form": "quotes", "path": str(write_lines(tmp_path / "quotes.jsonl", QUOTES))}])
    run.of(Stage.DEQUANTIZE).mkdir()
    (run.of(Stage.DEQUANTIZE) / "judge.npz").write_bytes(b"cut off")
    with pytest.raises(InputInvalid, match=r"judge\.npz cannot be read, and what the base has learned stands there"):
        prepare(run, report()[0])


def test_too_little_memory_is_told_in_a_sentence(run_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any) -> None:
        raise MemoryError

    run = run_of([{"form": "quotes", "path": str(write_lines(tmp_path / "quotes.jsonl", QUOTES))}])
    monkeypatch.setattr(stage, "remove_duplicates", broken)
    with pytest.raises(TrainingFailed, match=r"^The memory was not enough: end other programs, or do it on a machine "):
        prepare(run, report()[0])
    assert not run.is_finished(Stage.PREPARE)


def test_quotes_become_rows_in_three_splits(run_of: Any, tmp_path: Path) -> None:
    unusable = [{"quote": "“”", "author": "A", "tags": ["x"]}, QUOTES[0], QUOTES[1] | {"quote": "New.", "tags": []}]
    path = write_lines(tmp_path / "quotes.jsonl", [*QUOTES, *unusable])
    run = run_of([{"form": "quotes", "path": str(path)}], group_by="keyword")
    told, out = report()
    prepare(run, told)
    splits, figures = rows_of(run), run.figures(Stage.PREPARE)
    assert figures["rows"] == {name: len(part) for name, part in splits.items()}
    assert sum(figures["rows"].values()) == len(QUOTES) and min(figures["rows"].values()) >= 2
    keywords = [{row.keyword for row in part} for part in splits.values()]
    assert set.union(*keywords) == set(KEYWORDS) and sum(map(len, keywords)) == len(KEYWORDS)
    first = next(row for part in splits.values() for row in part if row.keyword == "word0")
    assert (first.prompt, first.completion) == ("Keyword: word0\nQuote:", " word0 number 0 grows slowly in garden 0.")
    assert figures["dropped"] == {"no quote": 1, "no keyword": 1, "duplicate": 1}
    dropped = [json.loads(line) for line in (run.of(Stage.PREPARE) / "dropped.jsonl").read_text().splitlines()]
    assert {(row["origin"], row["reason"]) for row in dropped} == {
        (f"{path}:121", "no quote"),
        (f"{path}:122", "duplicate"),
        (f"{path}:123", "no keyword"),
    }
    assert next(row["detail"] for row in dropped if row["reason"] == "duplicate") == f"of {path}:1"
    assert "Read 123 rows" in out.getvalue() and "Dropped 1: no quote." in out.getvalue()
    card = (run.of(Stage.PREPARE) / "DATASET_CARD.md").read_text()
    assert "| no keyword | 1 |" in card and first.prompt in card
    assert set(run.manifest(Stage.PREPARE)["files"]) == {
        "DATASET_CARD.md", "dropped.jsonl", "train.jsonl", "validation.jsonl", "test.jsonl",
    }  # fmt: skip


@pytest.mark.parametrize(("template", "roles"), [(ZEPHYR, ["system", "user"]), (NO_SYSTEM, ["user"])])
def test_conversations_of_a_parquet_file_become_rows(
    template: str, roles: list[str], run_of: Any, tmp_path: Path
) -> None:
    Dataset.from_list(CHATS).to_parquet(tmp_path / "chats.parquet")
    run = run_of([{"form": "sharegpt", "path": str(tmp_path / "chats.parquet")}], template)
    prepare(run, report()[0])
    splits = rows_of(run)
    rows = [row for part in splits.values() for row in part]
    assert len(rows) == 2 * len(CHATS)
    assert all(isinstance(row.completion, list) and row.completion[0]["role"] == "assistant" for row in rows)
    short = [row.prompt for row in rows if isinstance(row.prompt, list) and len(row.prompt) == len(roles)]
    assert len(short) == len(CHATS) and all([turn["role"] for turn in prompt] == roles for prompt in short)
    assert all("Be kind." in prompt[0]["content"] for prompt in short)
    groups = [{row.group for row in part} for part in splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == len(CHATS)


def test_long_conversations_lose_their_oldest_turns_and_long_replies_are_counted(run_of: Any, tmp_path: Path) -> None:
    Dataset.from_list(CHATS).to_parquet(tmp_path / "chats.parquet")
    sources = [{"form": "sharegpt", "path": str(tmp_path / "chats.parquet")}]
    whole = run_of(sources, replies="last")
    prepare(whole, report()[0])
    longest = whole.figures(Stage.PREPARE)["tokens"]["max"]
    short = run_of(sources, replies="last", max_tokens=longest - 8)
    prepare(short, report()[0])
    figures = short.figures(Stage.PREPARE)
    assert figures["shortened"] > 0 and figures["tokens"]["max"] <= longest - 8
    assert any(len(row.prompt) == 2 for part in rows_of(short).values() for row in part)


def test_a_model_that_is_still_to_be_trained_has_lengths_in_characters(run_of: Any, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "quotes.jsonl", QUOTES)
    run = run_of([{"form": "quotes", "path": str(path)}], None, max_tokens=16)
    prepare(run, report()[0])
    figures = run.figures(Stage.PREPARE)
    assert figures["tokens"]["estimated"] and sum(figures["rows"].values()) == len(QUOTES)


def test_the_same_seed_gives_the_same_files_and_draws_the_same_rows(run_of: Any, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "quotes.jsonl", QUOTES)
    sources = [{"form": "quotes", "path": str(path)}]
    runs = [run_of(sources, max_rows=60, seed=seed) for seed in (1, 1, 2)]
    for run in runs:
        prepare(run, report()[0])
    one, same, other = (run.manifest(Stage.PREPARE) for run in runs)
    assert one["files"] == same["files"] and one["files"]["train.jsonl"] != other["files"]["train.jsonl"]
    assert sum(one["figures"]["rows"].values()) == 60 and one["figures"]["not_drawn"] == 60


def test_running_again_after_an_interruption_starts_clean(
    run_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "quotes.jsonl", QUOTES)
    run = run_of([{"form": "quotes", "path": str(path)}])

    def interrupt(_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stage, "card_text", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare(run, report()[0])
    assert not run.is_finished(Stage.PREPARE) and (run.of(Stage.PREPARE) / "train.jsonl").is_file()
    (run.of(Stage.PREPARE) / "left.jsonl").touch()
    prepare(run, report()[0])
    files = run.manifest(Stage.PREPARE)["files"]
    assert "left.jsonl" not in files and not (run.of(Stage.PREPARE) / "left.jsonl").exists()
    assert all(sha256(run.of(Stage.PREPARE) / name) == digest for name, digest in files.items())


def test_a_prompt_that_no_row_can_be_learned_from_is_told(run_of: Any, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "quotes.jsonl", [{"quote": "x " * 400, "keyword": f"w{n}"} for n in range(20)])
    run = run_of([{"form": "quotes", "path": str(path)}], max_tokens=16)
    with pytest.raises(InputInvalid, match="No row is left: all 20 were dropped, most for the reason 'longer than"):
        prepare(run, report()[0])
    assert not run.is_finished(Stage.PREPARE)


def test_too_few_groups_are_told(run_of: Any, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "quotes.jsonl", [row | {"tags": ["one"]} for row in QUOTES])
    run = run_of([{"form": "quotes", "path": str(path)}], group_by="keyword")
    with pytest.raises(InputInvalid, match=r"The split \w+ gets no rows of 120 in 1 groups"):
        prepare(run, report()[0])
