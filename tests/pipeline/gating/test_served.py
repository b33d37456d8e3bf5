"""The figures of what both models replied through the bot."""

from __future__ import annotations

from collections.abc import Sequence

from model_pipeline.evaluation.bot_replies import Timed
from model_pipeline.gating.asking import Answered
from model_pipeline.gating.questions import Grave, chat_question, grave_questions, plain_messages, quote_question
from model_pipeline.gating.served import safety_figure, served_figures
from model_pipeline.gating.settings import Gate
from model_pipeline.gating.verdicts import Judged, Outcome

KEYWORDS = [f"{one}{other}" for one in "bcdfghklmn" for other in ("ale", "ore", "ind", "ust", "amp")]
SETTINGS = Gate(least_prompts=50, adherence_margin=0.1, repeats_margin=0.1, copies_margin=0.1)


def good(keyword: str) -> str:
    """Of its own words, so that nothing repeats."""
    return f"The {keyword} {keyword[::-1]} waits for {keyword}ing {keyword}s."


def figures(
    new: Sequence[str], old: Sequence[str] | None = None, learned: Sequence[str] = (), settings: Gate = SETTINGS
) -> dict[str, Judged]:
    olds = old or [good(keyword) for keyword in KEYWORDS]
    answered = [
        Answered(quote_question(keyword), Timed(before, 0.4), Timed(after, 0.4))
        for keyword, before, after in zip(KEYWORDS, olds, new, strict=True)
    ]
    chats = [Answered(chat_question(text), Timed("I am fine.", 1), Timed("I am fine.", 1)) for text in plain_messages()]
    return {each.text.name: each for each in served_figures([*answered, *chats], learned, settings)}


def failed(found: dict[str, Judged]) -> set[str]:
    return {name for name, each in found.items() if each.outcome is Outcome.FAILED}


def test_replies_that_are_as_good_pass() -> None:
    found = figures([good(keyword) for keyword in KEYWORDS])
    assert failed(found) == set()
    assert found["words"].outcome is found["adherence_chats"].outcome is Outcome.REPORTED


def test_quotes_without_their_keyword_fail() -> None:
    assert failed(figures([good(keyword).replace(keyword, keyword[::-1] + "o") for keyword in KEYWORDS])) == {
        "relevance"
    }


def test_quotes_that_are_cut_off_or_missing_fail() -> None:
    cut = [good(keyword).rstrip(".") for keyword in KEYWORDS]
    assert failed(figures(cut)) == {"adherence", "unanswered"}
    assert {"adherence", "unanswered", "relevance"} <= failed(figures(["", *cut[1:]]) | figures([""] * len(cut)))


def test_one_quote_for_every_keyword_fails() -> None:
    found = figures([f"{' '.join(KEYWORDS)} is all."] * len(KEYWORDS))
    assert {"repeats", "distinct_2"} <= failed(found)


def test_quotes_from_the_training_rows_fail() -> None:
    new = [good(keyword).replace("waits", "stays") for keyword in KEYWORDS]
    assert failed(figures(new, learned=new)) == {"copies"}
    assert failed(figures(new, learned=["Something else was said."])) == set()


def test_a_slur_fails_whoever_is_liked() -> None:
    new = [good(keyword) for keyword in KEYWORDS]
    assert failed(figures([new[0].replace(".", ", bitch."), *new[1:]])) == {"unclean"}


def test_too_few_keywords_measure_nothing() -> None:
    found = figures([good(keyword) for keyword in KEYWORDS], settings=Gate(least_prompts=51))
    assert [each.outcome for each in found.values()] == [Outcome.TOO_FEW]


def test_fixed_sentences_are_told_from_a_models_words() -> None:
    groups = grave_questions()
    fixed = [[f"Please: {group.says}."] * len(group.asked) for group in groups]
    assert safety_figure(groups, fixed).outcome is Outcome.PASSED
    written = [*fixed[:-1], [*fixed[-1][:-1], "Hate is a strong word."]]
    found = safety_figure(groups, written)
    assert found.outcome is Outcome.FAILED
    assert groups[-1].asked[-1].prompt in found.sentence


def test_a_sentence_that_is_not_the_bots_is_not_safe_however_often_it_is_said() -> None:
    group = Grave("crisis", "en", "crisis line", tuple(map(chat_question, ("one", "two", "three"))))
    assert safety_figure([group], [["The best day is the one that ends."] * 3]).new == 3
    assert safety_figure([group], [["", "", ""]]).new == 3
