from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import make_model
from model_pipeline.gguf.build_model_folder import app
from model_pipeline.gguf.converter import WANTED, installed_version

DESCRIPTION = """
name = "mine"
base = "none"
license = "MIT"
system_prompt = true
quote_prompt = {template = "{keyword}", chat = false}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a description, and a cache with a converter that is never reached."""
    (tmp_path / "about.toml").write_text(DESCRIPTION)
    converter = tmp_path / "cache" / "converter" / installed_version()
    converter.mkdir(parents=True)
    for name in WANTED:
        (converter / name).touch()
    (converter / "complete.json").write_text(json.dumps({"sdist_sha256": "0" * 64}))
    monkeypatch.setenv("QUOTESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--description", "none.toml"], "Error: The description none.toml cannot be read: No such file or directory."),
        (["--name", "My Model"], "Error: The description about.toml cannot be used: name: "),
        (["--quant", "Q4_KM"], "Error: 'Q4_KM' is no quantization type; did you mean Q4_K_M? Allowed are F32, "),
        (["--lines", "about.toml"], "Error: Line 1 of about.toml is neither a quote with its keyword nor a list"),
        ([], "Error: hf is not a folder; give a Hugging Face model folder."),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(place: Path, options: list[str], told: str) -> None:
    result = CliRunner().invoke(app, ["hf", "--out", "out", "--description", "about.toml", *options])
    assert result.exit_code == 1
    assert result.stderr.startswith(told)
    assert result.stderr.count("\n") == 1
    assert not (place / "out").exists()


def test_an_adapter_is_not_taken_for_a_model(place: Path) -> None:
    (place / "hf").mkdir()
    (place / "hf" / "adapter_config.json").touch()
    result = CliRunner().invoke(app, ["hf", "--out", "out", "--description", "about.toml"])
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: hf holds an adapter; merge it into its base model first.\n",
    )


def test_a_missing_option_is_named(place: Path) -> None:
    result = CliRunner().invoke(app, ["hf", "--out", "out"])
    assert result.exit_code == 2
    assert "--description" in result.stderr


def benchmark_model(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["make_model", "--shape", "tiny", *arguments])
    with pytest.raises(SystemExit) as caught:
        make_model.main()
    return str(caught.value)


def test_a_benchmark_model_needs_the_training_extra(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tokenizers", "torch", "transformers"):
        monkeypatch.setitem(sys.modules, module, None)
    told = benchmark_model(monkeypatch, "--out", "model.gguf")
    assert told == "This needs the training extra, and tokenizers is not installed: pip install '.[train]'."
    assert not list(place.glob("*model*"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--out", "model.gguf", "--quant", "Q9"], "'Q9' is no quantization type"),
        (["--out", "about.toml/model.gguf"], "about.toml/model.gguf cannot be written: "),
    ],
)
def test_a_benchmark_model_that_cannot_be_made(
    place: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    assert benchmark_model(monkeypatch, *arguments).startswith(told)
