"""Makes the lines of the three sets of what people said, and says which rows give none; looks at no text's quality.

- SFT: corrections; if it is asked for, replies that enough people like.
- KTO: replies on which people agree, good or bad.
- DPO: of two replies that were compared the better one over the other; a correction over what it corrects; of two
  answers to one question, the one that a person likes over the one that they do not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from model_pipeline.curation.lines import ALL_SETS, Dropped, Line
from model_pipeline.curation.opinions import BAD, CORRECTION, GOOD, Judged, Opinions, asked
from model_pipeline.curation.weights import Word
from model_pipeline.curation.words import Export

DISAGREED = "people do not agree on it"
SILENT = "nobody said anything of it"
LEFT_OUT = "only sources that are left out say anything of it"
REPEATED = "the same answer to the same question as an earlier row, where its votes are counted"
LIKED = "it was corrected, and yet most people like it"


@dataclass(slots=True)
class Made:
    """Lines, and rows that gave none."""

    lines: list[Line] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)


def make_sets(export: Export, opinions: Opinions, liked_as_sft: int) -> Made:
    """The lines of all sets, in the order of the export, and every row that is missing from one or from all."""
    made = Made()
    made.dropped += _without_words(export, opinions)
    for judged in opinions.judged.values():
        _judge(judged, liked_as_sft, made)
    for compared in opinions.compared:
        pair, verdict = compared.pair, compared.verdict
        if verdict is None:
            made.dropped.append(Dropped(pair.row, "dpo", DISAGREED))
            continue
        better, other = (0, 1) if verdict.value == "left" else (1, 0)
        texts, model = pair.texts, pair.models[better]
        line = Line(f"{pair.row}#dpo", pair.question, verdict.person, verdict.weight, verdict.sources, model)
        made.lines.append(_with(line, texts[better], texts[other]))
    _correct(opinions, made)
    made.lines += _opposites(opinions)
    return made


def _without_words(export: Export, opinions: Opinions) -> Iterator[Dropped]:
    heard = {one.row for one in opinions.judged.values()} | {one.reply.row for one in opinions.corrected}
    heard |= {row for one in opinions.judged.values() for row in one.repeated_in}
    heard |= {one.pair.row for one in opinions.compared}
    for reply in export.replies:
        if reply.row not in heard:
            yield Dropped(reply.row, ALL_SETS, LEFT_OUT if reply.votes or reply.corrections else SILENT)
    for pair in export.pairs:
        if pair.row not in heard:
            yield Dropped(pair.row, ALL_SETS, LEFT_OUT if pair.preferences else SILENT)


def _judge(judged: Judged, liked_as_sft: int, made: Made) -> None:
    verdict, suffix = judged.verdict, f"-{judged.side}" if judged.side else ""
    made.dropped += [Dropped(row, "kto", REPEATED) for row in judged.repeated_in]
    if verdict is None:
        made.dropped.append(Dropped(judged.row, "kto", DISAGREED))
        return
    line = Line(
        f"{judged.row}#kto{suffix}", judged.question, verdict.person, verdict.weight, verdict.sources, judged.model
    )
    good = verdict.value == GOOD
    made.lines.append(_with(line, judged.text, "") if good else _with(line, "", judged.text))
    if good and 0 < liked_as_sft <= verdict.people:
        made.lines.append(_with(replace(line, id=f"{judged.row}#sft-liked{suffix}"), judged.text, ""))


def _correct(opinions: Opinions, made: Made) -> None:
    """A line of SFT and one of DPO for each correction; several of one reply are numbered."""
    numbers: Counter[str] = Counter()
    for one in opinions.corrected:
        reply = one.reply
        numbers[reply.row] += 1
        number = f"-{numbers[reply.row]}" if numbers[reply.row] > 1 else ""
        sft = Line(f"{reply.row}#sft{number}", reply.question, one.word.person, one.weight, (CORRECTION,), "")
        made.lines.append(_with(sft, one.correction.text, ""))
        verdict = opinions.on(reply.question, reply.text)
        if verdict and verdict.value == GOOD:
            made.dropped.append(Dropped(reply.row, "dpo", LIKED))
        else:
            dpo = replace(sft, id=f"{reply.row}#dpo-corrected{number}")
            made.lines.append(_with(dpo, one.correction.text, reply.text))


def _opposites(opinions: Opinions) -> Iterator[Line]:
    """Of one person's answers to one question, each good one over one bad one; every answer is used once.

    Only where others do not contradict, and where the person said one of the two: what is done twice says too little.
    """
    own: dict[tuple[str, str], dict[str, list[_Own]]] = defaultdict(lambda: defaultdict(list))
    for judged in opinions.judged.values():
        for one in _own_words(judged):
            if judged.verdict and judged.verdict.value == one.word.value:
                own[one.word.person, asked(judged.question)][one.word.value].append(one)
    for (person, _), by_value in own.items():
        for good, bad in zip(by_value[GOOD], by_value[BAD], strict=False):
            if good.word.weak and bad.word.weak:
                continue
            other = bad.judged.row.partition("/")[2] + (f"-{bad.judged.side}" if bad.judged.side else "")
            line = Line(
                id=f"{good.judged.row}#dpo-over-{other}",
                question=good.judged.question,
                person=person,
                weight=min(good.weight, bad.weight),
                sources=tuple(sorted({good.word.source, bad.word.source})),
                model=good.judged.model,
            )
            yield _with(line, good.judged.text, bad.judged.text)


@dataclass(frozen=True, slots=True)
class _Own:
    judged: Judged
    word: Word
    weight: float


def _own_words(judged: Judged) -> Iterator[_Own]:
    """The heaviest word of each person on an answer, unless the person contradicts it elsewhere."""
    by_person: dict[str, list[_Own]] = defaultdict(list)
    for word, weight in zip(judged.words, judged.weights, strict=True):
        by_person[word.person].append(_Own(judged, word, weight))
    for mine in by_person.values():
        counted = [one for one in mine if not one.word.weak] or mine
        if len({one.word.value for one in counted}) == 1:
            yield max(counted, key=lambda one: one.weight)


def _with(line: Line, learned: str, refused: str) -> Line:
    return replace(line, learned=learned, refused=refused)
