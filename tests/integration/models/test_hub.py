"""Models pulled with the real client from a hub on loopback: resumed, verified, recorded, or refused in a sentence."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from bot.errors import DownloadFailed, InputError, ModelError, ModelInvalid, ModelNotFound, ModelTooLarge
from bot.models.catalogue import CATALOGUE
from bot.models.hub import PullOptions, pull
from bot.models.hub_client import MAX_FAILURES
from bot.models.memory import PROCESS_BYTES
from bot.models.store import ModelStore
from tests.integration.models.puller import FILE, GGUF, REPO, TOKEN, Puller
from tests.servers.hub import COMMIT, LoopbackHub, Refusal
from tests.unit.models.folders import model_folder
from tests.unit.models.gguf_builder import build

OFFLINE_PORT = 9  # discard: nothing listens there


def test_the_loopback_hub_serves_the_library_s_own_download(person: Puller, hub: LoopbackHub, tmp_path: Path) -> None:
    path = huggingface_hub.hf_hub_download(REPO, FILE, endpoint=hub.endpoint, cache_dir=tmp_path / "cache")

    assert Path(path).read_bytes() == GGUF
    assert Path(path).resolve().name in hub.stored  # kept under the checksum that the hub gave


# -- what works -------------------------------------------------------------------------------------------------------


def test_a_repository_is_pulled_verified_and_its_origin_recorded(person: Puller, hub: LoopbackHub) -> None:
    hub.card_data = {"license": "mit"}
    model = person.pull()

    assert person.store.get("tiny-q4_k_m", verify=True) == model
    assert model.path.read_bytes() == GGUF
    assert (model.base, model.license) == (REPO, "mit")
    assert model.lineage == {"repository": REPO, "revision": COMMIT, "file": FILE}
    assert model.quote_prompt.chat
    assert person.progress[-1] == (len(GGUF), len(GGUF))
    assert person.progress == sorted(person.progress)
    assert person.arrived() is None


def test_a_model_of_the_catalogue_is_pulled_by_its_name(person: Puller, hub: LoopbackHub) -> None:
    entry = CATALOGUE[0]
    hub.add(entry.repo, entry.file, GGUF)
    model = person.pull(entry.name)

    assert (model.name, model.license, model.base) == (entry.name, entry.license, entry.repo)


def test_a_file_in_a_folder_and_a_name_may_be_chosen(person: Puller, hub: LoopbackHub) -> None:
    other = build(rows=9)
    hub.add(REPO, "more files/tiny #2-Q8_0.gguf", other)

    assert person.pull(f"{REPO}:Q8_0", "mine").path.read_bytes() == other
    assert person.store.names() == ("starter", "mine")


def test_what_is_here_already_is_not_downloaded_again(person: Puller, hub: LoopbackHub) -> None:
    first = person.pull(name="mine")

    assert person.pull() == first
    assert hub.ranges == [""]


def test_the_token_goes_to_the_hub_and_not_to_where_it_redirects(
    person: Puller, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    person.pull()

    assert [token for _, token in hub.tokens] == [f"Bearer {TOKEN}", f"Bearer {TOKEN}", ""]


# -- interruptions ----------------------------------------------------------------------------------------------------


def test_a_connection_that_is_cut_goes_on_where_it_stopped(person: Puller, hub: LoopbackHub) -> None:
    hub.cuts = [100_000, 50_000]
    model = person.pull()

    assert hub.ranges == ["", "bytes=100000-", "bytes=150000-"]
    assert model.path.read_bytes() == GGUF
    assert person.pauses == []  # bytes came: nothing to wait for


def test_a_stopped_pull_goes_on_the_next_time(person: Puller, hub: LoopbackHub) -> None:
    person.stop_after = 1
    with pytest.raises(KeyboardInterrupt):
        person.pull()
    arrived = person.arrived()
    assert arrived is not None
    assert 0 < arrived < len(GGUF)

    person.stop_after = None
    assert person.pull().path.read_bytes() == GGUF
    assert hub.ranges == ["", f"bytes={arrived}-"]


def test_a_server_without_ranges_sends_the_whole_file_again(person: Puller, hub: LoopbackHub) -> None:
    hub.serves_ranges = False
    hub.cuts = [100_000]

    assert person.pull().path.read_bytes() == GGUF
    assert person.progress[-1] == (len(GGUF), len(GGUF))


def test_a_few_bad_answers_are_waited_out(person: Puller, hub: LoopbackHub) -> None:
    hub.file_refusals = [Refusal(503), Refusal(429), Refusal(500)]

    assert person.pull().path.read_bytes() == GGUF
    assert person.pauses == [1, 2, 4]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (500, "The hub answered with status 500 for maker/tiny-GGUF: try again later."),
        (429, "The hub asks for fewer requests: try again in some minutes, or set HF_TOKEN."),
    ],
)
def test_bad_answers_without_end_give_up_and_keep_what_came(
    person: Puller, hub: LoopbackHub, status: int, reason: str
) -> None:
    hub.cuts = [100_000]
    person.stop_after = 100_000
    with pytest.raises(KeyboardInterrupt):
        person.pull()
    person.stop_after = None
    hub.file_refusals = [Refusal(status)] * 99

    assert person.refused(DownloadFailed) == reason
    assert len(person.pauses) == MAX_FAILURES
    assert person.arrived() == 100_000


def test_a_connection_that_brings_nothing_gives_up(person: Puller, hub: LoopbackHub) -> None:
    hub.cuts = [0] * 99

    assert "cannot be reached for maker/tiny-GGUF (RemoteProtocolError)" in person.refused(DownloadFailed)


def test_two_processes_do_not_write_into_one_download(person: Puller, hub: LoopbackHub) -> None:
    folder = person.store.downloads / next(sha256 for sha256, content in hub.stored.items() if content == GGUF)
    folder.mkdir(parents=True)
    with (folder / FILE).open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert person.refused(DownloadFailed) == f"Another process is downloading {FILE} already."
    person.pull()


# -- what arrives is not what was promised ----------------------------------------------------------------------------


def test_damaged_content_is_deleted(person: Puller, hub: LoopbackHub) -> None:
    for sha256, content in hub.stored.items():
        hub.stored[sha256] = content[:-1] + b"\7"

    message = person.refused(ModelInvalid)
    assert message.startswith("The download was deleted: the model file ")
    assert "has the SHA-256" in message
    assert person.arrived() is None


def test_content_that_is_longer_than_promised_is_deleted(person: Puller, hub: LoopbackHub) -> None:
    for sha256, content in hub.stored.items():
        hub.stored[sha256] = content * 3

    assert "The download was deleted" in person.refused(ModelInvalid)
    assert person.progress[-1][0] < 3 * len(GGUF)


def test_a_file_that_is_no_model_is_deleted(person: Puller, hub: LoopbackHub) -> None:
    hub.add(REPO, FILE, b"a text")

    assert "is not a GGUF model" in person.refused(ModelInvalid)
    assert person.arrived() is None


def test_a_download_whose_name_was_taken_meanwhile_is_kept_for_another(
    person: Puller, hub: LoopbackHub, tmp_path: Path
) -> None:
    other = model_folder(tmp_path / "other", filling=b"\3", name="mine")

    def somebody_adds(done: int, total: int) -> None:
        if done == total:
            person.store.add(other)

    with pytest.raises(InputError, match="A different model is already called mine"):
        pull(REPO, person.store, "mine", somebody_adds, PullOptions(hub.endpoint))
    assert person.arrived() == len(GGUF)
    assert person.pull(name="yours").path.read_bytes() == GGUF
    assert hub.ranges == [""]  # nothing was downloaded again


# -- refused before a byte --------------------------------------------------------------------------------------------


def test_memory_and_disk_are_checked_first(person: Puller, hub: LoopbackHub) -> None:
    person.memory_bytes = len(GGUF) + PROCESS_BYTES - 1
    assert "needs about 150 MB of memory" in person.refused(ModelTooLarge)
    person.memory_bytes += 1
    person.store = ModelStore(person.store.folder, person.store.embedded, free_disk=lambda folder: 64 << 20)
    assert "67 MB free" in person.refused(ModelTooLarge)

    assert hub.ranges == []


def test_a_taken_name_is_told_before_the_download(person: Puller, hub: LoopbackHub) -> None:
    hub.add(REPO, "starter.gguf", build(rows=9))

    assert "already called starter: choose another name" in person.refused(InputError, f"{REPO}:starter.gguf")
    assert hub.ranges == []


def test_a_file_that_is_not_there_and_a_choice_to_make_are_told_with_what_there_is(
    person: Puller, hub: LoopbackHub
) -> None:
    assert person.refused(ModelNotFound, f"{REPO}:Q2_K").endswith(f"has no file Q2_K; it has {FILE}.")
    hub.repositories[REPO] = {"a-Q8_0.gguf": GGUF, "b-Q8_0.gguf": GGUF}
    assert "it has a-Q8_0.gguf, b-Q8_0.gguf" in person.refused(InputError)


@pytest.mark.parametrize(
    ("refusal", "error", "reason"),
    [
        (Refusal(401, "RepoNotFound"), ModelNotFound, "has no public model maker/tiny-GGUF: check the name, or set"),
        (Refusal(404, "RepoNotFound"), ModelNotFound, "has no public model maker/tiny-GGUF"),
        (Refusal(401, message="Invalid credentials in Authorization header"), DownloadFailed, "not accept the token"),
        (Refusal(401, "GatedRepo"), DownloadFailed, "is gated: accept its licence on its page"),
        (Refusal(403, "GatedRepo"), DownloadFailed, "is gated: accept its licence on its page"),
        (Refusal(403), DownloadFailed, "refuses access to maker/tiny-GGUF"),
        (Refusal(400), DownloadFailed, "status 400 for maker/tiny-GGUF"),
    ],
)
@pytest.mark.parametrize("asked", ["info", "file"])
def test_a_refusal_says_what_to_do(
    person: Puller,
    hub: LoopbackHub,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Refusal,
    error: type[ModelError],
    reason: str,
    asked: str,
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    (hub.info_refusals if asked == "info" else hub.file_refusals).append(refusal)

    assert reason in person.refused(error)
    assert person.pauses == []  # asking again would not help


def test_an_unknown_repository_is_told(person: Puller) -> None:
    assert "has no public model maker/gone" in person.refused(ModelNotFound, "maker/gone")
    assert "cannot be the name of a repository" in person.refused(InputError, "maker/a..b")


def test_a_file_that_was_deleted_between_listing_and_download_is_told(person: Puller, hub: LoopbackHub) -> None:
    hub.file_refusals = [Refusal(404, "EntryNotFound")]

    assert f"has no file {FILE} in {REPO} any more" in person.refused(ModelNotFound)


def test_a_repository_without_checksums_is_refused(person: Puller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LoopbackHub, "_sibling", staticmethod(lambda path, content: {"rfilename": path}))

    assert "gives no checksum for tiny-Q4_K_M.gguf" in person.refused(DownloadFailed)


def test_a_machine_without_network_is_told(person: Puller) -> None:
    person.endpoint = f"http://127.0.0.1:{OFFLINE_PORT}"

    assert "cannot be reached for maker/tiny-GGUF (ConnectError): check the network" in person.refused(DownloadFailed)


def test_a_forbidden_network_is_told(person: Puller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    assert "HF_HUB_OFFLINE is set" in person.refused(DownloadFailed)


@pytest.mark.parametrize("text", ["<html>Please log in</html>", "[]", "{}", '{"id": "x", "siblings": [{}]}', "null"])
def test_a_login_page_is_not_taken_for_a_hub(person: Puller, hub: LoopbackHub, text: str) -> None:
    hub.info_text = text

    assert "not a model hub" in person.refused(DownloadFailed)


@pytest.mark.parametrize("endpoint", ["hub.test", "ftp://hub.test", "http://hub:port", "http://"])
def test_an_impossible_address_is_told(person: Puller, endpoint: str) -> None:
    person.endpoint = endpoint

    assert "HF_ENDPOINT" in person.refused(DownloadFailed)


def test_a_token_that_cannot_be_sent_is_told(person: Puller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_…")

    assert "does not accept the token: set HF_TOKEN" in person.refused(DownloadFailed)


def test_the_command_asks_the_hub_of_hf_endpoint(person: Puller, hub: LoopbackHub, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bot", "model", "pull", REPO, "--name", "mine"]
    environment = {"HOME": str(tmp_path), "HF_ENDPOINT": hub.endpoint, "QUOTESMITH_MODEL__FOLDER": "models"}
    (tmp_path / "config.toml").write_text("")
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert done.stdout.startswith("The model mine is here")
    assert person.store.get("mine", verify=True).base == REPO
