"""The whole gate by its command, with the embedded model and one that differs from it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from model_pipeline.gating.candidates import read_candidate
from model_pipeline.gating.reading import Text, read_texts
from model_pipeline.report import Report
from tests.pipeline.gating.worlds import (
    STARTER,
    changed_model,
    curated_folder,
    outcomes,
    result,
    state,
    votes_of,
    written_quotes,
)

PEOPLE, EACH = 30, 5
# Few keywords leave much open, so that the margins are wide here; the defaults are for two hundred.
SETTINGS = {
    "prompts": 12,
    "least_prompts": 10,
    "chats": 0,
    "written": 40,
    "least_written": 30,
    "adherence_margin": 0.5,
    "relevance_margin": 0.8,
    "distinct_margin": 0.5,
    "repeats_margin": 0.5,
    "copies_margin": 0.5,
    "latency_p50_ratio": 20,
    "latency_p95_ratio": 20,
}


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return changed_model(tmp_path_factory.mktemp("models") / "changed", 1.1)


@pytest.fixture(scope="module")
def liked(changed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People who like what the changed model finds likelier than the old one did, three times out of four."""
    folder = tmp_path_factory.mktemp("data")
    texts = [Text(keyword, (), quote) for keyword, quote in written_quotes(PEOPLE * EACH)]
    old, new = (read_texts(read_candidate(m), texts, 512, folder, Report()).nats for m in (STARTER, changed))
    gains = {
        text.reply: (before - after) / len(text.reply)
        for text, before, after in zip(texts, old, new, strict=True)
        if before is not None and after is not None
    }
    middle = sorted(gains.values())[len(gains) // 2]
    rows = votes_of(PEOPLE, EACH, lambda _, quote, drawn: (gains[quote] > middle) == (drawn.random() < 0.75))
    return curated_folder(folder / "liked", {"kto/test": rows})


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all gates, which keeps what the models said."""
    return tmp_path_factory.mktemp("gate")


def gate(new: Path, old: Path, data: Path, out: Path, **settings: object) -> tuple[int, str]:
    """Exit code, and what was said."""
    chosen = [f"--set=gate.{name}={value}" for name, value in (SETTINGS | settings).items()]
    words = [sys.executable, "-m", "model_pipeline.cli", "gate", new, old, "--data", data, "--out", out, *chosen]
    done = subprocess.run([str(word) for word in words], capture_output=True, encoding="utf-8")
    return done.returncode, done.stderr


def random_votes(folder: Path, people: int = PEOPLE, seed: int = 0) -> Path:
    return curated_folder(folder, {"kto/test": votes_of(people, EACH, lambda _, __, drawn: drawn.random() < 0.6, seed)})


def test_a_model_that_people_prefer_is_promoted_and_the_report_says_so(changed: Path, liked: Path, out: Path) -> None:
    code, said = gate(changed, STARTER, liked, out)
    assert code == 0, said
    found = result(out)
    assert found["verdict"] == "promote"
    assert found["new"]["sha256"] == read_candidate(changed).sha256
    assert found["old"]["sha256"] == read_candidate(STARTER).sha256
    assert found["figures"]["preference"]["interval"][0] > 0
    assert found["settings"]["least_prompts"] == 10
    assert {each["outcome"] for each in found["figures"].values()} == {"passed", "reported"}
    html, text = (out / "report.html").read_text(), (out / "report.md").read_text()
    for each in found["figures"].values():
        assert each["title"] in html and each["title"] in text
    assert "data:image/png;base64," in html and "<script" not in html
    assert "Promote: changed against starter." in said


def test_random_votes_refuse_the_same_model(changed: Path, liked: Path, out: Path, tmp_path: Path) -> None:
    code, said = gate(changed, STARTER, random_votes(tmp_path / "data"), out)
    assert code == 3
    assert result(out)["verdict"] == "refuse"
    assert result(out)["reasons"] == [line for line in said.splitlines() if line.startswith("Preference:")]
    assert "not shown to be better" in said


def test_what_was_computed_is_not_computed_again(changed: Path, liked: Path, out: Path) -> None:
    gate(changed, STARTER, liked, out)
    before = {path: path.read_bytes() for path in out.glob("*.jsonl")}
    first = result(out)
    assert len(before) == 4 and all(before.values())
    assert gate(changed, STARTER, liked, out)[0] == 0
    assert {path: path.read_bytes() for path in out.glob("*.jsonl")} == before
    assert result(out) | {"ended": ""} == first | {"ended": ""}


def test_nothing_that_people_wrote_is_kept(changed: Path, liked: Path, out: Path) -> None:
    gate(changed, STARTER, liked, out)
    kept = "".join(path.read_text() for path in out.iterdir() if path.suffix != ".png")
    assert not any(quote in kept for _, quote in written_quotes(PEOPLE * EACH))
    assert "person-1" not in kept


def same_weights(folder: Path) -> Path:
    """Another file, and the same model: a number in it that no one computes with is another."""
    found = changed_model(folder, 1.0, "same")
    content = (found / "model.gguf").read_bytes()
    changed = content.replace(b"tokenizer.ggml", b"tokenizer.ggmk", 0)
    at = changed.index(b"general.name")
    changed = changed[:at] + b"general.nams" + changed[at + 12 :]
    (found / "model.gguf").write_bytes(changed)
    return found


def damaged(folder: Path) -> Path:
    found = changed_model(folder, 1.1, "damaged")
    with (found / "model.gguf").open("ab") as file:
        file.write(b"more")
    return found


def renamed(folder: Path) -> Path:
    found = changed_model(folder, 1.1, "renamed")
    (found / "model.gguf").rename(found / "another.gguf")
    return found


def itself(folder: Path) -> Path:
    shutil.copytree(STARTER, folder)
    state(folder, lineage={"exports": ["export-2026-01-01"]})
    return folder


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (damaged, "damaged's model.gguf is another file than its manifest says"),
        (renamed, "the file model.gguf that renamed's manifest names is not there"),
        (itself, "starter and starter are the same file"),
    ],
)
def test_files_that_are_not_what_they_should_be_are_refused_unread(
    make: Callable[[Path], Path], sentence: str, liked: Path, tmp_path: Path
) -> None:
    code, said = gate(make(tmp_path / "new"), STARTER, liked, tmp_path / "out")
    assert code == 3 and sentence in said
    assert set(result(tmp_path / "out")["figures"]) == {"files", "different", "lineage"}


def test_the_same_weights_in_another_file_are_no_better(liked: Path, out: Path, tmp_path: Path) -> None:
    new = same_weights(tmp_path / "new")
    state(new, sha256=read_candidate(new).sha256)
    code, said = gate(new, STARTER, liked, out)
    assert code == 3
    assert "Preference: 0.0000 (0.0000 to 0.0000), not shown to be better." in said
    assert outcomes(out, "preference", "bits_per_character", "fixed_replies") == ["failed", "passed", "passed"]


def test_too_few_people_end_it_at_once(changed: Path, tmp_path: Path) -> None:
    data, folder = random_votes(tmp_path / "data", people=6), tmp_path / "out"
    code, said = gate(changed, STARTER, data, folder)
    assert code == 4
    assert "Preference: 6 people voted on held-out texts, and at least 20 are needed." in said
    assert result(folder)["verdict"] == "too few"
    assert not list(folder.glob("*.jsonl"))


def test_a_limit_that_is_broken_refuses_what_people_prefer(changed: Path, liked: Path, out: Path) -> None:
    code, said = gate(changed, STARTER, liked, out, memory_mb=1)
    assert code == 3
    assert [name for name, each in result(out)["figures"].items() if each["outcome"] == "failed"] == ["memory_mb"]
    assert "above the limit of 1" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", str(STARTER), "--data", "."], "nowhere holds no model"),
        ([str(STARTER), str(STARTER), "--data", "nowhere"], "nowhere is no curated folder"),
        ([str(STARTER), str(STARTER), "--data", ".", "--set", "gate.prompts=0"], "gate.prompts input should be"),
        ([str(STARTER), str(STARTER), "--data", ".", "--recipe", "none"], "There is no recipe 'none'"),
    ],
)
def test_bad_input_is_one_sentence(arguments: Sequence[str], sentence: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "model_pipeline.cli", "gate", *arguments, "--out", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and sentence in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out" / "gate.json").exists()


def test_a_gate_that_is_not_finished_leaves_no_verdict_behind(changed: Path, liked: Path, out: Path) -> None:
    """An earlier verdict is gone as soon as another gate begins in its folder."""
    gate(changed, STARTER, liked, out)
    assert json.loads((out / "gate.json").read_text())["verdict"] == "promote"
    assert gate(changed, STARTER, liked, out, context_tokens=64, least_pairs=10_000)[0] == 4
    assert result(out)["verdict"] == "too few"
