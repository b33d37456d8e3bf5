"""The stage prepare: the sources' rows become prompts and completions, without duplicates, in three splits.

Leaves train.jsonl, validation.jsonl, test.jsonl, dropped.jsonl with the reason for each row, and DATASET_CARD.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from model_pipeline.data.dataset_card import card_text
from model_pipeline.data.duplicates import remove_duplicates
from model_pipeline.data.fit import Fitted, estimate_rows, fit_rows
from model_pipeline.data.forms import items_of
from model_pipeline.data.items import Dropped, Item
from model_pipeline.data.json_lines import write_json_lines
from model_pipeline.data.marked import read_marked
from model_pipeline.data.preference_source import read_preference_source
from model_pipeline.data.prepared import write_rows
from model_pipeline.data.rows import Row, make_rows, without_system_turn
from model_pipeline.data.sources import SourceFacts, describe_source, find_path, read_lines, read_source
from model_pipeline.data.splits import split_rows
from model_pipeline.data.summary import Prepared, dropped_by_reason, figures_of
from model_pipeline.data.tokens import takes_system
from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.held_out_rows import unseen_keywords
from model_pipeline.learned_texts import learned_before
from model_pipeline.lengths import check_lengths
from model_pipeline.lineage import exports_of_base
from model_pipeline.recipe import Family, Source
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage, base_folder
from model_pipeline.training.corpus import TRAIN_ROWS, open_corpus
from model_pipeline.training.failures import MORE_MEMORY, told_in_a_sentence

CARD_FILE = "DATASET_CARD.md"
_ROWS_A_MOVE = 100  # of a progress bar


@told_in_a_sentence(None, MORE_MEMORY)
def prepare(run: Run, report: Report) -> None:
    """Read, check, fit, compare and divide the rows of all sources, from the beginning. Raises `PipelineError`."""
    began = datetime.now(UTC)
    run.restart(Stage.PREPARE)
    folder, recipe, data = run.begin(Stage.PREPARE), run.recipe, run.recipe.data
    _check_what_comes(run)
    base_exports = exports_of_base(recipe)
    held_out = {keyword.casefold() for keyword in read_lines(data.held_out)}
    tokenizer = _tokenizer(run)
    items, dropped, sources = _read(data.sources, report)
    drawn = _draw(items, data.max_rows, data.seed)
    fitted = _fit(make_rows(drawn, data, recipe.served.quote_prompt), tokenizer, data.max_tokens, report)
    rows, repeated = remove_duplicates(_counted(fitted.rows, "compare", report), data.near_duplicate)
    dropped += [*fitted.dropped, *repeated]
    _tell(dropped, report)
    if not rows:
        reason = next(iter(dropped_by_reason(dropped)))
        raise InputInvalid(f"No row is left: all {len(dropped):,} were dropped, most for the reason {reason!r}.")
    if not (takes_system(tokenizer) if tokenizer else recipe.served.system_prompt):
        rows = [without_system_turn(row) for row in rows]
    splits = split_rows(rows, data.validation_share, data.test_share, data.seed, held_out)
    unseen_keywords(recipe.evaluate.unseen_keywords, splits["train"])
    prepared = Prepared(
        recipe=recipe.name,
        data=data,
        sources=tuple(sources),
        splits=splits,
        dropped=dropped,
        not_drawn=len(items) - len(drawn),
        shortened=fitted.shortened,
        truncated=fitted.truncated,
        tokens_are_estimated=tokenizer is None,
    )
    _write(folder, prepared)
    report.say("Prepared " + ", ".join(f"{len(part):,} rows for {name}" for name, part in splits.items()) + ".")
    run.finish(Stage.PREPARE, began, figures_of(prepared) | {"base_exports": base_exports})


def _check_what_comes(run: Run) -> None:
    """What later stages read is refused here, and not after the hours of training before it is used."""
    recipe = run.recipe
    if recipe.prefer:
        read_preference_source(recipe.prefer.data)
    for marks in recipe.judge.marks if recipe.judge else ():
        read_marked(find_path(marks))
    if pretrain := recipe.pretrain:
        for corpus in pretrain.corpora:
            if corpus.path != TRAIN_ROWS:
                open_corpus(corpus, pretrain.seed)
    read_lines(recipe.evaluate.unseen_keywords)
    learned_before(run)
    check_lengths(recipe, _positions(run))


def _positions(run: Run) -> int:
    """Those of the model that is trained; 0 where the base does not say."""
    if run.recipe.pretrain:
        return run.recipe.pretrain.context_tokens
    from model_pipeline.training.base_model import base_positions  # late: it imports torch

    return base_positions(base_folder(run), run.recipe.base.revision)


def _tokenizer(run: Run) -> Any:
    """The base model's, or None where the stage pretrain will train it."""
    if run.recipe.base.family is Family.STARTER:
        return None
    from model_pipeline.training.tokenizer import load_tokenizer  # late: it imports transformers

    return load_tokenizer(base_folder(run), run.recipe.base.revision)


def _read(sources: Sequence[Source], report: Report) -> tuple[list[Item], list[Dropped], list[SourceFacts]]:
    items: list[Item] = []
    dropped: list[Dropped] = []
    facts = []
    for source in sources:
        rows = read_source(source)
        report.say(f"Read {len(rows):,} rows of {source.name}.")
        facts.append(describe_source(source, rows))
        found, unusable = items_of(rows, source.form, source.name)
        items += found
        dropped += unusable
    return items, dropped, facts


def _draw(items: list[Item], most: int, seed: int) -> list[Item]:
    """At most so many, in the order in which they were read."""
    if not most or len(items) <= most:
        return items
    return [items[place] for place in sorted(Random(seed).sample(range(len(items)), most))]


def _fit(rows: Sequence[Row], tokenizer: Any, max_tokens: int, report: Report) -> Fitted:
    if tokenizer is None:
        return estimate_rows(rows)
    return fit_rows(_counted(rows, "tokenize", report), tokenizer, max_tokens)


def _counted(rows: Sequence[Row], title: str, report: Report) -> Iterator[Row]:
    """The rows, with a bar that moves as they are taken."""
    with report.progress(title, len(rows)) as advance:
        for done, row in enumerate(rows, start=1):
            yield row
            if done % _ROWS_A_MOVE == 0:
                advance(done)


def _tell(dropped: Sequence[Dropped], report: Report) -> None:
    for reason, count in dropped_by_reason(dropped).items():
        report.say(f"Dropped {count:,}: {reason}.")


def _write(folder: Path, prepared: Prepared) -> None:
    try:
        for name, rows in prepared.splits.items():
            write_rows(folder / f"{name}.jsonl", rows)
        write_json_lines(folder / "dropped.jsonl", map(asdict, prepared.dropped))
        (folder / CARD_FILE).write_text(card_text(prepared), encoding="utf-8")
    except OSError as error:
        raise InputInvalid(f"{folder} cannot be written: {error.strerror or error}.") from error
