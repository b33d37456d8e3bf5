"""What was published is used as its cards say: by datasets, by transformers and peft, and by the bot."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from model_pipeline.gguf.model_folder import record_judge
from model_pipeline.runs import Stage
from tests.pipeline.publishing.finished_run import BASE, GGUF, NAMES
from tests.pipeline.publishing.publisher import TOKEN, Publisher
from tests.servers.hub import LoopbackHub

BOT = [sys.executable, "-m", "bot"]
WORDS = ["<unk>", "</s>", "Keyword", ":", "courage", "Quote", "Be", "brave", "."]


def run_program(command: list[str], folder: Path, hub: LoopbackHub) -> str:
    """What a program prints on a machine that knows only the loopback hub."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path.cwd()),
        "HOME": str(folder),
        "HF_HOME": str(folder / "hf"),
        "HF_ENDPOINT": hub.endpoint,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "QUOTESMITH_MODEL__FOLDER": "models",
    }
    (folder / "config.toml").touch()
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def code_of(person: Publisher, repository: str, language: str) -> str:
    """The pieces of code in a card, one after the other."""
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", person.files(repository)["README.md"].decode(), re.DOTALL))


def write_small_model(person: Publisher, hub: LoopbackHub) -> None:
    """A base on the hub, an adapter for it and a merged model, in the places that the stages write them to."""
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="</s>", pad_token="</s>")
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), eos_token_id=1, pad_token_id=1, **sizes))
    places = [person.run.of(Stage.FINE_TUNE) / "adapter", person.run.of(Stage.MERGE) / "model"]
    base.save_pretrained(places[1])
    for path in places[1].iterdir():
        hub.add(BASE, path.name, path.read_bytes())
    get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")).save_pretrained(places[0])
    for place in places:
        tokenizer.save_pretrained(place)


def test_datasets_finds_every_split(person: Publisher, hub: LoopbackHub, tmp_path: Path) -> None:
    person.publish()
    program = code_of(person, f"datasets/{NAMES['dataset']}", "python") + (
        "\nimport json\nprint(json.dumps([{name: len(rows[name]) for name in rows}, rows['train'][0]]))"
    )
    counts, row = json.loads(run_program([sys.executable, "-c", program], tmp_path, hub))

    assert counts == {"train": 6, "validation": 2, "test": 3}
    assert row["prompt"] == "Keyword: train 0\nQuote:"


def test_transformers_and_peft_answer(person: Publisher, hub: LoopbackHub, tmp_path: Path) -> None:
    write_small_model(person, hub)
    person.publish()
    programs = (code_of(person, NAMES[kind], "python") for kind in ("adapter", "merged"))
    shown = run_program([sys.executable, "-c", "\n".join(programs)], tmp_path, hub)

    assert [line[:19] for line in shown.splitlines()] == ["{'generated_text': "] * 2


def test_the_bot_serves_what_was_published(person: Publisher, hub: LoopbackHub, tmp_path: Path) -> None:
    person.publish()
    commands = [shlex.split(line) for line in code_of(person, NAMES["gguf"], "").splitlines()]
    (pull,) = (command[1:] for command in commands if command and command[0] == "quotesmith")
    assert pull == ["model", "pull", NAMES["gguf"]]
    assert "The model tiny-quotes is here" in run_program([*BOT, *pull], tmp_path, hub)
    told = json.loads(run_program([*BOT, "model", "show", "tiny-quotes", "--json"], tmp_path, hub))

    served = json.loads(person.content("model/manifest.json"))
    assert {key: told[key] for key in ("quote_prompt", "system_prompt", "quantization", "evaluation")} == {
        "quote_prompt": {"lower_case": False, "bare": False, **served["quote_prompt"]},
        **{key: served[key] for key in ("system_prompt", "quantization", "evaluation")},
    }
    assert told["sampling"]["quote"]["temperature"] == served["sampling"]["quote"]["temperature"]
    assert next(tmp_path.glob("models/tiny-quotes/*.gguf")).read_bytes() == GGUF


def test_the_judge_of_a_model_goes_where_the_model_goes(person: Publisher, hub: LoopbackHub, tmp_path: Path) -> None:
    folder = person.run.model_folder
    (folder / "some.npz").write_bytes(b"what chooses among several quotes")
    record_judge(folder, folder / "some.npz")
    person.publish()
    run_program([*BOT, "model", "pull", NAMES["gguf"]], tmp_path, hub)

    pulled = tmp_path / "models" / "tiny-quotes"
    assert (pulled / "judge.npz").read_bytes() == b"what chooses among several quotes"
    assert json.loads((pulled / "manifest.json").read_text())["judge"]["file"] == "judge.npz"
