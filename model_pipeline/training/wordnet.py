"""Reads a folder of WordNet's database files as short articles, one a word: its meaning, its kind, its use.

The format of the files is that of wndb(5WN), https://wordnet.princeton.edu/documentation/wndb5wn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model_pipeline.errors import InputInvalid

_PARTS = ("noun", "verb", "adj", "adv")
_SENSES = 3  # of a word in one part of speech: they come by frequency, and the rare ones confuse
_KINDS = 5  # narrower words that an article names
_HYPERNYM, _HYPONYM, _ANTONYM = "@", "~", "!"
_EXAMPLE = re.compile(r'"([^"]+)"')


@dataclass(frozen=True, slots=True)
class _Sense:
    """A synset: its words, its meaning, sentences that use it, and the synsets that are wider, narrower, opposite."""

    words: tuple[str, ...]
    meaning: str
    examples: tuple[str, ...]
    wider: tuple[str, ...]
    narrower: tuple[str, ...]
    opposite: tuple[str, ...]


def is_wordnet(folder: Path) -> bool:
    """Whether the folder holds WordNet's database files."""
    return all((folder / f"{kind}.{part}").is_file() for kind in ("data", "index") for part in _PARTS)


def wordnet_articles(folder: Path) -> Iterator[tuple[str, str]]:
    """(word, article) for each everyday word in lower case. Raises `InputInvalid` for files of another format."""
    try:
        senses = {part: _senses(folder / f"data.{part}") for part in _PARTS}
        index = {part: list(_index(folder / f"index.{part}")) for part in _PARTS}
    except (OSError, UnicodeDecodeError, ValueError, IndexError) as error:
        raise InputInvalid(
            f"{folder} does not hold WordNet's database files as they are published; give its folder `dict`."
        ) from error
    everyday = _everyday(senses.values())
    articles: dict[str, list[str]] = {}
    for part in _PARTS:
        for word, tagged, places in index[part]:
            if tagged or word in everyday:
                known = [place for place in places[:_SENSES] if place in senses[part]]
                articles.setdefault(word, []).extend(
                    _told(word, part, senses[part][place], senses[part]) for place in known
                )
    for word, told in articles.items():
        if told:
            yield word, " ".join(told)


def _senses(path: Path) -> dict[str, _Sense]:
    """Synsets by their place in the file, which is how other lines name them."""
    return dict(map(_sense, _lines(path)))


def _sense(line: str) -> tuple[str, _Sense]:
    fields, _, gloss = line.partition(" | ")
    parts = fields.split()
    count = int(parts[3], 16)
    words = tuple(parts[4 + 2 * number].split("(")[0].replace("_", " ") for number in range(count))
    start = 4 + 2 * count
    pointers = [parts[start + 1 + 4 * number : start + 5 + 4 * number] for number in range(int(parts[start]))]
    part = parts[2].replace("s", "a")  # the satellites of adjectives stand in their file
    wider, narrower, opposite = (
        tuple(place for kind, place, of, _ in pointers if kind == symbol and of.replace("s", "a") == part)
        for symbol in (_HYPERNYM, _HYPONYM, _ANTONYM)
    )
    meaning = _EXAMPLE.split(gloss)[0].strip(" ;:,")
    examples = tuple(example.strip() for example in _EXAMPLE.findall(gloss))
    return parts[0], _Sense(words, meaning, examples, wider, narrower, opposite)


def _index(path: Path) -> Iterator[tuple[str, bool, list[str]]]:
    """Words in lower case, whether annotated texts use them, and their synsets, the most frequent first."""
    for line in _lines(path):
        parts = line.split()
        count, pointers = int(parts[2]), int(parts[3])
        word = parts[0].replace("_", " ")
        if re.fullmatch(r"[a-z]{2,}( [a-z]+)?", word):
            yield word, parts[5 + pointers] != "0", parts[6 + pointers : 6 + pointers + count]


def _lines(path: Path) -> Iterator[str]:
    """Without those of the licence, which begin with two spaces."""
    with path.open(encoding="utf-8") as file:
        yield from (line.rstrip() for line in file if not line.startswith("  "))


def _everyday(parts: Iterable[dict[str, _Sense]]) -> set[str]:
    """Words that some meaning or example uses: of the rest, most are names of species and of chemicals."""
    return {
        word
        for senses in parts
        for sense in senses.values()
        for word in re.findall(r"[a-z]+", " ".join((sense.meaning, *sense.examples)).lower())
    }


def _told(word: str, part: str, sense: _Sense, senses: dict[str, _Sense]) -> str:
    """A sense in plain sentences."""
    wider, narrower, opposite = (
        list(dict.fromkeys(senses[place].words[0] for place in places if place in senses))
        for places in (sense.wider, sense.narrower, sense.opposite)
    )
    others = [each for each in sense.words if each.lower() != word]
    sentences = [f"{word} means {sense.meaning}"]
    if wider:
        sentences.append(f"to {word} is a way to {wider[0]}" if part == "verb" else f"{word} is a kind of {wider[0]}")
    if narrower:
        sentences.append(f"{'ways' if part == 'verb' else 'kinds'} of {word}: {', '.join(narrower[:_KINDS])}")
    if others:
        sentences.append(f"another word for it is {others[0]}")
    if opposite:
        sentences.append(f"the opposite of {word} is {opposite[0]}")
    return " ".join(map(_sentence, [*sentences, *sense.examples]))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
