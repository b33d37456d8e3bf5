"""Secrets that people plant wherever they can: none reaches an export without consent, none outlives a forget."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import select

from bot.chat.eligibility import TERMS_VERSION, may_be_trained_on
from bot.chat.messages import (
    Complaint,
    ConversationKey,
    JobState,
    MessageKind,
    Origin,
    Platform,
    Preferred,
    Vote,
    VoteSource,
)
from bot.chat.ports import Comparison, GenerationRecord, Side
from bot.models.lineage import models_of_export, runs_of_export
from bot.models.store import ModelStore
from bot.settings import RetentionSettings
from bot.storage.backup import back_up
from bot.storage.database import Database
from bot.storage.engine import make_engine, parse_url, writing
from bot.storage.export import export_rows
from bot.storage.feedback import SqlFeedback
from bot.storage.jobs import SqlJobLedger
from bot.storage.lineage import stale_exports
from bot.storage.migration import configuration
from bot.storage.people import People
from bot.storage.retention import erase_expired
from bot.storage.tables import Message
from tests.integration.storage.conftest import RECORD, Stores, key_of, on_disk, stores_over, url_of
from tests.unit.models.folders import model_folder


@dataclass(frozen=True, slots=True)
class Secrets:
    """What one person gives away without thinking; no other person's secrets are like them."""

    name: str

    @property
    def all(self) -> tuple[str, ...]:
        """An e-mail address, a telephone number, a token, a name tag, and a sentence that nobody else says."""
        number = sum(map(ord, self.name))
        return (
            f"{self.name}.lovelace@example.org",
            f"+49 30 55{number:05d}",
            f"ghp_{self.name}{number}aBcDeFgHiJkLmNoPqRsTuVwXyZ",
            f"@{self.name}_tag",
            f"The canary of {self.name} sleeps behind the third clock.",
        )

    @property
    def sentence(self) -> str:
        """All of them in one message."""
        return " ".join(self.all)

    def found_in(self, content: bytes) -> list[str]:
        """Those that stand there in plain text, also as JSON writes them."""
        return [secret for secret in self.all if secret.encode() in content]


@pytest.fixture
async def ruled(stores: Stores) -> AsyncIterator[Stores]:
    """The stores with the rules that the bot has."""
    ledger = SqlJobLedger(stores.database, may_be_trained_on)
    yield replace(stores, jobs=ledger, feedback=SqlFeedback(stores.database, may_be_trained_on))


def private(name: str) -> ConversationKey:
    """A private chat on Telegram, of which training is possible at all."""
    return key_of(name, name, platform=Platform.TELEGRAM)


async def agree(stores: Stores, key: ConversationKey, granted: bool = True, version: str = TERMS_VERSION) -> None:
    await stores.consents.record(key.platform, key.user_id, version, granted)


async def plant(stores: Stores, key: ConversationKey) -> int:
    """Let the person say their secrets in every way there is; returns the id of the reply to the first message."""
    sentence = Secrets(key.user_id).sentence
    reply = await stores.say(key, f"chat: {sentence}", f"You said: {sentence}")
    quote = await stores.say(key, f"quote: {sentence}", f"On {sentence}, one may be calm.", MessageKind.QUOTE)
    compare = await stores.jobs.accept(key, MessageKind.COMPARE, f"compare: {sentence}")
    await stores.jobs.start(compare.job_id)
    left, right = (Side(f"{side}: {sentence}", "tiny", "a" * 64) for side in ("left", "right"))
    both = Comparison(MessageKind.CHAT, left, right)
    compared = await stores.jobs.complete(compare.job_id, f"both: {sentence}", record(sentence), both)
    await stores.outbox.try_later(compared, f"cannot send {sentence}")
    await stores.feedback.add_vote(key, reply, Vote.UP, VoteSource.BUTTON)
    await stores.feedback.complain(key, quote, Complaint.OFF_TOPIC, VoteSource.BUTTON)
    await stores.feedback.toggle_favorite(key, quote)
    await stores.feedback.prefer(key, compared, Preferred.LEFT)
    await stores.feedback.correct(key, reply, f"rather: {sentence}", as_option=True)
    failed = await stores.jobs.accept(key, MessageKind.CHAT, f"failed: {sentence}")
    await stores.jobs.end(failed.job_id, JobState.FAILED, f"InputError: {sentence}")
    address = json.dumps({"chat_id": sentence})
    await stores.jobs.accept(key, MessageKind.CHAT, f"waiting: {sentence}", origin=Origin(address=address))
    return reply


