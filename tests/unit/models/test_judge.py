"""What the bot makes of a judge's file: scores, copies, and one sentence for a file that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ModelInvalid
from bot.models.judge import LearnedJudge
from model_pipeline.judging.copy_filter import HASHES, copy_filter

LEARNED = ["Rain fills the river.", "A good kettle whistles before it boils over and wakes the whole house."]


def arrays(buckets: int = 32, width: int = 4, hidden: int = 5) -> dict[str, Any]:
    """A judge with random weights."""
    random = np.random.default_rng(1)
    return {
        "format": np.int64(1),
        "embedding": random.integers(-127, 127, (buckets, width)).astype(np.int8),
        "scale": np.float32(0.01),
        "first": random.normal(size=(3 * (2 * width + 1), hidden)).astype(np.float16),
        "first_bias": np.zeros(hidden, np.float32),
        "second": random.normal(size=(3 * hidden, hidden)).astype(np.float16),
        "second_bias": np.zeros(hidden, np.float32),
        "dense": random.normal(size=(2 * hidden, hidden)).astype(np.float16),
        "dense_bias": np.zeros(hidden, np.float32),
        "out": random.normal(size=hidden).astype(np.float16),
        "out_bias": np.float32(0.5),
        "filter": copy_filter(LEARNED),
        "hashes": np.int64(HASHES),
    }


def saved(folder: Path, **changes: Any) -> Path:
    path = folder / "judge.npz"
    np.savez_compressed(path, **{name: value for name, value in (arrays() | changes).items() if value is not None})
    return path


def test_the_same_quote_has_the_same_score_whoever_it_stands_beside(tmp_path: Path) -> None:
    judge = LearnedJudge.load(saved(tmp_path))
    alone = judge.scores("rain", ["Rain is loud."])
    assert judge.scores("rain", ["The sun is warm.", "Rain is loud."])[1] == alone[0]
    assert judge.scores("sun", ["Rain is loud."]) != alone


def test_copies_are_known_whatever_their_case_and_marks(tmp_path: Path) -> None:
    judge = LearnedJudge.load(saved(tmp_path))
    assert judge.is_copy("rain fills the RIVER")
    assert judge.is_copy("My kettle whistles before it boils over and wakes the cat.")
    assert not judge.is_copy("The sun dries the road again.")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": np.int64(2)}, "has the format 2, and 1 is read"),
        ({"dense": None}, "is damaged; copy or download it again"),
        ({"second": np.zeros((3, 3), np.float16)}, "is damaged"),
        ({"embedding": np.array(["text"])}, "is damaged"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelInvalid, match=sentence):
        LearnedJudge.load(saved(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x93NUMPY"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "judge.npz"
    path.write_bytes(content)
    with pytest.raises(ModelInvalid, match="is damaged"):
        LearnedJudge.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match=r"judge\.npz cannot be read: No such file"):
        LearnedJudge.load(tmp_path / "judge.npz")


@given(keyword=st.text(max_size=30), quote=st.text(max_size=200))
def test_any_text_gets_a_number(keyword: str, quote: str) -> None:
    judge = LearnedJudge(arrays())
    assert all(np.isfinite(judge.scores(keyword, [quote])))
    assert judge.is_copy(quote) in (True, False)
