"""The stage evaluate: base, tuned and served model answer the same held-out rows, and one report compares them.

The served model is also asked through the bot, as a person would, for its latency. What was found goes into the
manifest and the card of the model folder too, so that whoever gets the file sees what it is worth.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

import torch
import transformers

from model_pipeline.data.json_lines import write_json_lines
from model_pipeline.data.prepared import read_rows
from model_pipeline.data.rows import Row, as_served, reply_of
from model_pipeline.data.sources import read_lines
from model_pipeline.data.tokens import Encoded, encode
from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.answer_lines import write_answers
from model_pipeline.evaluation.answers import LEAST_ROWS, QUOTE, Answers, Asked, Latency
from model_pipeline.evaluation.bot_replies import BotUnavailable, bot_quotes, latency_of, time_bot
from model_pipeline.evaluation.comparison import compare_answers
from model_pipeline.evaluation.generation import generate_answers, reply_nats, row_seed
from model_pipeline.evaluation.gguf_answers import Question, gguf_answers, gguf_nats
from model_pipeline.evaluation.held_out_bits import HeldOutBits, held_out_bits
from model_pipeline.evaluation.held_out_rows import asked_of, choose_rows, unseen_keywords
from model_pipeline.evaluation.pages import write_pages
from model_pipeline.evaluation.served_quotes import (
    QuoteSheet,
    ServedQuote,
    quote_sheet,
    sheet_figures,
    sheet_rows,
    sheet_section,
)
from model_pipeline.evaluation.served_summary import card_section, show_summary, summary_figures
from model_pipeline.gguf.model_folder import GGUF_FILE, record_evaluation
from model_pipeline.judging.learned_filters import Learned
from model_pipeline.learned_texts import learned_before, learned_texts
from model_pipeline.recipe import Family, Method, Precision
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage, base_folder
from model_pipeline.training.base_model import load_base
from model_pipeline.training.failures import MORE_MEMORY, told_in_a_sentence
from model_pipeline.training.hardware import Hardware, dtype_of, find_hardware
from model_pipeline.training.rendering import prompt_text, reply_text
from model_pipeline.training.tokenizer import load_tokenizer

BASE, TUNED, QUANTIZED = "base", "tuned", "quantized"


@dataclass(frozen=True, slots=True)
class _Task:
    """What every model is asked: the rows, their tokens, and what a person sees of them."""

    run: Run
    tokenizer: Any
    rows: list[Row]
    encoded: list[Encoded]
    served: list[Row]  # with as much of a conversation as the model is served with, for answers
    asked: list[Asked]
    left_out: int  # held-out rows that leave no room for an answer

    @property
    def reference_characters(self) -> tuple[int, ...]:
        return tuple(max(1, len(row.reference)) for row in self.asked)


@told_in_a_sentence(None, f"set a smaller evaluate.batch_size, or {MORE_MEMORY}")
def evaluate(run: Run, report: Report) -> None:
    """Write the report and update the model folder. Raises `InputInvalid` or `TrainingFailed` (memory, disk)."""
    began = datetime.now(UTC)
    transformers.utils.logging.disable_progress_bar()
    folder, settings = run.begin(Stage.EVALUATE, Stage.PREPARE, Stage.MERGE, Stage.QUANTIZE), run.recipe.evaluate
    task, hardware = _task(run), find_hardware()
    models = [_trained_answers(task, *source, hardware, report) for source in _sources(run)]
    models.append(_served_answers(task, report))
    latency, about_latency = _latency(task, report)
    learned, before = learned_texts(run), learned_before(run)
    comparison = compare_answers(task.asked, models, learned, settings.seed, before)
    notes = [*_notes(task, hardware, before), about_latency]
    write_answers(folder / "answers.jsonl", task.asked, models)
    title = f"Evaluation of {run.recipe.name}{' (smoke run)' if run.recipe.smoke else ''}"
    write_pages(folder, title, comparison, task.asked, models, latency, notes, settings.examples)
    bits = _held_out_bits(task, hardware, report) if run.recipe.data.held_out else None
    sheet = _quotes_through_the_bot(run, folder, learned, before, report)
    figures = summary_figures(comparison, latency, notes)
    section = card_section(comparison, latency, notes)
    if bits:
        figures["held_out_bits"] = bits.figures()
        section += f"\n\nQuotes on keywords that no model was trained on:\n\n{bits.section()}"
    if sheet:
        figures["served_quotes"] = sheet_figures(sheet)
        section += f"\n\n{sheet_section(sheet)}"
    record_evaluation(run.model_folder, figures, section)
    show_summary(comparison, latency, report)
    if bits:
        report.table(bits.head, bits.rows)
    if sheet:
        report.table(("Quotes asked of the bot, with its choice", ""), sheet_rows(sheet))
    report.say(f"The whole report: {folder / 'report.html'}")
    run.finish(Stage.EVALUATE, began, figures)


def _task(run: Run) -> _Task:
    """The chosen rows. Raises `InputInvalid` where too few leave room for an answer."""
    settings, room = run.recipe.evaluate, _context_tokens(run)
    tokenizer = load_tokenizer(base_folder(run), run.recipe.base.revision)
    rows = read_rows(run.of(Stage.PREPARE) / "test.jsonl")
    fitting = [
        row
        for row, tokens in zip(rows, encode(rows, tokenizer), strict=True)
        if _needed(tokens, settings.max_new_tokens) <= room
    ]
    chosen = choose_rows(fitting, settings.rows, settings.seed)
    if len(chosen) < LEAST_ROWS:
        raise InputInvalid(
            f"{len(chosen)} of {len(rows)} held-out rows leave room for {settings.max_new_tokens} tokens in a context "
            f"of {room}; an evaluation needs {LEAST_ROWS}, so set a smaller evaluate.max_new_tokens or more test rows."
        )
    asked = [asked_of(row) for row in chosen]
    served = [as_served(row, run.recipe.served.history_messages) for row in chosen]
    return _Task(run, tokenizer, chosen, encode(chosen, tokenizer), served, asked, len(rows) - len(fitting))


def _needed(tokens: Encoded, new_tokens: int) -> int:
    """The context that a row takes, with its reply or with an answer of that length."""
    return max(len(tokens.prompt) + new_tokens, len(tokens.whole))


def _context_tokens(run: Run) -> int:
    """The positions that the model was made for."""
    config = transformers.AutoConfig.from_pretrained(run.of(Stage.MERGE) / "model")
    return int(config.max_position_embeddings)


def _sources(run: Run) -> Iterator[tuple[str, str, str]]:
    """Name, folder or Hub id, and revision of what is not quantized."""
    yield BASE, base_folder(run), run.recipe.base.revision
    yield TUNED, str(run.of(Stage.MERGE) / "model"), ""


def _trained_answers(task: _Task, name: str, source: str, revision: str, hardware: Hardware, report: Report) -> Answers:
    settings, rows = task.run.recipe.evaluate, len(task.rows)
    with _loaded(source, revision, hardware) as model:
        with report.progress(f"Reading with the {name} model", rows) as advance:
            found = reply_nats(model, task.encoded, settings.batch_size, task.tokenizer.pad_token_id, advance)
        with report.progress(f"Answering with the {name} model", rows) as advance:
            prompts = [tokens.prompt for tokens in encode(task.served, task.tokenizer)]
            answers = generate_answers(model, task.tokenizer, prompts, settings, advance)
    nats, tokens = zip(*found, strict=True)
    return Answers(name, tuple(answers), nats, tokens, task.reference_characters)


@contextmanager
def _loaded(source: str, revision: str, hardware: Hardware) -> Iterator[Any]:
    """The model, whose memory the next one needs."""
    models = [load_base(source, revision, Method.LORA, _dtype(hardware)).eval()]
    try:
        yield models[0]
    finally:
        models.clear()
        gc.collect()
        if hardware.cuda:
            torch.cuda.empty_cache()


def _served_answers(task: _Task, report: Report) -> Answers:
    settings = task.run.recipe.evaluate
    context_tokens = max(_needed(tokens, settings.max_new_tokens) for tokens in task.encoded)
    questions = [
        Question(
            prompt_text(task.tokenizer, served),
            prompt_text(task.tokenizer, row),
            reply_text(task.tokenizer, row),
            characters,
            row_seed(settings.seed, n),
        )
        for n, (row, served, characters) in enumerate(
            zip(task.rows, task.served, task.reference_characters, strict=True)
        )
    ]
    with report.progress(f"Reading and answering with the {QUANTIZED} model", len(questions)) as advance:
        gguf = task.run.model_folder / GGUF_FILE
        return gguf_answers(gguf, QUANTIZED, questions, settings, context_tokens, advance)


def _held_out_bits(task: _Task, hardware: Hardware, report: Report) -> HeldOutBits | None:
    """What every model of the run, and those beside it, make of the quotes on held-out keywords; None without any."""
    run, settings = task.run, task.run.recipe.evaluate
    held_out = {keyword.casefold() for keyword in read_lines(run.recipe.data.held_out)}
    quotes = [
        row
        for row in read_rows(run.of(Stage.PREPARE) / "test.jsonl")
        if row.kind == QUOTE and row.keyword.casefold() in held_out
    ]
    lengths, room = [len(tokens.whole) for tokens in encode(quotes, task.tokenizer)], _context_tokens(run)
    rows = [row for row, length in zip(quotes, lengths, strict=True) if length <= room]
    if not rows:
        return None
    nats: dict[str, list[float]] = {}

    def read(name: str, source: str, revision: str) -> None:
        tokenizer = load_tokenizer(source, revision)
        with (
            _loaded(source, revision, hardware) as model,
            report.progress(f"Reading held-out keywords with {name}", len(rows)) as advance,
        ):
            found = reply_nats(model, encode(rows, tokenizer), settings.batch_size, tokenizer.pad_token_id, advance)
        nats[name] = [value for value, _ in found]

    for own in _sources(run):
        read(*own)
    with report.progress(f"Reading held-out keywords with {QUANTIZED}", len(rows)) as advance:
        texts = [(prompt_text(task.tokenizer, row), reply_text(task.tokenizer, row)) for row in rows]
        longest = max(length for length in lengths if length <= room)
        nats[QUANTIZED] = gguf_nats(run.model_folder / GGUF_FILE, texts, longest, advance)
    for source in settings.beside:
        if (name := Path(source).name) in nats:
            raise InputInvalid(f"Two models of the evaluation are called {name}; give that in evaluate.beside another.")
        read(name, source, "main")
    return held_out_bits(rows, nats, settings.seed)


def _latency(task: _Task, report: Report) -> tuple[Latency | None, str]:
    """What the bot's command measures, and a note on how, or on why there is no figure."""
    requests = task.run.recipe.evaluate.latency_requests
    report.say(f"Asking the bot {requests} times, for the latency of the {QUANTIZED} model.")
    try:
        replies = time_bot(task.run.model_folder, task.asked, requests)
    except BotUnavailable as error:
        return None, f"There is no latency, for the bot could not be asked: {error}."

    def count_tokens(text: str) -> int:
        return len(task.tokenizer(text, add_special_tokens=False).input_ids)

    failed = requests - len(replies)
    missing = f" {failed} of {requests} requests got no answer, and are not counted." if failed else ""
    return latency_of(QUANTIZED, replies, count_tokens), (
        "Latency is what a person waits for a whole reply of the bot, one request at a time, on the processor: the "
        "rows' keywords as quotes, and their questions as chat, with the model folder's own sampling, the bot's "
        f"default settings and the model loaded; tokens are those of the reply as it was given.{missing}"
    )


