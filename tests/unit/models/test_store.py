"""The store shows, adds, chooses and removes models, each whole or not at all, also when several do it at once."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest

from bot.chat.canary import CanaryState
from bot.chat.model import Model
from bot.errors import InputError, ModelError, ModelInvalid, ModelNotFound, ModelTooLarge
from bot.models.disk import disk_errors
from bot.models.intake import Origin
from bot.models.state import STATE_FILE
from bot.models.store import ModelStore
from tests.unit.models.folders import model_folder
from tests.unit.models.gguf_builder import build, write


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    embedded = model_folder(tmp_path / "embedded", filling=b"\0", name="starter", license="CC0-1.0")
    return ModelStore(tmp_path / "models", embedded)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return model_folder(tmp_path / "made" / "tiny", filling=b"\1")


def visible(folder: Path) -> list[str]:
    """What is in the store's folder apart from its lock and the place for downloads."""
    return sorted(path.name for path in folder.glob("*") if not path.name.startswith(".lock"))


# -- listing and reading ----------------------------------------------------------------------------------------------


def test_a_new_store_has_the_embedded_model_and_serves_it(store: ModelStore) -> None:
    assert [(line.name, line.active, line.embedded, line.problem) for line in store.list()] == [
        ("starter", True, True, "")
    ]
    assert store.active().path == store.embedded / "model.gguf"
    assert not store.folder.exists()


def test_the_list_tells_what_each_model_is_and_why_one_cannot_be_used(store: ModelStore, tiny: Path) -> None:
    store.add(tiny)
    broken = store.add(write(tiny.parent / "Broken.gguf", filling=b"\2"))
    broken.path.write_bytes(b"GGUF")

    starter, second, third = store.list()
    assert (starter.name, second.name, third.name) == ("starter", "broken", "tiny")
    assert "is cut off" in second.problem
    assert (third.size_bytes, third.quantization, third.license) == (len(build()), "F32", "CC0-1.0")
    assert not third.problem


def test_details_come_from_manifest_and_header(store: ModelStore, tiny: Path) -> None:
    store.add(tiny, "mine")
    details = store.show("mine")

    assert (details.model.name, details.manifest.name, details.stored.name) == ("mine", "mine", "mine")
    assert details.header.architecture == "llama"
    assert details.model.evaluation == {"perplexity": 9.5}


def test_an_unknown_name_gets_the_nearest_or_all(store: ModelStore, tiny: Path) -> None:
    store.add(tiny)

    with pytest.raises(ModelNotFound, match=r"no model called tny; did you mean tiny\?"):
        store.get("tny")
    with pytest.raises(ModelNotFound, match=r"no model called x; there are: starter, tiny\."):
        store.get("x")


# -- adding -----------------------------------------------------------------------------------------------------------


def test_a_folder_is_copied_with_its_card_and_nothing_else(store: ModelStore, tiny: Path) -> None:
    (tiny / "LICENSE").write_text("free")
    (tiny / "notes.bin").write_bytes(b"private")
    model = store.add(tiny)
    shutil.rmtree(tiny)

    assert store.get("tiny", verify=True) == model
    assert visible(model.path.parent) == ["LICENSE", "manifest.json", "model.gguf"]


def test_a_bare_gguf_gets_a_manifest_and_a_name_of_its_file(store: ModelStore, tmp_path: Path) -> None:
    model = store.add(write(tmp_path / "My Model.gguf"))

    assert store.get("my-model", verify=True) == model
    assert (tmp_path / "My Model.gguf").is_file()


def test_a_moved_file_is_taken_away_and_its_origin_recorded(store: ModelStore, tmp_path: Path) -> None:
    gguf = write(tmp_path / "moved.gguf")
    origin = Origin(base="maker/base", license="mit", lineage={"repository": "maker/tiny"})
    model = store.add(gguf, "tiny", move=True, origin=origin)

    assert not gguf.exists()
    assert (model.base, model.license, model.lineage) == ("maker/base", "mit", {"repository": "maker/tiny"})
    assert store.get("tiny", verify=True) == model


def test_a_file_that_was_to_be_moved_and_is_refused_stays_where_it_is(
    store: ModelStore, tiny: Path, tmp_path: Path
) -> None:
    store.add(tiny)
    gguf = write(tmp_path / "other.gguf", filling=b"\2")
    with pytest.raises(InputError, match="A different model is already called tiny"):
        store.add(gguf, "tiny", move=True)

    assert store.add(gguf, "other", move=True).name == "other"


def test_the_same_content_is_kept_once(store: ModelStore, tiny: Path, tmp_path: Path) -> None:
    first = store.add(tiny)

    assert store.add(tiny) == first
    assert store.add(tiny, "tiny") == first
    assert store.add(write(tmp_path / "again.gguf")) == first
    with pytest.raises(InputError, match="same model file is already here as tiny: use that name"):
        store.add(tiny, "other")
    with pytest.raises(InputError, match="is here as tiny with another manifest"):
        store.add(model_folder(tmp_path / "retuned", license="other"))
    assert visible(store.folder) == ["tiny"]


