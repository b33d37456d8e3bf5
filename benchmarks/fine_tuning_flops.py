"""How much arithmetic fine-tuning adapters needs, and what a card can do; trains nothing.

Of a row of n tokens: 4 times the frozen weights of the layers for each token (forward, and the gradient of what flows
through them; they get none themselves), 6 times the adapters' weights, 4 times the output matrix for each token of the
reply, for the loss is computed on no other, and 6 * n * n * width for causal attention in each layer. What
checkpointing computes again, and what 4-bit weights cost to unpack, does not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmarks.fine_tuning_run import REPLY_SHARE, Shape

DATASHEET_FLOPS = 989e12  # of an H100 SXM in bf16, without sparsity


def flops_per_token(shape: Shape, lengths: Sequence[int], adapters: int) -> float:
    """Model arithmetic for a token of rows of those lengths, on average; the formula is in this module's docstring."""
    head_dim = shape.hidden // shape.heads
    attention = 2 * shape.hidden * shape.hidden + 2 * shape.hidden * shape.key_value_heads * head_dim
    layers = shape.layers * (attention + 3 * shape.hidden * shape.feed_forward)
    output = shape.vocabulary * shape.hidden
    for_each = 4 * layers + 6 * adapters + 4 * output * REPLY_SHARE
    squares = sum(length * length for length in lengths)
    return for_each + 6 * squares * shape.hidden * shape.layers / sum(lengths)


def matmul_flops(size: int = 8_192, times: int = 20) -> float:
    """What this card reaches in a product of two bf16 matrices [size, size] of random numbers, a second."""
    left, right = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        left @ right
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(times):
        left @ right
    end.record()
    end.synchronize()
    return float(2 * size**3 * times / (begin.elapsed_time(end) / 1_000))
