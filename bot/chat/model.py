"""What the bot knows about a model: the manifest of its folder, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bot.chat.generation import Sampling


@dataclass(frozen=True, slots=True)
class QuotePrompt:
    """How this model is asked for a quote.

    `template` contains `{keyword}` once. With `chat` it is sent as a user turn through the model's chat template
    (after `system`, if any); without, it is the raw text that the model completes. `lower_case` says that the model
    was trained on keywords in lower case only, and `bare` on keywords without an article before or marks around them.
    """

    template: str
    chat: bool
    system: str = ""
    lower_case: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be served: a GGUF file and its manifest.

    `history_messages` counts as the setting `chat.history_messages` does, the newest message among them: 1 is that one
    alone. The smaller of the two applies.
    """

    name: str
    path: Path  # the GGUF
    sha256: str  # of the GGUF; hex
    quote_prompt: QuotePrompt
    quote_sampling: Sampling
    chat_sampling: Sampling
    system_prompt: bool = True  # False for a model that was never trained on system turns
    history_messages: int | None = None  # of a chat, that it is shown at most, 1 or more; None: no limit of its own
    judge_path: Path | None = None  # what chooses among several quotes
    context_tokens: int = 0  # of one sequence; 0: what the GGUF says
    base: str = ""
    license: str = ""
    lineage: dict[str, object] = field(default_factory=dict)
    evaluation: dict[str, object] = field(default_factory=dict)
