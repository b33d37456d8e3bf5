"""A small evaluation to report on: ten quotes and ten chat replies, answered by three models."""

from __future__ import annotations

from functools import cache

from model_pipeline.evaluation.answers import Answer, Answers, Asked
from model_pipeline.evaluation.comparison import Comparison, compare_answers

KEYWORDS = ("sea", "hope", "work", "rain", "home", "time", "luck", "fear", "calm", "song")
ROWS = 2 * len(KEYWORDS)
TRAINING_TEXTS = ("A small lamp lights the longest road home.", "The kettle sings when it is ready.")


def asked_rows() -> list[Asked]:
    """Ten rows that ask for a quote, then ten that chat."""
    quotes = [Asked(f"Keyword: {word}\nQuote:", f"Give the {word} one more day.", word, "quote") for word in KEYWORDS]
    chats = [Asked(f"Tell me about {word}", f"I like {word} in the morning, and you?", "", "chat") for word in KEYWORDS]
    return quotes + chats


def base_model(name: str = "base") -> Answers:
    """Never ends an answer, and finds every reference surprising."""
    answers = tuple(Answer(f"{row.prompt} <|user|> and so on", False, 30) for row in asked_rows())
    return _answers(name, answers, nats_per_token=3.0)


def tuned_model(name: str = "tuned") -> Answers:
    """Answers almost as the references do; its first quote is one from the training texts."""
    answers = [Answer(row.reference.replace("one more", "another"), True, 9) for row in asked_rows()]
    answers[0] = Answer(TRAINING_TEXTS[0], True, 9)
    return _answers(name, tuple(answers), nats_per_token=1.5)


@cache
def compared(*models: Answers) -> Comparison:
    """The comparison of these models, or of base, tuned and a quantized one that answers as the tuned one does."""
    return compare_answers(asked_rows(), models or three_models(), TRAINING_TEXTS, seed=0)


def three_models() -> tuple[Answers, ...]:
    """In the order of a run."""
    return base_model(), tuned_model(), tuned_model("quantized")


def _answers(name: str, answers: tuple[Answer, ...], nats_per_token: float) -> Answers:
    tokens = tuple(5 + place for place in range(ROWS))
    nats = tuple(nats_per_token * count + place % 3 for place, count in enumerate(tokens))
    return Answers(name, answers, nats, tokens, tuple(len(row.reference) for row in asked_rows()))
