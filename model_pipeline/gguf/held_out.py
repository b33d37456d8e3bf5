"""What of a run its GGUF files are compared, measured and shown on: held-out rows; compares and measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from model_pipeline.data.prepared import read_rows
from model_pipeline.data.rows import Row, reply_of
from model_pipeline.gguf.description import Card
from model_pipeline.gguf.parity import Conversation, Probes
from model_pipeline.gguf.probe_lines import DEFAULT_LINES, read_probes
from model_pipeline.recipe import Form
from model_pipeline.runs import Run, Stage
from model_pipeline.training.rendering import prompt_text, reply_text

MEASURED_ROWS = 50
SAMPLES, LONGEST_QUESTION_CHARS = 5, 200  # of a card


def probes_of(run: Run, tokenizer: Any) -> Probes:
    """Held-out texts, conversations and prompts, filled up with the lines of this package."""
    settings = run.recipe.export
    rows = _test_rows(run)
    known = read_probes(DEFAULT_LINES, run.recipe.served.quote_prompt.template)
    lines = [*(reply_of(row) for row in rows), *known.lines][: settings.gate_lines]
    prompts = [*dict.fromkeys(prompt_text(tokenizer, row) for row in rows), *known.prompts]
    conversations = [*_conversations(rows), *known.conversations]
    return Probes(lines, conversations[: settings.gate_lines], prompts[: settings.gate_prompts])


def replies_of(run: Run, tokenizer: Any, context_tokens: int) -> list[tuple[str, str]]:
    """Prompt and reply, with control tokens, of the first held-out rows that fit: at most `MEASURED_ROWS`."""
    texts = ((prompt_text(tokenizer, row), reply_text(tokenizer, row)) for row in _test_rows(run))
    fitting = (text for text in texts if len(tokenizer("".join(text), verbose=False).input_ids) <= context_tokens)
    return list(islice(fitting, MEASURED_ROWS))


def card_of(run: Run) -> Card:
    """The recipe's card; where it names nothing to ask, with the first held-out keywords and questions.

    Nothing is taken from rows that people wrote to a bot: a card is published, and their consent is for training.
    """
    card = run.recipe.served.card
    if any(source.form is Form.EXPORT for source in run.recipe.data.sources):
        return card
    rows = _test_rows(run)
    keywords = dict.fromkeys(row.keyword for row in rows if row.keyword)
    messages = dict.fromkeys(question for row in rows if (question := _question(row)))
    return card.model_copy(
        update={
            "sample_keywords": card.sample_keywords or tuple(keywords)[:SAMPLES],
            "sample_messages": card.sample_messages or tuple(messages)[:SAMPLES],
        }
    )


def _test_rows(run: Run) -> list[Row]:
    return read_rows(run.of(Stage.PREPARE) / "test.jsonl")


def _conversations(rows: Sequence[Row]) -> list[Conversation]:
    return [row.prompt for row in rows if not isinstance(row.prompt, str)]


def _question(row: Row) -> str:
    """What a chat row's only turn asks, if that is one short line; else ""."""
    if isinstance(row.prompt, str) or row.keyword or len(row.prompt) != 1:
        return ""
    asked = row.prompt[0]["content"].strip()
    return asked if len(asked) <= LONGEST_QUESTION_CHARS and "\n" not in asked else ""
