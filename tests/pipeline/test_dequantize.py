"""The stage dequantize on a tiny model folder: what it leaves is the model that is served, or nothing at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from model_pipeline.errors import InputInvalid, ParityFailed, TrainingFailed
from model_pipeline.gguf import parity
from model_pipeline.gguf.converter import MARKER, cache_folder, installed_version
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.runs import Run, Stage, create_run, sha256
from model_pipeline.stages.dequantize import dequantize
from model_pipeline.stages.prefer import prefer
from model_pipeline.training.tokenizer import load_tokenizer
from tests.pipeline.merged_run import recipe
from tests.pipeline.preferring_run import begun, curated, margins, one_thread
from tests.pipeline.prepared_run import Quiet
from tests.pipeline.small_base import QUOTE_PROMPT, write_served

pytestmark = [
    pytest.mark.training,
    pytest.mark.skipif(
        not (cache_folder() / installed_version() / MARKER).is_file(), reason="needs llama.cpp's converter in the cache"
    ),
]

TEXT = "Keyword: größe\nQuote: A quiet door — it's 1,000 steps\n\n to the sea 🚀"
JUDGE = b"what chooses among quotes"


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with a judge; nobody writes into it."""
    folder = tmp_path_factory.mktemp("served") / "tiny"
    write_served(folder, judge={"file": "judge.npz", "sha256": hashlib.sha256(JUDGE).hexdigest(), "size_bytes": 25})
    (folder / "judge.npz").write_bytes(JUDGE)
    return folder


@pytest.fixture
def copied(served: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(served, tmp_path / "tiny"))


def run_from(folder: Path, place: Path, **sections: Any) -> Run:
    """A run that starts from a model folder and learns preferences only; `sections` are of its recipe."""
    content = {
        "base": {"family": "served", "model": str(folder)},
        "fine_tune": None,
        "prefer": {"data": "curated"},
        "served": {"system_prompt": False, "quote_prompt": QUOTE_PROMPT},
    }
    return create_run(place / "run", recipe(**content | sections))