def _quotes_through_the_bot(
    run: Run, folder: Path, learned: Sequence[str], before: Learned | None, report: Report
) -> QuoteSheet | None:
    """What the bot gives for unseen and for known keywords, as it is served; None where the recipe asks for none."""
    settings = run.recipe.evaluate
    rows = [row for row in read_rows(run.of(Stage.PREPARE) / "train.jsonl") if row.kind == QUOTE]
    unseen, trained = unseen_keywords(settings.unseen_keywords, rows), {row.keyword.casefold() for row in rows}
    if not unseen:
        return None
    asking = Random(settings.seed)
    half = settings.sampled_quotes // 2
    known = sorted(trained)
    keywords = [*islice(cycle(unseen), max(half, len(unseen))), *(asking.choice(known) for _ in range(half))]
    try:
        with report.progress("Asking the bot for quotes", len(keywords)) as advance:
            replies = bot_quotes(run.model_folder, keywords, advance)
    except BotUnavailable as error:
        report.say(f"There are no figures of served quotes, for the bot could not be asked: {error}.")
        return None
    asked = [
        ServedQuote(keyword, keyword.casefold() in trained, reply.text, reply.seconds)
        for keyword, reply in zip(keywords, replies, strict=True)
    ]
    write_json_lines(folder / "served-quotes.jsonl", map(asdict, asked))
    written = [reply_of(row) for row in asking.sample(rows, min(len(rows), len(asked)))]
    return quote_sheet(asked, learned, written, before)


