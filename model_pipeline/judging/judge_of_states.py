"""The judge that learns readers' marks: a small network over what the model knew of a text; trains and writes it.

There is one for quotes, and there may be one for replies. Its input is the mean of the hidden states that the text's
tokens were drawn from. What a model learned of words stands
in them, so that a few thousand marks are enough; the likelihood, which says most, is one of its inputs.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from model_pipeline.judging.judge_of_words import area_under_curve
from model_pipeline.recipe import Judge

FORMAT = 2
REPLY = "reply_"  # before the names of the arrays that are about replies
LISTS = 32  # of quotes on one keyword, that a step learns from
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Read:
    """Some quotes of the model on one keyword: what it knew of each [quotes, state + 2], and which are good [quotes].

    Or some replies to one message. The columns of `known` are the mean hidden state, the nats of the whole text and the
    number of its tokens, both with its end.
    """

    known: Floats
    good: NDArray[np.bool_]


class ReadersNetwork(nn.Module):  # type: ignore[misc, unused-ignore]
    """Log odds that a reader would say yes to a text; `bot.models.judge.JudgeOfStates` has the same in numpy."""

    def __init__(self, mean: Floats, spread: Floats, settings: Judge) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("spread", torch.from_numpy(spread))
        self.first = nn.Linear(len(mean), settings.readers_hidden)
        self.out = nn.Linear(settings.readers_hidden, 1)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, known: torch.Tensor) -> torch.Tensor:
        """Log odds [rows] of what the model knew [rows, state + 2]."""
        hidden = torch.relu(self.first(self.dropout((known - self.mean) / self.spread)))
        return self.out(self.dropout(hidden)).squeeze(-1)


def train_on_marks(
    train: Sequence[Read], held_out: Sequence[Read], settings: Judge, tell: Callable[[str], None]
) -> ReadersNetwork:
    """The network after all epochs; the held-out quotes are only looked at.

    Half of the loss is the marks' cross entropy, half that of pairs of a good and a bad quote on one keyword (R. A.
    Bradley and M. E. Terry, Rank Analysis of Incomplete Block Designs, 1952): between those the bot has to choose.
    """
    torch.manual_seed(settings.seed)
    known = np.concatenate([each.known for each in train])
    model = ReadersNetwork(known.mean(0), known.std(0) + np.float32(1e-6), settings)
    rate = settings.readers_learning_rate
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05)
    steps = settings.epochs * (len(train) // LISTS + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    order = torch.Generator().manual_seed(settings.seed)
    for epoch in range(1, settings.epochs + 1):
        model.train()
        for batch in torch.randperm(len(train), generator=order).split(LISTS):
            loss = _loss(model, [train[int(place)] for place in batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        apart = told_apart(model, held_out)
        tell(f"Judge, epoch {epoch} of {settings.epochs}: tells {apart:.1%} of held-out pairs apart.")
    model.eval()
    return model


def told_apart(model: ReadersNetwork, lists: Sequence[Read]) -> float:
    """The share of pairs of a good and a bad quote on one keyword that are ranked rightly, the mean over keywords."""
    mixed = [each for each in lists if 0 < each.good.sum() < len(each.good)]
    found = [
        area_under_curve(list(scores), list(each.good))
        for each, scores in zip(mixed, log_odds(model, mixed), strict=True)
    ]
    return float(np.mean(found)) if found else 0.5


def good_firsts(model: ReadersNetwork, lists: Sequence[Read]) -> tuple[float, float]:
    """How often the quote that is put first on a keyword is good, and how often one drawn by lot is."""
    scores = log_odds(model, lists)
    firsts = [bool(each.good[int(np.argmax(own))]) for each, own in zip(lists, scores, strict=True)]
    return float(np.mean(firsts)), float(np.mean([each.good.mean() for each in lists]))


def log_odds(model: ReadersNetwork, lists: Sequence[Read]) -> list[Floats]:
    """What the network makes of each quote of each list."""
    model.eval()
    if not lists:
        return []
    with torch.inference_mode():
        scores: Floats = model(torch.from_numpy(np.concatenate([each.known for each in lists]))).numpy()
    return np.split(scores, np.cumsum([len(each.good) for each in lists])[:-1])


def reads_states(path: Path) -> bool:
    """Whether a judge's file is of this kind, whose scores hold for the weights that it was trained with."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return int(file["format"]) == FORMAT
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return False  # the bot says what is wrong with it


def save_readers_judge(
    of_quotes: ReadersNetwork,
    of_replies: ReadersNetwork | None,
    filters: Mapping[str, NDArray[np.generic]],
    path: Path,
) -> None:
    """Write the arrays that the bot reads, the first layers in 16 bits."""
    arrays = {"format": np.int64(FORMAT), **_arrays(of_quotes), **filters}
    if of_replies:
        arrays |= {f"{REPLY}{name}": array for name, array in _arrays(of_replies).items()}
    np.savez_compressed(path, **arrays)


def _arrays(model: ReadersNetwork) -> dict[str, Any]:
    return {
        "mean": model.mean.numpy().astype(np.float32),
        "spread": model.spread.numpy().astype(np.float32),
        "first": model.first.weight.detach().numpy().T.astype(np.float16),
        "first_bias": model.first.bias.detach().numpy().astype(np.float32),
        "out": model.out.weight.detach().numpy()[0].astype(np.float32),
        "out_bias": np.float32(model.out.bias.item()),
    }


def _loss(model: ReadersNetwork, lists: Sequence[Read]) -> torch.Tensor:
    scores = model(torch.from_numpy(np.concatenate([each.known for each in lists])))
    good = torch.from_numpy(np.concatenate([each.good for each in lists]))
    keyword = torch.from_numpy(np.repeat(np.arange(len(lists)), [len(each.good) for each in lists]))
    pairs = (keyword[:, None] == keyword[None]) & good[:, None] & ~good[None]
    loss = binary_cross_entropy_with_logits(scores, good.float())
    if not pairs.any():
        return loss
    return 0.5 * loss + 0.5 * softplus(-(scores[:, None] - scores[None])[pairs]).mean()
