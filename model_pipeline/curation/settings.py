"""The section [curate] of a recipe: which words of people count, for how much, and what is left out."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator


class Source(StrEnum):
    """How a person said something; the values are those of an export."""

    COMMAND = "command"
    BUTTON = "button"
    REACTION = "reaction"
    COMPARISON = "comparison"
    CORRECTION = "correction"
    RETRY = "retry"
    SHARE = "share"
    FAVORITE = "favorite"


WEAK_SOURCES = frozenset({Source.RETRY, Source.SHARE, Source.FAVORITE})  # what a person did, and did not say
Language = Annotated[str, StringConstraints(pattern="^[a-z]{2,3}$")]


class Curate(BaseModel):
    """How an export becomes sets to train on; the formulas of the weights are in `weights.py`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sources: tuple[Source, ...] = tuple(Source)  # those left out count nowhere
    weak_weight: float = Field(0.3, gt=0, le=1)  # of a retry, a share or a favourite; a spoken vote weighs 1
    margin: float = Field(0.2, ge=0, lt=1)  # of the weights for and against, by which people must agree on a reply
    full_votes_a_person: int = Field(20, ge=1)  # that count in full; more of one person weigh less each
    most_votes_a_person: int = Field(100, ge=1)  # that all of one person's count for together, in each set
    burst_votes: int = Field(10, ge=1)  # of one person, within burst_seconds, that count in full
    burst_people: int = Field(5, ge=1)  # that say the same of one reply within burst_seconds, and count in full
    burst_seconds: float = Field(60, ge=0)
    liked_as_sft: int = Field(0, ge=0)  # people whose liking makes a reply one to imitate; 0: corrections only
    names_file: str = ""  # names of people that are always taken out, one a line
    languages: tuple[Language, ...] = ("en",)  # of the text to learn; none allows every language
    language_certainty: float = Field(0.8, gt=0, le=1)  # below it no text is called one of another language
    offensive_from: float = Field(0.9, gt=0, le=1)  # the classifier's probability; only what is to be learned is judged
    least_characters: int = Field(3, ge=1)  # letters and digits of a reply
    most_characters: int = Field(2000, ge=1)
    near_duplicate: float = Field(0.85, gt=0, le=1)  # Jaccard similarity of word 3-grams; 1 finds exact ones only
    validation_share: float = Field(0.1, gt=0, lt=0.5)  # of the people
    test_share: float = Field(0.15, gt=0, lt=0.5)
    seed: int = 0

    @model_validator(mode="after")
    def _caps_are_in_order(self) -> Self:
        if self.most_votes_a_person < self.full_votes_a_person:
            raise ValueError("most_votes_a_person is at least full_votes_a_person")
        return self
