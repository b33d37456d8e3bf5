"""From the bot's own database to the sets: no secret and nobody without consent is there, and last words are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.chat.eligibility import TERMS_VERSION
from bot.chat.messages import ConversationKey, MessageKind, Vote, VoteSource
from bot.storage.export import export_rows
from model_pipeline.curation.curate import curate
from model_pipeline.curation.settings import Curate
from model_pipeline.report import Report
from tests.integration.storage.conftest import Stores, key_of
from tests.pipeline.curation.small_export import Curated

ADA, BOB, EVE = key_of("ada"), key_of("bob"), key_of("eve")
CANARY = "The heron keeps my grandmother's seven silver thimbles."
EMAIL, PHONE, TAG = "zelda.q@example.com", "+49 151 23456789", "zelda#4821"
TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB"
SECRETS = (EMAIL, PHONE, TOKEN, TAG)


def anywhere(key: ConversationKey, kind: MessageKind, as_option: bool) -> bool:
    return True


async def curated(stores: Stores, where: Path) -> Curated:
    await export_rows(stores.database, where / "export", anywhere)
    curate(where / "export", where / "out", Curate(), Report())
    return Curated(where / "out")


async def test_secrets_and_people_without_consent_are_nowhere(stores: Stores, tmp_path: Path) -> None:
    for key in (ADA, BOB):
        await stores.consents.record(key.platform, key.user_id, TERMS_VERSION, True)
    for secret in SECRETS:
        asked = await stores.say(ADA, f"my secret is {secret} ok", "Then keep it well.")
        told = await stores.say(BOB, "say something", f"I was told {secret} once.")
        quoted = await stores.say(ADA, secret, "A door is a wall that agreed.", MessageKind.QUOTE)
        for key, reply in ((ADA, asked), (BOB, told), (ADA, quoted)):
            await stores.feedback.add_vote(key, reply, Vote.DOWN, VoteSource.BUTTON)
        await stores.feedback.correct(ADA, asked, f"Write to {secret} instead.", as_option=True)
    hers = await stores.say(EVE, "tell me", CANARY)
    shared = await stores.say(ADA, "hello there", "Hello, how are you?")
    await stores.feedback.add_vote(EVE, hers, Vote.UP, VoteSource.BUTTON)
    await stores.feedback.correct(EVE, shared, CANARY, as_option=True)
    await stores.feedback.add_vote(ADA, shared, Vote.UP, VoteSource.BUTTON)
    found = await curated(stores, tmp_path)
    everything = found.everything()
    assert [secret for secret in (*SECRETS, CANARY) if secret in everything] == []
    assert not any(part in everything for part in ("zelda", "4821", "23456789", "thimbles"))
    assert {"ada", "bob", "eve"}.isdisjoint(json.dumps(found.lines("kto")).split('"'))
    kept = [line["completion"] for line in found.lines("kto")]
    assert "Hello, how are you?" in kept and "Then keep it well." in kept
    assert found.lines("sft") == []
    assert found.manifest["refused"] and "zelda" not in (found.folder / "dropped.jsonl").read_text()


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ((Vote.DOWN,), False),
        ((Vote.UP,), True),
        ((Vote.DOWN, Vote.UP), True),
        ((Vote.UP, Vote.DOWN), False),
        ((Vote.UP, Vote.DOWN, Vote.UP, Vote.DOWN), False),
        ((Vote.UP, Vote.NONE), None),
    ],
)
async def test_the_last_word_of_a_person_is_what_is_learned(
    stores: Stores,
    tmp_path: Path,
    said: tuple[Vote, ...],
    label: bool | None,
) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    reply = await stores.say(ADA, "tea", "A kettle sings of leaving.", MessageKind.QUOTE)
    for vote, source in zip(said, (VoteSource.BUTTON, VoteSource.REACTION) * 2, strict=False):
        await stores.feedback.add_vote(ADA, reply, vote, source)
    await stores.feedback.add_vote(ADA, reply, Vote.DOWN, VoteSource.RETRY)
    labels = [(line["label"], line["sources"] == ["retry"]) for line in (await curated(stores, tmp_path)).lines("kto")]
    assert labels == [(False, True) if label is None else (label, False)]
