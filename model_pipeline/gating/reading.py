"""How likely a model finds replies, in the form in which the bot asks it; compares no models.

The token that ends a reply counts: a model that would have gone on does not find that reply likely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from model_pipeline.data.rows import newest_turns
from model_pipeline.errors import InputInvalid
from model_pipeline.gating.candidates import Candidate
from model_pipeline.gating.kept_lines import KeptLines, key_of
from model_pipeline.gguf.description import QuotePrompt
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.likelihood import reply_likelihood
from model_pipeline.gguf.parity import TemplateRefused
from model_pipeline.report import Report

Turns = tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A reply and what it answers: a keyword, or turns of role and content where that is ""."""

    keyword: str
    turns: tuple[tuple[str, str], ...]
    reply: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Nats of each text, summed over its tokens, None where it does not fit; and the header's scalars."""

    nats: tuple[float | None, ...]
    header: Mapping[str, str]
    vocabulary: int


def read_texts(model: Candidate, texts: Sequence[Text], context_tokens: int, folder: Path, report: Report) -> Reading:
    """What the model makes of each text; what is known in `folder` is not computed again. Raises `InputInvalid`.

    Of a conversation it is shown as much as the bot shows it.
    """
    texts = [_shown(text, model.history_messages) for text in texts]
    kept = KeptLines(folder / f"likelihoods-{model.sha256[:16]}.jsonl")
    keys = [key_of(asdict(text), model.quote_prompt.model_dump(), context_tokens) for text in texts]
    with GgufModel(model.gguf, context_tokens) as loaded:
        with report.progress(f"Reading held-out texts with {model.name}", len(texts)) as advance:
            for number, (key, text) in enumerate(zip(keys, texts, strict=True), start=1):
                if key not in kept:
                    kept.add(key, _nats(loaded, model.quote_prompt, text))
                advance(number)
        return Reading(tuple(kept[key] for key in keys), loaded.metadata, loaded.vocabulary_size)


def _shown(text: Text, history_messages: int | None) -> Text:
    newest = newest_turns(_turns(text), history_messages)
    return replace(text, turns=tuple((turn["role"], turn["content"]) for turn in newest))


def _nats(model: GgufModel, quote_prompt: QuotePrompt, text: Text) -> float | None:
    prompt, reply = prompt_and_reply(model, quote_prompt, text)
    found = reply_likelihood(model, prompt, reply)
    return found.nats if found else None


def prompt_and_reply(model: GgufModel, quote_prompt: QuotePrompt, text: Text) -> tuple[str, str]:
    """Both with their control tokens, without the one that begins every text. Raises `InputInvalid`."""
    end = model.ending
    if not text.keyword:
        return _in_turns(model, tuple(_turns(text)), text.reply, end)
    asked = quote_prompt.asked(text.keyword)
    if quote_prompt.chat:
        system = ({"role": "system", "content": quote_prompt.system},) if quote_prompt.system else ()
        return _in_turns(model, (*system, {"role": "user", "content": asked}), text.reply, end)
    return asked, f"{'' if asked[-1:].isspace() else ' '}{text.reply}{end}"


def _turns(text: Text) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in text.turns]


def _in_turns(model: GgufModel, turns: Turns, reply: str, end: str) -> tuple[str, str]:
    answered = (*turns, {"role": "assistant", "content": reply})
    try:
        prompt, whole = model.render(turns, generation_prompt=True), model.render(answered, generation_prompt=False)
    except TemplateRefused as error:
        if turns[0]["role"] == "system" and len(turns) > 1:  # some templates take none; the bot does the same
            first = {"role": turns[1]["role"], "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}
            return _in_turns(model, (first, *turns[2:]), reply, end)
        raise InputInvalid(f"The chat template of the model refuses a conversation: {error}.") from error
    if prompt is None or whole is None:
        raise InputInvalid("The model has no chat template, and there are votes on chats; curate quotes alone.")
    kept, ended, behind = whole.rpartition(end) if end else (whole, "", "")
    whole = kept + ended if ended and not behind.strip() else whole
    return prompt.removeprefix(model.beginning), whole.removeprefix(prompt)
