"""The gates between a trained model and its GGUF: what is compared, within which bounds; loads neither of them.

"Good before, garbage after" is nearly always the tokenizer or the chat template, and neither shows in the weights.
So four things are compared, each with figures: token ids, rendered conversations, logits, and greedy text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Protocol

import numpy as np
from jinja2 import TemplateError
from numpy.typing import NDArray

from model_pipeline.errors import ParityFailed

Conversation = Sequence[Mapping[str, str]]  # turns of {"role", "content"}

# What pre-tokenizers disagree about: contractions, runs of spaces and digits, letters and marks beyond ASCII.
PROBE_LINES = (
    "I've told them she'll say it's fine, they'd agree; I'm SURE we're late, and don't you'VE it.",
    " a leading space, then  two,   three and a trailing one ",
    "tabs\t\there, lines\n\nthere,\r\nand \n \n mixed \t\n ones\n",
    "1 22 333 4444 55555 3.14 1,000,000 2nd a1b2c3",
    "dashes - -- --- ------, dots ... …, marks ?!?! \"quoted\" 'single' (round) [square] {curly} <angle> "
    "@#$%^&*_+=~`|\\/",
    "naïve café, Straße, Grüße, ½ ², Ærøskøbing, İstanbul, ǅ",
    "нещо на Български; ελληνικά; עברית; العربية; हिन्दी; ไทย; កាន់តែពិសេស",
    "我想在apple工作1314151天～ 日本語のテキスト。 한국어 텍스트",
    "🚀 (normal) 😶\u200d🌫️ (joined) ✅ 🦙🦙 👩🏽\u200d🚀 🇳🇴",
    "combining e\u0301 against \u00e9; zero\u200bwidth; no\u00a0break; bell\x07",
    "CamelCaseWORDS and snake_case_words, e-mail@example.org, https://example.org/a?b=c#d",
)

# The same turns that a bot sends: with and without a system turn, with text that is markup elsewhere.
PROBE_CONVERSATIONS: tuple[Conversation, ...] = (
    ({"role": "user", "content": "Hello"},),
    ({"role": "system", "content": "You are kind."}, {"role": "user", "content": "Hello"}),
    (
        {"role": "user", "content": " 'How' are \"you\" & <them>?\n\nTell me. "},
        {"role": "assistant", "content": "Fine: {{ thanks }} {% raw %}"},
        {"role": "user", "content": "ünïcödé 🚀"},
    ),
)

TIE_LOGITS = 0.05  # below this, which of two tokens is the likelier is a matter of rounding
_NO_TEMPLATE, _REFUSED = "nothing, for there is none,", "an error"
_WORST_FACTOR = 5.0  # what one position may differ more than the mean one
_LONG_PROMPT_CHARS = 2_000
# Templates are programs: beside Jinja's own errors they raise what Python does for wrong values.
TEMPLATE_ERRORS = (TemplateError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class TemplateRefused(Exception):
    """A chat template raised an error for a conversation."""


class LanguageModel(Protocol):
    """What both sides can do; see `reference.HuggingFaceModel` and `gguf_model.GgufModel`."""

    @property
    def vocabulary_size(self) -> int:
        """The width of the logits."""
        ...

    @property
    def context_tokens(self) -> int:
        """The longest text that can be given."""
        ...

    def token_ids(self, text: str, *, add_special: bool) -> list[int]:
        """Ids of a text in which control tokens may be named."""
        ...

    def text(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        ...

    def render(self, turns: Conversation, *, generation_prompt: bool) -> str | None:
        """A conversation in the chat template; None without one; raises `TemplateRefused`."""
        ...

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """[len(ids), vocabulary]."""
        ...

    def greedy(self, ids: Sequence[int], max_tokens: int) -> list[int]:
        """The likeliest continuation."""
        ...


@dataclass(frozen=True, slots=True)
class Gate:
    """One comparison: its figures, and in `failure` one sentence when it failed."""

    name: str
    figures: dict[str, float]
    failure: str = ""

    @property
    def passed(self) -> bool:
        """Nothing differed by more than is allowed."""
        return not self.failure


COMPUTED_CONVERSATIONS = 20  # of all that are rendered: logits of 1B parameters on a CPU take seconds for each


@dataclass(frozen=True, slots=True)
class Probes:
    """What is compared on: plain texts, conversations, and prompts as the bot sends them."""

    lines: Sequence[str]
    conversations: Sequence[Conversation] = PROBE_CONVERSATIONS
    prompts: Sequence[str] = field(default_factory=tuple)


# How far the logits of a type may lie from those in fp32: the root mean square of the difference over the standard
# deviation of the reference. About five times what a Llama of 6M parameters showed; larger ones show less.
_RELATIVE_RMS = {"F32": 0.003, "F16": 0.003, "BF16": 0.015, "Q8_0": 0.06, "Q6_K": 0.1}
_RELATIVE_RMS_BY_BITS = {"Q5": 0.15, "Q4": 0.3, "IQ4": 0.3, "Q3": 0.6, "IQ3": 0.6}
_RELATIVE_RMS_BELOW = 1.0  # two bits and fewer: only nonsense is caught


def logit_bound(type_name: str) -> float:
    """The greatest relative RMS that a file of llama.cpp's type `type_name` may show."""
    by_bits = _RELATIVE_RMS_BY_BITS.get(type_name.split("_")[0], _RELATIVE_RMS_BELOW)
    return _RELATIVE_RMS.get(type_name, by_bits)


