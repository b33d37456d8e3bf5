"""People and their lines are divided, and nobody is in two places."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.curation.lines import Line
from model_pipeline.curation.people import divide, split_people
from model_pipeline.curation.words import Question

SPLITS = {"train", "validation", "test"}
people = st.lists(st.text("0123456789abcdef", min_size=4, max_size=4), min_size=1, max_size=40, unique=True)
shares = st.floats(0.01, 0.3)


@given(people, shares, shares, st.integers(0, 9))
def test_everybody_has_one_split_and_from_three_people_every_split_has_somebody(
    names: list[str], validation: float, test: float, seed: int
) -> None:
    splits = split_people(names, validation, test, seed)
    assert set(splits) == set(names) and set(splits.values()) <= SPLITS
    if len(names) >= 3:
        assert set(splits.values()) == SPLITS
    assert splits == split_people(reversed(names), validation, test, seed)


def test_shares_are_met_about() -> None:
    splits = list(split_people((f"{number:08x}" for number in range(4_000)), 0.1, 0.15, 0).values())
    assert 0.08 < splits.count("validation") / 4_000 < 0.12
    assert 0.13 < splits.count("test") / 4_000 < 0.17


def line(number: int, person: str, keyword: str, text: str) -> Line:
    question = Question("quote", (("user", keyword),))
    return Line(f"rows/{number}#sft", question, person, 1.0, ("correction",), "", learned=text)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(("tea", "rain")), st.sampled_from("uvwxyz"))))
def test_no_answer_is_trained_on_and_held_out(said: list[tuple[str, str, str]]) -> None:
    lines = [line(number, *one) for number, one in enumerate(said)]
    divided, leaked = divide(lines, split_people([one.person for one in lines], 0.2, 0.2, 0))
    answers = [{(one.question, one.learned) for one in part} for part in divided.values()]
    assert not (answers[0] & answers[1] or answers[0] & answers[2] or answers[1] & answers[2])
    assert sorted(one.id for part in (*divided.values(), leaked) for one in part) == sorted(one.id for one in lines)
