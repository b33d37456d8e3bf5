"""The bot's own command, asked as a person would."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from model_pipeline.evaluation.answers import Asked
from model_pipeline.evaluation.bot_replies import BotUnavailable, Timed, latency_of, time_bot

STARTER = Path(str(files("model_pipeline"))).parent / "bot" / "starter"
ASKED = [
    Asked("Keyword: courage\nQuote:", "Courage is a habit.", "courage", "quote"),
    Asked("/Hello,\nwho are you?", "A bot.", "", "chat"),
]


def test_quotes_and_chats_are_timed_and_failed_requests_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOTESMITH_MODEL__FOLDER", "/nowhere")  # what somebody set for their own bot has no say
    too_long = Asked("", "", "k" * 100, "quote")
    replies = time_bot(STARTER, [ASKED[0], too_long, ASKED[1]], requests=4)
    assert len(replies) == 3
    for reply in replies:
        assert len(reply.text.split()) >= 3 and 0 < reply.seconds < 60
        assert "conversation" not in reply.text


def test_a_bot_that_refuses_every_request_says_why() -> None:
    with pytest.raises(BotUnavailable, match=r"answered 0 of 2 requests .*at most 80 characters"):
        time_bot(STARTER, [Asked("", "", "k" * 100, "quote")], requests=2)


def test_a_model_that_cannot_be_served_is_named_as_the_reason(tmp_path: Path) -> None:
    shutil.copy(STARTER / "manifest.json", tmp_path)
    file = json.loads((tmp_path / "manifest.json").read_text())["file"]
    (tmp_path / file).write_bytes(b"no model")
    with pytest.raises(BotUnavailable, match="its command ended"):
        time_bot(tmp_path, ASKED, requests=2)


def test_latency_is_of_whole_replies() -> None:
    replies = [Timed("one two", 0.5), Timed("one two three four", 1.5), Timed("one two", 1.0)]
    latency = latency_of("quantized", replies, lambda text: len(text.split()))
    assert (latency.requests, latency.p50_ms, latency.p95_ms) == (3, 1000, 1450)
    assert latency.tokens_per_second == pytest.approx(8 / 3)
    assert "logical processors" in latency.machine
