"""A Llama with random weights, and its loss on packed sequences; knows neither optimizer nor data."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Pretrain
from model_pipeline.training.mask import MASKED

INITIAL_DEVIATION = 0.02


def new_model(settings: Pretrain, vocabulary: int, end: int) -> Any:
    """A `LlamaForCausalLM` in fp32 with tied embeddings, drawn with the recipe's seed. Raises `InputInvalid`."""
    _check_heads(settings)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=settings.hidden_size,
        intermediate_size=settings.feed_forward,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.key_value_heads,
        max_position_embeddings=settings.context_tokens,
        initializer_range=INITIAL_DEVIATION,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=None,  # the row of a pad token is never learned, and this one is the end token's
        tie_word_embeddings=True,
        attn_implementation="sdpa",
    )
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        model = LlamaForCausalLM(config)
        _scale_residuals(model, settings.layers)
    model.generation_config = GenerationConfig(bos_token_id=end, eos_token_id=end, pad_token_id=end)
    return model


def summed_loss(model: Any, inputs: torch.Tensor, targets: torch.Tensor, residual: torch.dtype) -> torch.Tensor:
    """The cross entropy of all targets that are not masked, summed, in nats; both are [sequences, tokens].

    The layers are called one by one, so that no attention mask is made: without one, attention is causal and takes
    the fast kernels. `residual` is the type in which the layers add up; the angles of positions stay in fp32.
    """
    inner = model.model
    hidden = inner.embed_tokens(inputs)
    positions = torch.arange(inputs.shape[1], device=inputs.device).unsqueeze(0)
    angles = inner.rotary_emb(hidden, positions)
    hidden = hidden.to(residual)
    for layer in inner.layers:
        hidden = layer(hidden, attention_mask=None, position_ids=positions, position_embeddings=angles)
    logits = model.lm_head(inner.norm(hidden))
    return cross_entropy(logits.flatten(0, 1).float(), targets.flatten().long(), ignore_index=MASKED, reduction="sum")


def _check_heads(settings: Pretrain) -> None:
    if settings.hidden_size % (2 * settings.heads) or settings.heads % settings.key_value_heads:
        raise InputInvalid(
            f"pretrain.heads is {settings.heads}, which must divide half of pretrain.hidden_size "
            f"({settings.hidden_size // 2}); pretrain.key_value_heads ({settings.key_value_heads}) must divide it."
        )


def _scale_residuals(model: Any, layers: int) -> None:
    """GPT-2's: what is added to the residual in every layer starts smaller, so that the sum does not grow."""
    for layer in model.model.layers:
        for linear in (layer.self_attn.o_proj, layer.mlp.down_proj):
            torch.nn.init.normal_(linear.weight, std=INITIAL_DEVIATION / (2 * layers) ** 0.5)
