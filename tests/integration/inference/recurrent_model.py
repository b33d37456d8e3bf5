"""A GGUF of a few hundred kilobytes with random weights, half of whose layers keep a recurrent state (LFM2)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.unit.models.gguf_builder import F32_TENSOR, Value, text, value

WIDTH, HEADS, KV_HEADS, FEED_FORWARD = 64, 4, 2, 128
BYTE, CONTROL, UNKNOWN = 6, 3, 2  # kinds of tokens
TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
METADATA: dict[str, Value] = {
    "general.architecture": "lfm2",
    "lfm2.block_count": 2,
    "lfm2.context_length": 1024,
    "lfm2.embedding_length": WIDTH,
    "lfm2.feed_forward_length": FEED_FORWARD,
    "lfm2.attention.head_count": HEADS,
    "lfm2.attention.head_count_kv": [0, KV_HEADS],  # the layer without any is the recurrent one
    "lfm2.attention.layer_norm_rms_epsilon": 1e-5,
    "lfm2.shortconv.l_cache": 3,
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.scores": [0.0] * len(TOKENS),
    "tokenizer.ggml.token_type": [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256],
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
}


def write(path: Path) -> Path:
    """Write the model; its weights are always the same."""
    tensors = _tensors()
    infos, offset = b"", 0
    for name, array in tensors.items():
        shape = struct.pack(f"<I{array.ndim}Q", array.ndim, *reversed(array.shape))
        infos += text(name) + shape + struct.pack("<IQ", F32_TENSOR, offset)
        offset += array.nbytes  # each a multiple of the alignment
    pairs = b"".join(text(key) + value(item) for key, item in METADATA.items())
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(METADATA)) + pairs + infos
    path.write_bytes(head + bytes(-len(head) % 32) + b"".join(array.tobytes() for array in tensors.values()))
    return path


def _tensors() -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(0)

    def weights(*shape: int) -> NDArray[np.float32]:
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    head, ones = WIDTH // HEADS, np.ones(WIDTH, np.float32)
    tensors = {"token_embd.weight": weights(len(TOKENS), WIDTH), "token_embd_norm.weight": ones}
    for layer in (0, 1):
        tensors |= {
            f"blk.{layer}.attn_norm.weight": ones,
            f"blk.{layer}.ffn_norm.weight": ones,
            f"blk.{layer}.ffn_gate.weight": weights(FEED_FORWARD, WIDTH),
            f"blk.{layer}.ffn_up.weight": weights(FEED_FORWARD, WIDTH),
            f"blk.{layer}.ffn_down.weight": weights(WIDTH, FEED_FORWARD),
        }
    return tensors | {
        "blk.0.shortconv.conv.weight": weights(WIDTH, 3),
        "blk.0.shortconv.in_proj.weight": weights(3 * WIDTH, WIDTH),
        "blk.0.shortconv.out_proj.weight": weights(WIDTH, WIDTH),
        "blk.1.attn_q.weight": weights(WIDTH, WIDTH),
        "blk.1.attn_k.weight": weights(KV_HEADS * head, WIDTH),
        "blk.1.attn_v.weight": weights(KV_HEADS * head, WIDTH),
        "blk.1.attn_output.weight": weights(WIDTH, WIDTH),
        "blk.1.attn_q_norm.weight": np.ones(head, np.float32),
        "blk.1.attn_k_norm.weight": np.ones(head, np.float32),
    }
