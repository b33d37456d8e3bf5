"""The stage judge: a small network learns what to choose among the model's quotes, and maybe among its replies.

With readers' marks, it learns them by what the merged model knows of each text; else the merged model writes quotes,
and it learns to tell them from the written ones. Leaves judge.npz, which also goes into the model folder, and
quotes.jsonl, what the model wrote, where it wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_pipeline.data.items import Item, Message
from model_pipeline.data.json_lines import write_json_lines
from model_pipeline.data.marked import MarkedTexts, read_marked
from model_pipeline.data.prepared import read_rows
from model_pipeline.data.rows import Row, as_served, make_rows, reply_of
from model_pipeline.data.sources import find_path
from model_pipeline.data.tokens import encode
from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.answers import QUOTE
from model_pipeline.evaluation.form import why_not
from model_pipeline.evaluation.generation import generate_answers, reply_states
from model_pipeline.gguf.model_folder import JUDGE_FILE, MANIFEST_FILE, record_judge
from model_pipeline.judging.judge_of_states import (
    Read,
    ReadersNetwork,
    good_firsts,
    save_readers_judge,
    told_apart,
    train_on_marks,
)
from model_pipeline.judging.judge_of_words import (
    Judged,
    JudgeNetwork,
    area_under_curve,
    log_odds,
    save_judge,
    train_judge,
)
from model_pipeline.learned_texts import filters_of
from model_pipeline.recipe import Judge, Method
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage
from model_pipeline.training.base_model import load_base
from model_pipeline.training.failures import told_in_a_sentence
from model_pipeline.training.hardware import dtype_of, find_hardware
from model_pipeline.training.tokenizer import load_tokenizer

MOST_TOKENS = 40  # of a quote
FOREIGN_SHARE = 0.25  # of the written quotes, shown again with a keyword that they were not written on, as bad ones
LEAST_QUOTES = 20
LESS_MEMORY = "set a smaller judge.batch_size."

_RowList = tuple[list[Row], Sequence[bool]]  # several texts on one keyword or message, and which are good
_Lists = tuple[list[_RowList], list[_RowList]]  # for training, and held out


def judge(run: Run, report: Report) -> None:
    """Train, and put the judge into the model folder. Raises `InputInvalid` or `TrainingFailed`."""
    began, settings = datetime.now(UTC), _settings(run)
    folder = run.begin(Stage.JUDGE, Stage.PREPARE, Stage.MERGE, Stage.QUANTIZE)
    _check_model_folder(run)
    learn = _learn_marks if settings.marks else _learn_words
    figures = learn(run, folder, report)
    record_judge(run.model_folder, folder / JUDGE_FILE)
    run.finish(Stage.JUDGE, began, figures | {"size_bytes": (folder / JUDGE_FILE).stat().st_size})


def _check_model_folder(run: Run) -> None:
    """Before the long work: what has no place to go would be lost after it. Raises `InputInvalid`."""
    if not (run.model_folder / MANIFEST_FILE).is_file():
        raise InputInvalid(
            f"{run.model_folder} holds no whole model to put a judge into; quotesmith-pipeline quantize {run.folder} "
            "--again writes it."
        )


def _learn_marks(run: Run, folder: Path, report: Report) -> dict[str, float]:
    settings = _settings(run)
    files = [read_marked(find_path(path)) for path in settings.marks]
    train, held_out = ([each for file in files for each in file.lists(split)] for split in ("train", "validation"))
    lists = _of_quotes(run, train), _of_quotes(run, held_out)
    quotes = _enough(*lists, settings, "keyword")  # both are counted before hours go into either
    about_replies = _of_replies(run, train), _of_replies(run, held_out)
    replies = _enough(*about_replies, settings, "message") if any(about_replies) else None
    with told_in_a_sentence(None, LESS_MEMORY):
        merged = _merged(run)
        of_quotes, figures = _learned(settings, merged, quotes, "quote", "keyword", report)
        of_replies = None
        if replies:
            of_replies, found = _learned(settings, merged, replies, "reply", "message", report)
            figures |= {f"replies_{name}": value for name, value in found.items()}
        save_readers_judge(of_quotes, of_replies, filters_of(run), folder / JUDGE_FILE)
    return figures


def _of_quotes(run: Run, marked: Sequence[MarkedTexts]) -> list[_RowList]:
    return [([_row(run, each.keyword, text) for text in each.texts], each.good) for each in marked if each.keyword]


def _of_replies(run: Run, marked: Sequence[MarkedTexts]) -> list[_RowList]:
    return [
        ([_reply_row(run, (*each.said, Message("assistant", text))) for text in each.texts], each.good)
        for each in marked
        if each.said
    ]


def _enough(train: list[_RowList], held_out: list[_RowList], settings: Judge, about: str) -> _Lists:
    """As many lists as the recipe says. Raises `InputInvalid` where there are too few."""
    if most := settings.most_keywords:
        train = _drawn(train, most, settings.seed)
        held_out = _drawn(held_out, max(LEAST_QUOTES, most // 10), settings.seed)
    if min(len(train), len(held_out)) < LEAST_QUOTES:
        raise InputInvalid(
            f"A judge needs marks on {LEAST_QUOTES} {about}s for training and for validation; there are {len(train)} "
            f"and {len(held_out)}."
        )
    return train, held_out


def _drawn(lists: list[_RowList], most: int, seed: int) -> list[_RowList]:
    return Random(seed).sample(lists, most) if len(lists) > most else lists


def _learned(
    settings: Judge, merged: tuple[Any, Any], lists: _Lists, text: str, about: str, report: Report
) -> tuple[ReadersNetwork, dict[str, float]]:
    """A network that learned the marks of texts, `text` by name, on one `about`, and what it makes of held-out ones."""
    train, held_out = lists
    every = [*train, *held_out]
    known = _known(settings, merged, [row for rows, _ in every for row in rows], report)
    parts = np.split(known, np.cumsum([len(rows) for rows, _ in every])[:-1])
    read = [Read(part, np.array(good)) for part, (_, good) in zip(parts, every, strict=True)]
    trained = train_on_marks(read[: len(train)], read[len(train) :], settings, report.say)
    apart = told_apart(trained, read[len(train) :])
    first, by_lot = good_firsts(trained, read[len(train) :])
    report.say(
        f"Of held-out marks, the {text} that the judge puts first is good on {first:.1%} of the {about}s, one drawn by "
        f"lot on {by_lot:.1%}; it tells {apart:.1%} of the pairs on one {about} apart."
    )
    return trained, {
        f"marked_{about}s": len(train),
        f"held_out_{about}s": len(held_out),
        "told_apart": apart,
        "first_is_good": first,
        "good_by_lot": by_lot,
    }


def _known(settings: Judge, merged: tuple[Any, Any], rows: Sequence[Row], report: Report) -> NDArray[np.float32]:
    """What the merged model knows of the reply of each row, asked as it is served."""
    model, tokenizer = merged
    with report.progress("Reading marked texts", len(rows)) as advance:
        encoded = encode(rows, tokenizer)
        return reply_states(model, encoded, settings.batch_size, tokenizer.pad_token_id, advance)


def _learn_words(run: Run, folder: Path, report: Report) -> dict[str, float]:
    settings = _settings(run)
    written = _written(read_rows(run.of(Stage.PREPARE) / "train.jsonl"), settings)
    known = {one.keyword for one in written}
    held_out = _written(read_rows(run.of(Stage.PREPARE) / "validation.jsonl"), settings, known)
    if min(len(written), len(held_out)) < LEAST_QUOTES:
        raise InputInvalid(
            f"A judge needs {LEAST_QUOTES} quotes for training, and as many for validation on keywords that training "
            f'has not; there are {len(written)} and {len(held_out)}. data.group_by = "keyword" divides no keyword.'
        )
    with told_in_a_sentence(None, LESS_MEMORY):
        drawn = _draw(run, [*_prompts(written, settings), *_prompts(held_out, settings)], report)
        own = [Judged(keyword, quote, False) for keyword, quote in drawn]
        write_json_lines(folder / "quotes.jsonl", ({"keyword": one.keyword, "quote": one.quote} for one in own))
        train = [one for one in own if one.keyword in known]
        test = [one for one in own if one.keyword not in known]
        foreign = _foreign(held_out, settings.seed, 1.0)
        unseen = [*held_out, *(test or foreign)]  # something to tell from the written ones when an epoch is chosen
        trained = train_judge([*written, *train, *_foreign(written, settings.seed)], unseen, settings, report.say)
        save_judge(trained, filters_of(run), folder / JUDGE_FILE)
    figures = {
        "written_quotes": len(written),
        "own_quotes": len(train),
        "held_out_written": len(held_out),
        "held_out_own": len(test),
        **({"told_from_own": _told([*held_out, *test], trained)} if test else {}),
        "told_from_other_keywords": _told([*held_out, *foreign], trained),
    }
    from_own = f"{figures['told_from_own']:.1%}" if test else "an unknown share (it wrote none)"
    report.say(
        f"The judge tells {from_own} of held-out pairs of a written quote and one of the model's own apart, and "
        f"{figures['told_from_other_keywords']:.1%} of pairs with a quote on another keyword."
    )
    return figures


def _settings(run: Run) -> Judge:
    if run.recipe.judge is None:
        raise InputInvalid(f"The recipe {run.recipe.name} has no section [judge]: no judge is trained.")
    return run.recipe.judge


def _written(rows: Sequence[Row], settings: Judge, without: Collection[str] = ()) -> list[Judged]:
    """The quotes that were written, those of at most as many keywords as the recipe says, and of none `without`."""
    every = [Judged(row.keyword.casefold(), reply_of(row), True) for row in rows if row.kind == QUOTE]
    quotes = [one for one in every if one.keyword not in without]
    keywords = sorted({one.keyword for one in quotes})
    if settings.most_keywords and len(keywords) > settings.most_keywords:
        keywords = Random(settings.seed).sample(keywords, settings.most_keywords)
    drawn = set(keywords)
    return [one for one in quotes if one.keyword in drawn]


def _prompts(written: Sequence[Judged], settings: Judge) -> list[str]:
    """Each keyword as often as a quote on it is wanted of the model."""
    return [
        keyword for keyword in dict.fromkeys(one.keyword for one in written) for _ in range(settings.quotes_a_keyword)
    ]


def _draw(run: Run, keywords: Sequence[str], report: Report) -> list[tuple[str, str]]:
    """What the merged model writes for each of the keywords, drawn as it is served; what is no quote is left out."""
    settings, served = _settings(run), run.recipe.served
    model, tokenizer = _merged(run)
    asked = [_row(run, keyword) for keyword in keywords]
    drawing = run.recipe.evaluate.model_copy(
        update={
            "batch_size": settings.batch_size,
            "max_new_tokens": MOST_TOKENS,
            "seed": settings.seed,
        }
    )
    with report.progress("Writing quotes to judge", len(asked)) as advance:
        prompts = [tokens.prompt for tokens in encode(asked, tokenizer)]
        answers = generate_answers(model, tokenizer, prompts, drawing, advance, served.sampling.quote)
    return [
        (keyword, answer.text)
        for keyword, answer in zip(keywords, answers, strict=True)
        if why_not(answer, QUOTE) is None
    ]


def _merged(run: Run) -> tuple[Any, Any]:
    """The merged model and its tokenizer."""
    place, hardware = str(run.of(Stage.MERGE) / "model"), find_hardware()
    precision = dtype_of(hardware.precision(run.recipe.trained_last.precision))
    return load_base(place, "", Method.LORA, precision).eval(), load_tokenizer(place)


def _row(run: Run, keyword: str, quote: str = "Nothing yet.") -> Row:
    """A row that asks for a quote as the training rows do; its reply is not used where only an answer is wanted."""
    item = Item("quote", "", "", keyword=keyword, quote=quote)
    return make_rows([item], run.recipe.data, run.recipe.served.quote_prompt)[0]


def _reply_row(run: Run, conversation: Sequence[Message]) -> Row:
    """A row that ends with the reply, as the training rows do, behind as much as the bot shows the model."""
    item, served = Item("chat", "", "", messages=tuple(conversation), last_reply_only=True), run.recipe.served
    return as_served(make_rows([item], run.recipe.data, served.quote_prompt)[0], served.history_messages)


def _foreign(written: Sequence[Judged], seed: int, share: float = FOREIGN_SHARE) -> list[Judged]:
    """Some of the written quotes with the keyword of another one."""
    random = Random(seed)
    drawn = random.sample(list(written), int(len(written) * share))
    others = [random.choice(written).keyword for _ in drawn]
    return [Judged(other, one.quote, False) for one, other in zip(drawn, others, strict=True) if other != one.keyword]


def _told(judged: Sequence[Judged], trained: JudgeNetwork) -> float:
    return area_under_curve(log_odds(trained, judged), [one.written for one in judged])
