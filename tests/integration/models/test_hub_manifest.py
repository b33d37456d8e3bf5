"""A model that the pipeline published, pulled from a hub on loopback: served with its own prompts and sampling."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import DownloadFailed, InputError, ModelError, ModelInvalid, ModelNotFound, ModelTooLarge
from bot.models.disk import DISK_RESERVE_BYTES
from bot.models.manifest import MAX_MANIFEST_BYTES
from bot.models.store import ModelStore
from tests.integration.models.puller import FILE, GGUF, REPO, Puller
from tests.servers.hub import COMMIT, LoopbackHub, Refusal
from tests.unit.models.folders import manifest_for
from tests.unit.models.gguf_builder import build

OTHER = "tiny-Q8_0.gguf"
OTHER_GGUF = build({"general.file_type": 7}, rows=9)


@pytest.fixture
def manifest(hub: LoopbackHub, person: Puller, tmp_path: Path) -> dict[str, Any]:
    """A repository as the stage publish leaves it: two quantizations and the manifest of one of them."""
    hub.add(REPO, OTHER, OTHER_GGUF)
    (tmp_path / FILE).write_bytes(GGUF)
    content = manifest_for(tmp_path / FILE, name="tiny-quotes", quantization="Q4_K_M", history_messages=3)
    publish(hub, content)
    return content


def publish(hub: LoopbackHub, manifest: object) -> None:
    hub.add(REPO, "manifest.json", manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode())


# -- what works -------------------------------------------------------------------------------------------------------


def test_a_published_model_is_served_as_its_manifest_says(person: Puller, manifest: dict[str, Any]) -> None:
    model = person.pull()

    assert person.store.get("tiny-quotes", verify=True) == model
    assert model.path.read_bytes() == GGUF
    assert model.quote_prompt.template == "Keyword: {keyword}\nQuote:"
    assert not model.quote_prompt.chat
    assert (model.quote_sampling.temperature, model.chat_sampling.top_k) == (0.5, 7)
    assert (model.system_prompt, model.history_messages, model.context_tokens) == (False, 3, 64)
    assert (model.base, model.license, model.evaluation) == ("none", "CC0-1.0", {"perplexity": 9.5})
    assert model.lineage == {"corpus": "books", "repository": REPO, "revision": COMMIT, "file": FILE}
    assert person.store.show("tiny-quotes").manifest.quantization == "Q4_K_M"
    assert person.arrived() is None


def test_the_manifest_s_file_is_the_default_whatever_its_name(
    person: Puller, hub: LoopbackHub, manifest: dict[str, Any]
) -> None:
    hub.repositories[REPO]["other-Q4_K_M.gguf"] = hub.repositories[REPO].pop(FILE)
    odd = "the best (one).gguf"
    hub.add(REPO, odd, GGUF)
    publish(hub, manifest | {"file": odd})

    assert person.pull().path.name == "the-best--one-.gguf"
    assert person.store.names() == ("starter", "tiny-quotes")


def with_judge(hub: LoopbackHub, manifest: dict[str, Any], content: bytes, sha256: str = "") -> None:
    hub.add(REPO, "judge.npz", content)
    known = {"file": "judge.npz", "sha256": sha256 or hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    publish(hub, manifest | {"judge": known})


def test_a_judge_comes_along(person: Puller, hub: LoopbackHub, manifest: dict[str, Any]) -> None:
    with_judge(hub, manifest, b"what chooses")
    model = person.pull()

    assert model.judge_path is not None
    assert model.judge_path.read_bytes() == b"what chooses"
    assert person.store.get("tiny-quotes", verify=True) == model


def test_a_judge_that_is_not_the_one_that_is_meant_is_refused(
    person: Puller, hub: LoopbackHub, manifest: dict[str, Any]
) -> None:
    with_judge(hub, manifest, b"something else", "0" * 64)
    with pytest.raises(ModelInvalid, match=r"The judge .* is not the one that the manifest means"):
        person.pull()
    assert person.store.names() == ("starter",)
    assert not person.progress  # nothing of the model was downloaded in vain


def test_a_judge_of_another_size_is_not_downloaded(person: Puller, hub: LoopbackHub, manifest: dict[str, Any]) -> None:
    with_judge(hub, manifest, b"what chooses")
    hub.add(REPO, "judge.npz", bytes(100_000))
    text = refusal_of(person, ModelInvalid)
    assert "does not belong to its judge.npz: it gives 12 bytes, and the hub has 100,000 bytes" in text


def test_what_is_left_of_an_older_judge_spoils_no_download(
    person: Puller, hub: LoopbackHub, manifest: dict[str, Any]
) -> None:
    with_judge(hub, manifest, b"what chose until today")
    person.stop_after = len(GGUF)
    with pytest.raises(KeyboardInterrupt):
        person.pull()
    person.stop_after = None
    (judge,) = person.store.downloads.glob("*/judge.npz")
    judge.write_bytes(b"what ch")  # a pull that was cut off there
    with_judge(hub, manifest, b"what chooses")

    model = person.pull()
    assert model.judge_path is not None and model.judge_path.read_bytes() == b"what chooses"
    assert model.path.read_bytes() == GGUF
    assert person.progress[-1] == (len(GGUF), len(GGUF))


def test_a_judge_counts_where_the_disk_is_checked(person: Puller, hub: LoopbackHub, manifest: dict[str, Any]) -> None:
    with_judge(hub, manifest, bytes(5_000))
    room = DISK_RESERVE_BYTES + len(GGUF) + 4_999
    person.store = ModelStore(person.store.folder, person.store.embedded, free_disk=lambda folder: room)
    assert "free some space" in refusal_of(person, ModelTooLarge)
    room += 1
    assert person.pull().judge_path is not None


def test_a_judge_that_is_not_there_is_named(person: Puller, hub: LoopbackHub, manifest: dict[str, Any]) -> None:
    publish(hub, manifest | {"judge": {"file": "judge.npz", "sha256": "0" * 64, "size_bytes": 5}})
    with pytest.raises(ModelInvalid, match=r"names the judge 'judge.npz', which is not there"):
        person.pull()


@pytest.mark.parametrize("file", [OTHER, "Q8_0"])
def test_another_quantization_has_the_prompts_and_figures_of_its_own(
    person: Puller, manifest: dict[str, Any], file: str
) -> None:
    model = person.pull(f"{REPO}:{file}")

    assert person.store.get("tiny-q8_0", verify=True) == model
    assert model.path.read_bytes() == OTHER_GGUF
    assert (model.quote_prompt.template, model.quote_sampling.temperature) == ("Keyword: {keyword}\nQuote:", 0.5)
    kept = person.store.show("tiny-q8_0").manifest
    assert (kept.sha256, kept.size_bytes) == (model.sha256, len(OTHER_GGUF))
    assert (kept.quantization, kept.evaluation) == ("Q8_0", {})  # those were measured on the other file


def test_both_quantizations_live_side_by_side_and_a_name_may_be_chosen(
    person: Puller, manifest: dict[str, Any]
) -> None:
    person.pull(name="mine")
    person.pull(f"{REPO}:Q8_0")

    assert person.store.names() == ("starter", "mine", "tiny-q8_0")
    assert person.pull() == person.store.get("mine")


def test_what_the_manifest_does_not_say_the_hub_does(
    person: Puller, hub: LoopbackHub, manifest: dict[str, Any]
) -> None:
    hub.card_data = {"license": "mit"}
    publish(hub, manifest | {"base": "", "license": ""})
    model = person.pull()

    assert (model.base, model.license) == (REPO, "mit")


def test_a_stopped_pull_of_a_published_model_goes_on_the_next_time(
    person: Puller, hub: LoopbackHub, manifest: dict[str, Any]
) -> None:
    person.stop_after = 1
    with pytest.raises(KeyboardInterrupt):
        person.pull()
    arrived = person.arrived()
    person.stop_after = None

    assert person.pull().name == "tiny-quotes"
    assert hub.ranges == ["", "", "", f"bytes={arrived}-"]  # the manifest is read each time


def test_bad_answers_for_the_manifest_are_waited_out(
    person: Puller, hub: LoopbackHub, manifest: dict[str, Any]
) -> None:
    hub.file_refusals = [Refusal(503)]
    hub.cuts = [10]

    assert person.pull().name == "tiny-quotes"
    assert person.pauses == [1]


# -- manifests of others ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        {"name": "an app", "start_url": "/"},
        {"format": 2, "name": "later"},
        {"format": "1"},
        [],
        None,
        b"[" + b" " * MAX_MANIFEST_BYTES,
    ],
)
def test_the_manifest_of_another_program_is_ignored(person: Puller, hub: LoopbackHub, content: object) -> None:
    publish(hub, content)
    model = person.pull()

    assert (model.name, model.base, model.quote_prompt.chat) == ("tiny-q4_k_m", REPO, True)


def test_a_manifest_in_a_folder_is_not_the_repository_s(
    person: Puller, hub: LoopbackHub, manifest: dict[str, Any]
) -> None:
    hub.repositories[REPO]["old/manifest.json"] = hub.repositories[REPO].pop("manifest.json")

    assert person.pull().name == "tiny-q4_k_m"


# -- refused in one sentence, before the model is downloaded ----------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "No Name"}, "cannot be used: name: string should match pattern"),
        ({"file": "../x.gguf"}, "cannot be used: file: must be the name of a file in the model folder"),
        ({"quote_prompt": {"template": "?", "chat": False}}, "{keyword} must stand in it exactly once, not 0 times"),
        ({"sampling": {"quote": {"temperature": 9}}}, "sampling.quote.temperature: input should be less than"),
        ({"sampling": {"a\nb\x1b[2J": 1}}, "sampling.a?b?[2J: extra inputs are not permitted"),
        ({"sha256": "0" * 64}, f"does not belong to its {FILE}: it gives the SHA-256 000000000000… and"),
        ({"size_bytes": 12}, f"does not belong to its {FILE}: it gives the SHA-256"),
        ({"file": "gone.gguf"}, f"names 'gone.gguf', which is not there: say which file is wanted, as {REPO}:FILE."),
    ],
)
def test_a_broken_or_mismatching_manifest_is_told(
    person: Puller, hub: LoopbackHub, manifest: dict[str, Any], changes: dict[str, Any], problem: str
) -> None:
    publish(hub, manifest | changes)
    text = person.refused(ModelInvalid)

    assert text.startswith(f"The manifest.json of {REPO} ")
    assert problem in text
    assert hub.ranges == [""]
    assert person.arrived() is None


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b'{"format": 1', b"[" * 100_000])
def test_a_manifest_that_is_not_json_is_told(person: Puller, hub: LoopbackHub, content: bytes) -> None:
    publish(hub, content)

    assert person.refused(ModelInvalid) == f"The manifest.json of {REPO} cannot be used: it is not JSON."


def test_a_manifest_whose_file_is_gone_still_holds_for_the_others(
    person: Puller, hub: LoopbackHub, manifest: dict[str, Any]
) -> None:
    del hub.repositories[REPO][FILE]

    assert person.pull(f"{REPO}:Q8_0").quote_sampling.temperature == 0.5
    assert f"it has {OTHER}" in refusal_of(person, ModelNotFound, f"{REPO}:Q2_K")


JUDGE = {"file": "judge.npz", "sha256": "0" * 64, "size_bytes": 5}


@pytest.mark.parametrize("change", [{"sampling": {}}, {"history_messages": 1}, {"judge": JUDGE}])
def test_the_same_file_with_other_prompts_is_not_replaced_silently(
    person: Puller, hub: LoopbackHub, manifest: dict[str, Any], change: dict[str, Any]
) -> None:
    first = person.pull()
    publish(hub, manifest | {"lineage": {}, "evaluation": {}})
    assert person.pull() == first
    publish(hub, manifest | change)

    text = "The same model file is here as tiny-quotes with other prompts, sampling or judge: remove it first."
    assert refusal_of(person, InputError) == text
    if "judge" in change:
        with_judge(hub, manifest, b"what chooses")
    person.store.remove("tiny-quotes")
    assert person.pull() != first


def test_a_refusal_of_the_manifest_is_told(person: Puller, hub: LoopbackHub, manifest: dict[str, Any]) -> None:
    hub.file_refusals = [Refusal(403, "GatedRepo")]

    assert "is gated: accept its licence" in person.refused(DownloadFailed)


# -- what arrives is not what was promised ----------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [REPO, f"{REPO}:Q8_0"])
def test_damaged_content_is_deleted_with_its_manifest(
    person: Puller, hub: LoopbackHub, manifest: dict[str, Any], spec: str
) -> None:
    for sha256, content in hub.stored.items():
        if content[:4] == b"GGUF":
            hub.stored[sha256] = content[:-1] + b"\7"

    text = person.refused(ModelInvalid, spec)
    assert text.startswith("The download was deleted: the model file ")
    assert "has the SHA-256" in text
    assert list(person.store.downloads.iterdir()) == []


def refusal_of(person: Puller, error: type[ModelError | InputError], spec: str = REPO) -> str:
    """What is told when something is in the store already."""
    with pytest.raises(error) as refusal:
        person.pull(spec)
    return str(refusal.value)
