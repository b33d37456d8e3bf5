"""Loads base models and adapters, in the precision that a method trains them in; trains nothing.

bitsandbytes on processors with AVX512-BF16 repacks 4-bit weights for good at the first forward pass in eval mode:
from then on gradients lose the frozen path, and merging returns garbage. `keep_4bit_weights` forbids that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig
from transformers.pytorch_utils import Conv1D
from transformers.utils.hub import cached_file

from model_pipeline.errors import InputInvalid
from model_pipeline.library_errors import first_line, transport_error
from model_pipeline.processes import local_rank
from model_pipeline.recipe import Method
from model_pipeline.training.failures import is_of_memory

# Small files: what tells the architecture, and what a tokenizer needs.
CONFIG_FILES = [
    "config.json", "generation_config.json", "tokenizer.*", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "chat_template.*",
]  # fmt: skip


def load_base(
    model: str, revision: str, method: Method, dtype: torch.dtype, attention: str = "sdpa", *, train: bool = False
) -> Any:
    """The causal language model of a Hub id or folder, as `method` holds it. Raises `InputInvalid`.

    Frozen weights are held in `dtype`; those that the method `full` trains (`train`) stay in fp32, for AdamW's steps
    are smaller than 16 bits can add.
    """
    options: dict[str, Any] = {"dtype": torch.float32 if train and method is Method.FULL else dtype}
    if config := quantization_config(method, dtype):
        options["quantization_config"] = config
    if torch.cuda.is_available():
        options["device_map"] = {"": local_rank()}
    elif method in (Method.QLORA, Method.LORA_8BIT):
        options["device_map"] = {"": "cpu"}
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            model, revision=None if Path(model).is_dir() else revision, attn_implementation=attention, **options
        )
    except (OSError, ValueError, ImportError, RuntimeError, HFValidationError) as error:
        if is_of_memory(error):
            raise
        raise InputInvalid(f"The base model {model} cannot be loaded: {first_line(error)}.") from error
    keep_4bit_weights(loaded)
    return loaded


def quantization_config(method: Method, dtype: torch.dtype) -> BitsAndBytesConfig | None:
    """How bitsandbytes holds the frozen weights of a method; None where it does not."""
    if method is Method.QLORA:  # https://arxiv.org/abs/2305.14314: NormalFloat, with its constants quantized again
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    return BitsAndBytesConfig(load_in_8bit=True) if method is Method.LORA_8BIT else None


def keep_4bit_weights(model: Any) -> int:
    """Forbid the repacking of every 4-bit layer, before the first forward pass; returns how many there are."""
    layers = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    for layer in layers:
        layer.support_avx512bf16_for_cpu = False
    return len(layers)


def with_conv1d(model: Any) -> Any:
    """A dequantized model whose layers are of the kinds that its class has, changed in place and returned.

    GPT-2's layers are `Conv1D`, which hold their matrices the other way round; bitsandbytes makes `Linear` of them,
    and a folder saved of those would not fit the class that reads it.
    """
    with torch.device("meta"):
        plain = type(model)(model.config)
    for name, module in plain.named_modules():
        if isinstance(module, Conv1D):
            linear = model.get_submodule(name)
            restored = Conv1D(module.nf, module.nx)
            restored.weight = torch.nn.Parameter(linear.weight.data.T.contiguous(), requires_grad=False)
            restored.bias = torch.nn.Parameter(linear.bias.data, requires_grad=False)
            model.set_submodule(name, restored)
    return model


def parameter_counts(model: Any) -> tuple[int, int]:
    """Trained parameters, and all of them; a 4-bit weight, stored in half a byte, counts as one."""
    trained = total = 0
    for parameter in model.parameters():
        packed = type(parameter).__name__ == "Params4bit"
        count = parameter.numel() * (2 * parameter.element_size() if packed else 1)
        total += count
        trained += count if parameter.requires_grad else 0
    return trained, total


def base_file(model: str, revision: str, name: str) -> Path | None:
    """A file that lies beside a base model's weights, such as tokenizer.model; None if it has none."""
    if Path(model).is_dir():
        found = Path(model) / name
        return found if found.is_file() else None
    cached = cached_file(model, name, revision=revision, _raise_exceptions_for_missing_entries=False)
    return Path(cached) if cached else None


def base_positions(model: str, revision: str) -> int:
    """How many tokens the model of a Hub id or folder is made for; 0 where it does not say. Raises `InputInvalid`."""
    folder = base_config_folder(model, revision)
    try:
        config = AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise InputInvalid(f"The configuration of {model} cannot be loaded: {first_line(error)}.") from error
    return int(getattr(config, "max_position_embeddings", None) or 0)


def base_config_folder(model: str, revision: str) -> Path:
    """A folder with config.json and the tokenizer's files of a Hub id or folder. Raises `InputInvalid`."""
    if Path(model).is_dir():
        folder = Path(model)
    else:
        try:
            folder = Path(snapshot_download(model, revision=revision, allow_patterns=CONFIG_FILES))
        except (OSError, ValueError, transport_error()) as error:
            raise InputInvalid(f"The configuration of {model} cannot be loaded: {first_line(error)}.") from error
    if not (folder / "config.json").is_file():
        raise InputInvalid(f"{model} has no config.json; give a Hugging Face model.")
    return folder
