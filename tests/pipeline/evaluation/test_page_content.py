from __future__ import annotations

from dataclasses import replace

from model_pipeline.evaluation.answers import Answer, Answers, Asked, Latency
from model_pipeline.evaluation.page_content import PageContent, choose_examples, gather_content, showable
from tests.pipeline.evaluation.evaluated import ROWS, asked_rows, base_model, compared, three_models, tuned_model


def page(*models: Answers, latency: Latency | None = None, examples: int = 4) -> PageContent:
    chosen = models or three_models()
    return gather_content("Title", compared(*chosen), asked_rows(), chosen, latency, ["A note."], [], examples)


def test_every_change_has_a_verdict_for_every_figure() -> None:
    first, second = page().changes
    assert first.verdicts[0].text == "Adherence: tuned is better by 1.00 (0.77 to 1.00)."
    assert {verdict.kind for verdict in second.verdicts} == {"no difference shown"}
    assert len(first.verdicts) == len(second.verdicts) == len(page().figures)


def test_reasons_are_counted_for_each_model_the_most_frequent_first() -> None:
    untidy = list(tuned_model().answers)
    untidy[:3] = [Answer("Be brave.", True, 3), Answer("", True, 1), Answer("Be calm.", True, 3)]
    found = page(base_model(), replace(tuned_model(), answers=tuple(untidy))).reasons
    assert found == (
        ("was cut off, for the model did not end it", (ROWS, 0)),
        ("has fewer than 3 words", (0, 2)),
        ("is empty", (0, 1)),
    )


def test_a_figure_that_one_model_lacks_reads_as_not_measured() -> None:
    unmeasured = Answers("tuned", tuned_model().answers)
    rows = {row.title: row.cells for row in page(base_model(), unmeasured).figures}
    assert rows["Perplexity"][1] == ("not measured", "")


def test_examples_show_every_answer_to_the_first_rows_of_each_kind() -> None:
    found = page().examples
    prompts = [example.prompt for example in found]
    assert prompts == ["Keyword: sea\nQuote:", "Keyword: hope\nQuote:", "Tell me about sea", "Tell me about hope"]
    assert [answer.name for answer in found[0].answers] == ["base", "tuned", "quantized"]
    assert [answer.judgement for answer in found[0].answers][1:] == ["adheres", "adheres"]


def test_examples_of_the_other_kind_fill_up_where_one_kind_is_rare() -> None:
    quote, chat = Asked("q", "r", "k", "quote"), Asked("c", "r", "", "chat")
    assert choose_examples([chat, quote, chat, chat, chat], 4) == [1, 0, 2, 3]
    assert choose_examples([quote] * 5, 4) == [0, 1, 2, 3]
    assert choose_examples([chat] * 2, 8) == [0, 1]


def test_latency_is_told_where_it_was_measured() -> None:
    found = dict(page(latency=Latency("quantized", 20, 231.2, 402.9, 58.06, "4 cores")).latency)
    assert found["Half of the answers took at most"] == "231 ms"
    assert found["Tokens per second"] == "58.1"
    assert page().latency == ()


def test_the_reader_is_told_how_many_verdicts_chance_alone_would_show() -> None:
    assert any("Of 30 verdicts about 2 would be shown by chance alone" in line for line in page().reading)
    assert not any("chance" in line for line in page(base_model()).reading)


def test_what_no_page_can_show_is_replaced_and_long_texts_are_cut() -> None:
    assert showable("a\x00b\ud800c\r\nd\te") == "a\ufffdb\ufffdc\nd\te"
    assert showable("x" * 5000).endswith("… (5,000 characters in all)")
