"""Lists to be read blind: quotes on 100 keywords that no model saw, or replies; with and without the choice.

    python -m benchmarks.reading write --model bot/starter --model OTHER_FOLDER --out reading
    (a person, or several, fill in the marks of reading/marks.tsv and reading/pairs.tsv by readings/RUBRIC.md)
    .venv-train/bin/python -m benchmarks.reading count --out reading

`write` asks every model for one quote on each keyword, as the bot serves it, and the first model once more without the
choice. marks.tsv holds all quotes in random order, pairs.tsv the first model's two quotes for each keyword, left and
right by lot; key.json says which is which, and is not to be read before the marks are made.

With `--messages benchmarks/readings/messages.tsv` every model replies to each conversation of that file, whose lines
hold a message, or a message, a reply and a message; common-messages.tsv beside it holds the hundred that a language
model thinks people write to a bot most often. marks.tsv then holds the replies to each, in random order.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from bot.chat.generation import Finished, FinishReason
from bot.chat.messages import ConversationKey, MessageKind, Platform, QuoteSource
from bot.chat.ports import GenerationRecord
from bot.chat.replies import Reply
from bot.composition import Bot, open_bot
from bot.errors import QuotesmithError
from bot.models.manifest import MANIFEST_FILE
from bot.settings import Settings, load_settings
from bot.storage.jobs import SqlJobLedger
from model_pipeline.data.sources import read_lines
from model_pipeline.errors import InputInvalid, PipelineError

KEYWORDS, SEED = 100, 20261126
MARKS = ("grammatical", "sense", "post")
FITS = "fits"
TEXTS = ("keyword", "quote", "message", "reply")  # what is marked
TURN = " / "  # between the turns of a conversation in marks.tsv
YES, NO = "y", "n"
BETTER = "better (l, r or =)"
Quotes = dict[str, str]  # by keyword
Table = list[dict[str, Any]]  # a row by its columns
Conversation = tuple[str, ...]  # a person's message, or more turns, the first and the last of them a person's


def main() -> None:
    """Write the lists, or count what was marked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("step", choices=["write", "count"])
    parser.add_argument("--model", type=Path, action="append", default=[], help="a model folder; may be repeated")
    parser.add_argument("--out", type=Path, required=True, help="folder of the lists")
    parser.add_argument("--skip", type=int, default=0, help="unseen keywords that are left out, such as the first 100")
    parser.add_argument("--messages", type=Path, help="a file of conversations to reply to, instead of quotes")
    arguments = parser.parse_args()
    if arguments.step == "count":
        try:
            count(arguments.out)
        except PipelineError as error:
            sys.exit(str(error))
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
            sys.exit(f"{arguments.out} holds no lists that `write` wrote, with its key.json.")
        return
    if not arguments.model:
        sys.exit("Name at least one model folder with --model.")
    if missing := next((folder for folder in arguments.model if not (folder / MANIFEST_FILE).is_file()), None):
        sys.exit(f"{missing} is no model folder: it holds no {MANIFEST_FILE}.")
    if (arguments.out / "marks.tsv").exists():
        sys.exit(f"{arguments.out} holds lists already, maybe with marks; give --out another folder.")
    names = [folder.name for folder in arguments.model]
    if twice := next((name for name in names if names.count(name) > 1), None):
        sys.exit(f"Two of the models are called {twice}, and the lists could not tell them apart; rename a folder.")
    try:
        if arguments.messages:
            write_replies(arguments.model, read_conversations(arguments.messages), arguments.out)
        else:
            write(arguments.model, arguments.out, arguments.skip)
    except (QuotesmithError, PipelineError) as error:
        sys.exit(str(error))


def write(models: list[Path], out: Path, skip: int = 0) -> None:
    """Ask, mix and write."""
    keywords = read_lines("unseen-keywords.txt")[max(0, skip) :][:KEYWORDS]
    if not keywords:
        raise InputInvalid(f"--skip {skip} leaves no keyword of {len(read_lines('unseen-keywords.txt'))}.")
    _make_folder(out)
    quotes = {folder.name: asyncio.run(ask(folder.resolve(), keywords)) for folder in models}
    unchosen = asyncio.run(ask(models[0].resolve(), keywords, candidates=1))
    random_ = random.Random(SEED)
    rows = [(name, keyword, quote) for name, found in quotes.items() for keyword, quote in found.items()]
    random_.shuffle(rows)
    _write_table(out / "marks.tsv", ["keyword", "quote", *MARKS], [[keyword, quote] for _, keyword, quote in rows])
    chosen_left = {keyword: random_.random() < 0.5 for keyword in keywords}
    chosen = quotes[models[0].name]
    sides = {keyword: (chosen, unchosen) if chosen_left[keyword] else (unchosen, chosen) for keyword in keywords}
    pairs = [[keyword, left[keyword], right[keyword]] for keyword, (left, right) in sides.items()]
    _write_table(out / "pairs.tsv", ["keyword", "left", "right", BETTER], pairs)
    key = {"models": [name for name, _, _ in rows], "chosen_left": chosen_left}
    (out / "key.json").write_text(json.dumps(key) + "\n", encoding="utf-8")