def check_parity(reference: LanguageModel, candidate: LanguageModel, probes: Probes, type_name: str) -> list[Gate]:
    """Every gate that a file of that type must pass; greedy text only has to be equal where nothing is quantized."""
    prompts_of = (_rendered(reference, turns) for turns in probes.conversations)
    rendered = [text for text in prompts_of if text is not None]
    prompts = [*probes.prompts, *rendered[:COMPUTED_CONVERSATIONS]]
    gates = [
        token_gate(reference, candidate, [*PROBE_LINES, *probes.lines, *probes.prompts, *rendered]),
        template_gate(reference, candidate, [*PROBE_CONVERSATIONS, *probes.conversations]),
        logit_gate(reference, candidate, [*prompts, *probes.lines[:20], _long(probes.lines)], logit_bound(type_name)),
    ]
    if type_name in ("F32", "F16"):
        gates.append(greedy_gate(reference, candidate, prompts))
    return gates


def require(*gates: Gate) -> None:
    """Raise `ParityFailed` with the sentence of the first gate that failed."""
    for gate in gates:
        if not gate.passed:
            raise ParityFailed(gate.failure)


def token_gate(reference: LanguageModel, candidate: LanguageModel, lines: Sequence[str]) -> Gate:
    """Every line gives the same ids on both sides, alone and with what the tokenizer puts around a text."""
    total = 0
    for line in lines:
        for add_special in (False, True):
            expected = reference.token_ids(line, add_special=add_special)
            found = candidate.token_ids(line, add_special=add_special)
            total += len(expected)
            if expected != found:
                failure = _token_difference(line, expected, found, reference, candidate)
                return Gate("tokens", {"lines": len(lines)}, failure)
    return Gate("tokens", {"lines": len(lines), "equal_lines": len(lines), "token_ids": total})


def template_gate(reference: LanguageModel, candidate: LanguageModel, conversations: Sequence[Conversation]) -> Gate:
    """Every conversation renders to the same text, or is refused by both sides; so does a lack of any template."""
    texts = 0
    for turns in conversations:
        for prompt in (True, False):
            expected, found = (_outcome(side, turns, prompt=prompt) for side in (reference, candidate))
            if expected != found:
                failure = f"The GGUF's chat template gives {found} for {_shown(turns)}, and the trained one {expected}."
                return Gate("template", {"conversations": len(conversations)}, failure)
            texts += expected not in (_NO_TEMPLATE, _REFUSED)
    return Gate("template", {"conversations": len(conversations), "equal_texts": texts})


def logit_gate(reference: LanguageModel, candidate: LanguageModel, prompts: Sequence[str], bound: float) -> Gate:
    """The relative RMS of all logits is at most `bound`, and that of the worst position at most five times as much."""
    if reference.vocabulary_size != candidate.vocabulary_size:
        sizes = f"{candidate.vocabulary_size} tokens, and the trained model {reference.vocabulary_size}"
        return Gate("logits", {}, f"The vocabulary has {sizes}.")
    measured = [_compare_logits(reference, candidate, prompt) for prompt in prompts]
    figures = _summary(measured) | {"bound_relative_rms": bound}
    worst = max(range(len(prompts)), key=lambda index: float(measured[index].relative.max()))
    if figures["relative_rms"] <= bound and figures["worst_position_rms"] <= _WORST_FACTOR * bound:
        return Gate("logits", figures)
    failure = (
        f"The logits differ too much: relative RMS {figures['relative_rms']:.3g} with {bound:.3g} allowed, "
        f"{figures['worst_position_rms']:.3g} at the worst position (token {int(measured[worst].relative.argmax())} "
        f"of {_quoted(prompts[worst])})."
    )
    return Gate("logits", figures, failure)


