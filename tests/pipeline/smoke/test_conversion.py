"""Small bases on their way to a GGUF: every family passes the gates that its real model must pass."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from model_pipeline.gguf.converter import MARKER, cache_folder, installed_version
from model_pipeline.gguf.export import export_gguf
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.parity import Probes, check_parity, require
from model_pipeline.gguf.probe_lines import DEFAULT_LINES, read_probes
from model_pipeline.gguf.quantize import quantize
from model_pipeline.gguf.reference import HuggingFaceModel
from model_pipeline.recipe import Family
from model_pipeline.smoke.chat_templates import TINYLLAMA_TEMPLATE
from tests.pipeline.smoke.conftest import BaseOf

pytestmark = [
    pytest.mark.training,
    pytest.mark.skipif(
        not (cache_folder() / installed_version() / MARKER).is_file(), reason="needs llama.cpp's converter in the cache"
    ),
]


def probes() -> Probes:
    every = read_probes(DEFAULT_LINES, "Keyword: {keyword}\nQuote:")
    return Probes(every.lines[:20], every.conversations[:3], every.prompts[:3])


@pytest.mark.parametrize(
    ("family", "pre", "rendered", "begins"),
    [
        (Family.TINYLLAMA, "default", True, "true"),
        (Family.LLAMA3, "llama-bpe", True, "true"),
        (Family.GPT2, "gpt-2", False, "false"),
    ],
)
def test_tokens_template_logits_and_text_stay_the_same(
    base_of: BaseOf, tmp_path: Path, family: Family, pre: str, rendered: bool, begins: str
) -> None:
    folder = base_of(family)
    if family is Family.TINYLLAMA:
        _save_tokenizer_of_the_file(folder)
    exported = export_gguf(folder, tmp_path / "f16.gguf", name="small")
    with GgufModel(exported.path) as written:
        gates = check_parity(HuggingFaceModel(folder), written, probes(), "F16")
        metadata = written.metadata
    require(*gates)
    assert [gate.name for gate in gates] == ["tokens", "template", "logits", "greedy"]
    assert bool(gates[1].figures["equal_texts"]) == rendered
    assert (metadata["tokenizer.ggml.pre"], metadata["tokenizer.ggml.add_bos_token"]) == (pre, begins)
    assert ("tokenizer.chat_template" in metadata) == rendered
    assert quantize(exported.path, tmp_path / "q4.gguf", "Q4_K_M").fallback_tensors == 0


def _save_tokenizer_of_the_file(folder: Path) -> None:
    """transformers' class for Llama splits text otherwise than tokenizer.json says, and so than llama.cpp does."""
    kept = shutil.copy(folder / "tokenizer.model", folder.parent)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    assert tokenizer.chat_template == TINYLLAMA_TEMPLATE
    tokenizer.save_pretrained(folder)
    shutil.copy(kept, folder / "tokenizer.model")