def test_a_taken_or_impossible_name_is_refused(store: ModelStore, tiny: Path, tmp_path: Path) -> None:
    store.add(tiny)
    other = write(tmp_path / "other.gguf", filling=b"\2")

    for taken in ("tiny", "starter"):
        with pytest.raises(InputError, match=f"A different model is already called {taken}"):
            store.add(other, taken)
    for name in ("../up", "A", ".x", "x" * 65, "a\n"):
        with pytest.raises(InputError, match="cannot be the name of a model: 1 to 64 of a-z"):
            store.add(other, name)
    assert visible(store.folder) == ["tiny"]


def test_what_is_no_model_is_refused_and_leaves_nothing(store: ModelStore, tiny: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    cut_off = tmp_path / "cut.gguf"
    cut_off.write_bytes(build()[:-1])
    (tiny / "model.gguf").write_bytes(build(filling=b"\3"))  # of the right size, and not what the manifest means

    for path, error, reason in (
        (tmp_path / "gone", ModelNotFound, "There is no model folder and no file"),
        (text, InputError, "a folder with a manifest.json, or a .gguf file, is wanted"),
        (tmp_path, ModelInvalid, "The manifest .* cannot be read"),
        (cut_off, ModelInvalid, "is cut off"),
        (tiny, ModelInvalid, "has the SHA-256 .* and should have"),
    ):
        with pytest.raises(error, match=reason):
            store.add(path)
    assert visible(store.folder) == []


def test_a_disk_that_is_too_small_is_told_before_anything_is_copied(tiny: Path, store: ModelStore) -> None:
    full = ModelStore(store.folder, store.embedded, free_disk=lambda folder: 64 << 20)

    with pytest.raises(ModelTooLarge, match=r"has 67 MB free and .* needed beside a reserve of 67 MB"):
        full.add(tiny)
    assert not store.folder.exists()


def test_what_the_disk_refuses_is_one_sentence(store: ModelStore, tiny: Path) -> None:
    with pytest.raises(ModelTooLarge, match="is full: free some space"), disk_errors(store.folder):
        raise OSError(errno.ENOSPC, "No space left on device")
    store.folder.write_text("a file where the folder should be")
    with pytest.raises(ModelError, match=f"{store.folder} cannot be used: File exists"):
        store.add(tiny)


# -- several at once, and what a killed process leaves ----------------------------------------------------------------


def at_once(*adds: Callable[[], Model]) -> list[Model | InputError]:
    barrier = Barrier(len(adds))

    def run(add: Callable[[], Model]) -> Model | InputError:
        barrier.wait()
        try:
            return add()
        except InputError as error:
            return error

    with ThreadPoolExecutor(len(adds)) as threads:
        return list(threads.map(run, adds))


def test_the_same_model_added_at_once_is_there_once(store: ModelStore, tiny: Path) -> None:
    results = at_once(*[partial(store.add, tiny)] * 8)

    assert results == [store.get("tiny", verify=True)] * 8
    assert visible(store.folder) == ["tiny"]


def test_different_models_added_at_once_are_all_there(store: ModelStore, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"m{number}.gguf", filling=bytes([number])) for number in range(1, 9)]
    results = at_once(*[partial(store.add, path) for path in paths])

    assert {model.name for model in results if isinstance(model, Model)} == {path.stem for path in paths}
    for path in paths:
        store.get(path.stem, verify=True)
    assert visible(store.folder) == [path.stem for path in paths]


def test_of_two_models_that_want_one_name_at_once_one_gets_it(store: ModelStore, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"m{number}.gguf", filling=bytes([number])) for number in (1, 2)]
    first, second = at_once(*[partial(store.add, path, "wanted") for path in paths])

    winner, loser = (first, second) if isinstance(first, Model) else (second, first)
    assert winner == store.get("wanted", verify=True)
    assert "A different model is already called wanted" in str(loser)


