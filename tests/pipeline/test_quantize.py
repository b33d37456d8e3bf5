"""A tiny merged model, exported once, on its way through the stage quantize to a folder that the bot takes."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from safetensors.torch import load_file, save_file

from bot.chat.generation import Candidate, Finished, FinishReason
from bot.models.judge import load_judge
from bot.models.manifest import read_manifest
from model_pipeline.errors import InputInvalid, ParityFailed, QuantizationFailed
from model_pipeline.gguf.converter import MARKER, cache_folder, installed_version
from model_pipeline.gguf.model_folder import JUDGE_FILE
from model_pipeline.judging.judge_of_states import ReadersNetwork, save_readers_judge
from model_pipeline.judging.judge_of_words import JudgeNetwork, save_judge
from model_pipeline.judging.learned_filters import learned_filters
from model_pipeline.recipe import Judge, Quantize
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage, sha256
from model_pipeline.stages.export_gguf import export_gguf
from model_pipeline.stages.quantize import _base, quantize
from tests.pipeline.merged_run import EXPORT, merged_run, recipe

pytestmark = [
    pytest.mark.training,
    pytest.mark.skipif(
        not (cache_folder() / installed_version() / MARKER).is_file(), reason="needs llama.cpp's converter in the cache"
    ),
]
ENDED = Finished(FinishReason.END, 5, 5, 9, 0.0, 0.1, 0.2)


def quiet() -> Report:
    return Report(Console(file=io.StringIO()))


def with_types(run: Run, *types: str) -> Run:
    return Run(run.folder, run.recipe.model_copy(update={"quantize": Quantize(types=types)}))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run after export-gguf; nobody writes into it."""
    run = merged_run(tmp_path_factory.mktemp("exported") / "run")
    export_gguf(run, quiet())
    return run


@pytest.fixture
def run(exported: Run, tmp_path: Path) -> Run:
    """A copy to write into."""
    return Run(Path(shutil.copytree(exported.folder, tmp_path / "run")), exported.recipe)


@pytest.fixture(scope="session")
def quantized(exported: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """A run after quantize, and what was told of it."""
    folder = shutil.copytree(exported.folder, tmp_path_factory.mktemp("quantized") / "run")
    run, told = Run(Path(folder), exported.recipe), io.StringIO()
    quantize(run, Report(Console(file=told, width=200)))
    return run, told.getvalue()


def test_the_folder_says_what_the_recipe_does_of_conversations(run: Run) -> None:
    served = run.recipe.served.model_copy(update={"history_messages": 1})
    limited = Run(run.folder, run.recipe.model_copy(update={"served": served, "quantize": Quantize(types=("Q8_0",))}))
    quantize(limited, quiet())
    assert read_manifest(limited.model_folder).history_messages == 1
    assert "asked with the newest message alone" in (limited.model_folder / "MODEL_CARD.md").read_text("utf-8")


def served_manifest(run: Run) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run.model_folder / "manifest.json").read_text(encoding="utf-8"))
    return content


def test_the_adapter_is_exported_and_compared(exported: Run) -> None:
    adapter = exported.figures(Stage.EXPORT_GGUF)["adapter"]
    gate = adapter["gates"]["adapter"]
    assert adapter["file"] in names(exported.of(Stage.EXPORT_GGUF))
    assert gate["relative_rms"] < 0.003 < 0.05 < gate["effect_relative_rms"]


def test_every_type_is_measured(quantized: tuple[Run, str]) -> None:
    run, told = quantized
    figures = run.figures(Stage.QUANTIZE)
    found = {"F16": figures["unquantized"], **figures["types"]}
    assert list(found) == ["F16", "Q4_K_M", "Q8_0"]
    assert found["Q4_K_M"]["size_bytes"] < found["Q8_0"]["size_bytes"] < found["F16"]["size_bytes"]
    assert found["F16"]["perplexity_ratio"] == 1
    for each in found.values():
        assert each["rows"] == 4
        assert each["perplexity"] == pytest.approx(found["F16"]["perplexity"], rel=0.1)
        assert min(each["prompt_tokens_per_second"], each["generation_tokens_per_second"], each["threads"]) > 0
        assert f"{each['perplexity']:.3f}" in told
    assert "F16 (not quantized)" in told and "perplexity (4 rows)" in told


