from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.errors import ParityFailed
from model_pipeline.gguf.parity import (
    PROBE_CONVERSATIONS,
    PROBE_LINES,
    Probes,
    check_parity,
    greedy_gate,
    logit_gate,
    require,
    template_gate,
    token_gate,
)
from tests.unit.gguf.models import END, TABLE, VOCABULARY, TableModel, chatml, none_at_all, refuses_system

TRAINED = TableModel()
LINES = ["The sea is wide.", "A door."]
PROBES = Probes(LINES, prompts=["Keyword: sea\nQuote:"])
DOOR = ord("D") % VOCABULARY


def test_the_same_model_passes_every_gate() -> None:
    gates = check_parity(TRAINED, TableModel(), PROBES, "F16")
    require(*gates)
    assert [gate.name for gate in gates] == ["tokens", "template", "logits", "greedy"]
    figures = {gate.name: gate.figures for gate in gates}
    assert figures["tokens"]["equal_lines"] == figures["tokens"]["lines"] >= len(PROBE_LINES) + len(LINES)
    assert figures["template"]["equal_texts"] == 2 * figures["template"]["conversations"]
    assert figures["logits"]["relative_rms"] == 0
    assert figures["logits"]["same_top_share"] == 1
    assert figures["greedy"]["ties"] == 0


def test_quantized_text_may_differ() -> None:
    assert [gate.name for gate in check_parity(TRAINED, TableModel(), PROBES, "Q4_K_M")] == [
        "tokens",
        "template",
        "logits",
    ]


def test_another_cut_is_shown_at_its_place() -> None:
    gate = token_gate(TRAINED, TableModel(spelled=lambda text: text.replace("sea", "see")), LINES)
    assert not gate.passed
    assert gate.failure == (
        "The GGUF cuts 'The sea is wide.' into other tokens from number 6 on: [101, 32, 105] ('e i'), "
        "and the tokenizer [97, 32, 105] ('a i')."
    )


def test_another_begin_token_is_found() -> None:
    gate = token_gate(TRAINED, TableModel(begin=2), LINES)
    assert "from number 0 on: [2, 84, 104]" in gate.failure


def test_a_missing_end_is_found() -> None:
    gate = token_gate(TRAINED, TableModel(spelled=lambda text: text.rstrip(".")), LINES)
    assert "[] ('')" in gate.failure and "[46] ('.')" in gate.failure


def test_another_template_is_shown() -> None:
    other = TableModel(template=lambda turns, prompt: chatml(turns, prompt) if not prompt else "<bot>")
    gate = template_gate(TRAINED, other, PROBE_CONVERSATIONS)
    assert gate.failure == (
        "The GGUF's chat template gives '<bot>' for a conversation of user 'Hello', "
        "and the trained one '<user>Hello<bot>'."
    )


@pytest.mark.parametrize(
    ("template", "told"),
    [(none_at_all, "gives nothing, for there is none, for"), (refuses_system, "gives an error for")],
)
def test_a_template_that_is_gone_or_refuses_is_a_difference(template: object, told: str) -> None:
    assert callable(template)
    assert told in template_gate(TRAINED, TableModel(template=template), PROBE_CONVERSATIONS).failure


def test_refusing_the_same_turns_is_none() -> None:
    model = TableModel(template=refuses_system)
    gate = template_gate(model, model, PROBE_CONVERSATIONS)
    assert gate.passed
    assert gate.figures == {"conversations": 3, "equal_texts": 4}
    require(*check_parity(model, model, PROBES, "F16"))


def test_no_template_on_either_side_is_none() -> None:
    gates = check_parity(replace(TRAINED, template=none_at_all), TableModel(template=none_at_all), PROBES, "F16")
    require(*gates)
    assert gates[1].figures["equal_texts"] == 0


@given(st.floats(0.001, 2.0), st.floats(0.001, 2.0))
def test_logits_pass_up_to_the_bound(difference: float, bound: float) -> None:
    prompt = LINES[0]
    shift = np.float32(difference * TRAINED.logits(TRAINED.token_ids(prompt, add_special=True)).std())
    gate = logit_gate(TRAINED, TableModel(table=TABLE + shift), [prompt], bound)
    assert gate.figures["relative_rms"] == pytest.approx(difference, rel=2e-3)
    if abs(difference - bound) > 0.01 * bound:
        assert gate.passed == (difference < bound)


def test_one_bad_position_fails_though_the_mean_is_small() -> None:
    table = TABLE.copy()
    table[DOOR] += 1
    gate = logit_gate(TRAINED, TableModel(table=table), ["so long a line, but for one letter: D", "x" * 60], 0.15)
    assert gate.figures["relative_rms"] < 0.15
    assert "at the worst position (token 37 of 'so long a line, but for one letter: D')" in gate.failure


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_fails(value: float) -> None:
    gate = logit_gate(TRAINED, TRAINED.with_cell(DOOR, 5, value), LINES[1:], 1.0)
    assert gate.passed  # "A door." has no capital D
    assert not logit_gate(TRAINED, TRAINED.with_cell(DOOR, 5, value), ["A Door."], 1.0).passed


def test_another_vocabulary_fails_in_words() -> None:
    gate = logit_gate(TRAINED, TableModel(table=np.zeros((VOCABULARY, 100), np.float32)), LINES, 1.0)
    assert gate.failure == "The vocabulary has 100 tokens, and the trained model 128."


def top_two(row: int) -> tuple[int, int]:
    second, first = np.argsort(TABLE[row])[-2:]
    return int(first), int(second)


def test_other_greedy_text_fails() -> None:
    first, second = top_two(DOOR)
    other = TRAINED.with_cell(DOOR, second, float(TABLE[DOOR, first]) + 1)
    gate = greedy_gate(TRAINED, other, ["D"], tokens=4)
    assert gate.failure.startswith("After 'D' the GGUF writes ")


def test_a_tie_is_no_difference() -> None:
    first, second = top_two(DOOR)
    nearly = TRAINED.with_cell(DOOR, second, float(TABLE[DOOR, first]) - 0.01)
    other = TRAINED.with_cell(DOOR, second, float(TABLE[DOOR, first]) + 0.01)
    gate = greedy_gate(nearly, other, ["D"], tokens=4)
    assert gate.passed
    assert gate.figures == {"prompts": 1, "equal_tokens": 0, "ties": 1}


def test_ending_early_is_a_tie_only_where_the_end_was_as_likely() -> None:
    first, _ = top_two(DOOR)
    ends = TRAINED.with_cell(DOOR, END, float(TABLE[DOOR, first]) + 0.01)
    nearly = TRAINED.with_cell(DOOR, END, float(TABLE[DOOR, first]) - 0.01)
    assert not greedy_gate(TRAINED, ends, ["D"], tokens=4).passed
    surely = TRAINED.with_cell(DOOR, END, float(TABLE[DOOR, first]) + 1)
    assert not greedy_gate(surely, TRAINED, ["D"], tokens=4).passed
    for one, other in ((nearly, ends), (ends, nearly)):
        assert greedy_gate(one, other, ["D"], tokens=4).figures == {"prompts": 1, "equal_tokens": 0, "ties": 1}


def test_a_prompt_longer_than_the_context_is_cut() -> None:
    gates = check_parity(TRAINED, TableModel(), Probes(["word " * 100], prompts=["word " * 100]), "F16")
    require(*gates)


def test_the_first_failure_is_raised() -> None:
    gates = check_parity(TRAINED, TableModel(begin=2, template=none_at_all), PROBES, "F16")
    with pytest.raises(ParityFailed, match=r"^The GGUF cuts "):
        require(*gates)
