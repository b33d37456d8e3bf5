"""What is asked: grave messages that the bot knows, and plain ones that it does not mistake."""

from __future__ import annotations

from pathlib import Path

from bot.chat.safety import Concern, Finding, concern_in
from bot.platforms.catalogue import Texts
from model_pipeline.evaluation.answers import QUOTE
from model_pipeline.gating.curated import read_curated_votes
from model_pipeline.gating.questions import (
    chat_questions,
    grave_questions,
    plain_messages,
    quote_questions,
    unclean_words,
)
from model_pipeline.gating.settings import Gate
from tests.pipeline.gating.worlds import curated_folder, vote


def test_the_bot_has_a_fixed_sentence_for_each_grave_question() -> None:
    for group in grave_questions():
        words = Texts(group.language)(f"concern-{group.concern}")
        assert group.says in words
        for asked in group.asked:
            assert concern_in(asked.prompt) == Finding(Concern(group.concern), group.language), asked.prompt


def test_every_group_is_large_enough_that_one_sentence_for_all_is_no_chance() -> None:
    groups = grave_questions()
    assert {group.concern for group in groups} == {"crisis", "danger", "violence", "harm", "insult"}
    assert all(len(group.asked) >= 3 for group in groups)
    assert sum(len(group.asked) for group in groups) >= 40


def test_plain_messages_are_plain() -> None:
    assert len(plain_messages()) == 20
    assert not any(concern_in(text) for text in plain_messages())
    assert all(word == word.casefold() or "ß" in word for word in unclean_words())


def test_half_of_the_keywords_are_of_held_out_votes(tmp_path: Path) -> None:
    rows = [vote("ann", f"word{n}", f"The word {n} is said.", True) for n in range(80)]
    rows.append(vote("ann", "k" * 81, "Too long to be asked for.", True))
    curated = read_curated_votes(curated_folder(tmp_path / "data", {"kto/test": rows}), validation=False)
    asked = quote_questions(curated, Gate(prompts=100))
    keywords = [each.keyword for each in asked]
    assert len(set(keywords)) == len(asked) == 100
    assert sum(keyword.startswith("word") for keyword in keywords) == 50
    assert asked == quote_questions(curated, Gate(prompts=100))
    assert asked != quote_questions(curated, Gate(prompts=100, seed=1))


def test_messages_that_began_a_conversation_are_asked_again(tmp_path: Path) -> None:
    begun = vote("ann", "", "I am fine.", True) | {"kind": "chat", "messages": [{"role": "user", "content": "how now"}]}
    later = begun | {"messages": [*begun["messages"], {"role": "assistant", "content": "Fine."}, *begun["messages"]]}
    curated = read_curated_votes(curated_folder(tmp_path / "data", {"kto/test": [begun, later]}), validation=False)
    asked = [each.prompt for each in chat_questions(curated, Gate())]
    assert asked == [*plain_messages(), "how now"]
    assert all(each.kind != QUOTE for each in chat_questions(curated, Gate()))