def test_each_file_is_the_type_that_its_name_tells(quantized: tuple[Run, str]) -> None:
    from model_pipeline.gguf.gguf_model import GgufModel

    run, _ = quantized
    for name, number in (("Q4_K_M", "15"), ("Q8_0", "7")):  # llama.cpp's llama_ftype
        with GgufModel(run.of(Stage.QUANTIZE) / f"tiny-quotes-{name}.gguf") as model:
            assert model.metadata["general.file_type"] == number


def test_the_first_type_is_served_with_its_lineage(quantized: tuple[Run, str]) -> None:
    run, _ = quantized
    manifest, parity = served_manifest(run), served_manifest(run)["lineage"]["parity"]
    assert manifest["quantization"] == run.figures(Stage.QUANTIZE)["served"] == "Q4_K_M"
    assert manifest["sha256"] == sha256(run.of(Stage.QUANTIZE) / "tiny-quotes-Q4_K_M.gguf")
    assert manifest["base"] == "small stand-in for tinyllama"
    assert {name: list(gates) for name, gates in parity.items()} == {
        "F16": ["tokens", "template", "logits", "greedy"],
        "Q4_K_M": ["tokens", "template", "logits"],
        "Q8_0": ["tokens", "template", "logits"],
    }
    lineage = manifest["lineage"]
    assert (lineage["recipe"], lineage["smoke"]) == ("tiny-quotes", True)
    assert lineage["exports"] == [EXPORT]
    assert lineage["recipe_sha256"] == sha256(run.folder / "recipe.json")
    assert lineage["splits_sha256"]["test.jsonl"] == sha256(run.of(Stage.PREPARE) / "test.jsonl")
    assert lineage["sources_sha256"]["model.safetensors"] == sha256(run.of(Stage.MERGE) / "model" / "model.safetensors")
    assert lineage["training"] == {"method": "lora", "steps": 3, "train_loss": 2.5}  # no loss that was never measured


def test_the_card_shows_what_was_asked_and_nothing_of_this_disk(quantized: tuple[Run, str]) -> None:
    run, _ = quantized
    card = (run.model_folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "\n1. sea: " in card and "\n2. größe: " in card and "\n- Hello there\n" in card
    for text in (card, json.dumps(served_manifest(run))):
        assert str(run.folder.parent) not in text and run.recipe.base.model not in text


def test_the_bot_takes_the_folder(quantized: tuple[Run, str], tmp_path: Path) -> None:
    run, _ = quantized
    (tmp_path / "config.toml").write_text("")  # so that nothing of the developer's own is touched
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "bot", "model", "add", str(run.model_folder)],
        env={**kept, "HOME": str(tmp_path), "QUOTESMITH_MODEL__FOLDER": str(tmp_path / "models")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert names(tmp_path / "models" / "tiny-quotes") == ["MODEL_CARD.md", "manifest.json", "model.gguf"]


def test_weights_that_are_not_those_of_the_file_stop_it(run: Run) -> None:
    run.model_folder.mkdir()
    (run.model_folder / "manifest.json").write_text("{}")  # of an earlier try
    weights = run.of(Stage.MERGE) / "model" / "model.safetensors"
    tensors = load_file(weights)
    tensors["model.embed_tokens.weight"] = tensors["model.embed_tokens.weight"].roll(1, dims=0)
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ParityFailed, match=r"^The logits differ too much: "):
        quantize(run, quiet())
    assert names(run.model_folder) == []
    assert names(run.of(Stage.QUANTIZE)) == ["unquantized.json"]
    assert not run.is_finished(Stage.QUANTIZE)


