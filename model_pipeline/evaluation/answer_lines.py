"""Keeps every answer of an evaluation in a JSONL file, a line for each row; judges none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model_pipeline.data.json_lines import read_json_lines, write_json_lines
from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.answers import Answer, Answers, Asked, check_fit


def write_answers(path: Path, asked: Sequence[Asked], models: Sequence[Answers]) -> None:
    """A line for each row: what was asked, and under each model's name its answer and likelihood."""
    try:
        write_json_lines(
            path,
            (
                asdict(row) | {"answers": {model.name: _line(model, place) for model in models}}
                for place, row in enumerate(asked)
            ),
        )
    except OSError as error:
        raise InputInvalid(f"The answers cannot be written to {path}: {error.strerror or error}.") from error


def read_answers(path: Path) -> tuple[list[Asked], list[Answers]]:
    """The rows and the models of a file that `write_answers` wrote. Raises `InputInvalid`."""
    lines = read_json_lines(path)
    try:
        asked = [Asked(line["prompt"], line["reference"], line["keyword"], line["kind"]) for line in lines]
        names = list(lines[0]["answers"]) if lines else []
        models = [_model(name, [line["answers"][name] for line in lines]) for name in names]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputInvalid(f"{path} holds no answers of an evaluation; the stage evaluate writes them.") from error
    check_fit(asked, models)
    return asked, models


def _line(model: Answers, place: int) -> dict[str, Any]:
    line = asdict(model.answers[place])
    if model.negative_log_likelihoods:
        line["nats"] = model.negative_log_likelihoods[place]
        line["reference_tokens"] = model.reference_tokens[place]
        line["reference_characters"] = model.reference_characters[place]
    return line


def _model(name: str, lines: Sequence[dict[str, Any]]) -> Answers:
    answers = tuple(Answer(line["text"], line["closed"], line["tokens"]) for line in lines)
    if "nats" not in lines[0]:
        return Answers(name, answers)
    return Answers(
        name,
        answers,
        tuple(line["nats"] for line in lines),
        tuple(line["reference_tokens"] for line in lines),
        tuple(line["reference_characters"] for line in lines),
    )
