"""The figures of an evaluation by name: how a person calls them, what they mean, which way is better; computes none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Better(StrEnum):
    """Which way a figure should go."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class FigureText:
    """How a figure is shown: its title, its meaning in one plain sentence, and its decimals."""

    name: str
    title: str
    meaning: str
    better: Better
    decimals: int
    is_ratio: bool = False  # its change is how many times the earlier value, not how much more


FIGURES = (
    FigureText(
        "adherence",
        "Adherence",
        "Share of answers that have the form that was asked for, ended by the model itself.",
        Better.HIGHER,
        2,
    ),
    FigureText(
        "adherence_quotes",
        "Adherence of quotes",
        "The same share among the rows that ask for a quote.",
        Better.HIGHER,
        2,
    ),
    FigureText(
        "adherence_chats",
        "Adherence of chat replies",
        "The same share among the rows that chat.",
        Better.HIGHER,
        2,
    ),
    FigureText(
        "keyword_relevance",
        "Keyword relevance",
        "Share of quotes that hold their keyword, or a word of the same stem.",
        Better.HIGHER,
        2,
    ),
    FigureText(
        "perplexity",
        "Perplexity",
        "How many tokens the model hesitates between, on average, while it reads the reference replies.",
        Better.LOWER,
        2,
        is_ratio=True,
    ),
    FigureText(
        "bits_per_character",
        "Bits per character",
        "The same surprise for each character, which also compares models with different tokenizers.",
        Better.LOWER,
        3,
    ),
    FigureText(
        "bleu",
        "BLEU",
        "Runs of one to four words shared with the references, over all answers together (0 to 1).",
        Better.HIGHER,
        3,
    ),
    FigureText(
        "sentence_bleu",
        "BLEU of single answers",
        "The same for each answer alone, then averaged (0 to 1).",
        Better.HIGHER,
        3,
    ),
    FigureText(
        "rouge_1",
        "ROUGE-1",
        "Single words shared with the reference (0 to 1).",
        Better.HIGHER,
        3,
    ),
    FigureText(
        "rouge_l",
        "ROUGE-L",
        "Longest sequence of words shared with the reference, gaps allowed (0 to 1).",
        Better.HIGHER,
        3,
    ),
    FigureText(
        "words",
        "Words in an answer",
        "Average length of an answer in words.",
        Better.NEITHER,
        1,
    ),
    FigureText(
        "distinct_1",
        "Distinct-1",
        "Different words among all words of all answers; it falls with their length, and gibberish scores high.",
        Better.NEITHER,
        3,
    ),
    FigureText(
        "distinct_2",
        "Distinct-2",
        "Different pairs of words among all pairs of all answers, with the same reservation.",
        Better.NEITHER,
        3,
    ),
    FigureText(
        "novelty",
        "Novelty",
        "Share of an answer's runs of four words that stand in no training text.",
        Better.NEITHER,
        2,
    ),
    FigureText(
        "verbatim",
        "Copied answers",
        "Share of answers that stand in a training text word for word.",
        Better.LOWER,
        2,
    ),
)

BY_NAME = {figure.name: figure for figure in FIGURES}