def test_a_type_that_needs_an_importance_matrix_is_refused_and_the_others_are_kept(run: Run) -> None:
    with pytest.raises(QuantizationFailed, match=r"^llama\.cpp cannot write .* as IQ2_XXS: .*\.$"):
        quantize(with_types(run, "Q8_0", "IQ2_XXS"), quiet())
    folder = run.of(Stage.QUANTIZE)
    assert names(folder) == ["tiny-quotes-Q8_0.gguf", "tiny-quotes-Q8_0.json", "unquantized.json"]
    assert not run.model_folder.exists()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    quantize(with_types(run, "q8_0", "Q4_0"), quiet())
    assert {path: path.stat().st_mtime_ns for path in before} == before  # what was finished is not made again
    assert served_manifest(run)["quantization"] == "Q8_0"


def test_a_file_without_its_figures_is_made_again(run: Run) -> None:
    folder = run.of(Stage.QUANTIZE)
    folder.mkdir()
    (folder / "tiny-quotes-Q8_0.gguf").write_bytes(b"cut off")
    quantize(with_types(run, "Q8_0"), quiet())
    assert run.figures(Stage.QUANTIZE)["types"]["Q8_0"]["size_bytes"] > 100_000


KNOWN = "A borrowed umbrella is the weather's way home."


def save_of_words(path: Path) -> None:
    save_judge(JudgeNetwork(Judge(buckets=64, width=4, hidden=8)), learned_filters([KNOWN]), path)


def save_of_states(path: Path) -> None:
    network = ReadersNetwork(np.zeros(6, np.float32), np.ones(6, np.float32), Judge(readers_hidden=8))
    save_readers_judge(network, network, learned_filters([KNOWN]), path)


@pytest.mark.parametrize(("save", "said"), [(save_of_words, ""), (save_of_states, "what it knows of copies and of ma")])
def test_without_a_judge_of_its_own_a_run_still_keeps_its_model_from_copies(
    save: Callable[[Path], None], said: str, run: Run
) -> None:
    base = run.of(Stage.DEQUANTIZE) / JUDGE_FILE
    base.parent.mkdir()
    save(base)
    told = io.StringIO()
    quantize(with_types(run, "Q8_0"), Report(Console(file=told, width=300)))
    judge = load_judge(run.model_folder / JUDGE_FILE, 4)
    assert judge.is_copy(KNOWN) and judge.is_copy("The sea keeps no diary.") and not judge.is_copy("The sea keeps one.")
    assert not judge.of_readers and not judge.of_replies
    quotes = [Candidate(text, ENDED) for text in ("The sea is blue.", "No door is a sea, and no sea a door.")]
    expected = load_judge(base, 4).scores("sea", quotes) if save is save_of_words else [0, 0]
    assert judge.scores("sea", quotes) == expected
    assert said in told.getvalue() and served_manifest(run)["judge"]["sha256"] == sha256(run.model_folder / JUDGE_FILE)


def test_a_context_larger_than_the_models_is_refused_before_the_work(run: Run) -> None:
    served = run.recipe.served.model_copy(update={"context_tokens": 1024})
    with pytest.raises(InputInvalid, match=r"^context_tokens is 1024, and the model was made for 512\.$"):
        quantize(Run(run.folder, run.recipe.model_copy(update={"served": served})), quiet())
    assert names(run.of(Stage.QUANTIZE)) == []


def test_export_gguf_comes_first(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="has not been through export-gguf"):
        quantize(Run(tmp_path, recipe()), quiet())


def test_the_base_is_named_without_a_path(tmp_path: Path) -> None:
    def named(**sections: object) -> str:
        return _base(Run(tmp_path, recipe(**sections)))

    (tmp_path / "my-base").mkdir()
    assert named() == "some/base-1B"
    assert named(base={"family": "llama3", "model": str(tmp_path / "my-base")}) == "my-base"
    assert named(base={"family": "gpt2", "model": str(tmp_path / "my-base")}, smoke=True) == "small stand-in for gpt2"
    scratch = {"base": {"family": "starter"}, "pretrain": {"corpora": [{"path": "train-rows"}]}}
    assert named(**scratch) == "trained from scratch"
