"""Renders a model's own chat template, as Hugging Face's tokenizers do; knows no tokens.

Templates come with the model and are not trusted: they run in Jinja's sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.chat.messages import Role, Turn
from bot.errors import ModelInvalid

# For a GGUF without a template: the plain dialogue that base models know best.
PLAIN_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}\n\n"
    "{% elif m['role'] == 'user' %}User: {{ m['content'] }}\n{% else %}Bot: {{ m['content'] }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Bot:{% endif %}"
)
PLAIN_STOPS = ("\nUser:", "\nBot:")

_GENERATION_TAGS = {"generation"}
# A template is a program: these are all the ways in which Python can refuse to compile or to run it.
_REFUSALS = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


class _Generation(Extension):
    """`{% generation %}` marks what training counts as the reply; for writing it is transparent."""

    tags = _GENERATION_TAGS

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The body, as if the tag were not there."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """A compiled template and the special tokens that it may name."""

    def __init__(self, source: str | None, bos: str, eos: str) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
        self.own = source is not None
        self.stops = () if self.own else PLAIN_STOPS
        # Templates are tried out with tokenizers that always name tools and documents.
        self._named = {"bos_token": bos, "eos_token": eos, "tools": None, "documents": None}
        try:
            self._template = environment.from_string(source if source is not None else PLAIN_TEMPLATE)
        except _REFUSALS as error:
            raise ModelInvalid(f"The model's chat template cannot be read: {error}.") from error

    def render(self, turns: Sequence[Turn]) -> str:
        """The prompt that asks for the next assistant turn.

        A template that refuses a system turn gets it in front of the first user turn.
        """
        folded = fold_system(turns)
        try:
            return self._render(turns)
        except ModelInvalid:
            if folded == tuple(turns):
                raise
        return self._render(folded)

    def _render(self, turns: Sequence[Turn]) -> str:
        messages = [{"role": turn.role.value, "content": turn.content} for turn in turns]
        try:
            return self._template.render(messages=messages, add_generation_prompt=True, **self._named)
        except _REFUSALS as error:
            raise ModelInvalid(f"The model's chat template refuses this conversation: {error}.") from error


def fold_system(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The same turns with a leading system turn put in front of the first user turn's text."""
    if len(turns) < 2 or turns[0].role is not Role.SYSTEM:
        return tuple(turns)
    first = Turn(turns[1].role, f"{turns[0].content}\n\n{turns[1].content}")
    return (first, *turns[2:])


def _to_json(value: Any, *, ensure_ascii: bool = False, indent: int | None = None, **layout: Any) -> str:
    # Not Jinja's own filter: that one escapes HTML.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **layout)


def _raise(message: str) -> None:
    raise TemplateError(message)
