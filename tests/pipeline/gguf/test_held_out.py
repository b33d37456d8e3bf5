from __future__ import annotations

from pathlib import Path
from typing import Any

from model_pipeline.data.prepared import write_rows
from model_pipeline.data.rows import Row
from model_pipeline.gguf.held_out import MEASURED_ROWS, card_of, probes_of, replies_of
from model_pipeline.runs import Run, Stage
from tests.pipeline.merged_run import ROWS, recipe


class Tokenizer:
    """A word is a token; a conversation is rendered as its texts in angle brackets."""

    bos_token, eos_token = "", "#"

    def __call__(self, text: str, **_: Any) -> Any:
        return type("Encoded", (), {"input_ids": text.split()})()

    def apply_chat_template(self, turns: list[dict[str, str]], **_: Any) -> str:
        return "".join(f"<{turn['content']}>#" for turn in turns)


def run_with(folder: Path, rows: list[Row], **changes: Any) -> Run:
    run = Run(folder, recipe(**changes))
    run.of(Stage.PREPARE).mkdir()
    write_rows(run.of(Stage.PREPARE) / "test.jsonl", rows)
    return run


def test_a_card_without_questions_shows_the_first_held_out_ones(tmp_path: Path) -> None:
    longer = [{"role": "user", "content": "First line\nsecond line"}]
    card = card_of(run_with(tmp_path, [Row(longer, longer, "0", "", "chat"), *ROWS]))
    assert (card.sample_keywords, card.sample_messages) == (("sea", "größe", "door"), ("Hello there",))


def test_what_the_recipe_asks_comes_first(tmp_path: Path) -> None:
    served = recipe().served.model_dump() | {"card": {"sample_keywords": ["hope"], "sample_messages": ["Hi"]}}
    card = card_of(run_with(tmp_path, ROWS, served=served))
    assert (card.sample_keywords, card.sample_messages) == (("hope",), ("Hi",))


def test_what_people_wrote_to_a_bot_is_never_shown(tmp_path: Path) -> None:
    sources = [{"form": "quotes", "hub": "some/quotes"}, {"form": "export", "path": "rows"}]
    card = card_of(run_with(tmp_path, ROWS, data={"sources": sources}))
    assert (card.sample_keywords, card.sample_messages) == ((), ())


def test_only_rows_that_fit_the_context_are_measured(tmp_path: Path) -> None:
    long = Row("Keyword: long\nQuote:", " word" * 20, "5", "long", "quote")
    run = run_with(tmp_path, [long, *ROWS])
    assert replies_of(run, Tokenizer(), 15)[0] == ("Keyword: sea\nQuote:", " The sea keeps no diary.#")
    assert len(replies_of(run, Tokenizer(), 15)) == 4
    assert len(replies_of(run, Tokenizer(), 100)) == 5


def test_no_more_rows_are_measured_than_needed(tmp_path: Path) -> None:
    assert len(replies_of(run_with(tmp_path, ROWS * 20), Tokenizer(), 100)) == MEASURED_ROWS


def test_probes_begin_with_held_out_rows_and_are_filled_up(tmp_path: Path) -> None:
    probes = probes_of(run_with(tmp_path, ROWS[-2:], export={"gate_lines": 6, "gate_prompts": 4}), Tokenizer())
    assert (len(probes.lines), len(probes.prompts), len(probes.conversations)) == (6, 4, 6)
    assert probes.lines[0] == "A quiet door is still a door."
    assert probes.conversations[0] == [{"role": "user", "content": "Hello there"}]
    assert probes.prompts[0] == "Keyword: door\nQuote:"
