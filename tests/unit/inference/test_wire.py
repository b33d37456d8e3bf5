"""What goes over the wire comes out the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.generation import FinishReason, GenerationRequest, Sampling
from bot.chat.messages import Role, Turn
from bot.inference import wire

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)  # lone surrogates too
FINITE = st.floats(0, 1e6)
TURNS = st.lists(st.builds(Turn, st.sampled_from(Role), ANY_TEXT), max_size=5).map(tuple)
SAMPLINGS = st.builds(
    Sampling, FINITE, st.integers(0, 200), st.floats(0, 1), st.floats(0, 1), FINITE, st.integers(-1, 512)
)
REQUESTS = st.builds(
    GenerationRequest,
    person=ANY_TEXT,
    turns=TURNS,
    prompt=st.none() | ANY_TEXT,
    conversation=st.none() | ANY_TEXT,
    max_tokens=st.integers(1, 32_768),
    sampling=SAMPLINGS,
    seed=st.none() | st.integers(-(2**63), 2**64),
    stop=st.lists(ANY_TEXT, max_size=3).map(tuple),
    grammar=st.none() | ANY_TEXT,
    deadline_s=st.none() | FINITE,
)
COUNTS = st.integers(0, 1 << 20)
OPTIONS = st.builds(
    wire.WorkerOptions,
    model_path=ANY_TEXT,
    slots=COUNTS,
    context_tokens=COUNTS,
    conversation_tokens=COUNTS,
    batch_tokens=COUNTS,
    prefill_chunk_tokens=COUNTS,
    threads=COUNTS,
    history_messages=COUNTS,
    shared_prefixes=st.lists(TURNS | ANY_TEXT, max_size=3).map(tuple),
)


@given(REQUESTS, st.floats(0, 1e6), st.lists(st.integers(0, 1 << 30), max_size=5))
def test_a_request_survives(request: GenerationRequest, age_s: float, resume: list[int]) -> None:
    data = wire.encode(wire.submit_line("17", request, age_s=age_s, resume=resume))
    assert data.count(b"\n") == 1
    assert data.endswith(b"\n")
    line = wire.decode(data)
    assert wire.request_from(line) == request
    assert (line["op"], line["id"], line["age_s"], line["resume"]) == ("submit", "17", age_s, resume)


@given(OPTIONS)
def test_options_survive(options: wire.WorkerOptions) -> None:
    data = wire.encode(wire.options_line(options))
    assert data.count(b"\n") == 1
    assert wire.options_from(wire.decode(data)) == options


@given(st.binary(max_size=40))
def test_what_is_no_line_is_a_value_error(data: bytes) -> None:
    try:
        line = wire.decode(data)
    except ValueError:
        return
    assert "op" in line


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"{}", b'{"id": 1}', b'{"op": "sub', b"\xff\xfe"])
def test_lines_of_another_kind_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        wire.decode(data)


@pytest.mark.parametrize("reason", FinishReason)
def test_every_reason_survives(reason: FinishReason) -> None:
    assert wire.finish_reason(wire.decode(wire.encode({"op": "finished", "reason": reason}))) is reason