def record(sentence: str) -> GenerationRecord:
    return replace(RECORD, finished=replace(RECORD.finished, prompt_sha256=f"hash of {sentence}"))


async def exported(stores: Stores, out: Path) -> bytes:
    """All bytes of all files of a new export."""
    await export_rows(stores.database, out, may_be_trained_on)
    return b"".join(file.read_bytes() for file in sorted(out.iterdir()))


async def test_nothing_reaches_an_export_but_what_its_person_agrees_to_now(ruled: Stores, tmp_path: Path) -> None:
    never, withdrew, earlier, agreed = (private(name) for name in ("nora", "wim", "ede", "ada"))
    for person in (withdrew, agreed):
        await agree(ruled, person)
    await agree(ruled, earlier, version="2001-01")
    for person in (never, withdrew, earlier, agreed):
        await plant(ruled, person)
    await agree(ruled, withdrew, granted=False)
    content = await exported(ruled, tmp_path / "out")
    for person in (never, withdrew, earlier):
        assert Secrets(person.user_id).found_in(content) == []
    assert Secrets("ada").found_in(content) == list(Secrets("ada").all[-1:])  # no pattern knows a plain sentence


async def test_a_name_that_is_repeated_without_what_marks_it_is_in_no_export(ruled: Stores, tmp_path: Path) -> None:
    ada = private("ada")
    await agree(ruled, ada)
    reply = await ruled.say(ada, "Listen well: @quirin_tag", "I hope your /quirin_tag gets better.")
    await ruled.feedback.correct(ada, reply, "Say hello to Quirin_Tag!", as_option=True)
    await ruled.say(ada, "who is quirin_tag", "Quirin_tag is a friend.")
    compare = await ruled.jobs.accept(ada, MessageKind.COMPARE, "and quirin_tag?")
    await ruled.jobs.start(compare.job_id)
    left, right = (Side(f"{side}, quirin_tag.", "tiny", "a" * 64) for side in ("Hello", "Good night"))
    compared = await ruled.jobs.complete(compare.job_id, "both", RECORD, Comparison(MessageKind.CHAT, left, right))
    await ruled.feedback.prefer(ada, compared, Preferred.LEFT)
    content = await exported(ruled, tmp_path / "out")
    assert b"quirin" not in content.lower()
    for left_of_it in (b"I hope your /<HANDLE> gets better.", b"Say hello to <HANDLE>!", b"Good night, <HANDLE>."):
        assert left_of_it in content


