"""How much each thing that is known of a quote says of whether a reader would post it.

    .venv-train/bin/python -m benchmarks.choice_weights --model bot/starter \
        --marks benchmarks/readings/2026-11-27-choice/quotes.tsv

The marks are a table of quotes that a model wrote, one a keyword, each read by itself (readings/RUBRIC.md): keyword,
quote and good, which is y or n. What `bot.chat.choice` weighs is worked out for each, and a logistic regression gives
the weights; an area under the curve of one half is no better than chance.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.chat import choice
from bot.chat.generation import Candidate, Finished, FinishReason
from bot.chat.model import Model
from bot.chat.prompts import quote_request
from bot.errors import QuotesmithError
from bot.inference.batch_engine import BatchEngine, Piece
from bot.inference.gguf_model import GgufModel, initialise
from bot.models.folder import model_header, read_folder
from bot.models.judge import load_judge
from model_pipeline.errors import InputInvalid, PipelineError

AT_ONCE = 16  # quotes read together
YES, MARKS = "y", ("y", "n")
FOLDS = 5


def main() -> None:
    """Read the marks and print the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="a model folder, with its judge")
    parser.add_argument("--marks", type=Path, required=True, help="keyword, quote, good, separated by tabs")
    arguments = parser.parse_args()
    try:
        fit(arguments.model, *read_marks(arguments.marks))
    except OSError as error:
        sys.exit(f"{arguments.marks} cannot be read: {error.strerror}.")
    except (QuotesmithError, PipelineError) as error:
        sys.exit(str(error))


def read_marks(path: Path) -> tuple[list[tuple[str, str]], NDArray[np.bool_]]:
    """Keyword and quote of each line, and whether it was found good. Raises `InputInvalid`."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for number, row in enumerate(rows, start=2):
        if row.get("good") not in MARKS or not row.get("keyword") or not row.get("quote"):
            raise InputInvalid(f"Line {number} of {path} needs a keyword, a quote, and y or n under good.")
    good = np.array([row["good"] == YES for row in rows])
    if min(good.sum(), len(good) - good.sum()) < FOLDS:
        raise InputInvalid(f"{path} needs at least {FOLDS} quotes that are good and {FOLDS} that are not.")
    return [(row["keyword"], row["quote"]) for row in rows], good


def fit(folder: Path, quotes: list[tuple[str, str]], good: NDArray[np.bool_]) -> None:
    """Print what each measure says alone, all of them together, and the weights."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import cross_val_predict
    except ImportError:
        sys.exit("The weights need scikit-learn; call this with .venv-train/bin/python, which has it.")

    measures = measure(folder, quotes)
    print(f"{len(good):,} quotes, {good.sum():,} of them good ({good.mean():.1%}); areas under the curve:")
    for name, values in measures.items():
        print(f"  {name:<28} {roc_auc_score(good, values):.3f}")
    table = np.stack(list(measures.values()), axis=1)
    regression = LogisticRegression(max_iter=1_000)
    together = cross_val_predict(regression, table, good, cv=FOLDS, method="predict_proba")[:, 1]
    print(f"  together, in {FOLDS}-fold validation {roc_auc_score(good, together):.3f}")
    fitted = regression.fit(table, good)
    print("weights: " + ", ".join(f"{n} {w:.3f}" for n, w in zip(measures, fitted.coef_[0], strict=True)))


def measure(folder: Path, quotes: list[tuple[str, str]]) -> dict[str, NDArray[np.float64]]:
    """What the choice weighs, of each quote; more is better."""
    model = read_folder(folder)
    if model.judge_path is None:
        raise InputInvalid(f"The model {folder} has no judge.")
    if model.quote_prompt.chat:
        raise InputInvalid(f"The model {folder} is asked in chat; only prompts of plain text are read here.")
    judge = load_judge(model.judge_path, model_header(model.path).embedding_width)
    known = known_quotes(model, quotes)
    # A judge of readers weighs the likelihood itself, and the choice does not weigh it again.
    likelihood = {} if judge.of_readers else {"likelihood, in nats": -np.array([one.nats or 0.0 for one in known])}
    return likelihood | {
        "names the keyword": np.array([choice.names(keyword, quote) for keyword, quote in quotes]),
        "words said again (fewer)": -np.array([float(choice.repeated(quote)) for _, quote in quotes]),
        "judge": np.array(
            [
                judge.scores(keyword, [Candidate(quote, finished)])[0]
                for (keyword, quote), finished in zip(quotes, known, strict=True)
            ]
        ),
    }


def known_quotes(model: Model, quotes: list[tuple[str, str]]) -> list[Finished]:
    """What the worker would tell of each quote, had the model drawn it."""
    initialise()
    gguf = GgufModel(model.path, lambda fraction: None)
    engine = BatchEngine(gguf, slots=AT_ONCE, context_tokens=2_048, batch_tokens=512)
    ending = gguf.tokenize(gguf.ending, control=True, begin=False)
    return [
        finished
        for at in range(0, len(quotes), AT_ONCE)
        for finished in _known_at_once(engine, gguf, ending, model, quotes[at : at + AT_ONCE])
    ]


def _known_at_once(
    engine: BatchEngine, gguf: GgufModel, ending: list[int], model: Model, quotes: list[tuple[str, str]]
) -> list[Finished]:
    replies = [gguf.tokenize(f" {quote}", begin=False) + ending for _, quote in quotes]
    prompts = [gguf.tokenize(_prompt(model, keyword)) for keyword, _ in quotes]
    openings = [engine.open(prompt, None, len(prompt) + len(own)) for prompt, own in zip(prompts, replies, strict=True)]
    nats, states = [0.0] * len(quotes), [np.zeros(gguf.state_size, np.float32) for _ in quotes]
    ahead = [prompt[opening.cached :] for prompt, opening in zip(prompts, openings, strict=True)]
    for step in range(max(map(len, replies))):
        under_way = [place for place, own in enumerate(replies) if step < len(own)]
        rows = engine.decode([Piece(openings[place].id, ahead[place], draws=True) for place in under_way], states=True)
        for place, row in zip(under_way, rows, strict=True):
            nats[place] += gguf.surprise(engine.context, row, replies[place][step])
            states[place] += engine.state(row)
            ahead[place] = [replies[place][step]]
    for opening in openings:
        engine.close(opening.id)
    return [
        Finished(
            FinishReason.END, 0, 0, len(own) - 1, 0.0, 0.0, 0.0,
            nats=total, drawn=len(own), state=tuple(state / len(own)),
        )
        for own, total, state in zip(replies, nats, states, strict=True)
    ]  # fmt: skip


def _prompt(model: Model, keyword: str) -> str:
    """As the bot asks."""
    return quote_request(model, keyword, person="", max_tokens=1, seed=None, deadline_s=1).prompt or ""


if __name__ == "__main__":
    main()
