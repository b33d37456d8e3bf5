"""The judge learns readers' marks from what the model knew of a quote, and the bot computes the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.chat.generation import Candidate, Finished, FinishReason
from bot.models.judge import load_judge
from model_pipeline.judging.judge_of_states import (
    Read,
    ReadersNetwork,
    good_firsts,
    log_odds,
    save_readers_judge,
    told_apart,
    train_on_marks,
)
from model_pipeline.judging.learned_filters import learned_filters
from model_pipeline.recipe import Judge

SETTINGS = Judge(readers_hidden=16, epochs=6, dropout=0.0, readers_learning_rate=1e-2)
STATE = 4


def lists(count: int, seed: int) -> list[Read]:
    """Five quotes on a keyword: good is what the third value of the state and few nats speak for together."""
    random, found = np.random.default_rng(seed), []
    for _ in range(count):
        known = random.normal(size=(5, STATE + 2)).astype(np.float32)
        known[:, -2:] = known[:, -2:] * [5, 2] + [20, 12]
        known[:, -1] = known[:, -1].round()
        found.append(Read(known, known[:, 2] - (known[:, -2] - 20) / 5 > 0.5))
    return found


@pytest.fixture(scope="module")
def trained() -> ReadersNetwork:
    return train_on_marks(lists(400, 1), lists(60, 2), SETTINGS, lambda text: None)


def test_it_puts_good_quotes_first(trained: ReadersNetwork) -> None:
    held_out = lists(100, 3)
    assert told_apart(trained, held_out) > 0.95
    first, by_lot = good_firsts(trained, held_out)
    assert first > by_lot + 0.3
    assert by_lot == pytest.approx(np.mean([each.good.mean() for each in held_out]))


def test_a_keyword_of_good_quotes_only_tells_nothing_apart(trained: ReadersNetwork) -> None:
    alike = [Read(each.known, np.ones(5, dtype=bool)) for each in lists(3, 4)]
    assert told_apart(trained, alike) == 0.5
    assert good_firsts(trained, alike) == (1.0, 1.0)


def test_the_bot_computes_the_same(trained: ReadersNetwork, tmp_path: Path) -> None:
    save_readers_judge(trained, None, learned_filters(["A line."]), tmp_path / "judge.npz")
    judge, held_out = load_judge(tmp_path / "judge.npz", STATE), lists(20, 5)
    for each, expected in zip(held_out, log_odds(trained, held_out), strict=True):
        told = [_candidate(*row[:STATE], nats=float(row[-2]), tokens=float(row[-1])) for row in each.known]
        assert judge.scores("rain", told) == pytest.approx(list(expected), abs=0.05)


def test_a_judge_of_replies_too_is_two_networks(trained: ReadersNetwork, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"seed": 1})
    of_replies = train_on_marks(lists(100, 6), lists(60, 7), settings, lambda text: None)
    save_readers_judge(trained, of_replies, learned_filters(["A line."]), tmp_path / "judge.npz")
    judge, (one,) = load_judge(tmp_path / "judge.npz", STATE), lists(1, 8)
    told = [_candidate(*row[:STATE], nats=float(row[-2]), tokens=float(row[-1])) for row in one.known]
    assert judge.scores("rain", told) == pytest.approx(list(log_odds(trained, [one])[0]), abs=0.05)
    assert judge.of_replies
    assert judge.reply_scores(told) == pytest.approx(list(log_odds(of_replies, [one])[0]), abs=0.05)


def _candidate(*state: float, nats: float, tokens: float) -> Candidate:
    """As the worker tells it."""
    finished = Finished(
        FinishReason.END,
        5,
        0,
        round(tokens) - 1,
        0.0,
        0.0,
        0.0,
        nats=nats,
        drawn=round(tokens),
        state=tuple(map(float, state)),
    )
    return Candidate("A quote.", finished)
