"""Secrets that people type in chats and into better words: whom they reach, and what is left of them after a forget."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipeline.end_to_end.town import GOOD, Reader, Sets, opened
from tests.servers.discord import Json
from tests.unit.models.folders import model_folder

# Zelda and Quirin agree, and are forgotten. Isolde and Waldo never agree, and are forgotten too. Odile and Bertil agree
# and stay. The first of each two is on Discord.
EVERYBODY = ("zelda", "quirin", "isolde", "waldo", "odile", "bertil")
SILENT = EVERYBODY[2:4]
ALL_LINES = "near_duplicate=1"  # people say much the same here, but for their secrets
SAID_ALOUD = "The otter told nobody but me where the ferry sank."


@dataclass(frozen=True, slots=True)
class Planted:
    """What one person gives away, unlike anybody else's."""

    name: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """An e-mail address, a telephone number, the token of a bot, and three kinds of name tags."""
        return (
            f"{self.name}.q@example.com",
            f"+49 151 23{self._number}",
            f"MTIzNDU2Nzg5MDEyMzQ1{self._number}.G{self.name[:4]}E.abcdefghijklmnopqrstuvwxyz0123456789AB",
            f"@{self.name}_tag",
            f"<@3{self._number}99999{self._number}>",
            f"{self.name}#{self._number[:4]}",
        )

    @property
    def canary(self) -> str:
        """A sentence that no rule takes for a secret."""
        return f"The heron {self.name[::-1]} sleeps behind the third clock."

    @property
    def everything(self) -> tuple[str, ...]:
        return (*self.secrets, self.canary)

    @property
    def parts(self) -> tuple[str, ...]:
        """What a secret that was taken out by half would leave."""
        return (f"{self.name}.q", f"{self.name}_tag", f"{self.name}#", self._number)

    @property
    def _number(self) -> str:
        return str(402_653 + 7_919 * EVERYBODY.index(self.name))


@dataclass(frozen=True, slots=True)
class Found:
    """How much of what whom gave away stands in a folder; `content` is all that its files hold."""

    content: bytes

    @classmethod
    def under(cls, folder: Path) -> Found:
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        assert files
        return cls(b"\0".join(file.read_bytes() for file in files))

    def holds(self, text: str) -> bool:
        return text.encode() in self.content

    def given_away(self) -> dict[str, int]:
        """By person, how many of the secrets, the canary among them."""
        return {name: sum(map(self.holds, Planted(name).everything)) for name in EVERYBODY}


def of_each(**more: int) -> Mapping[str, int]:
    """So many of these people's secrets, and none of the others'."""
    return dict.fromkeys(EVERYBODY, 0) | more


async def tell(reader: Reader, planted: Planted) -> None:
    """Each secret in a chat, in better words for what came back, and as a keyword."""
    for secret in planted.everything:
        reply = await reader.chat(f"Listen well: {secret}")
        await reader.say_it_better(reply, f"You should have said: {secret}")
    await reader.press(await reader.quote(planted.secrets[0]), GOOD)


@dataclass(frozen=True, slots=True)
class Story:
    """What there was before four people were forgotten, and what there is since."""

    people: Mapping[str, Reader]
    before: Found
    sets_before: Sets
    database: Found
    backup: Found
    after: Found
    sets_after: Sets
    said: str  # by the bot, to its operator
    export: Json
    stale: list[Json]  # what `quotesmith data lineage` names