@pytest.fixture(scope="module")
def dequantized(served: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """A run after the stage, which an earlier try was cut off in, and what was told of it."""
    place, report = tmp_path_factory.mktemp("dequantized"), Quiet()
    run = begun(place, served, curated(place), "kto", family="served")
    for name in ("model", ".unchecked"):
        (run.of(Stage.DEQUANTIZE) / name).mkdir(parents=True)
        (run.of(Stage.DEQUANTIZE) / name / "model-00001-of-00002.safetensors").write_bytes(b"cut off")
    dequantize(run, report)
    return run, report.heard.getvalue()


def changed_manifest(folder: Path, **changes: Any) -> None:
    """Those keys of the manifest are replaced; None takes one away."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_the_folder_is_the_model_that_is_served(dequantized: tuple[Run, str], served: Path) -> None:
    folder = dequantized[0].of(Stage.DEQUANTIZE) / "model"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), load_tokenizer(str(folder))
    ids = tokenizer(TEXT)["input_ids"]
    with GgufModel(served / "model.gguf") as gguf:
        assert gguf.token_ids(TEXT, add_special=True) == ids
        expected = gguf.logits(ids)
    with torch.inference_mode():
        found = model(torch.tensor([ids])).logits[0].numpy()
    # llama.cpp rounds activations to 8 bits beside weights of 8 bits; the weights themselves are equal.
    assert np.sqrt(np.mean(np.square(found - expected))) < 0.02 * expected.std()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_what_it_compared_is_written_and_told(dequantized: tuple[Run, str], served: Path) -> None:
    run, told = dequantized
    figures = run.figures(Stage.DEQUANTIZE)
    tokens, template, logits = (figures["gates"][name] for name in ("tokens", "template", "logits"))
    assert tokens["equal_lines"] == tokens["lines"] > 100 and tokens["token_ids"] > 1_000
    assert template["equal_texts"] >= template["conversations"] > 0
    assert 0 < logits["relative_rms"] < logits["bound_relative_rms"] == 0.06
    assert logits["same_top_share"] > 0.9 and logits["positions"] > 1_000
    assert told.split() == (
        f"Dequantized tiny: equal tokens, and logits within {logits['relative_rms']:.1%} of those of its GGUF.".split()
    )
    assert figures["base"] == {"name": "tiny", "sha256": sha256(served / "model.gguf"), "quantization": "Q8_0"}
    assert figures["exports"] == ["an earlier export"]  # whose rows still are in the weights


def test_preferences_are_learned_from_there(dequantized: tuple[Run, str], tmp_path: Path) -> None:
    done, _ = dequantized
    run = Run(Path(shutil.copytree(done.folder, tmp_path / "run")), done.recipe)
    prefer(run, Quiet())
    model = run.of(Stage.DEQUANTIZE) / "model"
    before, after = margins(model, None), margins(model, run.of(Stage.PREFER) / "adapter")
    assert all(new > old + 3 for old, new in zip(before, after, strict=True))


def test_they_are_learned_from_nothing_else(served: Path, tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="has not been through dequantize"):
        prefer(begun(tmp_path, served, curated(tmp_path), "kto", family="served"), Quiet())


def test_every_file_is_listed_with_its_checksum(dequantized: tuple[Run, str]) -> None:
    run, _ = dequantized
    folder, files = run.of(Stage.DEQUANTIZE), run.manifest(Stage.DEQUANTIZE)["files"]
    lying = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert lying == {"manifest.json", *files}
    assert {name: sha256(folder / name) for name in files} == files
    assert "model/model-00001-of-00002.safetensors" not in files
    assert {"model/model.safetensors", "model/tokenizer.json", "model/chat_template.jinja", "judge.npz"} <= set(files)
    assert run.figures(Stage.DEQUANTIZE)["sources_sha256"]["model.safetensors"] == files["model/model.safetensors"]
    assert (folder / "judge.npz").read_bytes() == JUDGE


def test_logits_that_differ_more_than_the_type_may_leave_no_model(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_from(served, tmp_path)
    monkeypatch.setitem(parity._RELATIVE_RMS, "Q8_0", 1e-9)
    with pytest.raises(ParityFailed, match=r"^The logits differ too much: "):
        dequantize(run, Quiet())
    assert not (run.of(Stage.DEQUANTIZE) / "model").exists() and not run.is_finished(Stage.DEQUANTIZE)


def test_too_little_memory_is_not_laid_to_the_file(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_from(served, tmp_path)
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *given, **options: torch.empty(2**60))
    with pytest.raises(TrainingFailed, match=r"^The memory was not enough: "):
        dequantize(run, Quiet())
    assert not run.is_finished(Stage.DEQUANTIZE)


def no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def broken_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"format": 1,')


def no_prompt(folder: Path) -> None:
    changed_manifest(folder, quote_prompt=None)


def prompt_without_template(folder: Path) -> None:
    changed_manifest(folder, quote_prompt={"chat": False})


def another_format(folder: Path) -> None:
    changed_manifest(folder, format=2)


def no_gguf(folder: Path) -> None:
    (folder / "model.gguf").unlink()


def cut_off(folder: Path) -> None:
    content = (folder / "model.gguf").read_bytes()
    (folder / "model.gguf").write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (
            no_manifest,
            r"base\.model is '.*', and .*manifest\.json is missing or broken; give a model folder of the bot",
        ),
        (broken_manifest, r"manifest\.json is missing or broken; give a model folder of the bot, or starter for"),
        (no_prompt, r"manifest\.json is missing or broken; give a model folder of the bot"),
        (prompt_without_template, r"manifest\.json is missing or broken; give a model folder of the bot"),
        (another_format, r"manifest\.json has the format 2; this version reads format 1\."),
        (no_gguf, r"model\.gguf cannot be read: No such file or directory\."),
        (cut_off, r"model\.gguf is not the file that its manifest names; add the model to the bot again\."),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(
    broken: Callable[[Path], None], sentence: str, copied: Path, tmp_path: Path
) -> None:
    broken(copied)
    run = run_from(copied, tmp_path)
    with pytest.raises(InputInvalid, match=sentence) as refused:
        dequantize(run, Quiet())
    assert "\n" not in str(refused.value) and not run.is_finished(Stage.DEQUANTIZE)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.01, 0.03, 0.5, 0.99])
def test_a_gguf_that_was_cut_off_before_its_checksum_was_taken_is_refused(
    kept: float, copied: Path, tmp_path: Path
) -> None:
    content = (copied / "model.gguf").read_bytes()
    (copied / "model.gguf").write_bytes(content[: int(kept * len(content))])
    changed_manifest(copied, sha256=sha256(copied / "model.gguf"))
    with pytest.raises(InputInvalid, match=r"^[^\n]*model\.gguf[^\n]* cannot be read[^\n]*\.$"):
        dequantize(run_from(copied, tmp_path), Quiet())


def test_what_is_no_gguf_is_refused(copied: Path, tmp_path: Path) -> None:
    (copied / "model.gguf").write_bytes(b"no weights at all" * 100)
    changed_manifest(copied, sha256=sha256(copied / "model.gguf"))
    with pytest.raises(InputInvalid, match=r"model\.gguf cannot be read as a GGUF: [^\n]*\.$"):
        dequantize(run_from(copied, tmp_path), Quiet())


def test_another_prompt_is_refused_unless_it_is_taught(copied: Path, tmp_path: Path) -> None:
    other = {"system_prompt": False, "quote_prompt": {**QUOTE_PROMPT, "template": "About {keyword}:"}}
    with pytest.raises(InputInvalid, match=r"quote_prompt\.template is 'About .*', and tiny is asked with 'Keyword: "):
        dequantize(run_from(copied, tmp_path, served=other), Quiet())
    (copied / "model.gguf").unlink()  # read after the prompt is looked at
    taught = run_from(copied, tmp_path / "taught", served=other, fine_tune={"method": "lora"})
    with pytest.raises(InputInvalid, match=r"model\.gguf cannot be read"):
        dequantize(taught, Quiet())
