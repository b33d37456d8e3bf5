"""Trains small tokenizers and writes the files that the real models' folders have; knows no weights.

What differs between the families is what goes wrong between training and a GGUF: scores that only tokenizer.model
holds, the pattern that splits text, who puts the begin token in front, and whether there is a chat template at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from model_pipeline.gguf.convert_runner import LLAMA3_PATTERN
from model_pipeline.recipe import Family
from model_pipeline.smoke.chat_templates import LLAMA3_TEMPLATE, TINYLLAMA_TEMPLATE

SIZE = 2048  # tokens, special ones counted
CONTEXT_TOKENS = 512

# Of Llama 3's special tokens those that have a use; there are some 250 more.
LLAMA3_TOKENS = (
    "<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|eot_id|>",
)  # fmt: skip
GPT2_END = "<|endoftext|>"


def write_tokenizer(family: Family, folder: Path, lines: Sequence[str]) -> None:
    """Train on `lines` and write the tokenizer's files of that family into `folder`."""
    writers = {Family.TINYLLAMA: _write_tinyllama, Family.LLAMA3: _write_llama3, Family.GPT2: _write_gpt2}
    writers[family](folder, lines)


def _write_tinyllama(folder: Path, lines: Sequence[str]) -> None:
    (folder / "tokenizer.model").write_bytes(_sentencepiece(lines))
    tokenizer = _from_sentencepiece(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": _added_tokens(tokenizer),
        "bos_token": "<s>",
        "chat_template": TINYLLAMA_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": "</s>",
        "legacy": False,
        "model_max_length": CONTEXT_TOKENS,
        "pad_token": "</s>",
        "padding_side": "right",
        "sp_model_kwargs": {},
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
        "use_default_system_prompt": False,
    }
    write_json(folder / "tokenizer_config.json", config)


def _sentencepiece(lines: Sequence[str]) -> bytes:
    """A SentencePiece model with the settings of Llama's."""
    from sentencepiece import SentencePieceTrainer  # late: only this family needs it

    written = BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=written,
        vocab_size=SIZE,
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        unk_surface=" \u2047 ",
        num_threads=1,
        minloglevel=2,
    )
    return written.getvalue()


def _from_sentencepiece(folder: Path) -> Tokenizer:
    """tokenizer.json as Llama's real ones are: the space in front is a normalizer's, before every stretch of text."""
    from transformers import LlamaTokenizer  # late: it reads tokenizer.model, and nothing else here needs it

    tokenizer: Tokenizer = LlamaTokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer
    # The class itself would do that with Metaspace, which adds no space before one that is there.
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = None
    tokenizer.post_processor = _begins_with("<s>", tokenizer)
    return tokenizer


def _write_llama3(folder: Path, lines: Sequence[str]) -> None:
    split = pre_tokenizers.Split(Regex(LLAMA3_PATTERN), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer = _byte_level_bpe(
        models.BPE(ignore_merges=True), pre_tokenizers.Sequence([split, byte_level]), lines, SIZE - len(LLAMA3_TOKENS)
    )
    tokenizer.add_special_tokens(list(LLAMA3_TOKENS))
    begin = LLAMA3_TOKENS[0]
    tokenizer.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=False), _begins_with(begin, tokenizer)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "added_tokens_decoder": _added_tokens(tokenizer),
        "bos_token": begin,
        "chat_template": LLAMA3_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|eot_id|>",
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": CONTEXT_TOKENS,
        "pad_token": "<|finetune_right_pad_id|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    write_json(folder / "tokenizer_config.json", config)


def _write_gpt2(folder: Path, lines: Sequence[str]) -> None:
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trained = _byte_level_bpe(models.BPE(), byte_level, lines, SIZE - 1)
    content = json.loads(trained.to_str())
    content["model"]["vocab"][GPT2_END] = SIZE - 1  # GPT-2's is a word of the vocabulary too, the last one
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens([GPT2_END])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.model.save(str(folder))  # vocab.json and merges.txt
    write_json(folder / "tokenizer_config.json", {"model_max_length": CONTEXT_TOKENS})


def _byte_level_bpe(model: models.BPE, splitter: Any, lines: Sequence[str], size: int) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def _begins_with(token: str, tokenizer: Tokenizer) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(
        single=f"{token} $A",
        pair=f"{token} $A {token}:1 $B:1",
        special_tokens=[(token, tokenizer.token_to_id(token))],
    )


def _added_tokens(tokenizer: Tokenizer) -> dict[str, dict[str, Any]]:
    added = json.loads(tokenizer.to_str())["added_tokens"]
    return {str(token.pop("id")): token for token in added}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Indented, in UTF-8, as the real folders' files are."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
