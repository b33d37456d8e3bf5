"""Parquet files, saved datasets, and a Hub that cannot be reached."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from model_pipeline.data.sources import describe_source, read_source
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Form, Source

TURNS = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "Hi!"}]
ROWS = [{"conversations": TURNS, "score": number} for number in range(3)]


def sharegpt(path: Path, split: str = "train") -> Source:
    return Source(form=Form.SHAREGPT, path=str(path), split=split)


def test_a_parquet_file_and_a_folder_of_them_are_read(tmp_path: Path) -> None:
    Dataset.from_list(ROWS).to_parquet(tmp_path / "train-00000-of-00001.parquet")
    assert read_source(sharegpt(tmp_path / "train-00000-of-00001.parquet")) == ROWS
    assert read_source(sharegpt(tmp_path)) == ROWS


def test_a_saved_dataset_is_read_by_split(tmp_path: Path) -> None:
    one, several = tmp_path / "one", tmp_path / "several"
    Dataset.from_list(ROWS).save_to_disk(one)
    DatasetDict(train=Dataset.from_list(ROWS), dev=Dataset.from_list(ROWS[:1])).save_to_disk(several)
    assert read_source(sharegpt(one)) == read_source(sharegpt(several)) == ROWS
    assert read_source(sharegpt(several, "dev")) == ROWS[:1]
    with pytest.raises(InputInvalid, match="has no split 'test'; it has train, dev"):
        read_source(sharegpt(several, "test"))


def test_a_copy_in_another_format_has_the_same_hash(tmp_path: Path) -> None:
    Dataset.from_list(ROWS).to_parquet(tmp_path / "rows.parquet")
    Dataset.from_list(ROWS).to_json(tmp_path / "rows.jsonl")
    sources = [sharegpt(tmp_path / name) for name in ("rows.parquet", "rows.jsonl")]
    assert len({describe_source(source, read_source(source)).sha256 for source in sources}) == 1


@pytest.mark.parametrize("kept", [0, 8, 0.5])
def test_half_a_parquet_file_is_refused(kept: float, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.parquet"
    Dataset.from_list(ROWS).to_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    capfd.readouterr()
    with pytest.raises(InputInvalid, match="is no whole Parquet file; copy or download it again"):
        read_source(sharegpt(path))
    assert capfd.readouterr() == ("", "")


def test_a_saved_dataset_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    Dataset.from_list(ROWS).save_to_disk(tmp_path / "saved")
    next((tmp_path / "saved").glob("*.arrow")).unlink()
    with pytest.raises(InputInvalid, match="is no whole saved dataset"):
        read_source(sharegpt(tmp_path / "saved"))


READ = """
import sys
from model_pipeline.data.sources import read_source
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Form, Source
try:
    read_source(Source(form=Form.QUOTES, hub=sys.argv[1]))
except InputInvalid as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("hub", "offline", "said"),
    [
        ("Abirate/english_quotes", "0", "The Hub cannot be asked for the dataset Abirate/english_quotes"),
        ("Abirate/english_quotes", "1", "The dataset Abirate/english_quotes cannot be loaded"),
        ("no/such/id", "0", "'no/such/id' is no dataset's id"),
    ],
)
def test_a_hub_that_cannot_be_reached_is_told_in_a_sentence(hub: str, offline: str, said: str, tmp_path: Path) -> None:
    with socket.socket() as bound:  # bound and not listening: who connects is refused
        bound.bind(("127.0.0.1", 0))
        settings = {
            "HF_ENDPOINT": f"http://127.0.0.1:{bound.getsockname()[1]}",
            "HF_HOME": str(tmp_path),
            "HF_HUB_OFFLINE": offline,
        }
        done = subprocess.run(
            [sys.executable, "-c", READ, hub], env=os.environ | settings, capture_output=True, text=True, timeout=60
        )
    assert done.stdout.startswith(said) and done.stdout.count("\n") == 1
    assert done.stderr == ""
