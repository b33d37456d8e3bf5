"""The table of what benchmarks.hidden_taste found: the results that are kept, and what is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.hidden_taste_table import main

KEPT = sorted(Path("benchmarks/hidden_tastes").glob("*/*.json"))


def test_every_result_that_is_kept_has_its_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["hidden_taste_table", *map(str, KEPT)])
    main()
    assert len(capsys.readouterr().out.splitlines()) == 2 + len(KEPT) > 2


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, " cannot be read: No such file or directory."), *((text, " holds no result") for text in ("", "[]", "{}"))],
)
def test_what_is_no_result_is_told_in_a_sentence(
    content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(sys, "argv", ["hidden_taste_table", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert str(ended.value).startswith(f"{path}{said}")
