"""What the model is asked: the form of its manifest, and turns that every chat template accepts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.generation import GenerationRequest, Sampling
from bot.chat.messages import MessageKind, Role, StoredMessage, Turn
from bot.chat.model import Model, QuotePrompt
from bot.chat.prompts import alternating, chat_request, next_attempt, quote_request, shared_prefixes
from bot.models.manifest import Manifest
from tests.fakes import MODEL, key_of

CHAT_FORM = QuotePrompt("Write a quote about {keyword}.", chat=True, system="You write quotes.")
HISTORIES = st.lists(
    st.builds(
        StoredMessage,
        id=st.integers(1, 99),
        parent_id=st.none(),
        role=st.sampled_from([Role.USER, Role.ASSISTANT]),
        kind=st.just(MessageKind.CHAT),
        text=st.text("ab", min_size=1, max_size=3),
    ),
    max_size=12,
)


def asked_with(form: QuotePrompt) -> Model:
    return replace(MODEL, quote_prompt=form)


def quote(model: Model, keyword: str) -> GenerationRequest:
    return quote_request(model, keyword, person="discord:ann", max_tokens=50, seed=3, deadline_s=9.0)


def chat(model: Model, system_prompt: str, *said: str) -> GenerationRequest:
    roles = (Role.USER, Role.ASSISTANT)
    history = [StoredMessage(n, None, roles[n % 2], MessageKind.CHAT, text) for n, text in enumerate(said)]
    return chat_request(model, system_prompt, history, key_of("ann"), max_tokens=50, seed=3, deadline_s=9.0)


def test_a_quote_is_asked_for_in_the_models_own_form() -> None:
    raw = quote(MODEL, "Sea")
    assert (raw.prompt, raw.turns) == ("Keyword: Sea\nQuote:", ())
    turns = quote(asked_with(CHAT_FORM), "Sea")
    assert turns.prompt is None
    assert turns.turns == (
        Turn(Role.SYSTEM, "You write quotes."),
        Turn(Role.USER, "Write a quote about Sea."),
    )
    assert (raw.person, raw.max_tokens, raw.seed, raw.deadline_s) == ("discord:ann", 50, 3, 9.0)
    assert raw.sampling == MODEL.quote_sampling


@pytest.mark.parametrize("form", [MODEL.quote_prompt, CHAT_FORM])
@pytest.mark.parametrize(
    ("typed", "asked"), [("Old SEA", "old sea"), ("ÄRGER", "ärger"), ("日本", "日本"), ("🙂", "🙂")]
)
def test_a_model_of_lower_case_keywords_is_asked_in_lower_case(form: QuotePrompt, typed: str, asked: str) -> None:
    expected = quote(asked_with(form), asked)
    assert quote(asked_with(replace(form, lower_case=True)), typed) == expected


BARE = [
    ("The sea!", "sea"),
    ("an Old friend", "Old friend"),
    ("A  rainy day...", "rainy day"),
    ("#friday", "friday"),
    ("“courage”", "courage"),
    ("o'clock", "o'clock"),
    ("C++", "C++"),
    ("theatre", "theatre"),
    ("a", "a"),
    ("the", "the"),
    ("The?", "The"),
    ("!!!", "!!!"),
    ("日本", "日本"),
    ("🎉", "party popper"),
    ("love ❤️!", "love red heart"),
    ("👍🏽👍", "thumbs up thumbs up"),
    ("👩‍💻", "woman technologist"),
]


@pytest.mark.parametrize("form", [MODEL.quote_prompt, CHAT_FORM])
@pytest.mark.parametrize(("typed", "asked"), BARE)
def test_a_model_of_bare_keywords_is_asked_without_article_and_marks(form: QuotePrompt, typed: str, asked: str) -> None:
    assert quote(asked_with(replace(form, bare=True)), typed) == quote(asked_with(form), asked)


@given(st.text(min_size=1).filter(str.strip))
def test_something_is_left_of_every_keyword(typed: str) -> None:
    bare = quote(asked_with(replace(MODEL.quote_prompt, bare=True)), typed).prompt or ""
    assert bare.removeprefix("Keyword: ").removesuffix("\nQuote:").strip()


@pytest.mark.parametrize("given", [{}, {"lower_case": False}, {"lower_case": True, "bare": True}])
def test_a_manifest_says_whether_keywords_are_lower_case_and_bare(given: dict[str, bool], tmp_path: Path) -> None:
    manifest = Manifest.model_validate(
        {
            "format": 1,
            "name": "tiny",
            "file": "tiny.gguf",
            "sha256": "a" * 64,
            "size_bytes": 1,
            "quote_prompt": {"template": "On {keyword}:", "chat": False, **given},
        }
    )
    prompt = manifest.to_model(tmp_path).quote_prompt
    assert (prompt.lower_case, prompt.bare) == (given.get("lower_case", False), given.get("bare", False))


def test_the_words_of_the_form_keep_their_case() -> None:
    assert quote(asked_with(replace(MODEL.quote_prompt, lower_case=True)), "SEA").prompt == "Keyword: sea\nQuote:"


def test_a_keyword_that_looks_like_the_placeholder_is_a_keyword() -> None:
    assert quote(MODEL, "{keyword}").prompt == "Keyword: {keyword}\nQuote:"


def test_a_chat_is_asked_for_as_turns_behind_the_system_prompt() -> None:
    request = chat(MODEL, "Be kind.", "Hi", "Hello!", "How are you?")
    assert request.turns == (
        Turn(Role.SYSTEM, "Be kind."),
        Turn(Role.USER, "Hi"),
        Turn(Role.ASSISTANT, "Hello!"),
        Turn(Role.USER, "How are you?"),
    )
    assert (request.person, request.conversation) == ("discord:ann", str(key_of("ann")))
    assert (request.sampling, request.grammar) == (MODEL.chat_sampling, None)


@pytest.mark.parametrize(("trained_on_system_turns", "system_prompt"), [(False, "Be kind."), (True, "")])
def test_there_is_no_system_turn_where_none_belongs(trained_on_system_turns: bool, system_prompt: str) -> None:
    model = replace(MODEL, system_prompt=trained_on_system_turns)
    assert chat(model, system_prompt, "Hi").turns == (Turn(Role.USER, "Hi"),)


@given(HISTORIES)
def test_turns_alternate_from_a_user_turn_on_and_lose_no_word(history: list[StoredMessage]) -> None:
    turns = alternating(history)
    assert [turn.role for turn in turns[:1]] in ([], [Role.USER])
    assert all(earlier.role is not later.role for earlier, later in pairwise(turns))
    first = next((n for n, message in enumerate(history) if message.role is Role.USER), len(history))
    assert "\n".join(turn.content for turn in turns) == "\n".join(message.text for message in history[first:])


@pytest.mark.parametrize("trained_on_system_turns", [True, False])
@pytest.mark.parametrize("form", [MODEL.quote_prompt, CHAT_FORM, replace(CHAT_FORM, system="", lower_case=True)])
def test_what_is_kept_ready_is_what_every_prompt_begins_with(form: QuotePrompt, trained_on_system_turns: bool) -> None:
    model = replace(asked_with(form), system_prompt=trained_on_system_turns)
    chat_prefix, quote_prefix = shared_prefixes(model, "Be kind.")
    begun = chat(model, "Be kind.", "Hi").turns
    assert (*chat_prefix[:-1], Turn(Role.USER, "Hi")) == begun
    assert chat_prefix[-1] == Turn(Role.USER, "")
    request = quote(model, "Sea")
    if isinstance(quote_prefix, str):
        assert request.prompt is not None
        assert request.prompt.startswith(quote_prefix)
    else:
        assert request.turns[:-1] == quote_prefix[:-1]
        assert request.turns[-1].content.startswith(quote_prefix[-1].content)


@given(st.floats(0, 2), st.none() | st.integers(0, 1 << 32), st.integers(2, 20))
def test_each_attempt_is_warmer_than_the_one_before_and_has_a_seed_of_its_own(
    temperature: float, seed: int | None, attempt: int
) -> None:
    request = replace(quote(MODEL, "Sea"), sampling=Sampling(temperature=temperature), seed=seed)
    assert next_attempt(request, 1) == request
    before, now = next_attempt(request, attempt - 1), next_attempt(request, attempt)
    assert now.sampling.temperature > before.sampling.temperature
    assert now.seed is None if seed is None else now.seed != before.seed
    assert replace(now, sampling=request.sampling, seed=seed) == request
