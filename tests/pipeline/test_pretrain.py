"""The stage pretrain from prepared rows and plain text to a model folder."""

from __future__ import annotations

import json
import signal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from transformers import AutoModelForCausalLM

from model_pipeline.data.rows import Row
from model_pipeline.errors import InputInvalid, Interrupted, TrainingFailed
from model_pipeline.gguf.converter import MARKER, cache_folder, installed_version
from model_pipeline.gguf.export import export_gguf
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.parity import Probes, check_parity, require
from model_pipeline.gguf.probe_lines import DEFAULT_LINES, read_probes
from model_pipeline.gguf.reference import HuggingFaceModel
from model_pipeline.recipe import Corpus, Pretrain, check_recipe
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage, base_folder, create_run, sha256
from model_pipeline.stages import pretrain as stage
from model_pipeline.stages.prepare import prepare
from model_pipeline.stages.pretrain import pretrain
from model_pipeline.training.pretraining_texts import TOKENIZER, packed_texts
from model_pipeline.training.tokenizer import load_tokenizer
from tests.pipeline.training.small_pretraining import SMALL

QUOTES = [
    {"quote": f"A {thing} in the {place} is calm, and so are we.", "keyword": thing}
    for thing in ("sea", "cup of tea", "lamp", "garden", "quiet morning")
    for place in ("harbour", "old house", "evening light", "far field")
]
LONG_TALKS = [
    {
        "messages": [
            {"role": "user", "content": f"tell me about {thing} and why " * 20},
            {"role": "assistant", "content": f"It is {thing}, wide and calm."},
        ]
    }
    for thing in ("oceans", "mountains", "winter storms", "old letters", "trains at night")
]


class Watched(Report):
    """Keeps what was said, and asks for an end where a line begins so."""

    def __init__(self, stop_at: str = "never") -> None:
        super().__init__(Console(file=StringIO()))
        self.said: list[str] = []
        self._stop_at = stop_at

    def say(self, text: str) -> None:
        self.said.append(text)
        if text.startswith(self._stop_at):
            signal.raise_signal(signal.SIGTERM)