def greedy_gate(reference: LanguageModel, candidate: LanguageModel, prompts: Sequence[str], tokens: int = 32) -> Gate:
    """Each prompt is continued with the same tokens, up to a place where two are equally likely but for rounding."""
    compared = ties = 0
    longest = max(1, min(reference.context_tokens, candidate.context_tokens) - tokens)
    for prompt in prompts:
        ids = reference.token_ids(prompt, add_special=True)[:longest]
        expected, found = reference.greedy(ids, tokens), candidate.greedy(ids, tokens)
        place = _first_difference(expected, found)
        compared += len(expected) if place is None else place
        if place is not None and not _is_tie(reference, candidate, ids, expected, found, place):
            texts = f"{candidate.text(found)!r}, and the trained model {reference.text(expected)!r}"
            return Gate("greedy", {"prompts": len(prompts)}, f"After {_quoted(prompt)} the GGUF writes {texts}.")
        ties += place is not None
    return Gate("greedy", {"prompts": len(prompts), "equal_tokens": compared, "ties": ties})


@dataclass(frozen=True, slots=True)
class _Difference:
    """Of one prompt of n tokens: squared differences [n, vocabulary], and per position [n] the relative RMS."""

    squared_sum: float
    largest: float
    count: int
    variance_sum: float
    relative: NDArray[np.float64]
    same_top: NDArray[np.bool_]


def _compare_logits(reference: LanguageModel, candidate: LanguageModel, prompt: str) -> _Difference:
    longest = min(reference.context_tokens, candidate.context_tokens)
    ids = reference.token_ids(prompt, add_special=True)[:longest]
    expected = reference.logits(ids).astype(np.float64)
    difference = candidate.logits(ids).astype(np.float64) - expected
    # A NaN would pass every comparison that asks whether something is too large.
    difference = np.where(np.isfinite(difference), difference, 1e9)
    squared = np.square(difference)
    return _Difference(
        squared_sum=float(squared.sum()),
        largest=float(np.abs(difference).max()),
        count=squared.size,
        variance_sum=float(expected.var() * expected.size),
        relative=np.sqrt(squared.mean(axis=1)) / max(float(expected.std()), 1e-9),
        same_top=(difference + expected).argmax(axis=1) == expected.argmax(axis=1),
    )


def _summary(measured: Sequence[_Difference]) -> dict[str, float]:
    squared, variance = sum(each.squared_sum for each in measured), sum(each.variance_sum for each in measured)
    same = np.concatenate([each.same_top for each in measured])
    figures = {
        "max_abs": max(each.largest for each in measured),
        "rms": float(np.sqrt(squared / sum(each.count for each in measured))),
        "relative_rms": float(np.sqrt(squared / max(variance, 1e-9))),
        "worst_position_rms": max(float(each.relative.max()) for each in measured),
        "same_top_share": float(same.mean()),
    }
    return {"prompts": len(measured), "positions": len(same)} | {key: _rounded(value) for key, value in figures.items()}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _is_tie(
    reference: LanguageModel,
    candidate: LanguageModel,
    ids: Sequence[int],
    expected: Sequence[int],
    found: Sequence[int],
    place: int,
) -> bool:
    """Whether the reference finds what the candidate did as likely there; what ended a text was its likeliest token."""
    before = [*ids, *expected[:place]]
    after = reference.logits(before)[-1]
    other = found[place] if place < len(found) else int(candidate.logits(before)[-1].argmax())
    return bool(after.max() - after[other] <= TIE_LOGITS)


def _first_difference(expected: Sequence[int], found: Sequence[int]) -> int | None:
    pairs = enumerate(zip_longest(expected, found))
    return next((place for place, (one, other) in pairs if one != other), None)


def _token_difference(
    line: str, expected: Sequence[int], found: Sequence[int], reference: LanguageModel, candidate: LanguageModel
) -> str:
    place = _first_difference(expected, found) or 0
    theirs, ours = expected[place : place + 3], found[place : place + 3]
    return (
        f"The GGUF cuts {_quoted(line)} into other tokens from number {place} on: {list(ours)} "
        f"({candidate.text(ours)!r}), and the tokenizer {list(theirs)} ({reference.text(theirs)!r})."
    )


def _rendered(model: LanguageModel, turns: Conversation) -> str | None:
    """The conversation as a prompt, or None where the template gives none."""
    try:
        return model.render(turns, generation_prompt=True)
    except TemplateRefused:
        return None


def _outcome(model: LanguageModel, turns: Conversation, *, prompt: bool) -> str:
    """What a template makes of a conversation, in words that can be compared and shown."""
    try:
        text = model.render(turns, generation_prompt=prompt)
    except TemplateRefused:
        return _REFUSED
    return _NO_TEMPLATE if text is None else repr(text)


def _shown(turns: Conversation) -> str:
    return "a conversation of " + ", ".join(f"{turn['role']} {_quoted(turn['content'])}" for turn in turns)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}...")


def _long(lines: Sequence[str]) -> str:
    """One prompt that fills the context: positions go wrong at its far end first."""
    return " ".join([*lines, *PROBE_LINES])[:_LONG_PROMPT_CHARS]
