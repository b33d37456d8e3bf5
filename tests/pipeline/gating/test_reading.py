"""How likely a model finds replies, in the form in which it was trained and is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.gating.candidates import read_candidate
from model_pipeline.gating.reading import Text, prompt_and_reply, read_texts
from model_pipeline.gguf.description import QuotePrompt
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.report import Report
from tests.pipeline.gating.worlds import STARTER

QUOTE = Text("Courage", (), "Courage is a habit.")
CHAT = Text("", (("user", "hello"), ("assistant", "Hi."), ("user", "how are you?")), "Fine, thanks.")


@pytest.fixture(scope="module")
def model() -> Iterator[GgufModel]:
    with GgufModel(STARTER / "model.gguf") as loaded:
        yield loaded


def test_a_quote_is_completed_as_the_model_was_trained(model: GgufModel) -> None:
    prompt, reply = prompt_and_reply(model, read_candidate(STARTER).quote_prompt, QUOTE)
    assert prompt == "Keyword: courage\nQuote:"
    assert reply == f" Courage is a habit.{model.ending}" and model.ending


def test_a_quote_in_a_chat_turn_has_its_system_turn(model: GgufModel) -> None:
    prompt = QuotePrompt(template="Say something about {keyword}.", chat=True, system="Be brief.")
    asked, reply = prompt_and_reply(model, prompt, QUOTE)
    assert "Be brief." in asked and "Say something about Courage." in asked and "habit" not in asked
    assert "Courage is a habit." in reply and reply.endswith(model.ending)


def test_a_chat_is_rendered_by_the_models_own_template(model: GgufModel) -> None:
    prompt, reply = prompt_and_reply(model, read_candidate(STARTER).quote_prompt, CHAT)
    whole = model.render([*({"role": r, "content": c} for r, c in CHAT.turns), REPLY], generation_prompt=False)
    assert whole is not None and (prompt + reply).startswith(whole.removeprefix(model.beginning).rstrip())
    assert "how are you?" in prompt and "Fine, thanks." in reply and reply.endswith(model.ending)
    twice = model.token_ids(model.beginning, add_special=False) * 2
    assert model.token_ids(prompt, add_special=True)[:2] != twice or not twice


REPLY = {"role": "assistant", "content": "Fine, thanks."}


def test_what_is_known_is_not_computed_again(tmp_path: Path) -> None:
    model, report = read_candidate(STARTER), Report()
    once = read_texts(model, [QUOTE, CHAT], 512, tmp_path, report)
    kept = next(tmp_path.glob("likelihoods-*.jsonl"))
    assert "Courage" not in kept.read_text() and "thanks" not in kept.read_text()
    kept.write_text(kept.read_text().replace(str(once.nats[0]), "1.25"))
    assert read_texts(model, [QUOTE, CHAT], 512, tmp_path, report).nats == (1.25, once.nats[1])


def test_a_conversation_is_read_as_far_as_the_model_is_shown_it(tmp_path: Path) -> None:
    model, report = read_candidate(STARTER), Report()
    alone = Text("", CHAT.turns[-1:], CHAT.reply)
    texts = [QUOTE, CHAT, alone]
    whole, limited = (
        read_texts(replace(model, history_messages=most), texts, 512, tmp_path, report).nats for most in (None, 1)
    )
    assert limited[1] == limited[2] == whole[2] != whole[1]
    assert limited[0] == whole[0]


def test_a_text_that_does_not_fit_has_no_likelihood(tmp_path: Path) -> None:
    texts = [QUOTE, Text("sea", (), "wave " * 600)]
    found = read_texts(read_candidate(STARTER), texts, 64, tmp_path, Report()).nats
    assert found[0] is not None and found[0] > 0
    assert found[1] is None


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"no model")
    (tmp_path / "manifest.json").write_bytes((STARTER / "manifest.json").read_bytes())
    with pytest.raises(InputInvalid, match="cannot load"):
        read_texts(read_candidate(tmp_path), [QUOTE], 64, tmp_path, Report())
