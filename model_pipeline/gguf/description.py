"""What a person says about a model folder before it is built: a small TOML file, checked; builds nothing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated

import emoji
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from model_pipeline.errors import InputInvalid
from model_pipeline.library_errors import key_of, refusal

_AROUND = re.compile(r"""^[\s#"'“”‘’]+|[\s.,!?…"'“”‘’]+$""")
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\S)", re.IGNORECASE)
_SKIN_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")


# Messages of a conversation that a model is shown at most, the newest among them, as the bot's setting
# `chat.history_messages` counts: 1 is that one alone. None is no limit of the model's own.
HistoryMessages = Annotated[int, Field(ge=1, le=10_000, strict=True)] | None


def history_sentence(most: HistoryMessages) -> str:
    """What a card says of it; "" without a limit."""
    if most is None:
        return ""
    if most == 1:
        return "In chat it is asked with the newest message alone, without what was said before."
    return f"In chat it is asked with the newest {most} messages of a conversation at most."


def _one_keyword(template: str) -> str:
    if template.count("{keyword}") != 1:
        raise ValueError("must contain {keyword} exactly once")
    return template


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class QuotePrompt(_Section):
    """How the model is asked for a quote: completed as raw text, or as a user turn after `system` with `chat`.

    With `lower_case` the keyword is written in lower case, and with `bare` without an article before it or marks around
    it and with the names of emoji, for a model that was trained on no other.
    """

    template: Annotated[str, AfterValidator(_one_keyword)]
    chat: bool
    system: str = ""
    lower_case: bool = False
    bare: bool = False

    def asked(self, keyword: str) -> str:
        """The template with the keyword in it, as the bot asks."""
        keyword = keyword.lower() if self.lower_case else keyword
        return self.template.replace("{keyword}", (_bare(keyword) if self.bare else "") or keyword)


def _bare(keyword: str) -> str:
    """As the bot does; the two meet through files alone, so each has the rules, and a property test compares them."""
    named = emoji.replace_emoji(_SKIN_TONE.sub("", keyword), _name_of_emoji)
    return _ARTICLE.sub("", _AROUND.sub("", " ".join(named.split())))


def _name_of_emoji(_: str, about: dict[str, str]) -> str:
    return f" {about['en'].strip(':').replace('_', ' ')} "


class Sampling(_Section):
    """How the next token is drawn; temperature 0 is greedy, top_k 0, top_p 1, min_p 0 and repeat_penalty 1 are off."""

    temperature: float = Field(0.7, ge=0, le=5)
    top_k: int = Field(40, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    min_p: float = Field(0.05, ge=0, le=1)
    repeat_penalty: float = Field(1.0, gt=0, le=10)
    repeat_last_n: int = Field(64, ge=-1)


class SamplingByUse(_Section):
    """One sampling for quotes and one for chat."""

    quote: Sampling = Sampling()
    chat: Sampling = Sampling()


class Card(_Section):
    """The parts of the model card that no figure tells, in Markdown, and the keywords of its unpicked samples."""

    summary: str = ""
    limits: str = "Not stated."
    training: str = "Not stated."
    sampling: str = ""
    sample_keywords: tuple[str, ...] = ()
    sample_messages: tuple[str, ...] = ()


class Description(_Section):
    """Everything in a manifest that cannot be measured."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    base: str
    license: str
    context_tokens: int = Field(0, ge=0)  # 0: what the GGUF says
    system_prompt: bool
    history_messages: HistoryMessages = None
    quote_prompt: QuotePrompt
    sampling: SamplingByUse = SamplingByUse()
    evaluation: dict[str, object] = {}
    lineage: dict[str, object] = {}
    card: Card = Card()


def read_description(path: Path, **overrides: object) -> Description:
    """The description in `path`, with those `overrides` of top-level keys that are not None.

    Raises `InputInvalid`, which names the first wrong key and what is allowed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputInvalid(
            f"The description {path} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from error
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Description.model_validate(content | given)
    except ValidationError as error:
        raise InputInvalid(f"The description {path} cannot be used: {first_problem(error)}.") from error


def first_problem(error: ValidationError) -> str:
    """The first wrong key, what is allowed there and what was given, without a full stop."""
    problem = error.errors(include_url=False)[0]
    return f"{key_of(problem)}: {refusal(problem)}"
