"""People's rights as they see them: a note that comes once, and secrets that no export, copy or database gives away."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from bot.platforms.catalogue import Texts
from tests.e2e.conftest import COMMAND
from tests.e2e.platforms import discord_fixtures, telegram_fixtures
from tests.e2e.platforms.bot_process import PATIENCE_S
from tests.e2e.platforms.telegram_fixtures import GOOD, KEEP, Scene
from tests.servers.discord import DiscordServer
from tests.servers.telegram import Chat, Person, TelegramServer
from tests.unit.models.folders import model_folder

NOTE, NOTE_HERE = "Just this once:", "First time here?"
ME = "@quotesmith_bot"


# The note


async def test_on_telegram_the_note_stands_beneath_the_first_reply_over_restarts(tmp_path: Path) -> None:
    async with telegram_fixtures.scene(tmp_path) as town:
        (ada, chat), (gerda, german), group = town.somebody(), town.somebody("de"), town.group()
        first = await town.answer(ada, chat, "hello")
        assert first["text"] == f"{town.stored_replies(chat)[0]}\n\nℹ️ {note('telegram', 'en')}"
        assert "Nur dieses eine Mal" in (await town.answer(gerda, german, "hallo"))["text"]
        await town.bot.stop()
        await town.bot.start()
        await town.bot.says(telegram_fixtures.CONNECTED, times=2)
        for text in ("hello again", "/quote courage"):
            await town.answer(ada, chat, text)
        assert [message["text"] for message in town.server.from_bot(chat)][1:] == town.stored_replies(chat)[1:]
        assert NOTE_HERE not in (await town.answer(ada, group, f"{ME} hello"))["text"]
        told = town.bot.rows("SELECT platform_user_id FROM told_terms JOIN people ON people.id = person_id")
        assert sorted(told) == sorted([(str(ada.id),), (str(gerda.id),)])


async def test_in_a_group_the_note_is_one_line_and_everybody_is_told_once(tmp_path: Path) -> None:
    async with telegram_fixtures.scene(tmp_path) as town:
        (ada, chat), (bob, _), group = town.somebody(), town.somebody(), town.group()
        for person, times in ((ada, 1), (ada, 1), (bob, 2)):
            await town.answer(person, group, f"{ME} hello")
            said = [message["text"] for message in town.server.from_bot(group)]
            assert sum(NOTE_HERE in text for text in said) == times
        assert said[0].count("\n") == town.stored_replies(group)[0].count("\n") + 2
        assert "Nothing that is said in groups trains a model." in said[0]
        assert NOTE not in (await town.answer(ada, chat, "hello"))["text"]


async def test_on_discord_the_answer_to_a_command_is_followed_by_what_only_its_person_sees(tmp_path: Path) -> None:
    async with DiscordServer() as server, discord_fixtures.served(server, tmp_path) as scene:
        ada, bea, cem, channel = scene.person(), scene.person(), scene.person(), scene.channel()
        for _ in range(2):
            answer = await scene.command(ada, channel, "quote", keyword="courage")
            assert "\n" not in answer["content"]
            await scene.settled()
        assert [each["content"] for each in server.ephemeral(ada)] == [note("discord", "en")]
        assert len(server.from_bot(channel)) == 2
        hidden = await scene.command(cem, channel, "quote", keyword="courage", private=True)
        assert hidden["content"].endswith(f"\n\n-# {note('discord', 'en')}") and len(server.ephemeral(cem)) == 1
        first = await scene.mention(bea, channel, "hello")
        await scene.settled()
        reply, _, small = first["content"].rpartition("\n\n-# ")
        assert reply and small.startswith(NOTE_HERE) and "\n" not in small and server.ephemeral(bea) == []
        assert NOTE_HERE not in (await scene.mention(bea, channel, "and now?"))["content"]


async def test_a_bot_that_starts_erases_what_was_kept_for_long_enough(tmp_path: Path) -> None:
    async with telegram_fixtures.scene(tmp_path, retention__conversation_days="30") as town:
        ada, chat = town.somebody()
        assert "erased after 30 days" in (await town.answer(ada, chat, "/privacy"))["text"]
        await town.answer(ada, chat, "an old word of mine")
        await town.bot.stop()
        with closing(sqlite3.connect(tmp_path / "data" / "quotesmith.db")) as database, database:
            database.execute("UPDATE messages SET created_at = datetime(created_at, '-40 days')")
        await town.bot.start()
        await town.bot.stores("SELECT text FROM messages", [("",), ("",)])


def note(platform: str, language: str) -> str:
    """The note in private, to somebody who has not agreed to anything."""
    texts = Texts(language)
    training = {"telegram": "note-words", "discord": "note-commands"}[platform]
    return texts("note", changed="no", training=texts(training, consents="no"))


# Secrets


def secrets_of(name: str) -> list[str]:
    """An e-mail address, a telephone number, a token, a name tag, and a sentence that nobody else says."""
    number = sum(map(ord, name))
    return [
        f"{name}@example.org",
        f"+49 30 55{number:05d}",
        f"ghp_{name}{number}aBcDeFgHiJkLmNoPqRsTuVwXyZ",
        f"@{name}_tag",
        f"the canary of {name}{number} sleeps behind the third clock",
    ]


async def tell_secrets(town: Scene, person: Person, chat: Chat, name: str) -> None:
    """In chats, as a keyword, as something to compare and as better words; with votes on what comes back."""
    for secret in secrets_of(name):
        reply = await town.answer(person, chat, f"My secret: {secret}.")
        await town.pressed(person, reply, GOOD)
    quote = await town.answer(person, chat, f"/quote {secrets_of(name)[0]}")
    await town.pressed(person, quote, KEEP)
    compared = await town.answer(person, chat, f"/compare {secrets_of(name)[4]}")
    await town.pressed(person, compared, "🅰 is better")


async def quotesmith(town: Scene, folder: Path, *arguments: str) -> Any:
    """What a command of the operator prints as JSON, while the bot runs."""
    environment = telegram_fixtures.settings_for(town.server, folder)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, "--json", cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0
    return json.loads(printed)


def bytes_in(folder: Path) -> bytes:
    """All that its files hold."""
    return b"".join(file.read_bytes() for file in sorted(folder.glob("*")) if file.is_file())


def given_away(content: bytes, *names: str) -> Mapping[str, int]:
    """How many of whose secrets stand there."""
    return {name: sum(secret.encode() in content for secret in secrets_of(name)) for name in names}


async def test_no_secret_is_exported_without_consent_nor_survives_a_forget(tmp_path: Path) -> None:
    people = ("nora", "wim", "ada", "bob")  # says nothing, takes it back, is forgotten, agrees
    no_limits = {"limits__requests_per_minute": "0", "limits__chat_requests_per_minute": "0"}
    async with TelegramServer() as server, telegram_fixtures.served(server, tmp_path, **no_limits) as town:
        homes = {name: town.somebody() for name in people}
        for name, (person, chat) in homes.items():
            if name != "nora":
                await town.answer(person, chat, "/consent on")
            await tell_secrets(town, person, chat, name)
        await town.answer(*homes["wim"], "/consent off")

        before = await quotesmith(town, tmp_path, "data", "export", "--out", "before")
        assert given_away(bytes_in(tmp_path / "before"), *people) == {
            "nora": 0,
            "wim": 0,
            "ada": 1,
            "bob": 1,
        }  # the plain sentence
        model_folder(tmp_path / "data" / "models" / "learned", lineage={"exports": [before["name"]]})
        (tmp_path / "runs" / "night").mkdir(parents=True)
        (tmp_path / "runs" / "night" / "manifest.json").write_text(json.dumps({"export": before["name"]}))

        assert (await town.answer(*homes["ada"], "/forget me"))["text"].startswith("Erased: ")
        erased = await quotesmith(town, tmp_path, "data", "forget", "telegram", str(homes["nora"][0].id))
        assert erased["messages"] == 14
        await quotesmith(town, tmp_path, "data", "backup", "copies")
        await quotesmith(town, tmp_path, "data", "export", "--out", "after")
        left = {"nora": 0, "wim": 5, "ada": 0, "bob": 5}
        assert given_away(bytes_in(tmp_path / "data"), *people) == left  # the database and its log, as the bot runs
        assert given_away(bytes_in(tmp_path / "copies"), *people) == left
        assert given_away(bytes_in(tmp_path / "after"), *people) == {"nora": 0, "wim": 0, "ada": 0, "bob": 1}

        await town.answer(*homes["ada"], "I am back")
        (stale,) = await quotesmith(town, tmp_path, "data", "lineage", "--runs", "runs")
        assert (stale["name"], stale["models"], stale["runs"]) == (before["name"], ["learned"], ["runs/night"])
        assert stale["rows"] == 7 and stale["folder"] == str(tmp_path / "before")
