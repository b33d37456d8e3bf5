"""Opinions as rows of the prompts that the bot asks with."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_pipeline.data.curated import Opinion
from model_pipeline.data.items import Message
from model_pipeline.data.preferences import judged_rows
from model_pipeline.gguf.description import QuotePrompt
from model_pipeline.recipe import Data, Form, Served, Source
from tests.pipeline.data.small_tokenizer import make_tokenizer

ASKED = (Message("user", "hi"), Message("assistant", "Hello."), Message("user", "how are you?"))
DATA = Data(sources=(Source(form=Form.QUOTES, path="x.jsonl"),))
SERVED = Served(system_prompt=False, quote_prompt=QuotePrompt(template="Keyword: {keyword}\nQuote:", chat=False))


@pytest.mark.parametrize(
    ("history_messages", "shown"), [(None, ["hi", "Hello.", "how are you?"]), (1, ["how are you?"])]
)
def test_replies_are_learned_behind_what_the_model_is_shown(
    history_messages: int | None, shown: list[str], tmp_path: Path
) -> None:
    served = SERVED.model_copy(update={"history_messages": history_messages})
    opinion = Opinion("1", "chat", "", ASKED, ("Fine.", "What?"), True, 1.0, ("button",))
    (judged,) = judged_rows([opinion], DATA, served, make_tokenizer(tmp_path), 200)
    for row, reply in zip(judged.rows, ("Fine.", "What?"), strict=True):
        assert [turn["content"] for turn in row.prompt if isinstance(turn, dict)] == shown
        assert row.completion == [{"role": "assistant", "content": reply}]
