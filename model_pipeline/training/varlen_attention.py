"""Attention over packed rows with the flash kernel that comes with PyTorch, for transformers; needs no flash-attn.

TRL's collator lays packed rows end to end and says where each begins (`cu_seq_lens_q`). With `sdpa`, transformers
makes a mask of [tokens, tokens] from that, and every pair of tokens is computed; here each row is computed alone.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import flash_attention_mask

NAME = "varlen"  # what `attn_implementation` takes once `register` was called


def register() -> None:
    """Make `NAME` known to transformers."""
    AttentionInterface.register(NAME, varlen_attention)
    AttentionMaskInterface.register(NAME, flash_attention_mask)


def varlen_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    max_length_q: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention for training: of packed rows where `cu_seq_lens_q` says so, else of rows padded on the right.

    `query` is [batch, heads, tokens, head_dim], `key` and `value` have a divisor of its heads; the result is
    [batch, tokens, heads, head_dim]. Padding on the right needs no mask: no real token looks at what comes after it.
    """
    if cu_seq_lens_q is None:
        together = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling, enable_gqa=True)
        return together.transpose(1, 2), None
    query, key, value = (states[0].transpose(0, 1) for states in (query, key, value))  # [tokens, heads, head_dim]
    if not query.is_cuda:
        return _packed_row_by_row(query, key, value, cu_seq_lens_q, scaling)[None], None
    if torch.is_autocast_enabled("cuda"):  # the kernel takes 16 bits only, and autocast does not know it
        query, key, value = (states.to(torch.get_autocast_dtype("cuda")) for states in (query, key, value))
    return _packed_on_gpu(query, key, value, cu_seq_lens_q, int(max_length_q or 0), scaling)[None], None


def _packed_on_gpu(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, begins: torch.Tensor, longest: int, scale: float | None
) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn  # late: PyTorch has it from 2.10 on

    known = inspect.signature(varlen_attn).parameters
    options: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    if "enable_gqa" in known:
        options["enable_gqa"] = True
    else:
        groups = query.shape[1] // key.shape[1]
        key, value = (states.repeat_interleave(groups, dim=1) for states in (key, value))
    result: torch.Tensor = varlen_attn(query, key, value, begins, begins, longest, longest, scale=scale, **options)
    return result


def _packed_row_by_row(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, begins: torch.Tensor, scale: float | None
) -> torch.Tensor:
    """The same with PyTorch's attention for each row: its kernel for packed rows is one for GPUs only."""
    sizes = begins.diff().tolist()
    rows = zip(*(states.transpose(0, 1).split(sizes, dim=1) for states in (query, key, value)), strict=True)
    each = [scaled_dot_product_attention(*row, is_causal=True, scale=scale, enable_gqa=True) for row in rows]
    return torch.cat(each, dim=1).transpose(0, 1)
