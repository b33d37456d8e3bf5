"""What a hub and a network can do to a publication: one sentence each, and never half a repository."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from tests.pipeline.publishing.finished_run import NAMES, finished_run
from tests.pipeline.publishing.publisher import OFFLINE_PORT, TOKEN, Publisher
from tests.servers.hub import LoopbackHub, Refusal

DATASET, ADAPTER, GGUF = NAMES["dataset"], NAMES["adapter"], NAMES["gguf"]
ENDLESS = 99


@pytest.fixture
def person(hub: LoopbackHub, tmp_path: Path) -> Publisher:
    """Somebody who publishes the GGUF files alone."""
    return Publisher(finished_run(tmp_path / "run", publish={"gguf": GGUF}), hub)


# -- who may ----------------------------------------------------------------------------------------------------------


def test_no_token_is_told(person: Publisher, hub: LoopbackHub) -> None:
    person.token = None

    assert person.refused(GGUF) == f"There is no token to publish {GGUF} with: set HF_TOKEN to one that may write."
    assert hub.tokens == []


def test_a_wrong_token_is_told(person: Publisher, hub: LoopbackHub) -> None:
    hub.accounts = {"hf_another": ("maker",)}

    assert "does not accept the token" in person.refused(GGUF)
    assert hub.repositories == {}


@pytest.mark.parametrize("token", ["hf_…", "hf_two words", "hf_line\nbreak"])
def test_a_token_that_cannot_be_sent_is_told_and_not_repeated(person: Publisher, token: str) -> None:
    person.token = token

    text = person.refused(GGUF)
    assert "cannot be one" in text
    assert token not in text


def test_a_token_for_another_owner_is_told(person: Publisher, hub: LoopbackHub) -> None:
    hub.accounts[TOKEN] = ("somebody",)

    text = person.refused(GGUF)
    assert text.startswith(f"The hub does not let this token write to {GGUF}: You don't have the rights to create")
    assert hub.repositories == {}


def test_a_token_that_may_only_read_what_is_there_is_told(person: Publisher, hub: LoopbackHub) -> None:
    hub.add(GGUF, "README.md", b"# by somebody\n")
    hub.accounts[TOKEN] = ("somebody",)
    person = Publisher(finished_run(person.run.folder.parent / "two", publish={"gguf": GGUF, "private": False}), hub)

    assert "You don't have write access to this repository" in person.refused(GGUF)
    assert person.files(GGUF) == {"README.md": b"# by somebody\n"}


def test_rights_are_checked_for_all_before_anything_is_sent(hub: LoopbackHub, tmp_path: Path) -> None:
    names = {"dataset": DATASET, "gguf": "somebody/tiny"}
    person = Publisher(finished_run(tmp_path / "run", publish=names), hub)

    assert "somebody/tiny" in person.refused("somebody/tiny")
    assert hub.commits == []


def test_nothing_private_is_put_into_a_public_repository(person: Publisher, hub: LoopbackHub) -> None:
    hub.add(GGUF, "README.md", b"# seen by all\n")

    assert "is public already, and publish.private is true" in person.refused(GGUF)
    assert person.files(GGUF) == {"README.md": b"# seen by all\n"}


def test_a_private_repository_stays_private_and_this_is_told(person: Publisher, hub: LoopbackHub) -> None:
    person.publish()
    names = {"gguf": GGUF, "private": False}
    other = Publisher(finished_run(person.run.folder.parent / "two", publish=names), hub)

    assert f"{GGUF} is private and stays so" in other.publish()
    assert hub.private == {GGUF}


# -- the network ------------------------------------------------------------------------------------------------------


def test_a_hub_that_is_not_there_is_told(person: Publisher) -> None:
    person.endpoint = f"http://127.0.0.1:{OFFLINE_PORT}"

    assert f"cannot be reached for {GGUF}, or the connection was cut (ConnectError)" in person.refused(GGUF)


@pytest.mark.parametrize("endpoint", ["hub.test", "ftp://hub.test", "http://hub:port", "http://"])
def test_an_impossible_address_is_told(person: Publisher, endpoint: str) -> None:
    person.endpoint = endpoint

    assert "give the hub's address as https://HOST" in person.refused(GGUF)


def test_a_forbidden_network_is_told(person: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()  # it looks when a session begins

    assert "while HF_HUB_OFFLINE is set" in person.refused(GGUF)


def test_an_upload_that_is_cut_is_sent_again(person: Publisher, hub: LoopbackHub) -> None:
    hub.upload_cuts = [10_000]
    person.publish()

    assert person.files(GGUF)["tiny-quotes-Q4_K_M.gguf"] == person.content("quantize/tiny-quotes-Q4_K_M.gguf")


def test_an_upload_that_is_cut_again_and_again_publishes_nothing_half(person: Publisher, hub: LoopbackHub) -> None:
    hub.upload_cuts = [10_000] * ENDLESS

    assert "the connection was cut" in person.refused(GGUF)
    assert person.files(GGUF) == {}

    hub.upload_cuts = []
    person.publish()
    assert "tiny-quotes-Q8_0.gguf" in person.files(GGUF)
    assert len(hub.commits) == 1


def test_a_commit_that_fails_leaves_the_repository_as_it_was(person: Publisher, hub: LoopbackHub) -> None:
    hub.refusals["commit"] = [Refusal(500)]

    assert f"has no time for {GGUF} now (status 500)" in person.refused(GGUF)
    assert person.files(GGUF) == {}
    person.publish()
    assert "manifest.json" in person.files(GGUF)


def test_what_was_published_before_a_failure_stays_and_the_rest_follows(hub: LoopbackHub, tmp_path: Path) -> None:
    person = Publisher(finished_run(tmp_path / "run", publish={"dataset": DATASET, "gguf": GGUF}), hub)
    hub.refusals["batch"] = [Refusal(403, error="not now")]
    person.refused(GGUF)

    assert "train.jsonl" in person.files(f"datasets/{DATASET}")
    assert f"{DATASET} is published" in person.screen.getvalue()
    person.publish()
    assert [commit.repo for commit in hub.commits] == [f"datasets/{DATASET}", GGUF]


# -- what the hub does not want ---------------------------------------------------------------------------------------


def test_a_full_quota_is_told_in_the_hub_s_words(person: Publisher, hub: LoopbackHub) -> None:
    full = "Private repository storage limit reached, please upgrade your plan"
    hub.refusals["batch"] = [Refusal(403, error=full)]
    assert person.refused(GGUF) == f"The hub does not let this token write to {GGUF}: {full}."

    hub.quota_bytes = 1_000
    assert "Storage limit reached, free some space" in person.refused(GGUF)
    assert person.files(GGUF) == {}


def test_a_card_that_the_hub_refuses_is_told_before_anything_is_sent(hub: LoopbackHub, tmp_path: Path) -> None:
    person = Publisher(finished_run(tmp_path / "run", license="My Own", publish={"gguf": GGUF}), hub)

    assert person.refused(GGUF).startswith(f'The hub does not take the card of {GGUF}: "license" must be one of')
    assert person.files(GGUF) == {}


@pytest.mark.parametrize(
    ("step", "refusal", "reason"),
    [
        ("create", Refusal(429), "has no time for"),
        ("create", Refusal(402, error="Payment required"), "(status 402: Payment required)"),
        ("preupload", Refusal(401, message="Invalid credentials in Authorization header"), "does not accept the token"),
        ("preupload", Refusal(404, "RepoNotFound"), "(status 404)"),
        ("upload", Refusal(403), "use one that has the right"),
        ("verify", Refusal(404, error="The file did not arrive."), "(status 404: The file did not arrive)"),
        ("commit", Refusal(413, error="Too large"), "(status 413: Too large)"),
        ("commit", Refusal(400, error=f"What is {TOKEN}?\nA token"), "(status 400: What is (token)? A token)"),
    ],
)
def test_a_refusal_at_any_step_is_told(
    person: Publisher, hub: LoopbackHub, step: str, refusal: Refusal, reason: str
) -> None:
    hub.refusals[step] = [refusal]

    assert reason in person.refused(GGUF)
    assert person.files(GGUF) == {}


def test_a_page_that_is_no_hub_is_told(person: Publisher, hub: LoopbackHub) -> None:
    hub.info_text = "<html>Please log in</html>"

    assert f"The hub did not take {GGUF}" in person.refused(GGUF)


def test_the_other_way_to_upload_ends_in_a_sentence_too(
    person: Publisher, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)  # this hub does not have it

    assert "HF_HUB_DISABLE_XET=1" in person.refused(GGUF)
    assert person.files(GGUF) == {}


def test_the_adapter_needs_no_other_stage(hub: LoopbackHub, tmp_path: Path) -> None:
    person = Publisher(finished_run(tmp_path / "run", publish={"adapter": ADAPTER}), hub)
    for stage in ("merge", "export-gguf", "quantize", "evaluate", "prepare"):
        (person.run.folder / stage / "manifest.json").unlink()
    person.publish()

    assert "adapter.gguf" not in person.files(ADAPTER)
    assert "This run was not evaluated." in person.files(ADAPTER)["README.md"].decode()