def write_lines(path: Path, rows: list[dict[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def books(folder: Path) -> str:
    folder.mkdir(parents=True)
    for number in range(6):
        lines = [f"The {n} boats of day {number} left the harbour.\n\nThey came home." for n in range(40)]
        (folder / f"{number}.txt").write_text("\n\n".join(lines), encoding="utf-8")
    return str(folder)


def begun_run(folder: Path, corpora: list[dict[str, Any]] | None = None, **changes: Any) -> Run:
    """Prepared and ready to pretrain."""
    inputs = folder.parent / f"{folder.name}-inputs"
    sources = [
        {"form": "quotes", "path": write_lines(inputs / "quotes.jsonl", QUOTES)},
        {"form": "messages", "path": write_lines(inputs / "talks.jsonl", LONG_TALKS)},
    ]
    mixed = [{"path": books(inputs / "books")}, {"path": "train-rows", "weight": 2.0, "starts_at": 0.5}]
    content = {
        "name": "small",
        "about": "For a test.",
        "license": "CC0-1.0",
        "base": {"family": "starter"},
        "data": {"sources": sources, "validation_share": 0.1, "test_share": 0.1, "max_tokens": 64},
        "pretrain": SMALL | {"evaluate_every": 10, "validation_share": 0.1, "corpora": corpora or mixed} | changes,
        "fine_tune": {"method": "full"},
        "served": {
            "system_prompt": False,
            "quote_prompt": {"template": "Keyword: {keyword}\nQuote:", "chat": False},
        },
    }
    run = create_run(folder, check_recipe(content, "the test's recipe"))
    prepare(run, Watched())
    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = begun_run(tmp_path_factory.mktemp("pretrain") / "run")
    pretrain(run, Watched())
    return run


def test_a_model_folder_a_curve_and_figures_are_left(finished: Run) -> None:
    folder = finished.of(Stage.PRETRAIN)
    figures = finished.figures(Stage.PRETRAIN)
    model = AutoModelForCausalLM.from_pretrained(base_folder(finished))
    tokenizer = load_tokenizer(base_folder(finished))
    assert figures["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert model.config.vocab_size == figures["vocabulary"] == len(tokenizer)
    assert (model.generation_config.eos_token_id, model.config.max_position_embeddings) == (0, 64)
    assert figures["steps"] == 40 and figures["tokens"] == 40 * 128 and figures["tokens_per_second"] > 0
    assert figures["validation_loss"] < figures["first_loss"]
    assert 0 < figures["validation_bits_per_character"] < 8
    assert {path.name for path in folder.iterdir()} == {
        "model", "checkpoints", "loss.csv", "loss.png", "manifest.json",
    }  # fmt: skip
    assert "model/model.safetensors" in finished.manifest(Stage.PRETRAIN)["files"]


def test_every_corpus_is_accounted_for(finished: Run) -> None:
    read, rows = finished.figures(Stage.PRETRAIN)["corpora"]
    assert (read["documents"], read["held_out_documents"], read["cut_documents"]) == (6, 1, 0)
    assert rows["name"] == "train-rows" and rows["held_out_documents"] == 2 and 1 <= rows["cut_documents"] <= 5
    assert read["drawn_sequences"] + rows["drawn_sequences"] == 80
    assert read["drawn_sequences"] >= 40 and rows["drawn_sequences"] > 0
    assert read["validation_loss"] > 0 and rows["validation_loss"] > 0


@pytest.mark.training
@pytest.mark.skipif(
    not (cache_folder() / installed_version() / MARKER).is_file(), reason="needs llama.cpp's converter in the cache"
)
def test_the_model_passes_all_gates_as_a_gguf(finished: Run, tmp_path: Path) -> None:
    folder = Path(base_folder(finished))
    exported = export_gguf(folder, tmp_path / "f16.gguf", name="small")
    every = read_probes(DEFAULT_LINES, "Keyword: {keyword}\nQuote:")
    probes = Probes(every.lines[:20], every.conversations[:3], every.prompts[:3])
    with GgufModel(exported.path) as written:
        gates = check_parity(HuggingFaceModel(folder), written, probes, "F16")
        metadata = written.metadata
    require(*gates)
    assert [gate.name for gate in gates] == ["tokens", "template", "logits", "greedy"]
    assert metadata["tokenizer.ggml.pre"] == "gpt-2"
    assert metadata.get("tokenizer.ggml.add_bos_token", "false") == "false"


def test_a_stop_keeps_a_checkpoint_and_the_same_command_ends_at_the_same_weights(finished: Run, tmp_path: Path) -> None:
    run = begun_run(tmp_path / "run")
    with pytest.raises(
        Interrupted, match=r"^Stopped at step 11 of 40\. The last good checkpoint is .*checkpoint-11\.$"
    ):
        pretrain(run, Watched(stop_at="Step 10 "))
    assert not run.is_finished(Stage.PRETRAIN)
    again = Watched()
    pretrain(run, again)
    assert "Going on from step 11 of 40." in again.said
    weights = [sha256(Path(base_folder(each)) / "model.safetensors") for each in (run, finished)]
    assert weights[0] == weights[1]


def test_of_a_conversation_all_replies_are_held_out_or_none(tmp_path: Path) -> None:
    things = ("sea", "tide", "lamp", "garden", "boat", "tea", "road", "hill", "rain", "door", "song", "stone")
    talks = [
        [
            *({"role": "user", "content": f"what of the {thing}?"}, {"role": "assistant", "content": "It waits."}),
            *({"role": "user", "content": "and then?"}, {"role": "assistant", "content": f"The {thing} goes home."}),
        ]
        for thing in things
    ]
    rows = [
        Row(talk[:place], talk[place : place + 1], f"conversation {number}", "", "chat")
        for number, talk in enumerate(talks)
        for place in (1, 3)
    ]
    settings = Pretrain(corpora=(Corpus(path="train-rows"),), **(SMALL | {"validation_share": 0.25}))
    (packed,) = packed_texts(tmp_path / "texts", settings, rows, lambda text: None)
    tokenizer = load_tokenizer(str(tmp_path / "texts" / TOKENIZER))
    train, held_out = (
        {thing for thing in things if thing in tokenizer.decode(stream)} for stream in (packed.train, packed.validation)
    )
    assert len(held_out) == 3 and held_out == {*things} - train


def test_too_little_memory_is_told_with_settings_of_pretraining(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun_run(tmp_path / "run")
    monkeypatch.setattr(stage, "new_model", lambda *given: torch.empty(2**60))
    with pytest.raises(TrainingFailed) as failed:
        pretrain(run, Watched())
    assert str(failed.value) == (
        "The memory was not enough: halve pretrain.micro_batch, or set a smaller pretrain.context_tokens (run --again "
        "pretrain). "
        "There is no checkpoint yet."
    )


def test_corpora_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    empty, one = tmp_path / "empty", tmp_path / "one"
    empty.mkdir()
    one.mkdir()
    (one / "only.txt").write_text("A single text.")
    for number, (path, said) in enumerate(
        {
            str(empty): "has no text; it needs files that are not empty.",
            str(one): "one must have two, for one is held out.",
        }.items()
    ):
        run = begun_run(tmp_path / f"run{number}", corpora=[{"path": path}])
        with pytest.raises(InputInvalid) as caught:
            pretrain(run, Watched())
        assert said in str(caught.value) and "\n" not in str(caught.value)
        assert not (run.of(Stage.PRETRAIN) / "model").exists()


def test_rows_longer_than_the_context_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    run = begun_run(tmp_path / "run")
    recipe = run.recipe.model_copy(update={"data": run.recipe.data.model_copy(update={"max_tokens": 65})})
    with pytest.raises(InputInvalid, match=r"data.max_tokens is 65, and the model is made for 64; .*, or raise pre"):
        prepare(Run(run.folder, recipe), Watched())


def test_a_context_that_is_made_too_short_for_the_rows_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    run = begun_run(tmp_path / "run", context_tokens=128)
    longer = run.recipe.model_copy(update={"data": run.recipe.data.model_copy(update={"max_tokens": 65})})
    assert longer.pretrain
    shorter = longer.model_copy(update={"pretrain": longer.pretrain.model_copy(update={"context_tokens": 64})})
    prepare(Run(run.folder, longer), Watched())
    with pytest.raises(InputInvalid, match=r"^data.max_tokens is 65, and the model is made for 64; "):
        pretrain(Run(run.folder, shorter), Watched())
    assert not run.of(Stage.PRETRAIN).exists()
