"""These tests run where the training extra is installed; elsewhere there is nothing to collect."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore_glob = ["test_*.py"] if find_spec("torch") is None else []


@pytest.fixture(scope="session")
def hf_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with random weights and a tokenizer of its own, as training leaves one."""
    from benchmarks.make_model import SHAPES, write_tokenizer, write_weights

    folder = tmp_path_factory.mktemp("trained") / "hf"
    write_tokenizer(folder, SHAPES["tiny"].vocab_size)
    write_weights(folder, SHAPES["tiny"], seed=3)
    return folder
