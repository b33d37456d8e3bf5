"""The lines that the bot and its worker process exchange: one JSON object a line; knows neither side's logic.

To the worker: `load`, then `submit`, `cancel`, and `several`, which holds lines to be obeyed before the next step. From
the worker: `loading`, `ready` or `refused`, then `beat`, `queued`, `delta`, `finished`, `failed`, and `rates`:
what changed of the facts. `defect` says what it ends of, where it can. The worker ends when its standard input ends.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from bot.chat.generation import FinishReason, GenerationRequest, Sampling
from bot.chat.messages import Role, Turn

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What a worker needs to load a model; tokens, seconds and counts as in the settings of the same names.

    `history_messages` is what the model is shown of a conversation at most, the newest message among them.
    """

    model_path: str
    slots: int
    context_tokens: int
    conversation_tokens: int
    batch_tokens: int
    prefill_chunk_tokens: int
    threads: int
    history_messages: int
    shared_prefixes: tuple[tuple[Turn, ...] | str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What a loaded worker says of itself; rates in tokens a second, measured by its last trials."""

    description: str
    context_tokens: int
    cache_tokens: int
    vocabulary: int
    has_chat_template: bool
    threads: int
    batch_threads: int
    stream_rate: float
    batch_rate: float
    load_s: float


def encode(line: Line) -> bytes:
    """One line, newline included; text of any kind survives."""
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def decode(data: bytes | str) -> Line:
    """The object of one line; ValueError if it is none."""
    line = json.loads(data)
    if not isinstance(line, dict) or "op" not in line:
        raise ValueError("not a line of this protocol")
    return line


def options_line(options: WorkerOptions) -> Line:
    """The first line to the worker."""
    return {"op": "load", **asdict(options)}


def options_from(line: Line) -> WorkerOptions:
    """The inverse of options_line."""
    fields = {key: value for key, value in line.items() if key != "op"}
    prefixes = tuple(p if isinstance(p, str) else _turns(p) for p in fields.pop("shared_prefixes"))
    return WorkerOptions(**fields, shared_prefixes=prefixes)


def submit_line(request_id: str, request: GenerationRequest, *, age_s: float, resume: list[int]) -> Line:
    """A request, how long ago it was made, and the tokens that were already given before a worker died."""
    return {"op": "submit", "id": request_id, "age_s": age_s, "resume": resume, "request": asdict(request)}


def request_from(line: Line) -> GenerationRequest:
    """The request of a submit line."""
    fields = dict(line["request"])
    fields["turns"] = _turns(fields["turns"])
    fields["stop"] = tuple(fields["stop"])
    fields["sampling"] = Sampling(**fields["sampling"])
    return GenerationRequest(**fields)


def _turns(raw: list[dict[str, str]]) -> tuple[Turn, ...]:
    return tuple(Turn(Role(turn["role"]), turn["content"]) for turn in raw)


def finish_reason(line: Line) -> FinishReason:
    """The reason of a finished line."""
    return FinishReason(line["reason"])
