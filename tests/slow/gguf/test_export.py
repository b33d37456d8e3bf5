"""A tiny Llama from its Hugging Face folder to a served model folder, and what the gates catch on the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.make_model import SHAPES, make_model
from bot.models.manifest import read_manifest
from model_pipeline.errors import ExportFailed, InputInvalid, ParityFailed
from model_pipeline.gguf.build_model_folder import build
from model_pipeline.gguf.description import Description
from model_pipeline.gguf.export import export_gguf
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.parity import Gate, Probes, check_parity, require
from model_pipeline.gguf.reference import HuggingFaceModel
from model_pipeline.gguf.samples import chat_samples

pytestmark = pytest.mark.training

ABOUT = Description.model_validate(
    {
        "name": "random",
        "base": "none",
        "license": "CC0-1.0",
        "system_prompt": False,
        "quote_prompt": {"template": "Keyword: {keyword}\nQuote:", "chat": False, "lower_case": True},
        "card": {"sample_keywords": ["sea"], "sample_messages": ["hello"]},
    }
)
PROBES = Probes(["A quiet door is still a door."], prompts=["Keyword: sea\nQuote:", "Keyword: courage\nQuote:"])


@pytest.fixture(scope="session")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few rows, for each takes a while in fp32."""
    rows: list[dict[str, Any]] = [
        {"keyword": "door", "quote": "A quiet door is still a door."},
        {"keyword": "größe", "quote": "1,000 steps —  and then\tone more… 🚀"},
        {"messages": [{"role": "user", "content": "hi  there"}, {"role": "assistant", "content": "Hello!\n"}]},
    ]
    path = tmp_path_factory.mktemp("lines") / "lines.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def exported(hf_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_gguf(hf_folder, tmp_path_factory.mktemp("gguf") / "f16.gguf", "f16", name="random").path


@pytest.fixture
def altered(hf_folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder, to damage."""
    return Path(shutil.copytree(hf_folder, tmp_path / "altered"))


def gates(trained: Path, gguf: Path, type_name: str = "F16") -> Sequence[Gate]:
    with GgufModel(gguf) as written:
        return check_parity(HuggingFaceModel(trained), written, PROBES, type_name)


@pytest.mark.parametrize(("quant", "compared"), [("F16", {"F16"}), ("Q4_K_M", {"F16", "Q4_K_M"})])
def test_a_model_folder_is_built_and_served(
    hf_folder: Path, lines: Path, tmp_path: Path, quant: str, compared: set[str]
) -> None:
    manifest, passed = build(hf_folder, tmp_path / "out", ABOUT, quant, lines)
    assert set(passed) == compared
    assert [gate.name for gate in passed["F16"]] == ["tokens", "template", "logits", "greedy"]
    assert all(gate.passed for file in passed.values() for gate in file)
    read = read_manifest(manifest.parent)
    assert (read.name, read.quantization, read.context_tokens) == ("random", quant, 512)
    assert read.quote_prompt.lower_case is True
    assert "| vocabulary | 4096 tokens |" in (manifest.parent / "MODEL_CARD.md").read_text(encoding="utf-8")
    with GgufModel(manifest.parent / read.file) as model:
        assert model.metadata["general.name"] == "random"
        assert model.metadata["general.license"] == "cc0-1.0"


def test_the_folder_itself_is_not_changed(hf_folder: Path, exported: Path) -> None:
    config = json.loads((hf_folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert exported.is_file()
    assert "added_tokens_decoder" not in config
    assert [path.name for path in exported.parent.iterdir()] == ["f16.gguf"]


def test_altered_weights_are_caught(altered: Path, exported: Path) -> None:
    weights = load_file(altered / "model.safetensors")
    name = "model.layers.1.self_attn.q_proj.weight"
    weights[name] = torch.roll(weights[name], 1, dims=0)
    save_file(weights, altered / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ParityFailed, match=r"^The logits differ too much: "):
        require(*gates(altered, exported))


def test_an_altered_tokenizer_is_caught(altered: Path, exported: Path) -> None:
    path = altered / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    del tokenizer["model"]["merges"][20:]
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(ParityFailed, match=r"^The GGUF cuts "):
        require(*gates(altered, exported))


def test_an_altered_template_is_caught(altered: Path, exported: Path) -> None:
    path = altered / "chat_template.jinja"
    path.write_text(path.read_text(encoding="utf-8").replace("<|end|>", "<|end|>\n"), encoding="utf-8")
    with pytest.raises(ParityFailed, match=r"^The GGUF's chat template gives "):
        require(*gates(altered, exported))


def test_a_tokenizer_that_llama_cpp_would_cut_otherwise_is_not_written(altered: Path, tmp_path: Path) -> None:
    path = altered / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["pre_tokenizer"]["use_regex"] = False
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(ExportFailed, match=r"and its pre-tokenizer does not split text as GPT-2's does\.$"):
        export_gguf(altered, tmp_path / "out" / "f16.gguf")
    assert not list((tmp_path / "out").iterdir())


def test_a_context_larger_than_the_models_is_refused(hf_folder: Path, lines: Path, tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match=r"^context_tokens is 1024, and the model was made for 512\.$"):
        build(hf_folder, tmp_path / "out", ABOUT.model_copy(update={"context_tokens": 1024}), "F16", lines)
    assert not (tmp_path / "out").exists()


def test_a_benchmark_model_writes_text(tmp_path: Path) -> None:
    make_model(SHAPES["tiny"], "q4_k_m", tmp_path / "models" / "tiny.gguf", seed=1)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny.gguf"]
    (reply,) = chat_samples(tmp_path / "models" / "tiny.gguf", ["hello"], ABOUT.sampling.chat)
    assert reply.text
