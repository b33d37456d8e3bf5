"""Builds what the model is asked, from its manifest and from what was said; knows no tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import emoji

from bot.chat.generation import GenerationRequest, Sampling
from bot.chat.messages import ConversationKey, Role, StoredMessage, Style, Turn
from bot.chat.model import Model, QuotePrompt
from bot.chat.quotes import quote_grammar

_DARING = 0.3  # added to the temperature: at 0.9 most small models still write whole sentences at 1.2
_AROUND = re.compile(r"""^[\s#"'“”‘’]+|[\s.,!?…"'“”‘’]+$""")
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\S)", re.IGNORECASE)
_SKIN_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")
_RETRY_TEMPERATURE = 0.1  # added for each further attempt, so that the same prompt does not give the same text


def quote_request(
    model: Model,
    keyword: str,
    *,
    person: str,
    max_tokens: int,
    seed: int | None,
    deadline_s: float,
    style: Style | None = None,
) -> GenerationRequest:
    """Ask for one quote on a keyword, in the form that the model was trained on."""
    text = model.quote_prompt.template.replace("{keyword}", asked_keyword(model.quote_prompt, keyword))
    request = GenerationRequest(
        person=person,
        max_tokens=max_tokens,
        sampling=_styled(model.quote_sampling, style),
        seed=seed,
        grammar=quote_grammar(style),
        deadline_s=deadline_s,
    )
    if model.quote_prompt.chat:
        return replace(request, turns=_with_system(model.quote_prompt.system, [Turn(Role.USER, text)]))
    return replace(request, prompt=text)


def asked_keyword(prompt: QuotePrompt, keyword: str) -> str:
    """The keyword as the model knows keywords: "the sea" makes one that knows bare ones write "The the sea".

    Such a model knows no emoji either, and is asked for what Unicode calls them: "party popper".
    """
    asked = keyword.lower() if prompt.lower_case else keyword
    if not prompt.bare:
        return asked
    named = emoji.replace_emoji(_SKIN_TONE.sub("", asked), _name_of_emoji)
    return _ARTICLE.sub("", _AROUND.sub("", " ".join(named.split()))) or asked


def _name_of_emoji(_: str, about: dict[str, str]) -> str:
    return f" {about['en'].strip(':').replace('_', ' ')} "


def _styled(sampling: Sampling, style: Style | None) -> Sampling:
    """A calm quote is drawn from what is likely, a daring one also from what is not."""
    if style is Style.CALM:
        return replace(sampling, temperature=sampling.temperature / 2)
    if style is Style.DARING:
        return replace(sampling, temperature=sampling.temperature + _DARING)
    return sampling


def chat_request(
    model: Model,
    system_prompt: str,
    history: Sequence[StoredMessage],
    key: ConversationKey,
    *,
    max_tokens: int,
    seed: int | None,
    deadline_s: float,
) -> GenerationRequest:
    """Ask for the next reply; `history` ends with the person's newest message."""
    turns = alternating(history)
    return GenerationRequest(
        person=key.person,
        turns=_with_system(system_prompt if model.system_prompt else "", turns),
        conversation=str(key),
        max_tokens=max_tokens,
        sampling=model.chat_sampling,
        seed=seed,
        deadline_s=deadline_s,
    )


def most_shown(model: Model, allowed: int) -> int:
    """How many messages of a conversation the model is shown at most, one or more; `allowed` by the operator."""
    return max(1, allowed if model.history_messages is None else min(allowed, model.history_messages))


def shared_prefixes(model: Model, system_prompt: str) -> tuple[tuple[Turn, ...] | str, ...]:
    """What every chat prompt, and every quote prompt, begins with."""
    chat = _with_system(system_prompt if model.system_prompt else "", [Turn(Role.USER, "")])
    before_keyword = model.quote_prompt.template.split("{keyword}")[0]
    if not model.quote_prompt.chat:
        return (chat, before_keyword)
    return (chat, _with_system(model.quote_prompt.system, [Turn(Role.USER, before_keyword)]))


def next_attempt(request: GenerationRequest, attempt: int) -> GenerationRequest:
    """The same question once more, drawn differently; attempt 1 is the request itself."""
    if attempt == 1:
        return request
    warmer = max(request.sampling.temperature, 0.5) + _RETRY_TEMPERATURE * (attempt - 1)
    sampling: Sampling = replace(request.sampling, temperature=warmer)
    seed = None if request.seed is None else request.seed + attempt - 1
    return replace(request, sampling=sampling, seed=seed)


def alternating(history: Sequence[StoredMessage]) -> list[Turn]:
    """User and assistant by turns, as templates demand: unanswered messages of one side become one turn."""
    turns: list[Turn] = []
    for message in answered_in_order(history):
        if not turns and message.role is Role.ASSISTANT:
            continue
        if turns and turns[-1].role is message.role:
            turns[-1] = Turn(message.role, f"{turns[-1].content}\n{message.text}")
        else:
            turns.append(Turn(message.role, message.text))
    return turns


def answered_in_order(history: Sequence[StoredMessage]) -> list[StoredMessage]:
    """Each message of the person with its newest reply behind it: one that was asked for again replaces the first."""
    newest: dict[int | None, StoredMessage]
    newest = {message.parent_id: message for message in history if message.parent_id is not None}
    asked = {message.id for message in history if message.role is Role.USER}
    ordered: list[StoredMessage] = []
    for message in history:
        if message.role is Role.USER:
            ordered += [message, newest[message.id]] if message.id in newest else [message]
        elif message.parent_id not in asked and newest.get(message.parent_id, message) is message:
            ordered.append(message)
    return ordered


def _with_system(system_prompt: str, turns: Sequence[Turn]) -> tuple[Turn, ...]:
    return (Turn(Role.SYSTEM, system_prompt), *turns) if system_prompt else tuple(turns)
