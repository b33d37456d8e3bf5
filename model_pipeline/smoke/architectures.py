"""The shapes of the small models, and what their configurations have of the real ones; trains nothing."""

from __future__ import annotations

from typing import Any

from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from model_pipeline.recipe import Family
from model_pipeline.smoke.vocabulary import CONTEXT_TOKENS, GPT2_END, SIZE

HIDDEN, LAYERS, HEADS, KEY_VALUE_HEADS, FEED_FORWARD = 256, 2, 4, 2, 512  # 256 divides the widths, as Q4_K needs


def new_model(family: Family, tokenizer: Any) -> Any:
    """A causal language model with random weights, drawn by torch's own generator; `tokenizer` is the family's."""
    ends = end_ids(family, tokenizer)
    if family is Family.GPT2:
        config = GPT2Config(
            vocab_size=SIZE,
            n_positions=CONTEXT_TOKENS,
            n_ctx=CONTEXT_TOKENS,
            n_embd=HIDDEN,
            n_layer=LAYERS,
            n_head=HEADS,
            bos_token_id=ends[0],
            eos_token_id=ends[0],
        )
        return GPT2LMHeadModel(config)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=SIZE,
            hidden_size=HIDDEN,
            intermediate_size=FEED_FORWARD,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=KEY_VALUE_HEADS,
            max_position_embeddings=CONTEXT_TOKENS,
            rms_norm_eps=1e-5,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=ends if len(ends) > 1 else ends[0],
            tie_word_embeddings=family is Family.LLAMA3,
            rope_parameters=_rope(family),
        )
    )


def _rope(family: Family) -> dict[str, Any]:
    if family is Family.TINYLLAMA:
        return {"rope_type": "default", "rope_theta": 10_000.0}
    return {
        "rope_type": "llama3",
        "rope_theta": 500_000.0,
        "factor": 4.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": CONTEXT_TOKENS // 4,
    }


def end_ids(family: Family, tokenizer: Any) -> list[int]:
    """The ids that end a text."""
    tokens = {
        Family.TINYLLAMA: ["</s>"],
        Family.LLAMA3: ["<|end_of_text|>", "<|eot_id|>"],
        Family.GPT2: [GPT2_END],
    }
    return [int(tokenizer.convert_tokens_to_ids(token)) for token in tokens[family]]


def generation_config(family: Family, tokenizer: Any) -> GenerationConfig:
    """What generation_config.json holds."""
    ends = end_ids(family, tokenizer)
    if family is Family.GPT2:
        return GenerationConfig(bos_token_id=ends[0], eos_token_id=ends[0])
    if family is Family.TINYLLAMA:
        return GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=0, max_length=CONTEXT_TOKENS)
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=ends, do_sample=True, temperature=0.6, top_p=0.9
    )
