"""The judge as a network: hashed pieces, two convolutions, two dense layers; trains it and writes what the bot reads.

The architecture follows Y. Kim, Convolutional Neural Networks for Sentence Classification (2014), small enough to be
computed in numpy while a person waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, relu

from model_pipeline.judging.pieces import buckets_of
from model_pipeline.recipe import Judge

FORMAT = 1
MOST_PIECES = 64
BATCH = 256


@dataclass(frozen=True, slots=True)
class Judged:
    """A quote on a keyword, and whether a person wrote it on that keyword."""

    keyword: str
    quote: str
    written: bool


class JudgeNetwork(nn.Module):  # type: ignore[misc, unused-ignore]
    """Log odds that a quote was written on its keyword; see `bot.models.judge.JudgeOfWords` for the same in numpy."""

    def __init__(self, settings: Judge) -> None:
        super().__init__()
        width, hidden = settings.width, settings.hidden
        self.embedding = nn.Embedding(settings.buckets + 1, width, padding_idx=settings.buckets)
        self.first = nn.Linear(3 * (2 * width + 1), hidden)
        self.second = nn.Linear(3 * hidden, hidden)
        self.dense = nn.Linear(2 * hidden, hidden)
        self.out = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, keywords: torch.Tensor, quotes: torch.Tensor) -> torch.Tensor:
        """Log odds [rows] of buckets [rows, pieces], padded with the number of buckets."""
        padding = self.embedding.padding_idx
        there = (quotes != padding).unsqueeze(-1)
        about = self.embedding(keywords).sum(1) / (keywords != padding).sum(1, keepdim=True).clamp_min(1)
        named = (quotes.unsqueeze(-1) == keywords.unsqueeze(1)).any(-1, keepdim=True) & there
        own = self.embedding(quotes)
        places = torch.cat([own, about.unsqueeze(1).expand_as(own), named.float()], dim=-1) * there
        hidden = self._convolve(self.dropout(places), self.first, there)
        hidden = self._convolve(self.dropout(hidden), self.second, there)
        pooled = torch.cat([hidden.amax(1), hidden.sum(1) / there.sum(1).clamp_min(1)], dim=-1)
        return self.out(relu(self.dense(self.dropout(pooled)))).squeeze(-1)

    @staticmethod
    def _convolve(places: torch.Tensor, layer: Any, there: torch.Tensor) -> torch.Tensor:
        padded = nn.functional.pad(places, (0, 0, 1, 1))
        windows = torch.cat([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], dim=-1)
        return relu(layer(windows)) * there


def train_judge(
    train: Sequence[Judged], held_out: Sequence[Judged], settings: Judge, tell: Callable[[str], None]
) -> JudgeNetwork:
    """The network of the epoch that tells the held-out quotes best."""
    torch.manual_seed(settings.seed)
    model, device = JudgeNetwork(settings), "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=0.05)
    steps = settings.epochs * (len(train) // BATCH + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=steps)
    order, best, best_state = torch.Generator().manual_seed(settings.seed), -1.0, model.state_dict()
    tensors = _tensors(train, settings.buckets)
    for epoch in range(1, settings.epochs + 1):
        model.train()
        for batch in torch.randperm(len(train), generator=order).split(BATCH):
            keywords, quotes, written = (tensor[batch].to(device) for tensor in tensors)
            loss = binary_cross_entropy_with_logits(model(keywords, quotes), written)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        found = area_under_curve(log_odds(model, held_out), [one.written for one in held_out])
        tell(f"Judge, epoch {epoch} of {settings.epochs}: tells {found:.1%} of held-out pairs apart.")
        if found > best:
            best, best_state = found, {name: value.cpu().clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best_state)
    model.cpu().eval()
    return model


def log_odds(model: JudgeNetwork, judged: Sequence[Judged]) -> list[float]:
    """What the network makes of each quote."""
    model.eval()
    device = next(model.parameters()).device
    keywords, quotes, _ = _tensors(judged, model.embedding.padding_idx)
    with torch.inference_mode():
        parts = [
            model(keywords[at : at + BATCH].to(device), quotes[at : at + BATCH].to(device)).cpu()
            for at in range(0, len(judged), BATCH)
        ]
    return [float(value) for value in torch.cat(parts)] if parts else []


def area_under_curve(scores: Sequence[float], written: Sequence[bool]) -> float:
    """The share of pairs of a written and another quote that are ranked rightly (the Mann-Whitney statistic)."""
    from scipy.stats import rankdata

    ranks, are_written = rankdata(scores), np.array(written)
    positives, negatives = int(are_written.sum()), int((~are_written).sum())
    if not positives or not negatives:
        return 0.5
    return float((ranks[are_written].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def save_judge(model: JudgeNetwork, filters: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    """Write the arrays that the bot reads: the embedding in 8 bits, the layers in 16."""
    embedding = model.embedding.weight.detach().numpy()[:-1]
    scale = float(np.abs(embedding).max()) / 127 or 1.0
    layers = {"first": model.first, "second": model.second, "dense": model.dense}
    arrays: dict[str, Any] = {
        "format": np.int64(FORMAT),
        "embedding": np.round(embedding / scale).astype(np.int8),
        "scale": np.float32(scale),
        "out": model.out.weight.detach().numpy()[0].astype(np.float16),
        "out_bias": np.float32(model.out.bias.item()),
        **filters,
    }
    for name, layer in layers.items():
        arrays[name] = layer.weight.detach().numpy().T.astype(np.float16)
        arrays[f"{name}_bias"] = layer.bias.detach().numpy().astype(np.float32)
    np.savez_compressed(path, **arrays)


def save_filters(filters: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    """Write a judge that finds no quote better than another: the bot goes by its filters alone."""
    indifferent = JudgeNetwork(Judge(buckets=16, width=1, hidden=1))
    with torch.no_grad():
        for parameter in indifferent.parameters():
            parameter.zero_()
    save_judge(indifferent, filters, path)


def _tensors(judged: Sequence[Judged], buckets: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    keywords = _padded([buckets_of(one.keyword, buckets) for one in judged], buckets)
    quotes = _padded([buckets_of(one.quote, buckets) for one in judged], buckets)
    return keywords, quotes, torch.tensor([float(one.written) for one in judged])


def _padded(rows: Sequence[Sequence[int]], padding: int) -> torch.Tensor:
    longest = max(1, max((min(len(row), MOST_PIECES) for row in rows), default=1))
    filled = np.full((len(rows), longest), padding, dtype=np.int64)
    for number, row in enumerate(rows):
        kept = row[:longest]
        filled[number, : len(kept)] = kept
    return torch.from_numpy(filled)
