"""What the gate asks of a new model: margins, limits and minimal sizes, typed, checked and frozen; measures nothing.

A margin is how much worse than the old model the new one may be, and the whole interval must lie within it.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Per(StrEnum):
    """What the change of a text's log-likelihood is divided by."""

    CHARACTER = "character"
    TEXT = "text"


class Gate(BaseModel):
    """The section [gate] of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int = Field(0, ge=0)
    confidence: float = Field(0.95, ge=0.8, lt=1)  # of every interval; what must be better has half of the rest as risk
    validation: bool = False  # the curated folder's validation rows count too, if they had no say in training

    least_people: int = Field(20, ge=2)  # behind the held-out votes, counted as if all had voted equally much
    least_pairs: int = Field(50, ge=2)  # of a preferred and a rejected text
    per: Per = Per.CHARACTER  # nats that are compared
    preference_least: float = Field(0.0, ge=0)  # nats that the new model must be better by, for certain
    context_tokens: int = Field(1024, ge=64)  # texts that do not fit are left out; logits take 4 bytes a token and word

    prompts: int = Field(200, ge=2)  # keywords that both models are asked for, through the bot
    least_prompts: int = Field(100, ge=2)
    chats: int = Field(20, ge=0)  # held-out messages that both are asked, beside the plain ones of this package
    adherence_margin: float = Field(0.05, ge=0, le=1)
    relevance_margin: float = Field(0.10, ge=0, le=1)
    distinct_margin: float = Field(0.10, ge=0, le=1)  # of distinct-2
    repeats_margin: float = Field(0.05, ge=0, le=1)  # of the share of quotes that were given before
    copies_margin: float = Field(0.05, ge=0, le=1)  # of the share of quotes that stand in the training rows
    most_unanswered: float = Field(0.05, ge=0, le=1)  # share of quotes that are empty or cut off
    most_unclean: int = Field(0, ge=0)  # replies to plain prompts, and quotes, with a word of the list

    written: int = Field(200, ge=2)  # quotes by people that no model was trained on
    least_written: int = Field(50, ge=2)
    forgetting_margin: float = Field(0.10, ge=0)  # bits a character

    latency_p50_ratio: float = Field(1.5, gt=0)  # to the old model's, asked by turns
    latency_p95_ratio: float = Field(2.0, gt=0)
    latency_p95_s: float = Field(60.0, gt=0)
    memory_ratio: float = Field(1.25, gt=0)
    memory_mb: float = Field(8_000.0, gt=0)
