"""An adapter as a GGUF: on its base's GGUF it makes the merged model, and a wrong one does not pass its gate."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from model_pipeline.errors import ExportFailed, InputInvalid
from model_pipeline.gguf.adapter_parity import adapter_gate
from model_pipeline.gguf.converter import MARKER, Converter, cache_folder, find_converter, installed_version
from model_pipeline.gguf.export import export_gguf, export_lora
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.parity import Gate, logit_gate
from model_pipeline.gguf.reference import HuggingFaceModel
from tests.pipeline.merged_run import write_adapter, write_base

pytestmark = [
    pytest.mark.training,
    pytest.mark.skipif(
        not (cache_folder() / installed_version() / MARKER).is_file(), reason="needs llama.cpp's converter in the cache"
    ),
]
PROMPTS = ("Keyword: sea\nQuote:", "Who said that a quiet door is still a door?")
BOUND = 0.003


@dataclass(frozen=True, slots=True)
class Files:
    """Folders of transformers and PEFT, and the GGUF files made of them."""

    base: Path
    adapter: Path
    merged: Path
    base_gguf: Path
    adapter_gguf: Path


@pytest.fixture(scope="module", params=["tinyllama", "gpt2"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp(request.param)
    names = (folder / name for name in ("base", "adapter", "merged", "base.gguf", "adapter.gguf"))
    files = Files(*names)
    write_base(files.base, request.param)
    write_adapter(files.base, files.adapter, files.merged)
    (files.adapter / "README.md").write_text(f"---\nbase_model: {files.base}\n---\n", encoding="utf-8")  # as PEFT does
    export_gguf(files.base, files.base_gguf, "f16")
    export_lora(files.adapter, files.base, files.adapter_gguf, find_converter())
    return files


def compare(files: Files, adapter: Path | None) -> Gate:
    with GgufModel(files.base_gguf, lora=adapter) as model:
        return logit_gate(HuggingFaceModel(files.merged), model, PROMPTS, BOUND)


def test_base_and_adapter_together_are_the_merged_model(files: Files) -> None:
    assert compare(files, files.adapter_gguf).passed
    assert compare(files, None).figures["relative_rms"] > 10 * BOUND  # without it, they are not


def test_the_file_tells_nothing_of_this_disk(files: Files) -> None:
    assert str(files.base.parent).encode() not in files.adapter_gguf.read_bytes()


def test_the_gate_passes_the_adapter_and_catches_another(files: Files, tmp_path: Path) -> None:
    # What an adapter changes can be taken away from any model, so the base may stand for the merged one.
    gate = adapter_gate(files.base, files.adapter, files.base_gguf, files.adapter_gguf, PROMPTS, "F16")
    assert (gate.name, gate.failure) == ("adapter", "")
    assert gate.figures["relative_rms"] < BOUND < gate.figures["effect_relative_rms"]
    other = Path(shutil.copytree(files.adapter, tmp_path / "other"))
    tensors = load_file(other / "adapter_model.safetensors")
    save_file({name: tensor.roll(1, dims=0) for name, tensor in tensors.items()}, other / "adapter_model.safetensors")
    gate = adapter_gate(files.base, other, files.base_gguf, files.adapter_gguf, PROMPTS, "F16")
    assert gate.failure.startswith("Of the adapter as a GGUF: The logits differ too much: ")


def test_what_is_no_adapter_of_the_base_is_refused(files: Files, tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match=r"adapter_config\.json is missing; give an adapter as PEFT saves it"):
        export_lora(files.base, files.base, tmp_path / "adapter.gguf", find_converter())
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(InputInvalid, match=r"config\.json does not hold a JSON object\.$"):
        export_lora(files.adapter, tmp_path, tmp_path / "adapter.gguf", find_converter())
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_converter_that_stops_leaves_nothing(files: Files, tmp_path: Path) -> None:
    (tmp_path / "converter").mkdir()
    script = tmp_path / "converter" / "convert_lora_to_gguf.py"
    script.write_text("import sys\nopen(sys.argv[4], 'w').close()\nsys.exit('Model Odd is not supported')\n")
    with pytest.raises(ExportFailed, match=r"Model Odd is not supported\.$"):
        export_lora(
            files.adapter, files.base, tmp_path / "out" / "adapter.gguf", Converter(script.parent, "1.0", "0" * 64)
        )
    assert list((tmp_path / "out").iterdir()) == []
