"""The benchmarks run to their end on the embedded model and write what they promise; no figure is judged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.output import writable_file
from benchmarks.simulated_people import taste_of
from benchmarks.workload import Answered, percentile, prompt_for, summary
from bot.composition import STARTER
from tests.integration.benchmarks.command import ROOT, run

MODEL = STARTER / "model.gguf"


def test_serving_compares_three_ways_in_one_run(tmp_path: Path) -> None:
    # The stand-in is started by its own first line, with the interpreter that has its library.
    server = tmp_path / "llama-server"
    source = (ROOT / "tests" / "servers" / "llama_server.py").read_text()
    server.write_text(source.replace("#!/usr/bin/env python3", f"#!{sys.executable}", 1))
    server.chmod(0o755)
    out = tmp_path / "figures.json"
    load = ("--users", "3", "--requests", "4", "--tokens", "6", "--neighbour")
    done = run("serving", "--model", str(MODEL), *load, "--llama-server", str(server), "--json", str(out))
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    for way in ("engine", "sequential", "llama_server"):
        row = figures[way]
        assert {"tokens_per_s", "ttft_p50_s", "latency_p50_s", "latency_p95_s"} <= row.keys()
        assert row["tokens_per_s"] > 0 and 0 < row["ttft_p50_s"] <= row["latency_p50_s"] <= row["latency_p95_s"]
        assert way in done.stdout
    assert figures["llama_server"]["tokens"] == 4 * 6


def test_a_conversation_is_measured_turn_by_turn(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    length = ("--turns", "3", "--talks", "2", "--tokens", "4")
    done = run("conversation", "--model", str(MODEL), *length, "--json", str(out))
    assert done.returncode == 0, done.stderr
    turns = json.loads(out.read_text())["turns"]
    assert [turn["turn"] for turn in turns] == [1, 2, 3]
    assert all(turn["decoded_tokens"] < turn["prompt_tokens"] for turn in turns[1:])


def test_choices_of_every_size_are_tried_beside_texts_on_different_keywords() -> None:
    done = run("choice", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    title, head, *rows = done.stdout.splitlines()
    assert "starter" in title and "ratio" in head
    assert [row.split()[0] for row in rows] == ["1", "4", "8", "16"] and "1.0 times one" in rows[0]
    assert "must be 1 or more" in run("choice", "--rounds", "0").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "/nowhere.gguf", "--json", "x"], "there is no file '/nowhere.gguf'"),
        (["--model", str(MODEL), "--users", "0", "--json", "x"], "a whole number of at least 1"),
        (["--model", str(ROOT / "README.md"), "--json", "x"], "README.md"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], said: str) -> None:
    done = run("serving", *arguments)
    assert done.returncode != 0 and said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("quotes", ["--json", "nowhere/q.json"], "'nowhere/q.json' cannot be written: No such file or directory"),
        ("serving", ["--model", str(MODEL), "--json", str(ROOT)], "cannot be written: Is a directory"),
        ("reading", ["write", "--model", str(STARTER), "--out", "/proc/zz"], "cannot be written to /proc/zz: No such"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_anything_is_measured(
    module: str, arguments: list[str], said: str
) -> None:
    done = run(module, *arguments)
    assert done.returncode in (1, 2) and said in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""


def test_looking_at_an_output_leaves_no_file_and_takes_none(tmp_path: Path) -> None:
    here = tmp_path / "here.json"
    here.write_text("{}")
    assert writable_file(str(here)) == here and writable_file(str(tmp_path / "new.json")) == tmp_path / "new.json"
    assert list(tmp_path.iterdir()) == [here] and here.read_text() == "{}"


def test_a_taste_that_is_no_regular_expression_is_told() -> None:
    with pytest.raises(ValueError, match="'\\[' is no regular expression: unterminated character set"):
        taste_of("regex:[")


def test_percentiles_are_nearest_ranks() -> None:
    assert [percentile([1.0, 2.0, 3.0, 4.0], percent) for percent in (1, 50, 75, 95, 100)] == [1, 2, 3, 4, 4]
    figures = summary([Answered(0.1, 1.0, 10), Answered(0.3, 2.0, 20)], wall_s=2.0)
    assert figures["tokens_per_s"] == 15 and figures["latency_p95_s"] == 2.0


def test_prompts_differ_but_for_their_beginning() -> None:
    prompts = {prompt_for(number) for number in range(20)}
    assert len(prompts) == 20 and all(prompt.endswith("Quote:") for prompt in prompts)
