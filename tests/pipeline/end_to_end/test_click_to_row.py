"""From the click to the KTO row: what somebody said last of a quote is what is learned of it, on both platforms."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipeline.end_to_end.town import BAD, GOOD, Reader, Sets, Town, json_lines, opened
from tests.servers.discord import Json

# What is learned of a quote depends on its votes alone here: the small model's words pass every other rule.
ANY_WORDS = ("languages=[]", "offensive_from=1", "near_duplicate=1")
UP, DOWN = "👍", "👎"
NO_UP, NO_DOWN = f"no {UP}", f"no {DOWN}"
DISAGREED = ("kto", "people do not agree on it")


@dataclass(frozen=True, slots=True)
class Case:
    """What one person does with a quote, step by step, and what is to be learned of it; None: nothing.

    A step is a button, a sign, or a sign that is taken back. `idle`: the last one changes nothing. `hasty`: they do not
    wait until the bot has noticed the one before.
    """

    keyword: str
    steps: tuple[str, ...]
    label: bool | None
    idle: bool = False
    hasty: bool = False

    def __str__(self) -> str:
        return ", ".join(self.steps)

    @property
    def learned(self) -> list[tuple[bool, list[str]]]:
        """The labels of the lines on the quote, with how they were given."""
        last = self.steps[-2 if self.idle else -1]
        return [] if self.label is None else [(self.label, ["button" if last in (GOOD, BAD) else "reaction"])]


ANYWHERE = (
    Case("teapot", (BAD,), False),
    Case("gravity", (GOOD,), True),
    Case("harvest", (GOOD, BAD), False),
    Case("velvet", (BAD, GOOD), True),
    Case("anthem", (GOOD, BAD, GOOD, BAD), False),
    Case("thunder", (GOOD, GOOD), None),
    Case("lantern", (BAD, BAD), None),
    Case("cinnamon", (BAD, BAD, BAD), False),
    Case("avalanche", (GOOD, GOOD, BAD), False),
    Case("ballet", (UP,), True),
    Case("bargain", (DOWN,), False),
    Case("beard", (UP, NO_UP), None),
    Case("blizzard", (DOWN, NO_DOWN), None),
    Case("blossom", (UP, NO_UP, DOWN), False),
    Case("bonus", (DOWN, NO_DOWN, UP), True),
    Case("bookshop", (UP, DOWN), False),
    Case("bubble", (DOWN, UP), True),
    Case("cactus", (GOOD, DOWN), False),
    Case("calendar", (BAD, UP), True),
    Case("canoe", (UP, BAD), False),
    Case("canyon", (DOWN, GOOD), True),
    Case("caravan", (GOOD, DOWN, NO_DOWN), None),
    Case("carnival", (UP, BAD, NO_UP), False, idle=True),
    Case("castle", (DOWN, GOOD, NO_DOWN), True, idle=True),
    # Who says it by a button too has said it twice, and taken nothing back.
    Case("ceiling", (UP, GOOD), True),
    Case("chalk", (DOWN, BAD), False),
    Case("garden", (DOWN, BAD, NO_DOWN), False, idle=True),
    Case("copper", (UP, NO_UP, DOWN, NO_DOWN, UP), True, hasty=True),
    Case("cradle", (DOWN, NO_DOWN, UP, NO_UP, DOWN, NO_DOWN), None, hasty=True),
)
# There several signs of one person stand side by side.
ON_DISCORD = (
    Case("champion", (UP, DOWN, NO_UP), False, idle=True),
    Case("cloud", (DOWN, UP, NO_DOWN), True, idle=True),
)


@dataclass(frozen=True, slots=True)
class Company:
    """What two people do with a quote that one of them asked for where both see it."""

    keyword: str
    asker: tuple[str, ...]
    other: tuple[str, ...]
    asker_agrees: bool = True  # to training
    other_agrees: bool = True


IN_COMPANY = (
    Company("river", (GOOD,), (DOWN,)),
    Company("meadow", (GOOD,), (DOWN, GOOD)),
    Company("orchard", (DOWN,), (GOOD, GOOD)),
    Company("pebble", (GOOD,), (BAD, DOWN), other_agrees=False),
    Company("saddle", (), (BAD,), asker_agrees=False),
)
IN_A_GROUP = Company("harbour", (GOOD,), (DOWN, BAD))


@dataclass(frozen=True, slots=True)
class Day:
    """What the commands made of all that people did: of each quote that is there, by its keyword."""

    refused: dict[str, int]  # by the export
    rows: dict[str, Json]
    sets: Sets

    def learned(self, keyword: str) -> list[tuple[bool, list[str]]]:
        """The labels of the lines on the quote, with how they were given; the lines must be on its words."""
        lines = [line for line in self.sets.lines("kto") if line["keyword"] == keyword]
        assert all(line["completion"] == self.rows[keyword]["messages"][-1]["content"] for line in lines)
        return [(line["label"], line["sources"]) for line in lines]

    def votes(self, keyword: str) -> list[int]:
        """The votes on the quote in the export, one of each person."""
        votes = self.rows[keyword]["votes"]
        assert len({vote["person"] for vote in votes}) == len(votes)
        return sorted(vote["value"] for vote in votes)

    def dropped(self, keyword: str) -> list[tuple[str, str]]:
        """From which sets the quote was left out, and why."""
        found = json_lines(self.sets.folder / "dropped.jsonl")
        return [(one["set"], one["reason"]) for one in found if one["row"] == f"rows/{self.rows[keyword]['id']}"]


async def take(town: Town, reader: Reader, post: Json, steps: Iterable[str], *, idle: bool = False) -> None:
    """Do one thing after the other, each once the bot has noticed the one before; `idle`: it ignores the last."""
    steps = tuple(steps)
    for number, step in enumerate(steps, start=1):
        await do(reader, post, step)
        await town.voted(reader, number - (idle and number == len(steps)))


async def do(reader: Reader, post: Json, step: str) -> None:
    if step in (GOOD, BAD):
        await reader.press(post, step)
    elif step in (NO_UP, NO_DOWN):
        reader.unreact(post, step.removeprefix("no "))
    else:
        reader.react(post, step)


async def alone(town: Town, reader: Reader, keyword: str, case: Case) -> None:
    await reader.consent()
    post = await reader.quote(keyword)
    if case.hasty:
        for step in case.steps:
            await do(reader, post, step)
        await town.voted(reader, len(case.steps))
    else:
        await take(town, reader, post, case.steps, idle=case.idle)


async def together(town: Town, asker: Reader, other: Reader, scene: Company) -> None:
    """Somebody asks and has their say; then somebody else in the same place has theirs."""
    for reader, agrees in ((asker, scene.asker_agrees), (other, scene.other_agrees)):
        if agrees:
            await reader.consent()
    post = await asker.quote(scene.keyword)
    await take(town, asker, post, scene.asker)
    await take(town, other, post, scene.other)


async def live_through(folder: Path) -> Day:
    async with opened(folder) as town:
        doings = [alone(town, town.on_discord(), f"{one.keyword} one", one) for one in (*ANYWHERE, *ON_DISCORD)]
        doings += [alone(town, town.on_telegram(), f"{one.keyword} two", one) for one in ANYWHERE]
        for scene in IN_COMPANY:
            channel = town.discord.channel()
            doings.append(together(town, town.on_discord(channel), town.on_discord(channel), scene))
        group = town.telegram.group(admin=True)  # only an administrator is told of signs
        doings.append(together(town, town.on_telegram(group), town.on_telegram(group), IN_A_GROUP))
        await asyncio.gather(*doings)
        await town.settled()
        export = await town.quotesmith("data", "export", "--out", "export")
        rows = {row["messages"][-2]["content"]: row for row in json_lines(folder / "export" / "rows.jsonl")}
        return Day(export["refused"], rows, await town.curate("export", "curated", *ANY_WORDS))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """All that people do happens on one day, most of it at once; the tests look at what came of it."""
    return asyncio.run(live_through(tmp_path_factory.mktemp("day")))


@pytest.mark.parametrize("case", [*ANYWHERE, *ON_DISCORD], ids=str)
def test_the_last_word_of_a_person_on_discord_is_what_is_learned(day: Day, case: Case) -> None:
    assert day.learned(f"{case.keyword} one") == case.learned


@pytest.mark.parametrize("case", ANYWHERE, ids=str)
def test_the_last_word_of_a_person_on_telegram_is_what_is_learned(day: Day, case: Case) -> None:
    assert day.learned(f"{case.keyword} two") == case.learned


def test_two_people_who_differ_are_both_heard_and_nothing_is_learned(day: Day) -> None:
    assert day.votes("river") == [-1, 1]
    assert day.learned("river") == [] and day.dropped("river") == [DISAGREED]


def test_two_people_who_agree_in_the_end_are_one_row(day: Day) -> None:
    assert day.votes("meadow") == [1, 1] and day.learned("meadow") == [(True, ["button"])]


def test_who_takes_their_vote_back_leaves_the_others(day: Day) -> None:
    assert day.votes("orchard") == [-1] and day.learned("orchard") == [(False, ["reaction"])]


def test_who_did_not_agree_to_training_outvotes_nobody(day: Day) -> None:
    assert day.votes("pebble") == [1] and day.learned("pebble") == [(True, ["button"])]


def test_a_vote_on_the_quote_of_somebody_who_did_not_agree_teaches_nothing(day: Day) -> None:
    assert "saddle" not in day.rows and day.learned("saddle") == []
    assert day.refused["its person does not consent now"] == 2  # that quote, and one vote on another


def test_nothing_of_a_group_on_telegram_is_learned_whoever_votes(day: Day) -> None:
    assert "harbour" not in day.rows and day.learned("harbour") == []
    assert day.refused["the rules of its platform or place forbid it"] == 1
