"""What a Hugging Face model answers, and how likely it finds the references, in batches; loads nothing, judges nothing.

Every row draws its tokens with a generator of its own, so that its answer depends on the seed and the row, and not on
which rows happened to share its batch. Tokens are drawn as llama.cpp draws them: first top_k, top_p and min_p, then the
temperature.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from model_pipeline.data.tokens import Encoded
from model_pipeline.evaluation.answers import Answer
from model_pipeline.gguf.description import Sampling
from model_pipeline.recipe import Evaluate
from model_pipeline.report import Advance

MOST_LOGITS = 2**27  # of a batch: half a GiB in fp32, whatever the vocabulary


class OwnNoise(LogitsProcessor):  # type: ignore[misc, unused-ignore]
    """Makes greedy decoding draw from the distribution, each row with noise of its own (Gumbel's)."""

    def __init__(self, temperature: float, seeds: Sequence[int], device: torch.device) -> None:
        self._temperature = temperature
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [rows, vocabulary] whose greatest is a draw from softmax(scores / temperature)."""
        drawn = [torch.empty_like(scores[0]).exponential_(generator=one) for one in self._generators]
        # The least positive number for 0: a token that top_p left out must not come back as infinity less infinity.
        noise = torch.stack(drawn).clamp_min(torch.finfo(scores.dtype).tiny).log()
        return scores / self._temperature - noise


def generate_answers(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    settings: Evaluate,
    advance: Advance,
    served: Sampling | None = None,
) -> list[Answer]:
    """An answer to each prompt (token ids, with the token that begins a text), in the given order.

    With `served` they are drawn as the bot draws, but for its penalty on what was said before.
    """
    ends = end_ids(model, tokenizer)
    answers: dict[int, Answer] = {}
    sampling = served or Sampling(temperature=settings.temperature, top_k=0, top_p=settings.top_p, min_p=0.0)
    for places in _batches([len(prompt) for prompt in prompts], settings.batch_size):
        drawing = _drawing(sampling, [row_seed(settings.seed, place) for place in places], model.device)
        drawn = _generate(
            model, [prompts[place] for place in places], drawing, settings.max_new_tokens, ends, tokenizer.pad_token_id
        )
        answers |= {place: _answer(tokenizer, ids, ends) for place, ids in zip(places, drawn, strict=True)}
        advance(len(answers))
    return [answers[place] for place in range(len(prompts))]


def reply_nats(
    model: Any, encoded: Sequence[Encoded], batch_size: int, pad_id: int, advance: Advance
) -> list[tuple[float, int]]:
    """For each row the negative log-likelihood of its reply in nats, summed over its tokens, and their number."""
    counts = [_reply_tokens(row) for row in encoded]
    most_tokens = MOST_LOGITS // int(model.config.vocab_size)
    found: dict[int, tuple[float, int]] = {}
    for places in _batches(counts, batch_size, most_tokens):
        nats = _nats(model, [encoded[place].whole for place in places], [counts[place] for place in places], pad_id)
        found |= {place: (value, counts[place]) for place, value in zip(places, nats, strict=True)}
        advance(len(found))
    return [found[place] for place in range(len(encoded))]


def reply_states(
    model: Any, encoded: Sequence[Encoded], batch_size: int, pad_id: int, advance: Advance
) -> NDArray[np.float32]:
    """What a model knows of each reply, [rows, hidden size + 2].

    The mean of the last hidden states (after the norm) that the reply's tokens and its end are foretold from, the
    reply's negative log-likelihood in nats, and the number of its tokens.
    """
    counts = [_reply_tokens(row) for row in encoded]
    most_tokens = MOST_LOGITS // int(model.config.vocab_size)
    found = np.zeros((len(encoded), int(model.config.hidden_size) + 2), dtype=np.float32)
    done = 0
    for places in _batches([len(row.whole) for row in encoded], batch_size, most_tokens):
        ids, mask = _left_padded([encoded[place].whole for place in places], pad_id, model.device)
        with torch.inference_mode():
            out = model(
                ids,
                attention_mask=mask,
                position_ids=_positions(mask),
                logits_to_keep=max(counts[place] for place in places) + 1,
                use_cache=False,
                output_hidden_states=True,
            )
        for row, place in enumerate(places):
            count = counts[place]
            state = out.hidden_states[-1][row, -count - 1 : -1].float().mean(0)
            nats = cross_entropy(out.logits[row, -count - 1 : -1].float(), ids[row, -count:], reduction="sum")
            found[place] = [*state.tolist(), float(nats), count]
        done += len(places)
        advance(done)
    return found


def end_ids(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end an answer: those of the model's generation config, and the tokenizer's own."""
    configured = model.generation_config.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    return sorted({int(token) for token in [*listed, tokenizer.eos_token_id] if token is not None})


def row_seed(seed: int, row: int) -> int:
    """A seed of 32 bits for one row; neighbouring seeds and rows share nothing."""
    return int(np.random.SeedSequence([seed, row]).generate_state(1)[0])


def _generate(
    model: Any, prompts: list[Sequence[int]], drawing: Any, most_tokens: int, ends: list[int], pad_id: int
) -> list[list[int]]:
    """The token ids behind each prompt: [rows], padded ones behind the end included."""
    ids, mask = _left_padded(prompts, pad_id, model.device)
    # In place of the folder's own: its temperature or penalties would be taken up where ours are silent.
    model.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=most_tokens, eos_token_id=ends, pad_token_id=pad_id
    )
    with torch.inference_mode():
        written = model.generate(ids, attention_mask=mask, logits_processor=drawing)
    return [[int(token) for token in row] for row in written[:, ids.shape[1] :].tolist()]