async def live_through(folder: Path) -> Story:
    async with opened(folder, QUOTESMITH_CHAT__REPLY_MAX_TOKENS="16") as town:
        zelda = town.on_discord()
        people: dict[str, Reader] = {"zelda": zelda}
        for place, name in enumerate(EVERYBODY[1:], start=1):
            people[name] = town.on_telegram() if place % 2 else town.on_discord()
        for name, reader in people.items():
            if name not in SILENT:
                await reader.consent()
        await asyncio.gather(*(tell(reader, Planted(name)) for name, reader in people.items()))
        # What is said on Discord and not typed into a command trains nothing, whoever agreed to what.
        await town.discord.mention(zelda.person, zelda.channel, SAID_ALOUD)
        await town.settled()

        export = await town.quotesmith("data", "export", "--out", "before")
        sets_before = await town.curate("before", "runs/night/curated", ALL_LINES)
        model_folder(folder / "data" / "models" / "learned", lineage={"exports": [export["name"]]})

        for name in ("zelda", "waldo"):
            assert (await people[name].forget_me()).startswith("Erased: ")
        for name, platform in (("quirin", "telegram"), ("isolde", "discord")):
            assert (await town.quotesmith("data", "forget", platform, people[name].user_id))["known"]
        await town.settled()
        await town.quotesmith("data", "backup", "copies")
        await town.quotesmith("data", "export", "--out", "after")
        return Story(
            people,
            Found.under(folder / "before"),
            sets_before,
            Found.under(folder / "data"),
            Found.under(folder / "copies"),
            Found.under(folder / "after"),
            await town.curate("after", "curated", ALL_LINES),
            town.bot.output,
            export,
            await town.quotesmith("data", "lineage", "--runs", "runs"),
        )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return asyncio.run(live_through(tmp_path_factory.mktemp("story")))


def test_an_export_holds_what_people_agreed_to_and_nothing_of_others(story: Story) -> None:
    assert story.before.given_away() == of_each(zelda=1, quirin=1, odile=1, bertil=1)  # their canaries
    assert not story.before.holds(SAID_ALOUD)
    assert not any(story.before.holds(f'"{reader.user_id}"') for reader in story.people.values())


def test_no_secret_is_in_an_export_nor_in_a_set_nor_in_its_card_nor_among_what_was_dropped(story: Story) -> None:
    sets = [each.folder for each in (story.sets_before, story.sets_after)]
    for folder in sets:
        names = {file.name for file in folder.rglob("*") if file.is_file()}
        assert {"README.md", "dropped.jsonl", "manifest.json"} <= names
    for found in (story.before, story.after, *map(Found.under, sets)):
        for planted in map(Planted, EVERYBODY):
            assert [text for text in (*planted.secrets, *planted.parts) if found.holds(text)] == []


def test_the_words_around_a_secret_are_learned_from(story: Story) -> None:
    asked = [line["messages"][-1]["content"] for line in story.sets_before.lines("kto")]
    for kind in ("EMAIL", "PHONE", "TOKEN", "HANDLE", "ID"):
        assert f"Listen well: <{kind}>" in asked
    for name in EVERYBODY:
        assert (f"Listen well: {Planted(name).canary}" in asked) is (name not in SILENT)
    better = [line["completion"] for line in story.sets_before.lines("sft")]
    assert sorted(better) == sorted(
        f"You should have said: {Planted(name).canary}" for name in EVERYBODY if name not in SILENT
    )


def test_who_is_forgotten_is_in_no_file_of_the_database_nor_in_the_next_copy(story: Story) -> None:
    left = of_each(odile=7, bertil=7)
    assert story.database.given_away() == left and story.backup.given_away() == left
    assert not story.database.holds(SAID_ALOUD) and not story.backup.holds(SAID_ALOUD)


def test_who_is_forgotten_is_in_no_new_export_nor_in_what_is_made_of_it(story: Story) -> None:
    assert story.after.given_away() == of_each(odile=1, bertil=1)
    assert Found.under(story.sets_after.folder).given_away() == of_each(odile=1, bertil=1)  # their canaries


def test_lineage_names_the_export_the_run_and_the_model_that_hold_forgotten_people(story: Story) -> None:
    (stale,) = story.stale
    assert (stale["name"], stale["models"], stale["runs"]) == (story.export["name"], ["learned"], ["runs/night"])
    assert stale["rows"] == 16  # seven chats and a quote of Zelda's, and of Quirin's


def test_the_operator_reads_no_secret_on_the_screen(story: Story) -> None:
    assert Found(story.said.encode()).given_away() == of_each()
