"""Makes a Hugging Face folder of a GGUF: weights in fp32, tokenizer and chat template; proves nothing.

transformers reads the weights, and undoes what llama.cpp does to the rows of queries and keys. The tokenizer is built
here, for transformers gives every byte-level BPE the pre-tokenizer of Llama 3. Whether the folder is the same model is
for the gates of `parity` to say.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import torch
import transformers
from gguf import GGUFReader, TokenType
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedTokenizerFast

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.convert_runner import GPT2, LLAMA3, LLAMA3_PATTERN
from model_pipeline.library_errors import first_line
from model_pipeline.training.failures import is_of_memory

ARCHITECTURE = "llama"
BYTE_LEVEL = "gpt2"  # llama.cpp's name for the kind of tokenizer
_SCALED_ROPE = "rope_freqs.weight"
# Some name GPT-2's pre-tokenizer otherwise; without a name llama.cpp splits by a pattern of its own.
_PRE_TOKENIZERS = {GPT2: GPT2, "gpt2": GPT2, LLAMA3: LLAMA3, "llama3": LLAMA3}

Fields = Mapping[str, Any]


def dequantize(gguf: Path, folder: Path) -> None:
    """Write `folder` from a GGUF of a Llama with a byte-level BPE. Raises `InputInvalid` for any other."""
    fields = _read(gguf)
    tokenizer = _tokenizer(fields)
    model = _model(gguf)
    begin, end = model.config.bos_token_id, model.config.eos_token_id
    model.generation_config = GenerationConfig(bos_token_id=begin, eos_token_id=end)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def check_dequantizable(gguf: Path) -> None:
    """Raise `InputInvalid` where `dequantize` would, for all but the weights, which are not read."""
    _tokenizer(_read(gguf))


def _model(gguf: Path) -> Any:
    """The weights in fp32, in a model that forgot that they were a GGUF: of one, transformers would save nothing."""
    transformers.utils.logging.disable_progress_bar()
    try:
        with redirect_stderr(io.StringIO()):  # it draws a bar there, whatever it is told
            read: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        if is_of_memory(error):
            raise
        raise InputInvalid(f"The weights of {gguf} cannot be read: {first_line(error)}.") from error
    config = read.config
    del config.quantization_config
    config.pad_token_id = None  # the row of a pad token is never learned, and this one may be the end token's
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(read.state_dict())
    return model


def _read(gguf: Path) -> Fields:
    """The metadata of a Llama. Raises `InputInvalid`."""
    try:
        reader = GGUFReader(gguf)
        fields = {name: field.contents() for name, field in reader.fields.items()}
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise InputInvalid(f"{gguf} cannot be read as a GGUF: {first_line(error)}.") from error
    if (found := fields.get("general.architecture")) != ARCHITECTURE:
        raise InputInvalid(f"{gguf} is of the architecture {found}; a run can start from a served Llama only.")
    if any(tensor.name == _SCALED_ROPE for tensor in reader.tensors):
        raise InputInvalid(
            f"{gguf} stretches its positions ({_SCALED_ROPE}), which cannot be taken back; give another."
        )
    return fields


def _tokenizer(fields: Fields) -> Any:
    """As transformers holds it, with the special tokens and the chat template. Raises `InputInvalid`."""
    kind, pre = fields.get("tokenizer.ggml.model"), fields.get("tokenizer.ggml.pre", "default")
    if kind != BYTE_LEVEL or pre not in _PRE_TOKENIZERS:
        known = ", ".join(_PRE_TOKENIZERS)
        raise InputInvalid(
            f"The GGUF's tokenizer is of the kind {kind} and splits text as {pre} does; a run can start from a "
            f"byte-level BPE ({BYTE_LEVEL}) that splits as one of {known}."
        )
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=_byte_level_bpe(fields, tokens, llama3=_PRE_TOKENIZERS[pre] == LLAMA3),
        model_max_length=int(fields[f"{ARCHITECTURE}.context_length"]),
        clean_up_tokenization_spaces=False,
        **_special(fields, tokens),
    )
    wrapped.chat_template = fields.get("tokenizer.chat_template")
    return wrapped


def _byte_level_bpe(fields: Fields, tokens: list[str], *, llama3: bool) -> Tokenizer:
    merges = [tuple(merge.split(" ", 1)) for merge in fields["tokenizer.ggml.merges"]]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=llama3))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not llama3)
    split = pre_tokenizers.Split(Regex(LLAMA3_PATTERN), "isolated") if llama3 else None
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level]) if split else byte_level
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = _post_processor(fields, tokens)
    kinds = fields["tokenizer.ggml.token_type"]
    for number, kind in enumerate(kinds):
        if kind in (TokenType.CONTROL, TokenType.USER_DEFINED):
            special = kind == TokenType.CONTROL
            tokenizer.add_tokens([AddedToken(tokens[number], special=special, normalized=False)])
    return tokenizer


def _post_processor(fields: Fields, tokens: list[str]) -> Any:
    """Puts the token in front that begins a text, where the GGUF says so."""
    if not fields.get("tokenizer.ggml.add_bos_token"):
        return processors.ByteLevel(trim_offsets=False)
    number = int(fields["tokenizer.ggml.bos_token_id"])
    begin = tokens[number]
    return processors.TemplateProcessing(
        single=[begin, "$A"], pair=[begin, "$A", begin, "$B"], special_tokens=[(begin, number)]
    )


def _special(fields: Fields, tokens: list[str]) -> dict[str, str]:
    numbers = {name: fields.get(f"tokenizer.ggml.{key}_token_id") for name, key in _SPECIAL.items()}
    return {name: tokens[int(number)] for name, number in numbers.items() if number is not None}


_SPECIAL = {"bos_token": "bos", "eos_token": "eos", "pad_token": "padding"}