def test_the_leftovers_of_a_killed_process_go_and_work_that_goes_on_stays(store: ModelStore, tiny: Path) -> None:
    dead, alive = store.folder / ".work-dead", store.folder / ".work-alive"
    for folder in (dead, alive):
        write(folder / "half.gguf")
    descriptor = os.open(alive, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        store.add(tiny)
        assert store.names() == ("starter", "tiny")
        assert not dead.exists()
        assert (alive / "half.gguf").exists()
    finally:
        os.close(descriptor)


# -- choosing and removing --------------------------------------------------------------------------------------------


def test_the_chosen_model_is_served_after_a_restart(store: ModelStore, tiny: Path) -> None:
    store.add(tiny)
    store.use("tiny")

    again = ModelStore(store.folder, store.embedded)
    assert again.active() == store.get("tiny")
    assert [(line.name, line.active) for line in again.list()] == [("starter", False), ("tiny", True)]
    again.use("starter")
    assert store.active().name == "starter"


def test_a_model_that_cannot_be_read_is_not_chosen(store: ModelStore, tiny: Path) -> None:
    store.add(tiny).path.write_bytes(b"")

    with pytest.raises(ModelInvalid):
        store.use("tiny")
    with pytest.raises(ModelNotFound):
        store.use("gone")
    assert store.active().name == "starter"


def test_an_active_model_that_was_deleted_by_hand_is_told(store: ModelStore, tiny: Path) -> None:
    store.use(store.add(tiny).name)
    shutil.rmtree(store.folder / "tiny")

    with pytest.raises(ModelNotFound, match=r"The active model tiny is not in .* any more"):
        store.active()


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"active": 3}', b'{"active": "tiny"'])
def test_a_damaged_choice_is_told_and_mended_by_choosing(store: ModelStore, tiny: Path, content: bytes) -> None:
    store.add(tiny)
    (store.folder / STATE_FILE).write_bytes(content)

    with pytest.raises(ModelInvalid, match="does not name the active model: choose one with `quotesmith model use"):
        store.active()
    assert [line.active for line in store.list()] == [False, False]
    store.use("tiny")
    assert json.loads((store.folder / STATE_FILE).read_text())["active"] == "tiny"
    assert store.active().name == "tiny"


def test_a_model_is_removed_unless_it_is_embedded_or_active(store: ModelStore, tiny: Path, tmp_path: Path) -> None:
    store.add(tiny)
    store.add(write(tmp_path / "other.gguf", filling=b"\2"))
    store.use("tiny")

    with pytest.raises(InputError, match="is part of Quotesmith and cannot be removed"):
        store.remove("starter")
    with pytest.raises(InputError, match="The model tiny is active: choose another"):
        store.remove("tiny")
    with pytest.raises(ModelNotFound):
        store.remove("../made")
    store.remove("other")
    assert store.names() == ("starter", "tiny")
    store.use("starter")
    store.remove("tiny")
    assert visible(store.folder) == [STATE_FILE]
    assert store.add(tiny) == store.get("tiny")


# -- trying a model out -----------------------------------------------------------------------------------------------


@pytest.fixture
def two(store: ModelStore, tiny: Path, tmp_path: Path) -> ModelStore:
    """A store with tiny and other beside the embedded model."""
    store.add(tiny)
    store.add(write(tmp_path / "other.gguf", filling=b"\2"))
    return store


def test_a_canary_is_on_record_and_changes_nothing_for_the_others(two: ModelStore) -> None:
    begun = two.try_out("tiny", 0.2)

    assert (begun.name, begun.against, begun.share, begun.running) == ("tiny", "starter", 0.2, True)
    assert two.canary() == begun == ModelStore(two.folder, two.embedded).canary()
    assert two.active().name == "starter"
    with pytest.raises(InputError, match="tiny is being tried out already: `quotesmith model rollback` ends that"):
        two.try_out("other", 0.2)
    with pytest.raises(InputError, match="The model tiny is being tried out"):
        two.remove("tiny")


def test_what_answers_already_is_not_tried_out(two: ModelStore) -> None:
    with pytest.raises(InputError, match="starter is what answers already"):
        two.try_out("starter", 0.2)
    with pytest.raises(ModelNotFound):
        two.try_out("gone", 0.2)
    assert two.canary() is None


def test_a_promoted_model_is_served_and_can_be_taken_back(two: ModelStore) -> None:
    assert two.end_canary(two.try_out("tiny", 0.2), CanaryState.PROMOTED, "people like it better")
    promoted = two.canary()

    assert two.active().name == "tiny"
    assert two.roll_back() == "starter"
    assert two.active().name == "starter" and "tiny" in two.names()
    ended = two.canary()
    assert ended is not None and promoted is not None and ended.state is CanaryState.ROLLED_BACK
    assert ended.ended_at is not None and ended.ended_at == promoted.ended_at  # what is said later counts no more


def test_a_canary_that_is_taken_back_leaves_what_was_served(two: ModelStore) -> None:
    two.use("other")
    two.try_out("tiny", 0.2)

    assert two.roll_back() == "other" == two.active().name
    ended = two.canary()
    assert ended is not None and ended.state is CanaryState.ROLLED_BACK
    two.remove("tiny")


def test_the_end_of_a_canary_that_ended_meanwhile_changes_nothing(two: ModelStore) -> None:
    canary = two.try_out("tiny", 0.2)
    two.use("other")

    assert not two.end_canary(canary, CanaryState.PROMOTED, "too late")
    assert two.active().name == "other"
    ended = two.canary()
    assert ended is not None and (ended.state, ended.why) == (CanaryState.STOPPED, "other was chosen")


def test_nothing_is_taken_back_where_nothing_was_changed(store: ModelStore) -> None:
    with pytest.raises(InputError, match="There is nothing to take back: starter was served all along"):
        store.roll_back()


def test_what_was_served_before_must_be_there(two: ModelStore) -> None:
    two.use("tiny")
    two.use("other")
    two.remove("tiny")

    with pytest.raises(ModelNotFound, match="There is no model called tiny"):
        two.roll_back()
    assert two.active().name == "other"
