"""A run published to a loopback hub with the real client: what arrives there, and what never leaves the disk."""

from __future__ import annotations

import errno
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import RepoCard
from typer.testing import CliRunner

from model_pipeline.cli import app
from model_pipeline.errors import InputInvalid, TrainingFailed
from model_pipeline.recipe import read_recipe
from model_pipeline.runs import MANIFEST_FILE, Stage
from model_pipeline.stages import publish as stage
from tests.pipeline.publishing.finished_run import (
    BASE,
    GGUF,
    LOCAL_BASE,
    NAMES,
    OTHER_GGUF,
    OWNER,
    SECRETS,
    finished_run,
)
from tests.pipeline.publishing.publisher import OFFLINE_PORT, TOKEN, Publisher
from tests.servers.hub import LoopbackHub

DATASET = f"datasets/{NAMES['dataset']}"
REPOSITORIES = [DATASET, NAMES["adapter"], NAMES["merged"], NAMES["gguf"]]
EVALUATION = {f"evaluation/{name}" for name in ("report.md", "eval_results.csv", "results.json", "plots/figures.png")}


def card(content: bytes) -> RepoCard:
    """As the library reads one."""
    return RepoCard(content.decode())


def metadata(content: bytes) -> dict[str, Any]:
    """The front matter of a card."""
    found: dict[str, Any] = card(content).data.to_dict()  # type: ignore[no-untyped-call]
    return found


# -- what arrives -----------------------------------------------------------------------------------------------------


