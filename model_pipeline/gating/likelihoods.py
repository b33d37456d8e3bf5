"""The figures of likelihoods: whether held-out votes speak for the new model, and what it forgot; loads no model."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from model_pipeline.data.curated import Opinion
from model_pipeline.data.json_lines import read_json_lines
from model_pipeline.data.sources import find_path, read_lines
from model_pipeline.evaluation.figures import Better, FigureText
from model_pipeline.evaluation.perplexity import per_unit
from model_pipeline.evaluation.statistics import Difference, statistic_difference
from model_pipeline.gating.curated import CuratedVotes
from model_pipeline.gating.preference import (
    Pair,
    Vote,
    comparisons,
    equal_people,
    preference_margin,
    preferred_share,
    share_difference,
)
from model_pipeline.gating.reading import Text
from model_pipeline.gating.settings import Gate, Per
from model_pipeline.gating.verdicts import Judged, not_worse, reported, shown_better, too_few

WRITTEN = ("quotes.jsonl", "simple-quotes.jsonl")  # of this package: quotes by people
HELD_OUT = "held-out-keywords.txt"  # whose quotes are trained on by no recipe

_MEANING = "How much more the log-likelihood of preferred texts grew than that of rejected ones, in nats a"
PREFERENCE = {
    Per.CHARACTER: FigureText("preference", "Preference", f"{_MEANING} character.", Better.HIGHER, 4),
    Per.TEXT: FigureText("preference", "Preference", f"{_MEANING} text.", Better.HIGHER, 3),
}
OTHER = {
    Per.CHARACTER: FigureText(
        "preference_character", "Preference, a character", f"{_MEANING} character.", Better.HIGHER, 4
    ),
    Per.TEXT: FigureText("preference_text", "Preference, a text", f"{_MEANING} text.", Better.HIGHER, 3),
}
MOVED = FigureText(
    "preferred_moved",
    "Moved towards the preferred",
    "Share of pairs whose preferred text gained more.",
    Better.HIGHER,
    3,
)
LIKELIER = FigureText(
    "preferred_likelier",
    "Preferred text likelier",
    "Share of pairs whose preferred text is likelier.",
    Better.HIGHER,
    3,
)
FORGETTING = FigureText(
    "bits_per_character", "Bits a character", "Surprise at quotes by people on held-out keywords.", Better.LOWER, 3
)

Nats = Mapping[Text, float | None]


@dataclass(frozen=True, slots=True)
class _Scored:
    pairs: list[Pair]
    votes: list[Vote]


def voted_texts(curated: CuratedVotes) -> list[Text]:
    """Every text of the held-out votes."""
    return [text_of(line, reply) for line in curated.held_out for reply in line.replies]


def text_of(line: Opinion, reply: str) -> Text:
    """A reply to what was asked there."""
    if line.kind == "quote":
        return Text(line.keyword, (), reply)
    return Text("", tuple((turn.role, turn.content) for turn in line.asked), reply)


def written_texts(settings: Gate) -> list[Text]:
    """At most `settings.written` quotes by people, drawn with the seed."""
    held_out = {keyword.casefold() for keyword in read_lines(HELD_OUT)}
    rows = [row for name in WRITTEN for row in read_json_lines(find_path(name))]
    quotes = [Text(row["keyword"], (), row["quote"]) for row in rows if row["keyword"].casefold() in held_out]
    return random.Random(settings.seed).sample(quotes, min(settings.written, len(quotes)))


def sizes(curated: CuratedVotes, settings: Gate) -> Judged | None:
    """Why the held-out votes are too few, before anything is computed; None where they are enough."""
    blank = _scored(curated, lambda text: 0.0)
    people, pairs = equal_people(blank.pairs, blank.votes), comparisons(blank.pairs, blank.votes)
    text = PREFERENCE[settings.per]
    if people < settings.least_people:
        names = len({line.person for line in curated.held_out})
        as_equal = f", who count as {people:.1f} with equal votes" if names >= settings.least_people else ""
        few = f"{names} people voted on held-out texts{as_equal}, and at least {settings.least_people} are needed"
        return too_few(text, pairs, few, decides=True)
    if pairs < settings.least_pairs:
        few = f"there are {pairs} pairs of a preferred and a rejected text; at least {settings.least_pairs} are needed"
        return too_few(text, pairs, few, decides=True)
    return None


def preference_figures(curated: CuratedVotes, old: Nats, new: Nats, settings: Gate) -> list[Judged]:
    """The figure that must be better, and what explains it. Texts that do not fit the context are left out."""
    changes = {per: _scored(curated, _change(old, new, per)) for per in Per}
    per = settings.per
    deciding, other = changes[per], Per.TEXT if per is Per.CHARACTER else Per.CHARACTER
    count = comparisons(deciding.pairs, deciding.votes)
    if count < settings.least_pairs:
        few = f"{count} pairs fit into a context of {settings.context_tokens} tokens"
        return [too_few(PREFERENCE[per], count, few, decides=True)]
    found = {per: _margin(scored, settings) for per, scored in changes.items()}
    return [
        shown_better(PREFERENCE[per], count, found[per].estimate, found[per], settings.preference_least),
        reported(OTHER[other], count, 0.0, found[other].estimate, found[other]),
        _moved(deciding, count, settings),
        _likelier(curated, old, new, count, settings),
    ]


def forgetting_figure(
    old: Sequence[float | None], new: Sequence[float | None], texts: Sequence[Text], settings: Gate
) -> Judged:
    """How many more bits a character of written quotes takes."""
    known = [
        (before / math.log(2), after / math.log(2), len(text.reply))
        for before, after, text in zip(old, new, texts, strict=True)
        if before is not None and after is not None
    ]
    if len(known) < max(2, settings.least_written):
        few = f"{len(known)} written quotes can be read, and at least {settings.least_written} are needed"
        return too_few(FORGETTING, len(known), few)
    olds, news, characters = zip(*known, strict=True)
    values = sum(olds) / sum(characters), sum(news) / sum(characters)
    difference = statistic_difference(
        [olds, characters], [news, characters], per_unit, settings.seed, settings.confidence
    )
    return not_worse(FORGETTING, len(known), settings.least_written, values, difference, settings.forgetting_margin)


def _margin(scored: _Scored, settings: Gate) -> Difference:
    return preference_margin(scored.pairs, scored.votes, settings.seed, settings.confidence)


def _moved(scored: _Scored, count: int, settings: Gate) -> Judged:
    """Against one half, which is what no preference comes to."""
    share, low, high = preferred_share(scored.pairs, scored.votes, settings.seed, settings.confidence)
    against_half = Difference(share - 0.5, low - 0.5, high - 0.5, shown=not low <= 0.5 <= high)
    return reported(MOVED, count, 0.5, share, against_half)


def _likelier(curated: CuratedVotes, old: Nats, new: Nats, count: int, settings: Gate) -> Judged:
    """By likelihood a character, which prefers short texts less; the bias that is left is the same in both models."""

    def likelihood(text: Text, nats: Nats) -> float | None:
        found = nats[text]
        return None if found is None or old[text] is None or new[text] is None else -found / len(text.reply)

    before, after = (_scored(curated, partial(likelihood, nats=nats)) for nats in (old, new))
    shares = [preferred_share(each.pairs, each.votes, settings.seed)[0] for each in (before, after)]
    difference = share_difference(
        (before.pairs, before.votes), (after.pairs, after.votes), settings.seed, settings.confidence
    )
    return reported(LIKELIER, count, float(shares[0]), float(shares[1]), difference)


def _change(old: Nats, new: Nats, per: Per) -> Callable[[Text], float | None]:
    """How much likelier the new model finds a text, in nats."""

    def change(text: Text) -> float | None:
        before, after = old[text], new[text]
        if before is None or after is None:
            return None
        return (before - after) / (len(text.reply) if per is Per.CHARACTER else 1)

    return change


def _scored(curated: CuratedVotes, score: Callable[[Text], float | None]) -> _Scored:
    """The pairs and votes whose texts have a score."""
    pairs, votes = [], []
    for pair in curated.pairs:
        chosen, rejected = (score(text_of(pair, reply)) for reply in pair.replies)
        if chosen is not None and rejected is not None:
            pairs.append(Pair(pair.person, pair.weight, chosen, rejected))
    for vote in curated.votes:
        found = score(text_of(vote, vote.replies[0]))
        if found is not None:
            votes.append(Vote(vote.person, vote.weight, vote.kind, vote.liked, found))
    return _Scored(pairs, votes)
