"""An export becomes sets: what is in them, what is not, and why."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from model_pipeline.curation import people, quality, sets
from model_pipeline.data.curated import read_curated
from model_pipeline.errors import InputInvalid
from model_pipeline.gating.curated import read_curated_votes
from tests.pipeline.curation.small_export import SmallExport, curated

TEA, RAIN = "A kettle sings of leaving.", "Rain pays no rent and stays all night."


def test_the_last_word_on_a_quote_becomes_a_kto_line(tmp_path: Path) -> None:
    export = SmallExport()
    liked = export.quote("tea", TEA, export.vote("ada", 1))
    disliked = export.quote("rain", RAIN, export.vote("ada", -1, "reaction"))
    good, bad = curated(export, tmp_path).lines("kto")
    assert good == {
        "id": f"{liked}#kto",
        "kind": "quote",
        "keyword": "tea",
        "messages": [{"role": "user", "content": "tea"}],
        "person": "ada",
        "weight": 1.0,
        "sources": ["button"],
        "model": "starter",
        "completion": TEA,
        "label": True,
    }
    assert (bad["id"], bad["label"], bad["sources"]) == (f"{disliked}#kto", False, ["reaction"])


def test_a_chat_keeps_what_was_said_before(tmp_path: Path) -> None:
    export = SmallExport()
    said = ("hello there", "Hello! How are you?", "a little tired today", "Then sit down for a while.")
    export.chat(*said, votes=[export.vote("ada", 1)])
    (line,) = curated(export, tmp_path).lines("kto")
    assert [turn["content"] for turn in line["messages"]] == list(said[:3])
    assert (line["messages"][-1]["role"], line["completion"], line["keyword"]) == ("user", said[3], "")


def test_a_correction_is_learned_and_preferred(tmp_path: Path) -> None:
    export = SmallExport()
    corrections = [("ada", TEA), ("bob", "Tea waits for nobody's hurry.")]
    row = export.quote("tea", "Tea is tea is tea.", corrections=corrections)
    found = curated(export, tmp_path)
    assert {(line["id"], line["completion"]) for line in found.lines("sft")} == {
        (f"{row}#sft", TEA),
        (f"{row}#sft-2", "Tea waits for nobody's hurry."),
    }
    assert {(line["chosen"], line["rejected"]) for line in found.lines("dpo")} == {
        (TEA, "Tea is tea is tea."),
        ("Tea waits for nobody's hurry.", "Tea is tea is tea."),
    }


def test_a_comparison_is_a_preference_or_two_votes(tmp_path: Path) -> None:
    export = SmallExport()
    row = export.compare("tea", TEA, RAIN, ada="right")
    export.compare("rain", "Rain is patient with roofs.", "A roof is rain's drum.", bob="both")
    export.compare("door", "A door is a wall that agreed.", "Doors door doors.", cid="neither")
    found = curated(export, tmp_path)
    (line,) = found.lines("dpo")
    assert (line["id"], line["chosen"], line["rejected"]) == (f"{row}#dpo", RAIN, TEA)
    assert (line["model"], line["sources"]) == ("new", ["comparison"])
    assert sorted((line["label"], line["model"]) for line in found.lines("kto")) == [
        (False, "new"),
        (False, "old"),
        (True, "new"),
        (True, "old"),
    ]


def test_opposite_votes_of_one_person_on_one_question_are_a_preference(tmp_path: Path) -> None:
    export = SmallExport()
    better = export.quote("tea", TEA, export.vote("ada", 1))
    export.quote("tea", "Tea is tea is tea.", export.vote("ada", -1))
    export.quote("Tea", "Tea, tea, and more of it.", export.vote("bob", -1))  # another person's
    (line,) = curated(export, tmp_path).lines("dpo")
    assert (line["id"], line["chosen"], line["rejected"]) == (f"{better}#dpo-over-2", TEA, "Tea is tea is tea.")


def test_people_who_do_not_agree_teach_nothing(tmp_path: Path) -> None:
    export = SmallExport()
    row = export.quote("tea", TEA, export.vote("ada", 1), export.vote("bob", -1))
    found = curated(export, tmp_path)
    assert found.lines("kto") == [] and found.reasons(row) == {("kto", sets.DISAGREED)}


def test_the_same_quote_given_twice_is_one_line_with_the_votes_of_both(tmp_path: Path) -> None:
    export = SmallExport()
    export.quote("tea", TEA, export.vote("ada", 1))
    again = export.quote("Tea", TEA.upper(), export.vote("bob", 1), export.vote("cid", -1))
    found = curated(export, tmp_path)
    (line,) = found.lines("kto")
    assert line["label"] and line["weight"] == pytest.approx(1 / 3, abs=1e-5)
    assert (("kto", sets.REPEATED)) in found.reasons(again)


def test_sources_can_be_left_out(tmp_path: Path) -> None:
    export = SmallExport()
    row = export.quote("tea", TEA, export.vote("ada", -1, "retry"))
    export.quote("rain", RAIN, export.vote("ada", 1, "button"))
    found = curated(export, tmp_path, sources=("button",))
    assert [line["completion"] for line in found.lines("kto")] == [RAIN]
    assert found.reasons(row) == {("all", sets.LEFT_OUT)}


def test_liked_replies_are_imitated_only_when_it_is_asked_for(tmp_path: Path) -> None:
    export = SmallExport()
    export.quote("tea", TEA, export.vote("ada", 1), export.vote("bob", 1))
    export.quote("rain", RAIN, export.vote("ada", 1))
    assert curated(export, tmp_path / "off").lines("sft") == []
    liked = curated(export, tmp_path / "on", liked_as_sft=2).lines("sft")
    assert [line["completion"] for line in liked] == [TEA]


def test_what_is_toxic_is_a_bad_example_and_never_a_good_one(tmp_path: Path) -> None:
    export = SmallExport()
    toxic = "You are a worthless piece of shit."
    bad = export.quote("tea", toxic, export.vote("ada", -1))
    good = export.quote("rain", toxic, export.vote("ada", 1))
    export.quote("door", TEA, corrections=[("bob", "Du Arschloch, mach die Tür zu.")])
    found = curated(export, tmp_path)
    assert [(line["completion"], line["label"]) for line in found.lines("kto")] == [(toxic, False)]
    assert found.reasons(bad) == set() and found.reasons(good) == {("kto", quality.OFFENSIVE)}
    assert found.lines("sft") == []


def test_only_what_is_certainly_another_language_is_left_out(tmp_path: Path) -> None:
    export = SmallExport()
    german = "Die Liebe ist ein seltsames Spiel, aber wir spielen es gern."
    row = export.quote("love", german, export.vote("ada", 1))
    export.quote("hello", "Hallo Nora!", export.vote("ada", 1))
    found = curated(export, tmp_path / "english")
    assert [line["completion"] for line in found.lines("kto")] == ["Hallo Nora!"]
    assert found.reasons(row) == {("kto", quality.LANGUAGE)}
    assert len(curated(export, tmp_path / "both", languages=("en", "de")).lines("kto")) == 2
    assert len(curated(export, tmp_path / "every", languages=()).lines("kto")) == 2


def test_near_duplicates_of_a_set_are_learned_once(tmp_path: Path) -> None:
    export = SmallExport()
    long = "Every lighthouse is a promise that somebody made to a stranger in the dark long before the storm arrived"
    export.quote("sea", "Bad one here.", corrections=[("ada", f"{long}.")])
    again = export.quote("night", "Another bad one.", corrections=[("bob", f"{long} here.")])
    found = curated(export, tmp_path)
    assert [line["completion"] for line in found.lines("sft")] == [f"{long}."]
    assert ("sft", "near duplicate") in found.reasons(again)


def test_nobody_is_in_two_splits_and_nothing_held_out_repeats_training(tmp_path: Path) -> None:
    export = SmallExport()
    for number in range(40):
        export.quote(f"word{number}", f"Number {number} is a quiet friend of counting.", export.vote(f"p{number}", 1))
        export.compare("tea", f"Tea number {number}.", f"Cup number {number}.", **{f"p{number}": "left"})
        export.quote("rain", RAIN, corrections=[(f"p{number}", f"Rain wrote letter {number} upon the roof tonight.")])
    found = curated(export, tmp_path, near_duplicate=1)
    whose: dict[str, str] = {}
    for name in ("sft", "kto", "dpo"):
        for split in ("train", "validation", "test"):
            for line in found.split(name, split):
                assert whose.setdefault(line["person"], split) == split
    assert set(whose.values()) == {"train", "validation", "test"}


def test_an_answer_that_is_trained_on_is_not_held_out_through_somebody_else(tmp_path: Path) -> None:
    export = SmallExport()
    for number in range(12):
        export.quote("tea", f"Tea is worth {number + 2} of your minutes.", corrections=[(f"p{number}", TEA)])
        export.compare("tea", TEA, f"Tea, cup number {number}.", **{f"q{number}": "left"})
    found = curated(export, tmp_path, near_duplicate=1)
    places = {
        split
        for split in ("train", "validation", "test")
        for name in ("sft", "dpo")
        for line in found.split(name, split)
        if TEA in (line.get("completion"), line.get("chosen"))
    }
    assert len(places) == 1
    assert people.ELSEWHERE in found.manifest["dropped"]


def test_the_folder_is_whole_hashed_and_for_its_owner_alone(tmp_path: Path) -> None:
    export = SmallExport()
    export.quote("tea", TEA, export.vote("ada", 1))
    found = curated(export, tmp_path)
    files = {str(path.relative_to(found.folder)) for path in found.folder.rglob("*") if path.is_file()}
    assert files == {*found.manifest["files"], "manifest.json"}
    splits = ("train", "validation", "test")
    assert {f"{name}/{split}.jsonl" for name in ("sft", "kto", "dpo") for split in splits} < files
    for name, sha256 in found.manifest["files"].items():
        assert hashlib.sha256((found.folder / name).read_bytes()).hexdigest() == sha256
    assert stat.S_IMODE(found.folder.stat().st_mode) == 0o700
    assert (found.manifest["format"], found.manifest["export"]) == (1, "e" * 32)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_export_of_nothing_is_written_and_says_so(tmp_path: Path) -> None:
    found = curated(SmallExport(), tmp_path)
    assert found.lines("kto") == [] and len(found.manifest["files"]) == 11
    card = (found.folder / "README.md").read_text()
    assert "The set kto has no line to train on." in card


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("dear")
    with pytest.raises(InputInvalid, match="is there and not empty"):
        curated(SmallExport(), tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["letter.txt"]


def test_the_same_export_gives_the_same_sets(tmp_path: Path) -> None:
    export = SmallExport()
    for number in range(10):
        export.quote(f"word{number}", f"Number {number} is a friend.", export.vote(f"p{number}", 1))
    one, other = curated(export, tmp_path / "one"), curated(export, tmp_path / "other")
    assert one.manifest["files"] == other.manifest["files"]


def test_what_trains_and_what_gates_read_what_is_written(tmp_path: Path) -> None:
    export = SmallExport()
    for person in ("ada", "bob", "cid", "dan"):
        export.quote("tea", f"Tea is {person}'s weather.", export.vote(person, 1))
        export.quote("rain", "Bad rain.", corrections=[(person, f"Rain knocks for {person} twice and waits outside.")])
        export.chat("hello there", f"Hello {person}, sit down.", votes=[export.vote(person, -1)])
    found = curated(export, tmp_path, near_duplicate=1)
    trained = read_curated(found.folder)
    for name in ("sft", "kto", "dpo"):
        for split in ("train", "validation", "test"):
            written = found.split(name, split)
            read = trained.opinions(name, split)
            assert [(one.id, one.weight, one.keyword) for one in read] == [
                (line["id"], line["weight"], line["keyword"]) for line in written
            ]
    gated = read_curated_votes(found.folder, validation=False)
    assert [line.id for line in gated.votes] == [line["id"] for line in found.split("kto", "test")]
