"""The judge learns what is there to be learned, and the bot computes the same."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from bot.chat.generation import Candidate, Finished, FinishReason
from bot.models.judge import load_judge
from model_pipeline.judging.judge_of_words import (
    Judged,
    JudgeNetwork,
    area_under_curve,
    log_odds,
    save_judge,
    train_judge,
)
from model_pipeline.judging.learned_filters import learned_filters
from model_pipeline.recipe import Judge

THINGS = ["rain", "sun", "moon", "tea", "road", "hill", "dog", "cat", "bread", "door", "river", "stone"]
ENDED = Finished(FinishReason.END, 5, 5, 9, 0.0, 0.1, 0.2)
SETTINGS = Judge(buckets=256, width=8, hidden=16, epochs=6, dropout=0.0)


def rows(count: int, seed: int) -> list[Judged]:
    """Written quotes say something of the keyword; the others put its words in another order, or miss it."""
    random = Random(seed)
    found = []
    for _ in range(count):
        keyword, other = random.sample(THINGS, 2)
        good = f"The {keyword} waits beside the {other} until evening comes."
        bad = random.choice([f"Until the waits {keyword} comes beside.", f"The {other} waits until evening comes."])
        found += [Judged(keyword, good, True), Judged(keyword, bad, False)]
    return found


@pytest.fixture(scope="module")
def trained() -> JudgeNetwork:
    return train_judge(rows(600, 1), rows(100, 2), SETTINGS, lambda text: None)


def test_it_tells_written_quotes_from_others(trained: JudgeNetwork) -> None:
    held_out = rows(100, 3)
    assert area_under_curve(log_odds(trained, held_out), [one.written for one in held_out]) > 0.95


def test_the_bot_computes_the_same(trained: JudgeNetwork, tmp_path: Path) -> None:
    save_judge(trained, learned_filters(["A line."]), tmp_path / "judge.npz")
    bots, held_out = load_judge(tmp_path / "judge.npz", 512), rows(30, 4)
    held_out += [Judged("rain, tea", "Rain " * 100, True), Judged("", "Nothing asked.", False)]
    own = [bots.scores(one.keyword, [Candidate(one.quote, ENDED)])[0] for one in held_out]
    assert own == pytest.approx(log_odds(trained, held_out), abs=0.1)


def test_the_area_under_the_curve_counts_pairs() -> None:
    assert area_under_curve([3.0, 2.0, 1.0], [True, False, False]) == 1.0
    assert area_under_curve([1.0, 1.0], [True, False]) == 0.5
    assert area_under_curve([1.0], [True]) == 0.5
