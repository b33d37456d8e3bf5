from __future__ import annotations

import ctypes
import os
from pathlib import Path

import llama_cpp
import pytest

from model_pipeline.gguf.quantize import quantization_types

STARTER = Path(__file__).parents[3] / "bot" / "starter"


@pytest.fixture(scope="session")
def unquantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter in F32, as if it had never been quantized: llama.cpp does that when it is asked not to refuse."""
    out = tmp_path_factory.mktemp("starter") / "f32.gguf"
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = quantization_types()["F32"]
    params.allow_requantize = True
    params.nthread = 1
    code = llama_cpp.llama_model_quantize(os.fsencode(STARTER / "model.gguf"), os.fsencode(out), ctypes.byref(params))
    assert code == 0
    return out
