"""Writes small datasets in the columns of the real ones, from the project's own quotes and dialogues; reads none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from model_pipeline.data.json_lines import write_json_lines
from model_pipeline.data.sources import find_path
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Form, Source
from model_pipeline.smoke.texts import Dialogue, Quote, dialogues, quotes

QUOTE_ROWS, OTHER_ROWS = 600, 400
AUTHOR = "Quotesmith"
_SYSTEM_TURN = "You are a kind assistant who answers in a few plain sentences."
_PROMPT = (
    "Below is an instruction that describes a task{paired}. Write a response that appropriately completes the request."
    "\n\n### Instruction:\n{instruction}\n\n{input}### Response:\n{output}"
)

Row = dict[str, Any]


def write_rows(source: Source, folder: Path, seed: int) -> Source:
    """Write rows of the source's form into `folder`, drawn with `seed`, and return a source that points to them.

    An export whose path exists is left as it is. The file is called after the form, and the same seed always gives the
    same file. Raises `InputInvalid` where it cannot be written.
    """
    if source.form is Form.EXPORT and source.path and _is_there(source.path):
        return source
    form = Form.MESSAGES if source.form is Form.EXPORT else source.form
    path = folder.resolve() / f"{form}{'.parquet' if form is Form.SHAREGPT else '.jsonl'}"
    rows = _ROWS[form](Random(seed))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (_write_parquet if form is Form.SHAREGPT else write_json_lines)(path, rows)
    except OSError as error:
        raise InputInvalid(f"The small dataset {path} cannot be written: {error.strerror or error}.") from error
    return Source(form=form, path=str(path), weight=source.weight)


def _is_there(path: str) -> bool:
    try:
        find_path(path)
    except InputInvalid:
        return False
    return True


def _write_parquet(path: Path, rows: list[Row]) -> None:
    import datasets  # late: it takes seconds to import

    datasets.disable_progress_bars()
    datasets.Dataset.from_list(rows).to_parquet(str(path))


def _quotes(random: Random) -> list[Row]:
    """The columns of Abirate/english_quotes."""
    return [_quote(quote, random) for quote in random.sample(quotes(), QUOTE_ROWS)]


def _quote(quote: Quote, random: Random) -> Row:
    words = sorted(set(re.findall("[a-z]{5,}", quote.text.lower())))
    tags = [quote.keyword, *random.sample(words, min(len(words), random.randint(0, 3)))]
    return {
        "quote": f"“{quote.text}”",
        "author": AUTHOR,
        "tags": [tag.replace(" ", "-") for tag in dict.fromkeys(tags)],
    }


def _alpaca(random: Random) -> list[Row]:
    """The columns of tatsu-lab/alpaca: an input in some rows, and the whole text of each."""
    about_quotes = [
        _instruction(f"Write one line about {quote.keyword}.", "", quote.text)
        for quote in random.sample(quotes(), OTHER_ROWS // 4)
    ]
    answers = [_answer(dialogue) for dialogue in random.sample(dialogues(), OTHER_ROWS - len(about_quotes))]
    return _shuffled([*about_quotes, *answers], random)


def _answer(dialogue: Dialogue) -> Row:
    *before, asked, reply = dialogue
    if not before:
        return _instruction(asked.content, "", reply.content)
    talk = "\n".join(f"{turn.role}: {turn.content}" for turn in [*before, asked])
    return _instruction("Answer the last line of this talk.", talk, reply.content)


def _instruction(instruction: str, given: str, output: str) -> Row:
    text = _PROMPT.format(
        paired=", paired with an input that provides further context" if given else "",
        instruction=instruction,
        input=f"### Input:\n{given}\n\n" if given else "",
        output=output,
    )
    return {"instruction": instruction, "input": given, "output": output, "text": text}


def _sharegpt(random: Random) -> list[Row]:
    """The columns of mlabonne/FineTome-100k; one conversation in ten begins with a system turn."""
    names = {"user": "human", "assistant": "gpt"}
    rows = []
    for dialogue in random.sample(dialogues(), OTHER_ROWS):
        turns = [{"from": names[turn.role], "value": turn.content} for turn in dialogue]
        if random.random() < 0.1:
            turns.insert(0, {"from": "system", "value": _SYSTEM_TURN})
        rows.append({"conversations": turns, "source": AUTHOR, "score": round(random.uniform(4, 5), 4)})
    return rows


def _messages(random: Random) -> list[Row]:
    return [
        {"messages": [{"role": turn.role, "content": turn.content} for turn in dialogue]}
        for dialogue in random.sample(dialogues(), OTHER_ROWS)
    ]


def _shuffled(rows: Iterable[Row], random: Random) -> list[Row]:
    mixed = list(rows)
    random.shuffle(mixed)
    return mixed


_ROWS: dict[Form, Callable[[Random], list[Row]]] = {
    Form.QUOTES: _quotes,
    Form.ALPACA: _alpaca,
    Form.SHAREGPT: _sharegpt,
    Form.MESSAGES: _messages,
}
