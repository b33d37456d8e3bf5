"""What a judge learns from in training is what the worker tells of the same quote in service."""

from __future__ import annotations

from pathlib import Path

import llama_cpp.llama_cpp as llama
import numpy as np
import pytest
from gguf import GGUFReader, dequantize
from transformers import AutoModelForCausalLM

from benchmarks.choice_weights import known_quotes
from bot.composition import STARTER
from bot.inference.batch_engine import BatchEngine, Piece
from bot.inference.gguf_model import GgufModel, initialise
from bot.models.folder import read_folder
from model_pipeline.data.rows import Row
from model_pipeline.data.tokens import encode
from model_pipeline.evaluation.generation import reply_states
from model_pipeline.gguf.converter import MARKER, cache_folder, installed_version
from model_pipeline.training.tokenizer import load_tokenizer
from tests.pipeline.small_base import write_served

pytestmark = pytest.mark.training
QUOTES = [("sea", "The sea keeps no diary."), ("rain", "Rain."), ("old door", "An old door opens as a new one does.")]


@pytest.mark.skipif(
    not (cache_folder() / installed_version() / MARKER).is_file(), reason="needs llama.cpp's converter in the cache"
)
def test_training_and_service_see_the_same_states(tmp_path: Path) -> None:
    folder = write_served(tmp_path / "served")
    trained = tmp_path / "served-made" / "base"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(trained).eval(), load_tokenizer(str(trained), "")
    rows = [Row(f"Keyword: {keyword}\nQuote:", f" {quote}", "1", keyword, "quote") for keyword, quote in QUOTES]
    learned = reply_states(model, encode(rows, tokenizer), 3, tokenizer.pad_token_id, lambda done, how="": None)
    for expected, finished in zip(learned, known_quotes(read_folder(folder), QUOTES), strict=True):
        assert finished.state is not None and finished.nats is not None
        assert np.corrcoef(expected[:-2], finished.state)[0, 1] > 0.99
        assert finished.nats == pytest.approx(float(expected[-2]), rel=0.02)
        assert finished.drawn == expected[-1]


def test_the_states_that_the_judge_reads_are_what_the_logits_are_made_of() -> None:
    initialise()
    model = GgufModel(STARTER / "model.gguf", lambda fraction: None)
    engine = BatchEngine(model, slots=2, context_tokens=512, batch_tokens=64)
    prompt = model.tokenize("Keyword: rain\nQuote:")
    opening = engine.open(prompt, None, len(prompt))
    (row,) = engine.decode([Piece(opening.id, prompt, draws=True)], states=True)
    state, logits = engine.state(row), llama.llama_get_logits_ith(engine.context, row)
    embedding = next(each for each in GGUFReader(STARTER / "model.gguf").tensors if each.name == "token_embd.weight")
    expected = dequantize(embedding.data, embedding.tensor_type) @ state  # the output is tied to it
    found = np.ctypeslib.as_array(logits, shape=(model.vocabulary_size,))
    assert np.corrcoef(found, expected)[0, 1] > 0.999
