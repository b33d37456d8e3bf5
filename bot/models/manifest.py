"""The contract of `manifest.json`: its keys, their types and bounds; opens no GGUF and knows no store."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from bot.chat.generation import Sampling
from bot.chat.model import Model, QuotePrompt
from bot.errors import ModelInvalid
from bot.models.disk import write_durably
from bot.settings_check import shown_value

MANIFEST_FILE = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
MAX_JUDGE_BYTES = 8 << 20
MAX_SHOWN_KEY = 100  # characters
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
NAME_RULE = "1 to 64 of a-z, 0-9, dot, underscore and hyphen, beginning with a letter or a digit"
_TELLS_ALL = ("value_error", "missing", "extra_forbidden", "json_invalid")  # problems that need no value beside them

_DEFAULT = Sampling()


def _one_keyword(template: str) -> str:
    if (count := template.count("{keyword}")) != 1:
        raise ValueError(f"{{keyword}} must stand in it exactly once, not {count} times")
    return template


def _plain_file_name(name: str) -> str:
    if name in ("", ".", "..") or re.search(r"[/\\\0]", name):
        raise ValueError("must be the name of a file in the model folder, without a path")
    return name


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class QuotePromptSection(_Section):
    """How the model is asked for a quote; see bot.chat.model.QuotePrompt."""

    template: Annotated[str, AfterValidator(_one_keyword)]
    chat: bool
    system: str = ""
    lower_case: bool = False
    bare: bool = False


class SamplingSection(_Section):
    """How tokens are drawn; see bot.chat.generation.Sampling. A repeat_last_n of -1 is the whole context."""

    temperature: float = Field(_DEFAULT.temperature, ge=0, le=5)
    top_k: int = Field(_DEFAULT.top_k, ge=0, le=1_000_000)
    top_p: float = Field(_DEFAULT.top_p, gt=0, le=1)
    min_p: float = Field(_DEFAULT.min_p, ge=0, le=1)
    repeat_penalty: float = Field(_DEFAULT.repeat_penalty, gt=0, le=10)
    repeat_last_n: int = Field(_DEFAULT.repeat_last_n, ge=-1, le=1_000_000)


class SamplingByUse(_Section):
    """One sampling for quotes and one for chat."""

    quote: SamplingSection = SamplingSection()
    chat: SamplingSection = SamplingSection()


class JudgeSection(_Section):
    """The file that chooses among several quotes of the model; see bot.models.judge."""

    file: Annotated[str, AfterValidator(_plain_file_name)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: int = Field(ge=1, le=MAX_JUDGE_BYTES)


class Manifest(_Section):
    """The file beside the GGUF. Keys that a later version adds at the top level are kept and ignored.

    `history_messages` is how much of a conversation the model is shown at most; see bot.chat.model.Model.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)

    format: Literal[1]
    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
    file: Annotated[str, AfterValidator(_plain_file_name)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: int = Field(ge=1)
    quantization: str = ""
    base: str = ""
    license: str = ""
    context_tokens: int = Field(0, ge=0)
    system_prompt: bool = True
    history_messages: int | None = Field(None, ge=1, le=10_000)
    quote_prompt: QuotePromptSection
    sampling: SamplingByUse = SamplingByUse()
    judge: JudgeSection | None = None
    lineage: dict[str, object] = {}
    evaluation: dict[str, object] = {}

    def to_model(self, folder: Path) -> Model:
        """The plain data that the rest of the bot works with; `folder` is where the GGUF lies."""
        return Model(
            name=self.name,
            path=folder / self.file,
            sha256=self.sha256,
            quote_prompt=QuotePrompt(**self.quote_prompt.model_dump()),
            quote_sampling=Sampling(**self.sampling.quote.model_dump()),
            chat_sampling=Sampling(**self.sampling.chat.model_dump()),
            system_prompt=self.system_prompt,
            history_messages=self.history_messages,
            context_tokens=self.context_tokens,
            judge_path=folder / self.judge.file if self.judge else None,
            base=self.base,
            license=self.license,
            lineage=self.lineage,
            evaluation=self.evaluation,
        )


def sampling_section(sampling: Sampling) -> SamplingSection:
    """The manifest's form of a sampling."""
    return SamplingSection(**asdict(sampling))


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a model folder.

    Raises ModelInvalid, with the key and what is allowed, when it is missing, unreadable or wrong.
    """
    path = folder / MANIFEST_FILE
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise ModelInvalid(f"The manifest {path} cannot be read: {error.strerror or error}.") from error
    if len(content) > MAX_MANIFEST_BYTES:
        raise ModelInvalid(f"The manifest {path} is larger than {MAX_MANIFEST_BYTES:,} bytes.")
    return parse_manifest(content, f"The manifest {path}")


def parse_manifest(content: bytes, what: str) -> Manifest:
    """Check the content of `what`, which the sentence begins with; raises ModelInvalid with the wrong key."""
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise ModelInvalid(f"{what} cannot be used: {first_problem(error)}.") from error


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest of a model folder; raises OSError."""
    write_durably(folder / MANIFEST_FILE, manifest.model_dump_json(indent=2) + "\n")


def first_problem(error: ValidationError) -> str:
    """The first wrong key, what is allowed there and what was given, without a full stop."""
    problem = error.errors(include_url=False)[0]
    parts = ".".join(str(part) for part in problem["loc"])[:MAX_SHOWN_KEY]
    key = "".join(letter if letter.isprintable() else "?" for letter in parts)  # it may be anybody's text
    text = problem["msg"].removeprefix("Value error, ")
    if problem["type"] not in _TELLS_ALL:
        text += f", and is {shown_value(problem['input'])}"
    return f"{key}: {text[:1].lower()}{text[1:]}" if key else f"{text[:1].lower()}{text[1:]}"
