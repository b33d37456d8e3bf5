"""What the small models and tokenizers are trained on."""

from __future__ import annotations

import pytest

from model_pipeline.smoke.texts import dialogues, lines, plain_documents, quotes


def test_base_models_never_see_the_form_that_fine_tuning_teaches() -> None:
    text = "\n".join(plain_documents(0)).lower()
    assert not [form for form in ("keyword:", "quote:", "user:", "assistant:", "<|", "</s>") if form in text]


def test_base_models_never_see_the_quotes_that_they_are_fine_tuned_on() -> None:
    sentences = {line for document in plain_documents(0) for line in document.split("\n")}
    assert not sentences & {quote.text for quote in quotes()}


def test_a_line_is_followed_by_another() -> None:
    documents = plain_documents(0)
    assert sum("\n" in document for document in documents) > len(documents) / 2


def test_the_seed_decides_the_order() -> None:
    assert plain_documents(1) == plain_documents(1)
    assert plain_documents(1) != plain_documents(2)
    assert len("".join(plain_documents(1))) == pytest.approx(len("".join(plain_documents(2))), rel=0.001)


def test_dialogues_go_from_the_user_to_the_assistant() -> None:
    for dialogue in dialogues():
        assert [turn.role for turn in dialogue] == ["user", "assistant"] * (len(dialogue) // 2)


def test_a_tokenizer_is_trained_on_everything() -> None:
    known = set(lines())
    assert {quote.text for quote in quotes()} <= known
    assert {turn.content for dialogue in dialogues() for turn in dialogue} <= known
