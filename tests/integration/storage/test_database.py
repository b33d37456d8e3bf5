"""Opening a database: migrations, pragmas, keys, and every way in which it cannot be used."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from bot.chat.messages import MessageKind, Origin
from bot.chat.ports import Comparison, PooledQuote, Side
from bot.errors import DatabaseUnavailable, DataKeyError
from bot.storage.database import Database
from bot.storage.engine import make_engine, parse_url, writing
from bot.storage.migration import configuration, upgrade
from bot.storage.sealing import seal_stored
from bot.storage.tables import Table
from tests.integration.storage.conftest import KEY, RECORD, Stores, key_of, on_disk, stores_over, url_of


def test_the_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.begin() as connection:
        upgrade(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_the_migrations_can_be_taken_back(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.begin() as connection:
        upgrade(connection)
        command.downgrade(configuration(connection), "base")
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
        upgrade(connection)
        assert "messages" in inspect(connection).get_table_names()


async def test_an_upgrade_that_breaks_off_leaves_nothing_behind(path: Path) -> None:
    def half(connection: Connection) -> None:
        upgrade(connection)
        raise RuntimeError("the power is gone")

    path.parent.mkdir()
    engine = make_engine(parse_url(url_of(path)), 50)
    with pytest.raises(RuntimeError, match="power"):
        async with writing(engine).begin() as connection:
            await connection.run_sync(half)
    async with engine.begin() as connection:
        assert await connection.run_sync(lambda found: inspect(found).get_table_names()) == []
    await engine.dispose()
    await (await Database.open(url_of(path))).close()


async def test_every_connection_is_safe_and_patient(stores: Stores) -> None:
    pragmas = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 5000, "secure_delete": 1}
    async with stores.database.read() as session:
        found = {name: await session.scalar(text(f"PRAGMA {name}")) for name in pragmas}
    assert found == pragmas


async def test_what_was_stored_is_there_after_a_restart(path: Path) -> None:
    for expected in ([], ["hello"]):
        database = await Database.open(url_of(path))
        stores = stores_over(database)
        history = await stores.conversations.history(key_of("ada"), 10)
        assert [message.text for message in history if message.parent_id is None] == expected
        await stores.say(key_of("ada"), "hello", "hi")
        await database.close()


def test_a_second_start_does_not_load_the_migrations_library(path: Path) -> None:
    program = (
        "import asyncio, sys\nfrom bot.storage.database import Database\n"
        f"async def main():\n    database = await Database.open({url_of(path)!r})\n    await database.close()\n"
        "asyncio.run(main())\nprint('alembic' in sys.modules)\n"
    )
    said = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout for _ in range(2)]
    assert said == ["True\n", "False\n"]


async def test_many_open_a_new_database_at_once(path: Path) -> None:
    opened = await asyncio.gather(*(Database.open(url_of(path)) for _ in range(4)))
    await asyncio.gather(*(stores_over(database).say(key_of("ada"), "hello", "hi") for database in opened))
    assert len(await stores_over(opened[0]).conversations.history(key_of("ada"), 100)) == 8
    for database in opened:
        await database.close()


async def test_two_processes_write_at_once_and_nothing_is_lost(stores: Stores, path: Path) -> None:
    program = (
        "import asyncio, sys\nfrom bot.storage.database import Database\n"
        "from tests.integration.storage.conftest import key_of, stores_over\n"
        "async def main(url, user):\n    database = await Database.open(url)\n    stores = stores_over(database)\n"
        "    for number in range(20):\n        await stores.say(key_of(user), f'{user} {number}', 'hi')\n"
        "    await database.close()\n"
        "asyncio.run(main(*sys.argv[1:]))\n"
    )
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", program, url_of(path), user)
        for user in ("ada", "bob")
    ]
    assert [await process.wait() for process in started] == [0, 0]
    for user in ("ada", "bob"):
        history = await stores.conversations.history(key_of(user), 100)
        assert [said.text for said in history if said.parent_id is None] == [f"{user} {n}" for n in range(20)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"this is a letter, not a database, and it is long enough to be looked at. " * 20, "not a database"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "not a database|reports an error"),
    ],
)
async def test_a_file_of_another_kind_is_refused_and_left_alone(path: Path, content: bytes, said: str) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(DatabaseUnavailable, match=said):
        await Database.open(url_of(path))
    assert path.read_bytes() == content


@pytest.mark.parametrize("is_folder", [True, False])
def test_what_cannot_be_opened_leaves_no_thread_that_complains(path: Path, is_folder: bool) -> None:
    path.parent.mkdir()
    if is_folder:
        path.mkdir()
    else:
        path.write_bytes(b"no database " * 500)
    program = (
        "import asyncio\nfrom bot.errors import DatabaseUnavailable\nfrom bot.storage.database import Database\n"
        "for _ in range(10):\n    try:\n"
        f"        asyncio.run(Database.open({url_of(path)!r}))\n"
        "    except DatabaseUnavailable:\n        print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("refused\n" * 10, "")


async def test_the_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseUnavailable, match="another program"):
        await Database.open(url_of(path))
    assert path.read_bytes() == before


async def test_a_database_of_a_later_version_is_refused(path: Path) -> None:
    await (await Database.open(url_of(path))).close()
    with sqlite3.connect(path) as later:
        later.execute("UPDATE alembic_version SET version_num = '9999'")
    later.close()
    with pytest.raises(DatabaseUnavailable, match="9999"):
        await Database.open(url_of(path))


async def test_a_folder_in_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(DatabaseUnavailable, match="must be a file"):
        await Database.open(url_of(path))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+asyncpg://x/y", "must be SQLite"),
        ("sqlite+aiosqlite:///:memory:", "needs a file"),
        ("nonsense", "cannot be read"),
    ],
)
async def test_an_address_that_cannot_be_used_is_named(url: str, said: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=said):
        await Database.open(url)


@pytest.mark.parametrize(
    "options", ["timeout=abc", "timeout=1&timeout=2", "uri=maybe", "cached_statements=99999999999999999999", "plugin=x"]
)
async def test_an_option_of_the_address_that_cannot_be_used_is_named(path: Path, options: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"database\.url, has an option that cannot be used .*: leave out"):
        await Database.open(f"{url_of(path)}?{options}")


async def test_a_database_that_another_program_holds_is_named(path: Path) -> None:
    await (await Database.open(url_of(path))).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DatabaseUnavailable, match="locked"):
        await Database.open(url_of(path), busy_timeout_ms=50)
    holder.close()


async def test_a_write_that_another_program_holds_up_fails_and_can_be_tried_again(path: Path) -> None:
    database = await Database.open(url_of(path), busy_timeout_ms=50)
    stores = stores_over(database)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="locked"):
        await stores.say(key_of("ada"), "hello", "hi")
    assert await stores.conversations.history(key_of("ada"), 10) == []  # reading goes on meanwhile
    holder.close()
    await stores.say(key_of("ada"), "hello", "hi")
    assert len(await stores.conversations.history(key_of("ada"), 10)) == 2
    await database.close()


async def test_a_database_that_may_only_be_read_is_named(path: Path) -> None:
    await (await Database.open(url_of(path))).close()
    before = path.read_bytes()
    with pytest.raises(DatabaseUnavailable, match="allow writing"):
        await Database.open(f"sqlite+aiosqlite:///file:{path}?mode=ro&uri=true")
    assert path.read_bytes() == before


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatabaseUnavailable, match="cannot be"):
        await Database.open(url_of(tmp_path / "file" / "x.db"))


# -- encryption -------------------------------------------------------------------------------------------------------


async def test_with_a_key_nothing_that_was_said_is_readable_on_the_disk(sealed: Stores, path: Path) -> None:
    await sealed.say(key_of("ada"), "my cat is called Turing", "what a fine name for a cat")
    await sealed.say(key_of("ada"), "submarines", "A submarine keeps its depth to itself.", MessageKind.QUOTE)
    assert (await sealed.conversations.history(key_of("ada"), 9))[0].text == "my cat is called Turing"
    kept = on_disk(path)
    assert not any(word in kept for word in (b"Turing", b"fine name", b"ubmarine"))


async def test_without_a_key_it_is(stores: Stores, path: Path) -> None:
    await stores.say(key_of("ada"), "my cat is called Turing", "what a fine name")
    assert b"Turing" in on_disk(path)


@pytest.mark.parametrize(("key", "said"), [(None, "encrypted: set the data key"), (bytes(32), "not the one")])
async def test_an_encrypted_database_opens_with_its_own_key_only(path: Path, key: bytes | None, said: str) -> None:
    await (await Database.open(url_of(path), data_key=KEY)).close()
    with pytest.raises(DataKeyError, match=said):
        await Database.open(url_of(path), data_key=key)
    await (await Database.open(url_of(path), data_key=KEY)).close()


async def test_a_key_that_comes_later_leaves_the_old_text_readable(path: Path) -> None:
    first = await Database.open(url_of(path))
    await stores_over(first).say(key_of("ada"), "before", "plain")
    await first.close()
    second = await Database.open(url_of(path), data_key=KEY)
    stores = stores_over(second)
    await stores.say(key_of("ada"), "after", "sealed")
    texts = [message.text for message in await stores.conversations.history(key_of("ada"), 10)]
    assert texts == ["before", "plain", "after", "sealed"]
    await second.close()


async def test_what_was_stored_before_there_was_a_key_can_be_encrypted(path: Path) -> None:
    ada, model = key_of("ada"), "a" * 64
    first = await Database.open(url_of(path))
    stores = stores_over(first)
    assert await seal_stored(first) == 0  # without a key there is nothing to do
    reply = await stores.say(ada, "ENC1: my engine", "raw: an engine hums")
    await stores.feedback.correct(ada, reply, "an engine sings", as_option=True)
    for _ in range(2):
        await stores.say(ada, "Engine room", "The engine is warm.", MessageKind.QUOTE)
    job = await stores.jobs.accept(ada, MessageKind.COMPARE, "engine", origin=Origin(address="engine deck"))
    await stores.jobs.start(job.job_id)
    sides = Side("left engine", "old", "a" * 64), Side("right engine", "new", "b" * 64)
    await stores.jobs.complete(job.job_id, "both engines", RECORD, Comparison(MessageKind.QUOTE, *sides))
    for quote in ("An engine rests.", "An engine waits."):
        await stores.pool.put(PooledQuote("engine room", quote, 5), model)
    assert await stores.pool.take("engine room", model) is not None
    before = await stores.people.everything(ada.platform, ada.user_id)
    await first.close()

    second = await Database.open(url_of(path), data_key=KEY)
    stores = stores_over(second)
    assert await seal_stored(second) == 11  # eight messages, a correction, a pair, an address
    assert not any(word in on_disk(path) for word in (b"ngine", b"ENC1"))
    assert await stores.people.everything(ada.platform, ada.user_id) == before
    assert await stores.pool.wanted(model, 1, 9) == ["engine room"]  # what was written ahead for it is gone
    assert await stores.pool.put(PooledQuote("engine room", "An engine rests.", 5), model)
    assert await seal_stored(second) == 0
    assert await stores.pool.take("engine room", model) is not None
    await second.close()


async def test_only_its_owner_may_read_the_file(path: Path) -> None:
    database = await Database.open(url_of(path))
    await stores_over(database).say(key_of("ada"), "hello", "hi")
    assert {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {
        file.name: 0 for file in path.parent.iterdir()
    }
    await database.close()
