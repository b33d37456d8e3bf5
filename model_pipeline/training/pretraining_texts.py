"""Makes a tokenizer and token streams of a recipe's corpora, in a folder that appears when all is there; no model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from model_pipeline.data.rows import Row
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Corpus, Pretrain
from model_pipeline.training.bpe import END, save_tokenizer, train_tokenizer
from model_pipeline.training.corpus import TRAIN_ROWS, Texts, held_out, open_corpus, plain_text, row_texts
from model_pipeline.training.packing import Packed, open_packed, pack
from model_pipeline.training.rendering import whole_text
from model_pipeline.training.tokenizer import load_tokenizer

TOKENIZER = "tokenizer"  # in the folder, beside a numbered one for each corpus
TOKENIZER_CHARACTERS = 15_000_000  # of all texts, so many are enough to train a tokenizer on

Say = Callable[[str], None]


def packed_texts(folder: Path, settings: Pretrain, rows: Sequence[Row], say: Say) -> list[Packed]:
    """The token streams of all corpora, in the recipe's order, with `rows` as the corpus `train-rows`.

    What is in `folder` already is taken as it is. Raises `InputInvalid` for a corpus that cannot be used.
    """
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        _write(partial, settings, rows, say)
        partial.replace(folder)
    return [open_packed(folder / str(number)) for number in range(len(settings.corpora))]


def _write(folder: Path, settings: Pretrain, rows: Sequence[Row], say: Say) -> None:
    plain = [_texts(corpus, rows, plain_text, settings.seed) for corpus in settings.corpora]
    places, every = _held_out(plain, settings)
    say(f"Training a tokenizer of {settings.vocabulary:,} tokens.")
    trained = train_tokenizer(_trained_on(plain, places, every), settings.vocabulary)
    if trained.get_vocab_size() < settings.vocabulary:
        say(f"The texts gave {trained.get_vocab_size():,} tokens only.")
    save_tokenizer(trained, folder / TOKENIZER, settings.context_tokens)
    tokenizer = load_tokenizer(str(folder / TOKENIZER))
    for number, corpus in enumerate(settings.corpora):
        texts = _texts(corpus, rows, lambda row: whole_text(tokenizer, row), settings.seed)
        most = settings.context_tokens if corpus.path == TRAIN_ROWS else None
        say(f"Tokenizing {texts.name}.")
        pack(folder / str(number), texts, places[number], trained, trained.token_to_id(END), most)
        facts = open_packed(folder / str(number)).facts
        cut = f", {facts.cut:,} cut to the context" if facts.cut else ""
        say(f"Tokenized {facts.documents:,} texts of {facts.name}, {facts.held_out:,} of them held out{cut}.")


def _texts(corpus: Corpus, rows: Sequence[Row], render: Callable[[Row], str], seed: int) -> Texts:
    if corpus.path == TRAIN_ROWS:
        return row_texts(rows, render, seed, marked=True)
    return open_corpus(corpus, seed)


def _held_out(plain: Sequence[Texts], settings: Pretrain) -> tuple[list[frozenset[int]], int]:
    """Which documents of each corpus are never trained on, and of how many paragraphs the tokenizer sees one."""
    places, characters = [], 0
    for number, texts in enumerate(plain):
        read = [(len(document.text), document.group) for document in texts.read()]
        if not read:
            raise InputInvalid(f"The corpus {texts.name} has no text; it needs files that are not empty.")
        characters += sum(length for length, _ in read)
        groups = [group for _, group in read]
        places.append(held_out(groups, settings.validation_share, settings.seed + number))
    if not any(places):
        raise InputInvalid(
            "Each of pretrain.corpora has one text only, or one group of rows; one must have two, for one is held out."
        )
    return places, max(1, -(-characters // TOKENIZER_CHARACTERS))


def _trained_on(plain: Sequence[Texts], places: Sequence[Collection[int]], every: int) -> Iterator[str]:
    """The paragraphs that a tokenizer is trained on, evenly spread, and no held-out one."""
    for texts, held in zip(plain, places, strict=True):
        for number, document in enumerate(texts.read()):
            if number not in held:
                yield from document.text.split("\n\n")[number % every :: every]