def test_a_disk_that_fills_is_told_in_a_sentence(person: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(stage, "_card_of", full)
    with pytest.raises(TrainingFailed, match=r"^The disk is full: make room, and run it again\.$"):
        person.publish()
    assert not person.run.is_finished(Stage.PUBLISH)


def test_every_named_repository_holds_its_files(person: Publisher) -> None:
    person.publish()

    assert set(person.files(DATASET)) == {"README.md", "train.jsonl", "validation.jsonl", "test.jsonl"}
    assert set(person.files(NAMES["adapter"])) == EVALUATION | {
        "README.md",
        "adapter.gguf",
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert set(person.files(NAMES["merged"])) == EVALUATION | {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer.model",
    }
    assert set(person.files(NAMES["gguf"])) == EVALUATION | {
        "README.md",
        "MODEL_CARD.md",
        "manifest.json",
        "tiny-quotes-Q4_K_M.gguf",
        "tiny-quotes-Q8_0.gguf",
    }


@pytest.mark.parametrize("types", [["q4_k_m", "q8-0"], ["Q4_K", "Q4_K_M", "Q8_0"]])
def test_each_type_arrives_once_however_the_recipe_writes_it(
    types: list[str], hub: LoopbackHub, tmp_path: Path
) -> None:
    person = Publisher(finished_run(tmp_path / "run", quantize={"types": types}), hub)
    person.publish()

    found = {path: content for path, content in person.files(NAMES["gguf"]).items() if path.endswith(".gguf")}
    assert found == {"tiny-quotes-Q4_K_M.gguf": GGUF, "tiny-quotes-Q8_0.gguf": OTHER_GGUF}


def test_files_arrive_byte_for_byte(person: Publisher) -> None:
    person.publish()

    assert person.files(DATASET)["train.jsonl"] == person.content("prepare/train.jsonl")
    adapter, merged = person.files(NAMES["adapter"]), person.files(NAMES["merged"])
    assert adapter["adapter_model.safetensors"] == person.content("fine-tune/adapter/adapter_model.safetensors")
    assert adapter["adapter.gguf"] == person.content("export-gguf/adapter.gguf")
    assert merged["model.safetensors"] == person.content("merge/model/model.safetensors")
    gguf = person.files(NAMES["gguf"])
    assert (gguf["tiny-quotes-Q4_K_M.gguf"], gguf["tiny-quotes-Q8_0.gguf"]) == (GGUF, OTHER_GGUF)


def test_nothing_else_leaves_the_disk(person: Publisher) -> None:
    person.publish()

    sent = [content for name in REPOSITORIES for content in person.files(name).values()]
    assert not {*SECRETS.values()} & {*sent}
    assert not any(b"/disk/of/mine" in content for content in sent)
    assert str(person.run.folder).encode() not in b"".join(sent)


def test_the_adapter_names_its_base_on_the_hub(person: Publisher) -> None:
    assert json.loads(person.content("fine-tune/adapter/adapter_config.json"))["base_model_name_or_path"] == LOCAL_BASE
    person.publish()

    config = json.loads(person.files(NAMES["adapter"])["adapter_config.json"])
    assert config == {"peft_type": "LORA", "base_model_name_or_path": BASE, "revision": "main"}


def test_an_adapter_whose_base_is_on_no_hub_names_no_folder(hub: LoopbackHub, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    base = {"family": "llama3", "model": str(tmp_path / "base")}
    person = Publisher(finished_run(tmp_path / "run", base=base), hub)
    person.publish()

    files = person.files(NAMES["adapter"])
    assert json.loads(files["adapter_config.json"])["base_model_name_or_path"] == "tiny-quotes-base"
    assert "base_model" not in metadata(files["README.md"])
    assert "The base model is not on the hub" in card(files["README.md"]).text


def test_the_library_reads_back_what_it_sent(person: Publisher, hub: LoopbackHub, tmp_path: Path) -> None:
    person.publish()
    folder = huggingface_hub.snapshot_download(
        NAMES["merged"], endpoint=hub.endpoint, token=TOKEN, cache_dir=tmp_path / "cache"
    )

    assert (Path(folder) / "tokenizer.model").read_bytes() == person.content("merge/model/tokenizer.model")
    assert metadata((Path(folder) / "README.md").read_bytes())["license"] == "apache-2.0"


def test_repositories_are_private_unless_the_recipe_says_otherwise(hub: LoopbackHub, tmp_path: Path) -> None:
    Publisher(finished_run(tmp_path / "one"), hub).publish()
    assert hub.private == {*REPOSITORIES}

    names = {"gguf": f"{OWNER}/open"}
    Publisher(finished_run(tmp_path / "two", publish={**names, "private": False}), hub).publish()
    assert f"{OWNER}/open" in hub.repositories
    assert hub.private == {*REPOSITORIES}


def typed(run: Path, setting: str) -> None:
    """The command with a setting; a refusal is raised."""
    CliRunner().invoke(app, ["publish", str(run), "--set", setting], catch_exceptions=False, standalone_mode=False)


@pytest.mark.parametrize(
    ("value", "private"), [("True", True), ("TRUE", True), ("yes", True), ("1", True), ('"true"', True), ("no", False)]
)
def test_what_is_typed_for_private_is_read_as_in_a_recipe(
    value: str, private: bool, hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "publish", partial(stage.publish, endpoint=hub.endpoint, token=TOKEN))
    run = finished_run(tmp_path / "run", publish={"gguf": NAMES["gguf"], "private": not private})
    typed(run.folder, f"publish.private={value}")
    assert hub.private == ({NAMES["gguf"]} if private else set())


@pytest.mark.parametrize("value", ["treu", "2", ""])
def test_what_is_neither_private_nor_public_is_one_sentence(
    value: str, hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "publish", partial(stage.publish, endpoint=hub.endpoint, token=TOKEN))
    run = finished_run(tmp_path / "run", publish={"gguf": NAMES["gguf"]})
    allowed = r"^This cannot be set: publish\.private input should be a valid boolean.*\.$"
    with pytest.raises(InputInvalid, match=allowed):
        typed(run.folder, f"publish.private={value}")
    assert not hub.repositories


def test_each_repository_gets_one_commit_that_names_recipe_and_run(person: Publisher, hub: LoopbackHub) -> None:
    person.publish()

    assert [commit.repo for commit in hub.commits] == REPOSITORIES
    assert {commit.message for commit in hub.commits} == {"tiny-quotes, run run"}
    assert all(commit.paths[0] == "README.md" for commit in hub.commits)


def test_the_manifest_tells_what_was_published(person: Publisher, hub: LoopbackHub) -> None:
    person.publish()

    published = person.run.figures(Stage.PUBLISH)["repositories"]
    assert [each["name"] for each in published] == [name.removeprefix("datasets/") for name in REPOSITORIES]
    assert [each["commit"] for each in published] == [hub.heads[name] for name in REPOSITORIES]
    assert published[0]["files"] == {path: len(content) for path, content in person.files(DATASET).items()}
    assert (person.run.of(Stage.PUBLISH) / "gguf-README.md").read_bytes() == person.files(NAMES["gguf"])["README.md"]


def test_only_what_is_named_is_published(hub: LoopbackHub, tmp_path: Path) -> None:
    Publisher(finished_run(tmp_path / "run", publish={"dataset": NAMES["dataset"]}), hub).publish()

    assert [*hub.repositories] == [DATASET]


def test_a_token_of_the_environment_is_taken(person: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    person.token = None
    person.publish()

    assert "tiny-quotes-Q4_K_M.gguf" in person.files(NAMES["gguf"])


# -- again ------------------------------------------------------------------------------------------------------------


def test_publishing_the_same_again_makes_no_commit(person: Publisher, hub: LoopbackHub) -> None:
    person.publish()
    commits, heads = list(hub.commits), dict(hub.heads)
    shown = person.publish()

    assert (hub.commits, hub.heads) == (commits, heads)
    assert f"{NAMES['gguf']} holds all of this already: {heads[NAMES['gguf']]}." in shown


def test_a_changed_file_is_the_only_one_of_its_commit(person: Publisher, hub: LoopbackHub) -> None:
    person.publish()
    path = person.run.of(Stage.MERGE) / "model" / "model.safetensors"
    path.write_bytes(b"\0other weights")
    person.publish()

    assert [(commit.repo, commit.paths) for commit in hub.commits[4:]] == [(NAMES["merged"], ("model.safetensors",))]
    assert person.files(NAMES["merged"])["model.safetensors"] == b"\0other weights"


def test_files_of_others_stay_and_are_told(person: Publisher, hub: LoopbackHub) -> None:
    person.publish()
    hub.add(NAMES["gguf"], "tiny-quotes-Q2_K.gguf", b"of last year")

    assert f"{NAMES['gguf']} keeps what this run did not write: tiny-quotes-Q2_K.gguf." in person.publish()
    assert person.files(NAMES["gguf"])["tiny-quotes-Q2_K.gguf"] == b"of last year"


# -- only looking -----------------------------------------------------------------------------------------------------


def test_a_dry_run_shows_everything_without_a_token_and_a_connection(person: Publisher, hub: LoopbackHub) -> None:
    person.token, person.endpoint = None, f"http://127.0.0.1:{OFFLINE_PORT}"
    shown = person.publish(dry_run=True)

    for text in (*NAMES.values(), "adapter_model.safetensors", "72.0 kB", "tiny-quotes-Q8_0.gguf", "train.jsonl"):
        assert text in shown
    for line in ("license: apache-2.0", f"base_model: {BASE}", "- split: validation", "library_name: peft"):
        assert line in shown
    assert hub.tokens == []
    assert not person.run.of(Stage.PUBLISH).exists()


def test_what_a_dry_run_lists_is_what_is_published(person: Publisher) -> None:
    shown = person.publish(dry_run=True)
    person.publish()

    for name in REPOSITORIES:
        for path in person.files(name):
            assert f" {path} " in shown


# -- smoke runs -------------------------------------------------------------------------------------------------------


def test_a_smoke_run_says_so_in_title_first_line_and_commit(hub: LoopbackHub, tmp_path: Path) -> None:
    person = Publisher(finished_run(tmp_path / "run", smoke=True), hub)
    person.publish()

    for name in REPOSITORIES:
        readme = person.files(name)["README.md"]
        heading, note = [line for line in card(readme).text.splitlines() if line][:2]
        assert heading.endswith("(smoke run)")
        assert note.startswith("> **A smoke run.**")
        assert "smoke-run" in metadata(readme)["tags"]
    assert all(commit.message.endswith("(smoke run)") for commit in hub.commits)


# -- what cannot be published -----------------------------------------------------------------------------------------


def test_a_recipe_that_names_nothing_is_told_how(hub: LoopbackHub, tmp_path: Path) -> None:
    person = Publisher(finished_run(tmp_path / "run", publish={}), hub)

    with pytest.raises(InputInvalid, match=r"--set publish\.gguf=OWNER/NAME"):
        person.publish()


@pytest.mark.parametrize("name", ["noowner", "a/b/c", "maker/bad name", "maker/.."])
def test_an_impossible_name_is_told_before_anything_is_sent(hub: LoopbackHub, tmp_path: Path, name: str) -> None:
    person = Publisher(finished_run(tmp_path / "run", publish={"gguf": name}), hub)

    with pytest.raises(InputInvalid, match="it is written OWNER/NAME"):
        person.publish()
    assert hub.tokens == []


def test_two_models_cannot_share_a_repository(hub: LoopbackHub, tmp_path: Path) -> None:
    person = Publisher(finished_run(tmp_path / "run", publish={"gguf": "maker/one", "merged": "maker/One"}), hub)

    with pytest.raises(InputInvalid, match="named twice"):
        person.publish()


def test_a_model_and_a_dataset_may_share_a_name(hub: LoopbackHub, tmp_path: Path) -> None:
    Publisher(finished_run(tmp_path / "run", publish={"gguf": "maker/one", "dataset": "maker/one"}), hub).publish()

    assert {*hub.repositories} == {"maker/one", "datasets/maker/one"}


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        ("dataset", Stage.PREPARE),
        ("adapter", Stage.FINE_TUNE),
        ("merged", Stage.MERGE),
        ("gguf", Stage.QUANTIZE),
    ],
)
def test_a_stage_that_is_missing_is_named(hub: LoopbackHub, tmp_path: Path, kind: str, stage: Stage) -> None:
    person = Publisher(finished_run(tmp_path / "run", publish={kind: "maker/one"}), hub)
    (person.run.of(stage) / MANIFEST_FILE).unlink()

    with pytest.raises(InputInvalid, match=f"has not been through {stage}"):
        person.publish()


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("fine-tune/adapter/adapter_model.safetensors", "fine-tune"),
        ("prepare/train.jsonl", "prepare"),
        ("merge/model/config.json", "merge"),
        ("quantize/tiny-quotes-Q8_0.gguf", "quantize"),
        ("model/model.gguf", "quantize"),
    ],
)
def test_a_file_that_was_deleted_is_named_with_what_makes_it_anew(person: Publisher, file: str, stage: str) -> None:
    (person.run.folder / file).unlink()

    with pytest.raises(InputInvalid) as refused:
        person.publish()
    assert str(refused.value) == (
        f"{person.run.folder / file} is not there, though its stage is finished; quotesmith-pipeline {stage} "
        f"{person.run.folder} --again makes it anew, and forgets the stages behind it, which `run` goes through again."
    )


