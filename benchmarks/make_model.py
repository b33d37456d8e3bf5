"""A model of a known shape with random weights, for benchmarks: speed does not depend on what the weights are.

    python -m benchmarks.make_model --shape tinyllama-1.1b --quant Q4_K_M --out models/tinyllama-q4km.gguf

Needs the training extra. The model goes through the same converter and quantization as a trained one.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_pipeline.errors import PipelineError
from model_pipeline.gguf.export import export_gguf
from model_pipeline.gguf.probe_lines import DEFAULT_LINES
from model_pipeline.gguf.quantize import UNQUANTIZED, parse_type, quantize

PAIRS = 24  # of each word with others: enough for 32,000 tokens
END, USER, BOT = "<|end|>", "<|user|>", "<|bot|>"
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<|bot|>' if m['role'] == 'assistant' else '<|user|>' }}{{ m['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|bot|>{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama's sizes: widths in numbers, the vocabulary and the context in tokens."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    max_position_embeddings: int


SHAPES = {
    # The config.json of TinyLlama-1.1B-Chat-v1.0.
    "tinyllama-1.1b": Shape(2048, 5632, 22, 32, 4, 32_000, 2048),
    "tiny": Shape(256, 768, 4, 4, 2, 4_096, 512),
}


def main() -> None:
    """Make the model that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--quant", default="Q4_K_M", help="llama.cpp's name of a type (default Q4_K_M)")
    parser.add_argument("--out", type=Path, required=True, help="the GGUF to write")
    parser.add_argument("--seed", type=int, default=0, help="of the weights (default 0)")
    arguments = parser.parse_args()
    try:
        make_model(SHAPES[arguments.shape], arguments.quant, arguments.out, arguments.seed)
    except ModuleNotFoundError as error:
        sys.exit(f"This needs the training extra, and {error.name} is not installed: pip install '.[train]'.")
    except PipelineError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{arguments.out} cannot be written: {error.strerror or error}.")
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes")


def make_model(shape: Shape, quant: str, out: Path, seed: int = 0) -> None:
    """Write the GGUF `out`. Raises PipelineError, and ModuleNotFoundError without the training extra."""
    type_name = parse_type(quant)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".make-model-", dir=out.parent) as work:
        folder = Path(work) / "hf"
        write_tokenizer(folder, shape.vocab_size)
        write_weights(folder, shape, seed)
        unquantized = Path(work) / "unquantized.gguf"
        outtype = type_name if type_name in UNQUANTIZED else "BF16"
        export_gguf(folder, unquantized, outtype.lower(), name=out.stem)
        if type_name in UNQUANTIZED:
            unquantized.replace(out)
        else:
            quantize(unquantized, out, type_name)


def write_weights(folder: Path, shape: Shape, seed: int) -> None:
    """A Llama with weights drawn as for training from scratch, in bfloat16: 2.2 GB for 1.1 billion parameters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        **{name: getattr(shape, name) for name in Shape.__dataclass_fields__},
        bos_token_id=0,
        eos_token_id=0,
        dtype="bfloat16",
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)


def write_tokenizer(folder: Path, vocab_size: int) -> None:
    """A byte-level BPE trained on the project's own lines, with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END, USER, BOT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    folder.mkdir(parents=True)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END)
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)


def texts() -> list[str]:
    """The quotes and dialogues that exports are compared on, then their words in pairs.

    The lines alone fill a small part of a large vocabulary, and tokens left over would be written as no text at all:
    whoever waits for the first visible one would wait for many.
    """
    rows: list[dict[str, Any]] = [json.loads(line) for line in DEFAULT_LINES.read_text(encoding="utf-8").splitlines()]
    said = [message["content"] for row in rows for message in row.get("messages", [])]
    lines = [row["quote"] for row in rows if "quote" in row] + said
    words = sorted({word for line in lines for word in re.findall("[a-z]{3,}", line)})
    return lines + [f" {first}{second}" for first, second in zip(words * PAIRS, shifted(words), strict=True)]


def shifted(words: list[str]) -> list[str]:
    """The words `PAIRS` times, each time one place further on."""
    return [word for times in range(1, PAIRS + 1) for word in words[times:] + words[:times]]


if __name__ == "__main__":
    main()