def _make_folder(out: Path) -> None:
    """Before anything is asked: no quote is to be written for a folder that takes no lists. Raises InputInvalid."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InputInvalid(f"The lists cannot be written to {out}: {error.strerror}.") from error


def read_conversations(path: Path) -> list[Conversation]:
    """The conversations of a file, turns between tabs; raises InputInvalid where a line doesn't end with a person's."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise InputInvalid(f"The conversations {path} cannot be read: {reason}.") from error
    found = []
    for number, line in enumerate(lines, 1):
        turns = tuple(line.split("\t"))
        if line.strip() and (len(turns) % 2 == 0 or not all(turn.strip() for turn in turns)):
            raise InputInvalid(
                f"Line {number} of {path} is no conversation: a person's message, or more turns between tabs, the last "
                "of them a person's, is one."
            )
        found += [turns] if line.strip() else []
    if not found:
        raise InputInvalid(f"{path} holds no conversation.")
    return found


def write_replies(models: list[Path], conversations: list[Conversation], out: Path) -> None:
    """Let every model reply, mix and write."""
    _make_folder(out)
    replies = {folder.name: asyncio.run(reply(folder.resolve(), conversations)) for folder in models}
    replies[f"{models[0].name}, without the choice"] = asyncio.run(
        reply(models[0].resolve(), conversations, {"choice_s": 0.0})
    )
    random_ = random.Random(SEED)
    rows = []
    for place, turns in enumerate(conversations):
        mine = [(name, found[place]) for name, found in replies.items()]
        random_.shuffle(mine)
        rows += [(name, [TURN.join(turns), text]) for name, text in mine]
    _write_table(out / "marks.tsv", ["message", "reply", FITS], [row for _, row in rows])
    key = {"models": [name for name, _ in rows]}
    (out / "key.json").write_text(json.dumps(key) + "\n", encoding="utf-8")


async def ask(folder: Path, keywords: list[str], candidates: int | None = None) -> Quotes:
    """One quote for each keyword, from a bot of its own with an empty database; `folder` is an absolute path."""
    key = ConversationKey(Platform.CONSOLE, "reading", "", "reader")
    changes = {} if candidates is None else {"quote": {"candidates": candidates}}
    async with _own_bot(folder, changes) as bot:
        found = {}
        for keyword in keywords:
            async with aclosing(bot.service.quote(key, keyword)) as events:
                async for event in events:
                    if isinstance(event, Reply):
                        found[keyword] = event.text
        return found


async def reply(
    folder: Path, conversations: Sequence[Conversation], changes: Mapping[str, object] | None = None
) -> list[str]:
    """One reply to each conversation, from such a bot, each to another person; `changes` are of its chat settings."""
    async with _own_bot(folder, {"chat": changes or {}}) as bot:
        found = []
        for number, turns in enumerate(conversations):
            key = ConversationKey(Platform.CONSOLE, "reading", "", f"reader {number}")
            for said, answered in zip(turns[:-1:2], turns[1::2], strict=True):
                await _on_record(bot, key, said, answered)
            async with aclosing(bot.service.chat(key, turns[-1])) as events:
                found += [event.text async for event in events if isinstance(event, Reply)]
        return found


async def _on_record(bot: Bot, key: ConversationKey, said: str, answered: str) -> None:
    """Put an earlier turn of each into the database, as if the bot had answered so."""
    ledger = SqlJobLedger(bot.database)
    job = await ledger.accept(key, MessageKind.CHAT, said)
    await ledger.start(job.job_id)
    ended = Finished(FinishReason.END, 0, 0, 0, 0.0, 0.0, 0.0)
    model = bot.model
    record = GenerationRecord(model.name, model.sha256, model.chat_sampling, QuoteSource.GENERATED, 1, ended)
    await ledger.confirm_delivery(await ledger.complete(job.job_id, answered, record))


