"""What a person may ask the hub for, and which file that means."""

from __future__ import annotations

import re

import pytest

from bot.errors import InputError, ModelNotFound
from bot.models.catalogue import CATALOGUE, find
from bot.models.hub_spec import HubFile, HubSpec, choose_file, parse_spec
from bot.models.manifest import NAME_PATTERN

REPO = HubSpec("maker/tiny-GGUF")


def files(*paths: str) -> list[HubFile]:
    return [HubFile(path, 1, "a" * 64) for path in paths]


def chosen(wanted: str, *paths: str) -> str:
    return choose_file(HubSpec(REPO.repo, wanted), files(*paths)).path


def test_the_catalogue_can_be_pulled_by_name() -> None:
    names = [entry.name for entry in CATALOGUE]

    assert len(set(names)) == len(names)
    for entry in CATALOGUE:
        assert re.fullmatch(NAME_PATTERN, entry.name)
        assert parse_spec(f" {entry.name.upper()} ") == HubSpec(entry.repo, entry.file, entry)
        assert choose_file(parse_spec(entry.name), files("x.gguf", entry.file)).path == entry.file
        assert parse_spec(f"{entry.repo}:{entry.file}") == HubSpec(entry.repo, entry.file)
        assert entry.license
        assert entry.size_bytes > 100_000_000
    assert find("no such model") is None


@pytest.mark.parametrize(
    ("spec", "understood"),
    [
        ("maker/tiny-GGUF", HubSpec("maker/tiny-GGUF")),
        ("maker/tiny-GGUF:Q8_0", HubSpec("maker/tiny-GGUF", "Q8_0")),
        ("maker/tiny-GGUF:sub/tiny.gguf", HubSpec("maker/tiny-GGUF", "sub/tiny.gguf")),
    ],
)
def test_a_repository_may_come_with_a_file(spec: str, understood: HubSpec) -> None:
    assert parse_spec(spec) == understood


def test_an_unknown_name_gets_the_nearest_ones_and_the_form_of_others() -> None:
    with pytest.raises(ModelNotFound) as refused:
        parse_spec("llama-3.2-1b")
    assert "'llama-3.2-1b' in the catalogue (llama-3.2-1b-instruct" in str(refused.value)
    assert str(refused.value).endswith("OWNER/REPO or OWNER/REPO:FILE.")


@pytest.mark.parametrize("spec", ["", "/", "a/b/c", "../up", "maker/", "https://hub.test/maker/tiny", "mäker/tiny"])
def test_what_is_neither_a_name_nor_a_repository_gets_the_whole_catalogue(spec: str) -> None:
    with pytest.raises(ModelNotFound, match=r"tinyllama-1\.1b-chat"):
        parse_spec(spec)


def test_q4_k_m_is_taken_unless_another_is_named() -> None:
    paths = ("README.md", "mmproj-tiny-Q4_K_M.gguf", "tiny-Q8_0.gguf", "tiny.q4_k_m.gguf", "tiny-Q4_K_S.gguf")

    assert chosen("", *paths) == "tiny.q4_k_m.gguf"
    assert chosen("Q8_0", *paths) == "tiny-Q8_0.gguf"
    assert chosen("tiny-Q4_K_S.gguf", *paths) == "tiny-Q4_K_S.gguf"
    assert chosen("", "config.json", "only.gguf") == "only.gguf"
    assert chosen("tiny.gguf", "a/tiny.gguf", "b.gguf") == "a/tiny.gguf"


def test_a_choice_that_is_the_person_s_is_asked_for_with_what_there_is() -> None:
    with pytest.raises(InputError) as refused:
        chosen("", *(f"tiny-{number}.gguf" for number in range(14)))

    assert "Say which file of maker/tiny-GGUF is wanted, as maker/tiny-GGUF:FILE;" in str(refused.value)
    assert str(refused.value).endswith("it has " + ", ".join(f"tiny-{n}.gguf" for n in range(12)) + " and 2 more.")


def test_a_file_that_is_not_there_is_named_with_what_there_is() -> None:
    with pytest.raises(ModelNotFound, match=r"has no file Q2_K; it has a\.gguf, b\.gguf\."):
        chosen("Q2_K", "a.gguf", "b.gguf")
    with pytest.raises(ModelNotFound, match="has no GGUF file"):
        chosen("", "model.safetensors", "imatrix.gguf")


@pytest.mark.parametrize("wanted", ["", "Q4_K_M", "tiny-Q4_K_M-00002-of-00003.gguf"])
def test_a_split_model_is_refused_as_such(wanted: str) -> None:
    parts = [f"tiny-Q4_K_M-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    with pytest.raises(InputError, match="is one of 3 parts of a split model"):
        chosen(wanted, *parts, "tiny-Q8_0.gguf")


def test_a_file_is_kept_under_a_name_that_every_disk_takes() -> None:
    assert HubFile("sub folder/tïny model.gguf", 1, "").name == "t-ny-model.gguf"
