"""What people like is found out from their votes alone, and what is no liking promotes nothing; half an hour each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.training, pytest.mark.timeout(7_500)]


def measured(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """What the benchmark writes, with the loop's own output beside it."""
    command = [sys.executable, "-m", "benchmarks.hidden_taste", *arguments, "--json", str(tmp_path / "result.json")]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=7_200)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    return result


def test_shorter_quotes_win_where_people_like_shorter_quotes(tmp_path: Path) -> None:
    result = measured(tmp_path, "--taste", "shorter")
    assert result["gate"] == "promote" and result["interval"][0] > 0.5, result
    assert result["adherence_after"] >= result["adherence_before"], result


def test_random_votes_promote_nothing(tmp_path: Path) -> None:
    result = measured(tmp_path, "--taste", "random")
    assert result["gate"] == "refuse" and result["win_rate"] is None, result
