"""Every recipe from data to a served quote, offline, with a small stand-in; and the notebook's cells in their order."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from model_pipeline.recipe import recipe_names

ROOT = Path(__file__).parents[2]
PIPELINE = [sys.executable, "-m", "model_pipeline.cli"]
BOT = [sys.executable, "-m", "bot"]

pytestmark = [pytest.mark.training, pytest.mark.timeout(1800)]


def typed(command: list[str], where: Path, **more: str) -> str:
    """The output of a command that ends well."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **more}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("name", recipe_names())
def test_a_smoke_run_ends_in_a_served_quote(name: str, tmp_path: Path) -> None:
    out = typed([*PIPELINE, "run", name, "--smoke", "--out", "mine"], tmp_path)
    assert out.strip() == "The model is ready: quotesmith model add mine/model"
    assert (tmp_path / "mine" / "evaluate" / "report.html").is_file()
    (tmp_path / "config.toml").touch()  # the bot of this folder: its models lie beside it
    served = json.loads((tmp_path / "mine" / "model" / "manifest.json").read_text(encoding="utf-8"))["name"]
    typed([*BOT, "model", "add", "mine/model", "--name", "trained"], tmp_path)
    quote = json.loads(typed([*BOT, "quote", "courage", "--model", "trained", "--json"], tmp_path))
    assert served == name and quote["quote"].strip()


def test_the_notebook_trains_and_packs_a_model(tmp_path: Path) -> None:
    """The cells that a person runs: the commands behind `!` in a shell, the rest as Python."""
    run = tmp_path / "mine"
    values = {"QUOTESMITH_NOTEBOOK_OPTIONS": "--smoke", "QUOTESMITH_NOTEBOOK_RUN": str(run)}
    script = "\n".join(_as_script(cell) for cell in _code_cells())
    typed([sys.executable, "-c", script], ROOT, **values)
    assert Path(f"{run}-model.zip").is_file() and (run / "evaluate" / "report.md").is_file()


def _code_cells() -> list[list[str]]:
    notebook = json.loads((ROOT / "notebooks" / "train_on_colab.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]).splitlines() for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _as_script(lines: list[str]) -> str:
    """What IPython makes of a cell; that it cannot show Markdown here changes nothing of the run."""
    made = []
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())]
        if line.lstrip().startswith("!"):
            command = line.strip()[1:].replace("python -m", f"{shlex.quote(sys.executable)} -m")
            made.append(f"{indent}import subprocess; subprocess.run(f{command!r}, shell=True, check=True)")
        elif "IPython" in line:
            made.append(f"{indent}Markdown = len")
        else:
            made.append(line)
    return "\n".join(made)
