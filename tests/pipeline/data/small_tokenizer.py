"""A byte-level tokenizer in a folder, trained in a moment, with the chat templates of real models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from model_pipeline.training.tokenizer import load_tokenizer

PLAIN = ""  # load_tokenizer gives the plain template
ZEPHYR = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}"
    "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turns') }}{% endif %}" + ZEPHYR
SILENT_ABOUT_SYSTEM = ZEPHYR.replace("{{ '<|'", "{% if message['role'] != 'system' %}{{ '<|'").replace(
    "eos_token + '\n' }}", "eos_token + '\n' }}{% endif %}"
)
THINKS_BEFORE_IT_REPLIES = ZEPHYR.replace("{{ '<|assistant|>\n' }}", "{{ '<|assistant|>\n<think>' }}")
LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<h>' + message['role'] + '</h>\n\n' + message['content'] | trim + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<h>assistant</h>\n\n' }}{% endif %}"
)
_LINES = ["Keyword: courage\nQuote: Courage is a habit.", "user assistant system: hello, how are you today?"]


def write_tokenizer(folder: Path, template: str = ZEPHYR) -> Path:
    """A folder that `load_tokenizer` reads; the tokenizer puts <s> in front of text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=alphabet, special_tokens=["<s>", "</s>"], show_progress=False
    )
    tokenizer.train_from_iterator(_LINES * 4, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    if template:
        config["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def make_tokenizer(folder: Path, template: str = ZEPHYR) -> Any:
    """The tokenizer of a new folder."""
    return load_tokenizer(str(write_tokenizer(folder, template)))