@asynccontextmanager
async def _own_bot(folder: Path, changes: Mapping[str, Mapping[str, object]]) -> AsyncIterator[Bot]:
    """A bot with that model alone and an empty database; `changes` by the settings' section."""
    with tempfile.TemporaryDirectory(prefix="quotesmith-reading-") as place:
        models = Path(place) / "models"
        models.mkdir()
        (models / "read").symlink_to(folder, target_is_directory=True)
        os.environ.update(
            QUOTESMITH_MODEL__FOLDER=str(models),
            QUOTESMITH_DATABASE__URL=f"sqlite+aiosqlite:///{place}/reading.db",
            QUOTESMITH_QUOTE__POOL_DEPTH="0",
        )
        async with open_bot(_changed(load_settings(), changes), "read") as bot:
            await bot.worker.ready()
            yield bot


def _changed(settings: Settings, changes: Mapping[str, Mapping[str, object]]) -> Settings:
    sections = {name: getattr(settings, name).model_copy(update=dict(own)) for name, own in changes.items()}
    return settings.model_copy(update=sections)


def count(out: Path) -> None:
    """Print what was marked, for each model, and how the choice did where pairs were read."""
    key, marks, pairs = read_lists(out)
    for name in dict.fromkeys(key["models"]):
        mine = [row for row, model in zip(marks, key["models"], strict=True) if model == name]
        given = [mark for mark in mine[0] if mark not in TEXTS]  # MARKS, or one for all three: good
        shares = {mark: sum(row[mark] == YES for row in mine) for mark in given}
        good = sum(all(row[mark] == YES for mark in given) for row in mine)
        print(f"{name:<20} of {len(mine)}: {good} count; " + ", ".join(f"{n} {mark}" for mark, n in shares.items()))
        firsts = [row[FITS] == YES for row in mine if FITS in row and TURN not in row["message"]]
        if firsts and len(firsts) < len(mine):
            print(f"{'':<20} of {len(firsts)} first messages: {sum(firsts)}")
    if not pairs:
        return
    verdicts: Counter[str] = Counter()
    for row in pairs:
        left = key["chosen_left"][row["keyword"]]
        is_chosen = {"l": left, "r": not left}.get(row[BETTER])
        verdicts["no difference" if is_chosen is None else "chosen" if is_chosen else "not chosen"] += 1
    won, lost = verdicts["chosen"], verdicts["not chosen"]
    print(
        f"with the choice better in {won}, without in {lost}, no difference in {verdicts['no difference']}; "
        f"sign test p = {_sign_test(won, lost):.4f}"
    )


def read_lists(out: Path) -> tuple[dict[str, Any], Table, Table]:
    """The key, the marks, and the pairs if there are any.

    Raises InputInvalid where a mark misses, or the key is not that of these lists.
    """
    key = json.loads((out / "key.json").read_text(encoding="utf-8"))
    marks = _read_table(out / "marks.tsv")
    if len(marks) != len(key["models"]):
        raise InputInvalid(
            f"{out}/marks.tsv holds {len(marks)} texts, and key.json says of {len(key['models'])} whose they are."
        )
    _check_filled(out / "marks.tsv", marks, [mark for mark in marks[0] if mark not in TEXTS], (YES, NO))
    pairs = _read_table(out / "pairs.tsv") if (out / "pairs.tsv").is_file() else []
    _check_filled(out / "pairs.tsv", pairs, [BETTER], ("l", "r", "="))
    if unknown := next((row["keyword"] for row in pairs if row["keyword"] not in key["chosen_left"]), ""):
        raise InputInvalid(f"{out}/pairs.tsv has a pair on {unknown!r}, of which key.json does not say which is which.")
    return key, marks, pairs


def _check_filled(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], allowed: Sequence[str]
) -> None:
    """Raise InputInvalid for the first line that is not filled in: it would be counted as a no."""
    for number, row in enumerate(rows, 2):  # the head is line 1
        for column in columns:
            if row[column] not in allowed:
                found = repr(row[column]) if row[column] else "nothing"
                raise InputInvalid(
                    f"Line {number} of {path} has {found} in the column {column!r}; {' or '.join(allowed)} is wanted."
                )


def _sign_test(won: int, lost: int) -> float:
    try:
        from scipy.stats import binomtest
    except ImportError:
        sys.exit("The sign test of the pairs needs SciPy; call this with .venv-train/bin/python, which has it.")
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def _write_table(path: Path, head: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerows([head, *(row + [""] * (len(head) - len(row)) for row in rows)])


def _read_table(path: Path) -> Table:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


if __name__ == "__main__":
    main()
