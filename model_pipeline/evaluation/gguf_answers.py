"""What a GGUF answers, with llama.cpp's own sampler, and how likely it finds the references; judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.answers import Answer, Answers
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.likelihood import reply_likelihood
from model_pipeline.recipe import Evaluate
from model_pipeline.report import Advance


@dataclass(frozen=True, slots=True)
class Question:
    """A row as the model sees it: prompt and reply with their control tokens; and the reference's characters.

    It is asked with `asked`, and the reference is read behind `prompt`, which may hold more of a conversation.
    """

    asked: str
    prompt: str
    reply: str
    reference_characters: int
    seed: int


def gguf_answers(
    gguf: Path, name: str, questions: Sequence[Question], settings: Evaluate, context_tokens: int, advance: Advance
) -> Answers:
    """An answer to each question, and likelihoods if every reply fits in the context. Raises `InputInvalid`."""
    answers, found = [], []
    with GgufModel(gguf, context_tokens) as model:
        for number, question in enumerate(questions, start=1):
            answers.append(_answer(model, question, settings))
            found.append(reply_likelihood(model, question.prompt, question.reply))
            advance(number)
    likelihoods = [each for each in found if each is not None]
    if len(likelihoods) < len(questions):
        return Answers(name, tuple(answers))
    return Answers(
        name,
        tuple(answers),
        tuple(each.nats for each in likelihoods),
        tuple(each.tokens for each in likelihoods),
        tuple(question.reference_characters for question in questions),
    )


def gguf_nats(gguf: Path, texts: Sequence[tuple[str, str]], context_tokens: int, advance: Advance) -> list[float]:
    """The negative log-likelihood of each reply after its prompt, in nats. Raises `InputInvalid` if one does not fit.

    `context_tokens` are those of the longest prompt and reply.
    """
    found = []
    with GgufModel(gguf, context_tokens) as model:
        for number, (prompt, reply) in enumerate(texts, start=1):
            likelihood = reply_likelihood(model, prompt, reply)
            if likelihood is None:
                raise InputInvalid(f"The held-out reply {reply.strip()[:60]!r} does not fit into the context.")
            found.append(likelihood.nats)
            advance(number)
    return found


def _answer(model: GgufModel, question: Question, settings: Evaluate) -> Answer:
    model.llama.reset()
    result: Any = model.llama.create_completion(
        model.token_ids(question.asked, add_special=True),
        max_tokens=settings.max_new_tokens,
        seed=question.seed,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=0,
        min_p=0.0,
        repeat_penalty=1.0,
    )
    choice = result["choices"][0]
    ended = choice["finish_reason"] == "stop"
    return Answer(str(choice["text"]).strip(), ended, int(result["usage"]["completion_tokens"]))
