"""Copies of the database: whole while others write, for their owner alone, the newest few, without what was erased."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import InputError
from bot.storage.backup import back_up
from bot.storage.database import Database
from tests.integration.storage.conftest import KEY, Stores, key_of, stores_over, url_of

ADA = key_of("ada")


def texts(copy: Path) -> list[str]:
    with closing(sqlite3.connect(copy)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM messages ORDER BY id")]


async def test_a_copy_is_one_file_that_its_owner_alone_may_read(stores: Stores, tmp_path: Path) -> None:
    await stores.say(ADA, "hello", "hi")
    made = await back_up(stores.database, tmp_path / "copies" / "daily", keep=3)
    assert list(made.path.parent.iterdir()) == [made.path] and made.size_bytes == made.path.stat().st_size
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600 and texts(made.path) == ["hello", "hi"]


async def test_a_copy_can_take_the_place_of_the_database(sealed: Stores, tmp_path: Path) -> None:
    await sealed.say(ADA, "hello", "hi")
    made = await back_up(sealed.database, tmp_path / "copies", keep=3)
    assert b"hello" not in made.path.read_bytes()
    database = await Database.open(url_of(made.path), data_key=KEY)
    assert [said.text for said in await stores_over(database).conversations.history(ADA, 10)] == ["hello", "hi"]
    await database.close()


async def test_a_copy_is_of_one_moment_though_others_go_on_writing(stores: Stores, tmp_path: Path) -> None:
    async def talk() -> None:
        for number in range(40):
            await stores.say(ADA, f"{number}", f"reply to {number}")

    talking = asyncio.create_task(talk())
    copies = [await back_up(stores.database, tmp_path / "copies", keep=9) for _ in range(5)]
    await talking
    for copy in copies:
        found = texts(copy.path)
        assert found == [text for number in range(40) for text in (f"{number}", f"reply to {number}")][: len(found)]
    assert len(texts((await back_up(stores.database, tmp_path / "copies", keep=9)).path)) == 80


async def test_two_backups_at_once_both_end_well(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stores.say(ADA, "hello", "hi")
    copy_to, made = stores.database.copy_to, []

    async def while_another_is_made(path: Path) -> None:
        monkeypatch.setattr(stores.database, "copy_to", copy_to)
        await copy_to(path)
        made.append(await back_up(stores.database, tmp_path / "copies", keep=3))

    monkeypatch.setattr(stores.database, "copy_to", while_another_is_made)
    made.append(await back_up(stores.database, tmp_path / "copies", keep=3))
    assert [texts(one.path) for one in made] == [["hello", "hi"]] * 2
    assert set((tmp_path / "copies").iterdir()) == {one.path for one in made}


async def test_the_newest_copies_stay_and_nothing_else_is_touched(stores: Stores, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / "quotesmith-by-hand.db").write_text("mine")
    (folder / "quotesmith-20200101T000000000000Z.part").write_text("of a copy that was cut off")
    made = [await back_up(stores.database, folder, keep=2) for _ in range(4)]
    assert [len(one.removed) for one in made] == [0, 0, 1, 1] and list(made[3].removed) == [made[1].path]
    assert sorted(folder.iterdir()) == [made[2].path, made[3].path, folder / "quotesmith-by-hand.db"]


async def test_who_was_forgotten_is_in_no_copy_after_as_many_backups_as_are_kept(
    stores: Stores, tmp_path: Path
) -> None:
    folder = tmp_path / "copies"
    await stores.say(ADA, "my secret engine", "hm")
    for _ in range(2):
        await back_up(stores.database, folder, keep=2)
    await stores.people.forget(ADA.platform, ADA.user_id)
    for left in (1, 0):
        await back_up(stores.database, folder, keep=2)
        assert sum(b"engine" in copy.read_bytes() for copy in folder.iterdir()) == left


@pytest.mark.parametrize("where", ["file", "file/below"])
async def test_a_folder_that_cannot_be_written_is_said_so(stores: Stores, tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=r"The backup cannot be written to .*file"):
        await back_up(stores.database, tmp_path / where, keep=1)
    assert (tmp_path / "file").read_text() == "mine"