def _notes(task: _Task, hardware: Hardware, before: Learned | None) -> Iterator[str]:
    recipe, settings = task.run.recipe, task.run.recipe.evaluate
    if recipe.smoke:
        yield "A smoke run: a small model and small data, to see that every stage works; its figures mean nothing."
    yield (
        f"{BASE} is the model before fine-tuning and {TUNED} the merged one, both computed in "
        f"{str(_dtype(hardware)).removeprefix('torch.')} on {hardware.name}; {QUANTIZED} is the served GGUF, "
        f"{recipe.quantize.type_names[0]}, in llama.cpp on the processor."
    )
    drawn = f"at temperature {settings.temperature:g} with top_p {settings.top_p:g} and the seed {settings.seed}"
    how = "greedily" if settings.temperature == 0 else drawn
    yield (
        f"Answers were drawn {how}, and cut after {settings.max_new_tokens} tokens; each is one draw of the model, "
        f"without the bot's choice among several. {BASE} and {TUNED} draw with the same random numbers for a "
        f"row; llama.cpp draws with its own, so {QUANTIZED} also differs by chance there."
    )
    if (most := recipe.served.history_messages) is not None:
        shown = "the newest message alone" if most == 1 else f"the newest {most} messages"
        yield (
            f"Every model was asked for chat replies as {QUANTIZED} is served, with {shown} of a conversation; "
            "references were read behind the whole of it."
        )
    if recipe.base.family is Family.SERVED:
        yield _what_is_known_of_the_base(task.run, before)
    if task.left_out:
        yield f"{task.left_out} held-out rows leave no room for an answer in the model's context, and were left out."


def _what_is_known_of_the_base(run: Run, before: Learned | None) -> str:
    """Beside what the run's rows tell of copies."""
    name = run.figures(Stage.DEQUANTIZE)["base"]["name"]
    if before is None:
        return f"What {name} had learned before this run is not known, so copies of that do not count as copies."
    return (
        f"Of what {name} had learned before this run, its judge tells whole texts and runs of eight words, which count "
        "as copies; shorter runs do not, so that novelty is said to be greater than it is."
    )


def _dtype(hardware: Hardware) -> torch.dtype:
    return dtype_of(hardware.precision(Precision.AUTO))
