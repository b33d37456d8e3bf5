"""Writes DATASET_CARD.md, what a person should know of prepared rows before training on them; counts nothing itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from model_pipeline.data.duplicates import GRAM_WORDS
from model_pipeline.data.fit import CHARACTERS_A_TOKEN
from model_pipeline.data.rows import Row
from model_pipeline.data.summary import Prepared, dropped_by_reason, keywords_of, lengths_of
from model_pipeline.recipe import GroupBy

_BINS, _BAR = 10, 40
_KEYWORDS_SHOWN = 20
_GROUPS = {
    GroupBy.KEYWORD: "keyword, whatever its case; a conversation is a group of its own",
    GroupBy.CONVERSATION: "conversation; a quote is a group of its own",
    GroupBy.PERSON: "person; a conversation of somebody unknown is a group of its own",
}


def card_text(prepared: Prepared) -> str:
    """The card in Markdown, without front matter."""
    sections = (
        [f"# Data of {prepared.recipe}", _opening(prepared)],
        ["## Sources", _sources(prepared)],
        ["## Splits", _splits(prepared), _how_it_was_split(prepared)],
        ["## Lengths", _lengths(prepared)],
        ["## What was dropped", _dropped(prepared)],
        ["## Keywords", _keywords(prepared)],
        ["## Examples", "The first row of each split, unpicked.", *_examples(prepared)],
    )
    return "\n\n".join(part for section in sections for part in section if part) + "\n"


def _opening(prepared: Prepared) -> str:
    text = "Each row is a prompt and the completion to learn, as text or as the turns of a conversation"
    drawn = prepared.not_drawn
    if drawn:
        text += (
            f". At most {prepared.data.max_rows:,} quotes and conversations were drawn at random; {drawn:,} were not"
        )
    return f"{text}."


def _sources(prepared: Prepared) -> str:
    rows = [
        (
            source.name,
            source.form,
            source.revision or "-",
            source.license or "unknown",
            f"{source.rows:,}",
            source.sha256,
        )
        for source in prepared.sources
    ]
    return _table(("source", "form", "revision", "licence", "rows", "SHA-256 of the rows"), rows)


def _splits(prepared: Prepared) -> str:
    rows = []
    for name, part in prepared.splits.items():
        kinds = Counter(row.kind for row in part)
        counts = (len(part), kinds["quote"], kinds["chat"], len({row.group for row in part}))
        rows.append((name, *(f"{count:,}" for count in counts)))
    return _table(("split", "rows", "quotes", "chat replies", "groups"), rows)


def _how_it_was_split(prepared: Prepared) -> str:
    data = prepared.data
    held = " A group with a quote on one of the held-out keywords goes to test, whatever its name."
    return (
        f"No group is in two splits. A group is a {_GROUPS[data.group_by]}. A hash of its name and of the seed "
        f"{data.seed} decides where it goes, so that more data moves no group: about {data.validation_share:.1%} of "
        f"the groups to validation and {data.test_share:.1%} to test.{held if data.held_out else ''} "
        "Duplicates were removed before, across all rows: nothing that is held out repeats a training row."
    )


def _lengths(prepared: Prepared) -> str:
    rows = prepared.rows
    found, most = lengths_of(rows), prepared.data.max_tokens
    text = (
        f"Prompt and completion: median {found.median:,} tokens, 95th percentile {found.p95:,}, longest {found.max:,}."
    )
    if prepared.tokens_are_estimated:
        text += (
            f" Estimated, {CHARACTERS_A_TOKEN} characters a token: the model has no tokenizer yet, and nothing was cut."
        )
    else:
        text += (
            f" Counted with the base model's tokenizer and template; at most {most:,} are trained on. Rows that lost "
            f"their oldest turns to fit: {prepared.shortened:,}. Rows whose reply is cut at its end in training: "
            f"{prepared.truncated:,}."
        )
    return f"{text}\n\n{_fenced(_histogram([row.tokens for row in rows]))}"


def _histogram(tokens: Sequence[int]) -> str:
    width = max(-(-(max(tokens) + 1) // _BINS), 1)
    counts = Counter(count // width for count in tokens)
    digits, highest = len(f"{width * _BINS:,}"), max(counts.values())
    lines = []
    for place in range(max(counts) + 1):
        bounds = f"{place * width:>{digits},} to {(place + 1) * width - 1:>{digits},}"
        bar = "#" * -(-counts[place] * _BAR // highest)
        lines.append(f"{bounds}  {bar} {counts[place]:,}".rstrip())
    return "\n".join(lines)


def _dropped(prepared: Prepared) -> str:
    found = dropped_by_reason(prepared.dropped)
    similar = prepared.data.near_duplicate
    text = "Duplicates have the same words as an earlier row, whatever their case and punctuation"
    if similar < 1:
        text += f"; near duplicates share at least {similar:.0%} of their runs of {GRAM_WORDS} words with one"
    if not found:
        return f"Nothing. {text}."
    table = _table(("reason", "rows"), [(reason, f"{count:,}") for reason, count in found.items()])
    return f"{table}\n\n{text}. The run's `dropped.jsonl` lists every one with its reason."


def _keywords(prepared: Prepared) -> str:
    found = keywords_of(prepared.rows)
    if not found:
        return "None: the rows are replies of conversations."
    shown = ", ".join(f"{_cell(keyword)} ({count:,})" for keyword, count in found.most_common(_KEYWORDS_SHOWN))
    return f"{len(found):,} keywords. The most frequent: {shown}."


def _examples(prepared: Prepared) -> list[str]:
    return [f"### {name}\n\n{_fenced(_shown(part[0]))}" for name, part in prepared.splits.items() if part]


def _shown(row: Row) -> str:
    if isinstance(row.prompt, str):
        return f"{row.prompt}{row.completion}"
    assert not isinstance(row.completion, str)
    return "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in [*row.prompt, *row.completion])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"([|\\`*_<>\[\]])", r"\\\1", " ".join(text.split()))


def _fenced(text: str) -> str:
    """In a fence longer than any within the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
