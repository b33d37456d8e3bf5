"""Export folders as the bot writes them, from a few words a row."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from rich.console import Console

from model_pipeline.curation.curate import curate
from model_pipeline.curation.settings import Curate
from model_pipeline.report import Report

Json = dict[str, Any]
BEGAN = datetime(2030, 1, 1, tzinfo=UTC)


class SmallExport:
    """Rows and pairs in the order in which they are added; every vote comes ten minutes after the one before."""

    def __init__(self) -> None:
        self.rows: list[Json] = []
        self.pairs: list[Json] = []
        self._ids, self._minutes = count(1), count(0, 10)

    def at(self) -> str:
        return (BEGAN + timedelta(minutes=next(self._minutes))).isoformat()

    def quote(self, keyword: str, quote: str, *votes: Json, corrections: Sequence[tuple[str, str]] = ()) -> str:
        return self._row("quote", [("user", keyword), ("assistant", quote)], votes, corrections)

    def chat(self, *said: str, votes: Sequence[Json] = (), corrections: Sequence[tuple[str, str]] = ()) -> str:
        turns = [("assistant" if place % 2 else "user", text) for place, text in enumerate(said)]
        return self._row("chat", turns, votes, corrections)

    def compare(self, asked: str, left: str, right: str, kind: str = "quote", **preferred: str) -> str:
        sides = [{"text": text, "model": name, "model_sha256": ""} for name, text in (("old", left), ("new", right))]
        said = [{"person": who, "preferred": what, "at": self.at()} for who, what in preferred.items()]
        number = next(self._ids)
        pair = {"id": number, "kind": kind, "asked": asked, "left": sides[0], "right": sides[1], "preferences": said}
        self.pairs.append({**pair, "person": "owner", "written_at": self.at()})
        return f"pairs/{number}"

    def vote(self, person: str, value: int, source: str = "button", at: str = "") -> Json:
        return {"person": person, "value": value, "source": source, "complaint": "", "at": at or self.at()}

    def write(self, folder: Path, refused: Json | None = None) -> Path:
        folder.mkdir(parents=True)
        files = {}
        for name, rows in (("rows.jsonl", self.rows), ("pairs.jsonl", self.pairs)):
            content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
            (folder / name).write_bytes(content)
            files[name] = hashlib.sha256(content).hexdigest()
        manifest = {"format": 2, "export": "e" * 32, "refused": refused or {}, "files": files}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    def _row(
        self, kind: str, turns: Sequence[tuple[str, str]], votes: Sequence[Json], corrections: Sequence[tuple[str, str]]
    ) -> str:
        number = next(self._ids)
        self.rows.append(
            {
                "id": number,
                "kind": kind,
                "messages": [{"role": role, "content": text} for role, text in turns],
                "model": "starter",
                "model_sha256": "a" * 64,
                "written_at": self.at(),
                "person": "owner",
                "votes": list(votes),
                "corrections": [{"person": who, "text": text} for who, text in corrections],
            }
        )
        return f"rows/{number}"


class Curated:
    """A curated folder, read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: Json = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.dropped = _lines(folder / "dropped.jsonl")

    def lines(self, name: str) -> list[Json]:
        """Of all splits of a set."""
        return [line for split in ("train", "validation", "test") for line in self.split(name, split)]

    def split(self, name: str, split: str) -> list[Json]:
        return _lines(self.folder / name / f"{split}.jsonl")

    def reasons(self, row: str) -> set[tuple[str, str]]:
        """Why a row is not in which set."""
        return {(one["set"], one["reason"]) for one in self.dropped if one["row"] == row}

    def everything(self) -> str:
        """All that stands in the folder."""
        return "".join(path.read_text(encoding="utf-8") for path in self.folder.rglob("*") if path.is_file())


def curated(export: SmallExport, where: Path, **settings: Any) -> Curated:
    """What curate makes of an export."""
    folder = export.write(where / "export")
    curate(folder, where / "out", Curate(**settings), Report(Console(file=io.StringIO())))
    return Curated(where / "out")


def _lines(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
