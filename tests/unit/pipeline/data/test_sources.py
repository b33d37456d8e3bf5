"""Finding and reading local sources that need no library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_pipeline.data.sources import describe_source, read_source
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Form, Source

ROW = {"keyword": "tea", "quote": "Tea waits for nobody."}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def quotes(path: object, **changes: Any) -> Source:
    return Source(form=Form.QUOTES, path=str(path), **changes)


def test_a_relative_path_is_looked_for_here_and_then_in_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ours = read_source(quotes("quotes.jsonl"))
    assert len(ours) > 9000 and set(ours[0]) == {"keyword", "quote"}
    assert describe_source(quotes("quotes.jsonl"), ours).license == "CC0-1.0"
    write(tmp_path / "quotes.jsonl", ROW)
    assert read_source(quotes("quotes.jsonl")) == [ROW]
    assert describe_source(quotes("quotes.jsonl"), [ROW]).license == ""


def test_a_folder_gives_the_files_of_its_split(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", ROW)
    write(tmp_path / "data" / "train-00001-of-00002.jsonl", ROW | {"keyword": "cup"})
    write(tmp_path / "test.jsonl", ROW | {"keyword": "held out"})
    assert sorted(row["keyword"] for row in read_source(quotes(tmp_path))) == ["cup", "tea"]
    assert [row["keyword"] for row in read_source(quotes(tmp_path, split="test"))] == ["held out"]
    with pytest.raises(InputInvalid, match=r"no file of the split 'dev'.*it holds .*test\.jsonl"):
        read_source(quotes(tmp_path, split="dev"))


def test_a_folder_whose_files_are_named_otherwise_is_all_training_data(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ROW)
    write(tmp_path / "b.jsonl", ROW)
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-4.0\n---\nTwo files.\n")
    assert len(read_source(quotes(tmp_path))) == 2
    assert describe_source(quotes(tmp_path), [ROW]).license == "cc-by-4.0"


def test_the_hash_follows_the_content_and_not_the_order_of_keys(tmp_path: Path) -> None:
    source = quotes(write(tmp_path / "a.jsonl", ROW))
    turned = dict(reversed(ROW.items()))
    hashes = [describe_source(source, rows).sha256 for rows in ([ROW], [turned], [ROW, ROW], [ROW | {"quote": "x"}])]
    assert hashes[0] == hashes[1] and len(set(hashes)) == 3


def test_an_export_folder_is_read(tmp_path: Path) -> None:
    row = {"id": 1, "kind": "chat", "person": "p", "messages": []}
    write(tmp_path / "rows.jsonl", row)
    (tmp_path / "manifest.json").write_text('{"format": 2, "export": "abc"}')
    assert read_source(Source(form=Form.EXPORT, path=str(tmp_path))) == [row]


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ('{"format": 1}', "format 1; this version reads format 2"),
        ('{"format": 2}', "format 2"),
        ("[", "is no export"),
        ("[]", "is no"),
    ],
)
def test_an_export_of_another_format_is_refused(manifest: str, said: str, tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", ROW)
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InputInvalid, match=said):
        read_source(Source(form=Form.EXPORT, path=str(tmp_path)))


def _broken(folder: Path, name: str) -> Path:
    """One of the sources that cannot be used."""
    path = folder / name
    if name == "empty.jsonl":
        path.write_text("\n\n")
    elif name == "line.jsonl":
        path.write_text(json.dumps(ROW) + '\n{"keyword": "t')
    elif name == "columns.jsonl":
        write(path, {"text": "x"})
    elif name == "rows.csv":
        path.write_text("keyword,quote\n")
    elif name == "pointer.jsonl":
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    elif name == "nothing":
        path.mkdir()
    elif name == "half":
        write(path / "train.jsonl", ROW)
        (path / ".cache").mkdir()
        (path / ".cache" / "train.jsonl.incomplete").touch()
    return path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.jsonl", "There is no file or folder"),
        ("empty.jsonl", "has no rows"),
        ("line.jsonl", "Line 2 of"),
        ("columns.jsonl", "has no column quote: it has text"),
        ("rows.csv", "give a folder, a .jsonl or a .parquet file"),
        ("pointer.jsonl", "Git LFS"),
        ("nothing", "holds no .jsonl and no .parquet file"),
        ("half", "not finished"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused_in_one_sentence(name: str, said: str, tmp_path: Path) -> None:
    path = _broken(tmp_path, name)
    with pytest.raises(InputInvalid, match=said) as caught:
        read_source(quotes(path))
    assert name in str(caught.value) and "\n" not in str(caught.value) and str(caught.value).endswith(".")
