"""From a request to tokens: always within the context, and always with room for a reply."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.generation import GenerationRequest
from bot.chat.messages import Role, Turn
from bot.errors import ModelInvalid
from bot.inference.prompt_tokens import Prompt, prepare, prompt_budget

FRAME = 4  # the tokens around each turn


class Letters:
    """A token for each letter, and as many as `overhead` before every conversation."""

    def __init__(self, overhead: int = 0) -> None:
        self._before = [0] * overhead

    def render(self, turns: Sequence[Turn]) -> list[int]:
        tokens = list(self._before)
        for turn in turns:
            tokens += [1] * FRAME + self.tokenize(turn.content)
        return tokens

    def tokenize(self, text: str) -> list[int]:
        return [ord(char) for char in text]


TEXTS = st.text("ab", min_size=1, max_size=30)
DIALOGUES = st.lists(TEXTS, min_size=1, max_size=9).map(
    lambda texts: tuple(Turn((Role.ASSISTANT, Role.USER)[(len(texts) - n) % 2], t) for n, t in enumerate(texts))
)
CONTEXTS = st.integers(16, 200)
MOST = st.integers(1, 300)


@given(DIALOGUES, CONTEXTS, MOST, st.none() | st.integers(0, 9))
def test_a_conversation_and_its_reply_fit_into_the_context(
    turns: tuple[Turn, ...], context: int, most: int, keep_from: int | None
) -> None:
    prompt = prepare(GenerationRequest("ann", turns=turns, max_tokens=most), Letters(), context, keep_from)
    assert 1 <= prompt.max_tokens <= most
    assert len(prompt.tokens) + prompt.max_tokens <= context
    assert prompt.max_tokens >= min(most, context // 4), "the reply gets its share"
    assert prompt.tokens[-1] in (ord(turns[-1].content[-1]), 1)
    assert prompt.dropped_turns < len(turns)


@given(TEXTS.map(lambda text: text * 10), CONTEXTS, MOST)
def test_of_a_raw_prompt_that_is_too_long_the_end_is_kept(text: str, context: int, most: int) -> None:
    request = GenerationRequest("ann", prompt=text, max_tokens=most)
    prompt = prepare(request, Letters(), context)
    kept = "".join(map(chr, prompt.tokens))
    assert text.endswith(kept)
    assert len(kept) == min(len(text), prompt_budget(request, context))
    assert len(prompt.tokens) + prompt.max_tokens <= context
    assert prompt.dropped_turns == 0


def test_a_short_request_is_taken_as_it_is() -> None:
    turns = (Turn(Role.USER, "Hi"), Turn(Role.ASSISTANT, "Hello"), Turn(Role.USER, "Bye"))
    prompt = prepare(GenerationRequest("ann", turns=turns, max_tokens=20), Letters(), 100)
    assert prompt == Prompt(Letters().render(turns), 20, 0)


def test_an_earlier_beginning_is_kept_while_it_fits() -> None:
    turns = tuple(Turn((Role.USER, Role.ASSISTANT)[n % 2], "x" * 6) for n in range(9))
    request = GenerationRequest("ann", turns=turns, max_tokens=20)
    assert prepare(request, Letters(), 100, keep_from=2).dropped_turns == 2
    assert prepare(request, Letters(), 60, keep_from=2).dropped_turns > 2


def test_a_template_that_fills_the_context_leaves_no_room() -> None:
    request = GenerationRequest("ann", turns=(Turn(Role.USER, "Hi"),), max_tokens=20)
    with pytest.raises(ModelInvalid, match=r"^The model's context of 64 tokens leaves no room for a reply\.$"):
        prepare(request, Letters(overhead=64), 64)


def test_the_same_tokens_have_the_same_hash_and_others_another() -> None:
    assert Prompt([1, 2, 3], 5, 0).sha256 == Prompt([1, 2, 3], 9, 2).sha256
    assert len({Prompt(tokens, 5, 0).sha256 for tokens in ([], [1], [1, 2], [2, 1], [258])}) == 5
