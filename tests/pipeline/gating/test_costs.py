"""What the new model costs beside the old one."""

from __future__ import annotations

import numpy as np
import pytest

from bot.models.gguf_header import read_header
from bot.models.memory import PROCESS_BYTES, bytes_needed
from model_pipeline.evaluation.bot_replies import Timed
from model_pipeline.gating.asking import Answered
from model_pipeline.gating.candidates import read_candidate
from model_pipeline.gating.costs import latency_figures, memory_figures, serving_bytes
from model_pipeline.gating.questions import quote_question
from model_pipeline.gating.reading import Reading
from model_pipeline.gating.settings import Gate
from model_pipeline.gguf.gguf_model import GgufModel
from tests.pipeline.gating.worlds import STARTER


def outcomes(times: float, **settings: float) -> dict[str, str]:
    waits = np.random.default_rng(0).uniform(0.3, 0.5, (200, 2))
    answered = [
        Answered(quote_question(str(n)), Timed("Said.", float(old)), Timed("Said.", float(new) * times))
        for n, (old, new) in enumerate(waits)
    ]
    return {each.text.name: each.outcome for each in latency_figures(answered, Gate.model_validate(settings))}


def test_the_same_speed_passes_and_half_of_it_does_not() -> None:
    assert set(outcomes(1.0).values()) == {"passed"}
    assert outcomes(2.2) == {"latency_p50_ratio": "failed", "latency_p95_ratio": "failed", "latency_p95_s": "passed"}


def test_a_wait_that_is_too_long_fails_however_slow_the_old_model_was() -> None:
    assert outcomes(1.0, latency_p95_s=0.4)["latency_p95_s"] == "failed"


def test_quotes_that_were_not_given_tell_no_time() -> None:
    answered = [Answered(quote_question("sea"), Timed("", 0.1), Timed("Said.", 0.1))] * 200
    assert [each.outcome for each in latency_figures(answered, Gate())] == ["too few"]


def test_memory_is_what_the_bot_reckons_with() -> None:
    model = read_candidate(STARTER)
    header = read_header(model.gguf)
    with GgufModel(model.gguf) as loaded:
        reading = Reading((), loaded.metadata, loaded.vocabulary_size)
    needed = serving_bytes(header.size_bytes, reading.header, reading.vocabulary, 512)
    assert needed == bytes_needed(header, 512) - PROCESS_BYTES


@pytest.mark.parametrize(("limits", "failed"), [({}, set()), ({"memory_mb": 1}, {"memory_mb"})])
def test_memory_has_a_limit(limits: dict[str, float], failed: set[str]) -> None:
    model = read_candidate(STARTER)
    small, large = (Reading((), {"general.architecture": "llama"}, vocabulary) for vocabulary in (4_000, 64_000))
    same = memory_figures((model, small), (model, small), Gate.model_validate(limits))
    assert {each.text.name for each in same if each.outcome == "failed"} == failed
    grown = memory_figures((model, small), (model, large), Gate())
    assert [each.outcome for each in grown] == ["failed", "passed"]