@pytest.mark.parametrize(
    ("file", "stage"), [("evaluate/results.json", "evaluate"), ("prepare/manifest.json", "prepare")]
)
def test_a_file_that_is_broken_is_named_with_what_makes_it_anew(person: Publisher, file: str, stage: str) -> None:
    (person.run.folder / file).write_text("{")

    with pytest.raises(
        InputInvalid, match=rf"cannot be read.*; quotesmith-pipeline {stage} .* --again makes it anew, "
    ):
        person.publish()


def test_full_fine_tuning_has_no_adapter_to_publish(hub: LoopbackHub, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", fine_tune={"method": "full"}, publish={"adapter": "maker/one"})

    with pytest.raises(InputInvalid, match="makes no adapter"):
        Publisher(run, hub).publish()


def test_an_adapter_on_weights_that_were_fine_tuned_here_is_not_published(hub: LoopbackHub, tmp_path: Path) -> None:
    sections = {"fine_tune": {"method": "full"}, "prefer": {"data": "curated", "how": "lora"}}
    run = finished_run(tmp_path / "run", publish={"adapter": "maker/one"}, **sections)

    with pytest.raises(InputInvalid, match=r"^The adapter of \[prefer\] lies on weights that \[fine_tune\] made, "):
        Publisher(run, hub).publish()
    assert not hub.repositories


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ([], "makes no adapter; leave publish.adapter empty."),
        (['prefer={data="votes"}'], "leave publish.adapter empty, and name publish.merged or publish.gguf."),
    ],
)
def test_a_recipe_that_would_publish_no_adapter_or_a_useless_one_is_refused_before_it_runs(
    settings: list[str], sentence: str
) -> None:
    with pytest.raises(InputInvalid, match=rf"{re.escape(sentence)}$"):
        read_recipe("starter", ["publish.adapter=maker/one", *settings])
    assert read_recipe("tinyllama-quotes", ["publish.adapter=maker/one"]).publish.adapter == "maker/one"


def test_the_card_tells_which_share_of_a_training_was_kept(hub: LoopbackHub, tmp_path: Path) -> None:
    kept = {"fine_tune": {"method": "full", "interpolation": 0.5}, "publish": {"merged": NAMES["merged"]}}
    for name, changes in (("half", kept), ("whole", kept | {"fine_tune": {"method": "full"}})):
        person = Publisher(finished_run(tmp_path / name, **changes), hub)
        person.publish()
        told = card(person.files(NAMES["merged"])["README.md"]).text
        assert ("| kept | 50% of what that changed in the weights |" in told) == (name == "half")


def test_what_people_wrote_to_a_bot_is_not_published(hub: LoopbackHub, tmp_path: Path) -> None:
    data = {"sources": [{"form": "export", "path": "exported"}]}
    with pytest.raises(InputInvalid, match="agreed to training only"):
        Publisher(finished_run(tmp_path / "one", data=data), hub).publish()

    person = Publisher(finished_run(tmp_path / "two", data=data, publish={"gguf": NAMES["gguf"]}), hub)
    person.publish()
    sent = {path for path in person.files(NAMES["gguf"]) if path.startswith("evaluation/")}
    assert sent == {"evaluation/eval_results.csv", "evaluation/results.json"}  # and no examples
