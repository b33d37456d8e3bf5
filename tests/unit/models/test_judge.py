"""What the bot makes of a judge's file: scores, copies, and one sentence for a file that cannot be used."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.generation import Candidate, Finished, FinishReason
from bot.errors import ModelInvalid
from bot.models.judge import JudgeOfStates, JudgeOfWords, load_judge
from model_pipeline.judging.learned_filters import HASHES, LEAST_WORDS, copy_filter, learned_filters

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


STATE = 3


def of_states(size: int = STATE, hidden: int = 5) -> dict[str, Any]:
    """A judge of states of that size with random weights."""
    random = np.random.default_rng(1)
    return {
        "format": np.int64(2),
        "mean": random.normal(size=size + 2).astype(np.float32),
        "spread": np.ones(size + 2, np.float32),
        "first": random.normal(size=(size + 2, hidden)).astype(np.float16),
        "first_bias": np.zeros(hidden, np.float32),
        "out": random.normal(size=hidden).astype(np.float32),
        "out_bias": np.float32(0.5),
        "filter": copy_filter(LEARNED),
        "hashes": np.int64(HASHES),
    }


def of_replies_too(size: int = STATE) -> dict[str, Any]:
    """A judge of states with another network for replies."""
    other = of_states(size) | {"out_bias": np.float32(-3.0)}
    names = ("mean", "spread", "first", "first_bias", "out", "out_bias")
    return of_states() | {f"reply_{name}": other[name] for name in names}


def saved(folder: Path, kind: dict[str, Any] | None = None, /, **changes: Any) -> Path:
    path, kept = folder / "judge.npz", (kind or arrays()) | changes
    np.savez_compressed(path, **{name: value for name, value in kept.items() if value is not None})
    return path


def quotes(*texts: str, state: tuple[float, ...] | None = None, nats: float | None = None) -> list[Candidate]:
    finished = Finished(FinishReason.END, 5, 5, 9, 0.0, 0.1, 0.2, nats=nats, drawn=10, state=state)
    return [Candidate(text, finished) for text in texts]


def test_the_same_quote_has_the_same_score_whoever_it_stands_beside(tmp_path: Path) -> None:
    judge = load_judge(saved(tmp_path), STATE)
    alone = judge.scores("rain", quotes("Rain is loud."))
    assert judge.scores("rain", quotes("The sun is warm.", "Rain is loud."))[1] == alone[0]
    assert judge.scores("sun", quotes("Rain is loud.")) != alone


def test_copies_are_known_whatever_their_case_and_marks(tmp_path: Path) -> None:
    judge = load_judge(saved(tmp_path), STATE)
    assert judge.is_copy("rain fills the RIVER")
    assert judge.is_copy("My kettle whistles before it boils over and wakes the cat.")
    assert not judge.is_copy("The sun dries the road again.")


def test_hardly_any_new_quote_is_taken_for_a_copy(tmp_path: Path) -> None:
    lot = Random(1)
    texts = [" ".join(f"word{lot.randrange(500)}" for _ in range(15)) for _ in range(4_000)]
    judge = load_judge(saved(tmp_path, **learned_filters(texts[:2_000])), STATE)
    assert all(judge.is_copy(text) for text in texts[:100])
    assert sum(judge.is_copy(text) for text in texts[2_000:]) < 20  # 1%


def test_words_that_the_model_made_up_are_told_from_those_it_learned(tmp_path: Path) -> None:
    texts = [*LEARNED, *(f"word{number}" for number in range(LEAST_WORDS))]
    judge = load_judge(saved(tmp_path, **learned_filters(texts)), STATE)
    assert judge.unknown_words("rain", "Rain fills the RIVER, the river's boils and 1984.") == 0
    assert judge.unknown_words("tobias", "Tobias's rain and Tobiasland fills the sameinencei; smallture!") == 2
    assert judge.unknown_words("a ox", "An ox sees an astonishmentrament.") > 0
    assert load_judge(saved(tmp_path), STATE).unknown_words("rain", "A smallture.") == 0  # it has no vocabulary


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": np.int64(3)}, "has the format 3, and 1 and 2 are read"),
        ({"dense": None}, "is damaged; copy or download it again"),
        ({"second": np.zeros((3, 3), np.float16)}, "is damaged"),
        ({"embedding": np.array(["text"])}, "is damaged"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelInvalid, match=sentence):
        load_judge(saved(tmp_path, **changes), STATE)


@pytest.mark.parametrize(
    "changes", [{"mean": np.zeros(9, np.float32)}, {"out": None}, {"filter": np.zeros(0, np.uint8)}]
)
def test_a_damaged_judge_of_states_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ModelInvalid, match="is damaged"):
        load_judge(saved(tmp_path, of_states(), **changes), STATE)


def test_the_judge_of_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ModelInvalid, match="reads 5 numbers of each state, and its model has 3: it was made for another"
    ):
        load_judge(saved(tmp_path, of_states(5)), STATE)


def test_a_judge_of_states_goes_by_what_the_model_knew(tmp_path: Path) -> None:
    judge = load_judge(saved(tmp_path, of_states()), STATE)
    assert judge.of_readers
    assert judge.is_copy("rain fills the RIVER")
    one, other = quotes("Rain is loud.", state=(1.0, 0.0, 0.0)) + quotes("Rain is loud.", state=(0.0, 1.0, 0.0))
    assert judge.scores("rain", [one, other])[0] != judge.scores("rain", [one, other])[1]
    assert judge.scores("rain", [other]) == pytest.approx([judge.scores("sun", [one, other])[1]], rel=1e-5)


def test_what_is_not_known_of_a_quote_counts_for_nothing() -> None:
    kind = of_states()
    nothing, mean = quotes("Rain.")[0], quotes("Rain.", state=tuple(float(one) for one in kind["mean"][:-2]))[0]
    assert JudgeOfStates(kind).scores("rain", [nothing]) == pytest.approx(JudgeOfStates(kind).scores("rain", [mean]))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x93NUMPY"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "judge.npz"
    path.write_bytes(content)
    with pytest.raises(ModelInvalid, match="is damaged"):
        load_judge(path, STATE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match=r"judge\.npz cannot be read: No such file"):
        load_judge(tmp_path / "judge.npz", STATE)


@given(keyword=st.text(max_size=30), quote=st.text(max_size=200))
def test_any_text_gets_a_number(keyword: str, quote: str) -> None:
    judge = JudgeOfWords(arrays())
    assert all(np.isfinite(judge.scores(keyword, quotes(quote))))
    assert judge.is_copy(quote) in (True, False)


def test_replies_have_a_network_of_their_own(tmp_path: Path) -> None:
    judge = load_judge(saved(tmp_path, of_replies_too()), STATE)
    told = quotes("Oh no, the rain!", state=(1.0, 0.0, 0.0))
    assert judge.of_replies
    assert judge.reply_scores(told) == pytest.approx([judge.scores("rain", told)[0] - 3.5], rel=1e-5)
    assert not load_judge(saved(tmp_path, of_states()), STATE).of_replies


def test_networks_of_two_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="is damaged"):
        load_judge(saved(tmp_path, of_replies_too(5)), STATE)
