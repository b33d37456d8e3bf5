"""The lines of the sets, what was dropped, and their JSON: the contract with what trains on them; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_pipeline.curation.words import Question

ALL_SETS = "all"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a set. `learned` is to be imitated (sft, dpo, kto of label true), `refused` is not (dpo, else kto)."""

    id: str  # the row, # and the set, as rows/17#kto
    question: Question
    person: str
    weight: float
    sources: tuple[str, ...]
    model: str
    learned: str = ""
    refused: str = ""

    @property
    def row(self) -> str:
        """The row of the export that it came from."""
        return row_of(self.id)

    @property
    def set(self) -> str:
        """Sft, kto or dpo."""
        return set_of(self.id)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row of the export that is not in a set, or in none (all), and why; never what anybody wrote."""

    row: str
    set: str
    reason: str


def row_of(line_id: str) -> str:
    """Of rows/17#kto, rows/17."""
    return line_id.partition("#")[0]


def set_of(line_id: str) -> str:
    """Of rows/17#kto-left, kto."""
    return line_id.partition("#")[2][:3]


def json_of(line: Line) -> dict[str, Any]:
    """What is written of a line."""
    texts: dict[str, dict[str, Any]] = {
        "sft": {"completion": line.learned},
        "kto": {"completion": line.learned or line.refused, "label": bool(line.learned)},
        "dpo": {"chosen": line.learned, "rejected": line.refused},
    }
    return {
        "id": line.id,
        "kind": line.question.kind,
        "keyword": line.question.keyword,
        "messages": [{"role": role, "content": content} for role, content in line.question.turns],
        "person": line.person,
        "weight": round(line.weight, 6) or 1e-6,  # never 0, which would be no line at all
        "sources": list(line.sources),
        "model": line.model,
        **texts[line.set],
    }


def replies_in(line: Mapping[str, Any]) -> list[str]:
    """The replies in a written line."""
    return [str(line[name]) for name in ("completion", "chosen", "rejected") if name in line]
