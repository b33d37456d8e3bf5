from __future__ import annotations

import json
from dataclasses import replace

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.answers import Answer, Answers
from model_pipeline.evaluation.comparison import compare_answers
from model_pipeline.evaluation.figures import BY_NAME, FIGURES
from model_pipeline.evaluation.form import Reason
from tests.pipeline.evaluation.evaluated import (
    ROWS,
    TRAINING_TEXTS,
    asked_rows,
    base_model,
    compared,
    three_models,
    tuned_model,
)


def test_every_figure_is_measured_for_every_model() -> None:
    for model in compared().models:
        assert list(model.figures) == [figure.name for figure in FIGURES]
        for name, estimate in model.figures.items():
            assert estimate.low <= estimate.value <= estimate.high, name


def test_the_base_model_never_has_the_form_and_the_tuned_one_always() -> None:
    base, tuned, _ = compared().models
    assert (base.figures["adherence"].value, tuned.figures["adherence"].value) == (0, 1)
    assert base.reasons == {Reason.NOT_ENDED: ROWS}
    assert tuned.reasons == {}


def test_each_model_is_compared_with_the_one_before_it() -> None:
    comparison = compared()
    assert [(change.before, change.after) for change in comparison.changes] == [
        ("base", "tuned"),
        ("tuned", "quantized"),
    ]
    first = comparison.changes[0].differences
    assert first["adherence"].shown and first["adherence"].estimate == 1
    assert first["perplexity"].shown and first["perplexity"].high < 1
    assert first["bleu"].shown and first["bleu"].estimate > 0


def test_a_model_that_answers_the_same_shows_no_difference_in_any_figure() -> None:
    assert not any(difference.shown for difference in compared().changes[1].differences.values())


def test_figures_say_what_the_answers_say() -> None:
    _, tuned, _ = compared().models
    assert tuned.figures["verbatim"].value == 1 / ROWS
    assert tuned.figures["keyword_relevance"].value == 0.9
    assert tuned.figures["keyword_relevance"].rows == 10
    assert tuned.figures["adherence_chats"].rows == 10
    assert tuned.figures["words"].value == pytest.approx((8 + 9 * 5 + 10 * 8) / ROWS)


def test_rows_of_one_kind_have_no_figures_of_their_own() -> None:
    asked, chats = asked_rows()[10:], replace(three_models()[1], name="chats")
    model = Answers(chats.name, chats.answers[10:])
    found = compare_answers(asked, [model], [], seed=0).models[0].figures
    assert "adherence" in found
    absent = {"adherence_quotes", "adherence_chats", "keyword_relevance", "perplexity", "novelty", "verbatim"}
    assert not absent & set(found)


def test_models_with_other_tokens_are_compared_by_characters_only() -> None:
    other = replace(tuned_model(), reference_tokens=(7,) * ROWS)
    differences = compared(base_model(), other).changes[0].differences
    assert "perplexity" not in differences
    assert "bits_per_character" in differences


def test_models_that_say_nothing_are_measured_all_the_same() -> None:
    silent = Answers("silent", (Answer("", True, 1),) * ROWS)
    found = compared(silent, replace(silent, name="silent too"))
    assert found.models[0].reasons == {Reason.EMPTY: ROWS}
    assert found.models[0].figures["bleu"].value == 0
    assert "distinct_1" not in found.models[0].figures
    assert not any(difference.shown for difference in found.changes[0].differences.values())


def test_two_rows_are_enough_to_compare_and_too_few_to_show_anything() -> None:
    models = [replace(Answers(model.name, model.answers[:2])) for model in (base_model(), tuned_model())]
    found = compare_answers(asked_rows()[:2], models, TRAINING_TEXTS, seed=0)
    shown = [name for name, difference in found.changes[0].differences.items() if difference.shown]
    assert shown == []


def test_one_model_alone_has_figures_and_nothing_to_compare() -> None:
    found = compared(base_model())
    assert len(found.models) == 1
    assert found.changes == ()


def test_a_comparison_survives_json_and_is_the_same_for_the_same_seed() -> None:
    content = compared().as_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert compared().as_json() == content
    assert content["models"][1]["figures"]["adherence"]["value"] == 1
    assert content["changes"][0]["differences"]["adherence"]["shown"] is True


def test_models_of_other_rows_are_refused() -> None:
    with pytest.raises(InputInvalid, match="20 answers to 19 rows"):
        compare_answers(asked_rows()[:-1], three_models(), TRAINING_TEXTS, seed=0)


def test_every_figure_has_one_sentence_of_meaning() -> None:
    for figure in BY_NAME.values():
        assert figure.meaning.endswith(".") and figure.meaning.count(". ") == 0