async def test_new_terms_ask_anew_also_for_what_was_written_under_the_old_ones(
    ruled: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = private("ada")
    await agree(ruled, ada)
    await plant(ruled, ada)
    monkeypatch.setattr("bot.storage.consents.TERMS_VERSION", "a later one")
    assert Secrets("ada").found_in(await exported(ruled, tmp_path / "before")) == []
    await agree(ruled, ada, version="a later one")
    await ruled.say(ada, "written under the new terms", "so it is")
    content = await exported(ruled, tmp_path / "after")
    assert b"written under the new terms" in content and Secrets("ada").found_in(content) == []


@pytest.mark.parametrize("kind", [None, MessageKind.COMPARE])
async def test_whoever_repeats_somebody_elses_words_cannot_consent_for_them(
    ruled: Stores, tmp_path: Path, path: Path, kind: MessageKind | None
) -> None:
    nora, bob, cem = key_of("nora"), key_of("bob"), key_of("cem")  # in one channel on Discord
    for person in (bob, cem):
        await agree(ruled, person)
    pressed = Origin(as_option=True)
    asked = await ruled.jobs.accept(nora, MessageKind.QUOTE, Secrets("nora").sentence, origin=pressed)
    for person in (bob, cem):  # who press a button under the quote before
        asked = await ruled.jobs.accept_again(person, asked.job_id, pressed, kind)
        await ruled.jobs.start(asked.job_id)
        await ruled.jobs.complete(asked.job_id, f"On {Secrets('nora').sentence}", RECORD)
    await ruled.jobs.accept(bob, MessageKind.QUOTE, "tea", origin=pressed)
    content = await exported(ruled, tmp_path / "out")
    assert Secrets("nora").found_in(content) == []
    await ruled.people.forget(nora.platform, nora.user_id)
    assert Secrets("nora").found_in(on_disk(path)) == [] and b"tea" in on_disk(path)


async def test_a_button_makes_no_option_of_what_was_typed_as_a_message(ruled: Stores, tmp_path: Path) -> None:
    ada = key_of("ada")
    await agree(ruled, ada)
    typed = await ruled.jobs.accept(ada, MessageKind.QUOTE, Secrets("ada").sentence)
    for kind in (None, MessageKind.COMPARE):
        again = await ruled.jobs.accept_again(ada, typed.job_id, Origin(as_option=True), kind)
        await ruled.jobs.start(again.job_id)
        await ruled.jobs.complete(again.job_id, Secrets("ada").sentence, RECORD)
    assert Secrets("ada").found_in(await exported(ruled, tmp_path / "out")) == []


async def test_after_a_forget_nothing_is_left_but_the_names_of_what_was_made(
    ruled: Stores, path: Path, tmp_path: Path
) -> None:
    ada, bob = private("ada"), private("bob")
    for person in (ada, bob):
        await agree(ruled, person)
        await plant(ruled, person)
    before = await export_rows(ruled.database, tmp_path / "before", may_be_trained_on)
    assert len(Secrets("ada").found_in(on_disk(path))) == 5
    made_of(tmp_path, before.name)

    await ruled.people.forget(ada.platform, ada.user_id)
    copy = await back_up(ruled.database, tmp_path / "copies", keep=1)
    kept = [(on_disk(path), 5), (copy.path.read_bytes(), 5), (await exported(ruled, tmp_path / "after"), 1)]
    for content, count in kept:
        assert Secrets("ada").found_in(content) == [] and b"hash of ada" not in content
        assert len(Secrets("bob").found_in(content)) == count
    await ruled.say(ada, "I am back", "welcome")  # which changes nothing about what was made before
    (stale,) = await stale_exports(ruled.database)
    assert (stale.name, stale.rows) == (before.name, 3)
    assert models_of_export(ModelStore(tmp_path / "models", tmp_path / "embedded"), stale.name) == ["learned"]
    assert runs_of_export(tmp_path / "runs", stale.name) == [tmp_path / "runs" / "night"]


async def test_what_a_reader_keeps_in_the_log_after_a_forget_goes_with_the_next_look(ruled: Stores, path: Path) -> None:
    ada = private("ada")
    await plant(ruled, ada)
    impatient = await Database.open(url_of(path), busy_timeout_ms=50)
    async with ruled.database.read() as session:  # of another program, such as an export, which sees what was there
        before = await session.scalar(select(Message.text).where(Message.text != ""))
        await People(impatient).forget(ada.platform, ada.user_id)
        assert before is not None and Secrets("ada").found_in(on_disk(path))
    await erase_expired(impatient, RetentionSettings())
    await impatient.close()
    assert Secrets("ada").found_in(on_disk(path)) == []


async def test_what_was_forgotten_before_exports_remembered_it_is_still_named(path: Path, tmp_path: Path) -> None:
    database = await Database.open(url_of(path))
    stores, ada = stores_over(database), private("ada")
    await agree(stores, ada)
    await stores.say(ada, "hello", "hi")
    export = await export_rows(database, tmp_path / "out", may_be_trained_on)
    await database.close()
    engine = make_engine(parse_url(url_of(path)), 5000, foreign_keys=False)  # tables are rebuilt, with rows in them
    async with writing(engine).begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(configuration(sync), "0004"))
        await connection.exec_driver_sql("UPDATE people SET forgotten_at = '2026-01-01 00:00:00'")
    await engine.dispose()
    again = await Database.open(url_of(path))
    await stores_over(again).say(ada, "I am back", "welcome")
    assert [one.name for one in await stale_exports(again)] == [export.name]
    await again.close()


def made_of(folder: Path, export: str) -> None:
    """The embedded model; and a model and a run of the pipeline that say that they were made of the export."""
    model_folder(folder / "embedded")
    model_folder(folder / "models" / "learned", lineage={"exports": [export]})
    run = folder / "runs" / "night"
    run.mkdir(parents=True)
    (run / "manifest.json").write_text(json.dumps({"exports": [export]}))