def _drawing(sampling: Sampling, seeds: Sequence[int], device: torch.device) -> Any:
    if sampling.temperature == 0:
        return LogitsProcessorList()
    cuts = [TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []
    cuts += [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    cuts += [MinPLogitsWarper(sampling.min_p)] if sampling.min_p else []
    return LogitsProcessorList([*cuts, OwnNoise(sampling.temperature, seeds, device)])


def _answer(tokenizer: Any, ids: Sequence[int], ends: Sequence[int]) -> Answer:
    kept = list(takewhile(lambda token: token not in ends, ids))
    text = str(tokenizer.decode(kept, skip_special_tokens=True))
    return Answer(text.strip(), closed=len(kept) < len(ids), tokens=len(kept))


def _nats(model: Any, texts: Sequence[Sequence[int]], counts: Sequence[int], pad_id: int) -> list[float]:
    """Of the last `counts` tokens of each text; logits are made for the longest of the replies alone."""
    ids, mask = _left_padded(texts, pad_id, model.device)
    with torch.inference_mode():
        logits = model(
            ids, attention_mask=mask, position_ids=_positions(mask), logits_to_keep=max(counts) + 1, use_cache=False
        ).logits
        return [
            float(cross_entropy(scores[-count - 1 : -1].float(), row[-count:], reduction="none").double().sum())
            for scores, row, count in zip(logits, ids, counts, strict=True)
        ]


def _positions(mask: torch.Tensor) -> torch.Tensor:
    """Of each token in its text: GPT-2 would count the padding otherwise."""
    return (mask.cumsum(-1) - 1).clamp_min(0)


def _left_padded(
    texts: Sequence[Sequence[int]], pad_id: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, both [rows, longest]."""
    longest = max(map(len, texts))
    ids = [[pad_id] * (longest - len(text)) + list(text) for text in texts]
    mask = [[0] * (longest - len(text)) + [1] * len(text) for text in texts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _batches(lengths: Sequence[int], size: int, most: int = 0) -> Iterator[list[int]]:
    """Places of at most `size` rows of like length, the longest first, which fills the memory at once or never.

    With `most`, as few rows as keep their padded lengths together below it.
    """
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    while order:
        fitting = max(1, most // (lengths[order[0]] + 1)) if most else size
        batch, order = order[: min(size, fitting)], order[min(size, fitting) :]
        yield batch


def _reply_tokens(row: Encoded) -> int:
    """How many tokens are the reply's own; never the first of the text, which cannot be foretold."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(row.prompt, row.whole, strict=False))
    return len(row.whole) - max(1, sum(1 for _ in same))
