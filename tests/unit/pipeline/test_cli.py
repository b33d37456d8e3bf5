"""The command line as it is typed, in an environment without the training packages or with them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from model_pipeline.recipe import recipe_names

NAMES = (
    "gpt2-chat",
    "llama32-1b-finetome",
    "llama32-1b-finetome-r16",
    "llama32-3b-finetome",
    "starter",
    "starter-continued",
    "starter-mended",
    "starter-votes",
    "tinyllama-alpaca-1k",
    "tinyllama-chat",
    "tinyllama-quotes",
)


def typed(*arguments: str, where: Path) -> tuple[int, str, str]:
    """Exit code, output and error output of a command."""
    command = [sys.executable, "-m", "model_pipeline.cli", *arguments]
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        command, cwd=where, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": root}
    )
    return done.returncode, done.stdout, done.stderr


def test_every_recipe_is_listed_with_what_it_is_about(tmp_path: Path) -> None:
    code, out, _ = typed("recipes", where=tmp_path)
    assert code == 0
    assert tuple(line.split()[0] for line in out.splitlines()) == NAMES == tuple(recipe_names())
    assert "TinyLlama learns to answer a keyword with a quote: QLoRA, early stopping, GGUF Q4_K_M." in out


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_begins_with_the_command_that_runs_it(name: str, tmp_path: Path) -> None:
    code, out, _ = typed("show", name, where=tmp_path)
    assert code == 0
    needed = " --set prefer.data=curated/EXPORT" if name == "starter-votes" else ""
    assert out.splitlines()[0] == f"# quotesmith-pipeline run {name} --out runs/{name}{needed}"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "nothing"], "There is no recipe 'nothing'; give the path of a .toml file, or one of gpt2-chat"),
        (["run", "starter", "--set", "fine_tune.rank=4"], "fine_tune.rank is not a key of a recipe."),
        (["run", "starter", "--set", "fine_tune.r=many"], "fine_tune.r input should be a valid integer"),
        (
            ["run", "starter", "--set", "served.history_messages=0"],
            "served.history_messages input should be greater than or equal to 1, and is 0.",
        ),
        (
            ["run", "starter", "--set", "fine_tune.optimizer=adamw_8bits"],
            "fine_tune.optimizer is 'adamw_8bits', which is no optimizer that a recipe can have; there are adamw_8b",
        ),
        (
            ["run", "starter", "--set", "prefer.scheduler=cosin"],
            "prefer.scheduler is 'cosin', which is no schedule that a recipe can have; there are cosine, ",
        ),
        (["run", "starter", "--set", "pretrain.scheduler=warmup_stable_decay"], "pretrain.scheduler is 'warmup_stable"),
        (["run", "starter", "--set", "nothing"], "'nothing' sets nothing; write it as section.key=value"),
        (["run", "starter", "--set", "fine_tune.r=" + "9" * 6_000], "fine_tune.r cannot be set: Exceeds the limit"),
        (["run", "starter", "--set", "fine_tune.r=" + "[" * 3_000], "fine_tune.r cannot be set: the value is nested"),
        (["merge", "nowhere"], "nowhere holds no run; quotesmith-pipeline run RECIPE --out nowhere begins one."),
        (["compare", "nowhere", "nowhere"], "nowhere holds no run"),
        (["publish", "nowhere", "--dry-run"], "nowhere holds no run"),
        (["curate", "nowhere", "--set", "curate.margin=2"], "curate.margin input should be less than 1"),
        (["curate", "nowhere", "--set", "curate.sources=['gut']"], "input should be 'command', 'button', 'reaction'"),
        (["curate", "nowhere", "--set", "curate.full_votes_a_person=500"], "most_votes_a_person is at least"),
        (["curate", "nowhere", "--recipe", "nothing"], "There is no recipe 'nothing'"),
    ],
)
def test_wrong_input_is_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    code, out, err = typed(*arguments, where=tmp_path)
    assert (code, out) == (1, "")
    assert sentence in err
    assert err.startswith("Error: ") and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "sentence"), [("9" * 6_000, "is not TOML: Exceeds the limit"), ("[" * 3_000, "is nested too deeply.")]
)
def test_a_recipe_that_the_parser_gives_up_on_is_one_sentence(value: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"name = {value}")
    code, out, err = typed("show", "mine.toml", where=tmp_path)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"Error: The recipe mine.toml {sentence}")


def test_what_a_recipe_names_cannot_move_the_cursor(tmp_path: Path) -> None:
    strange = tmp_path / "mine.toml"
    _, recipe, _ = typed("show", "tinyllama-quotes", where=tmp_path)
    strange.write_text(f'{recipe}\n["\\u001b[31mred\\nkey"]\n"{"x" * 300}" = 1\n')
    code, _, err = typed("run", str(strange), where=tmp_path)
    assert code == 1
    assert err == f"Error: The recipe {strange} cannot be used: ?[31mred?key is not a key of a recipe.\n"


def test_a_stage_that_is_not_there_is_a_wrong_command(tmp_path: Path) -> None:
    code, _, err = typed("fine-tun", "nowhere", where=tmp_path)
    assert code == 2
    assert "No such command 'fine-tun'" in err


@pytest.mark.parametrize("arguments", [["-h"], ["merge", "-h"], ["loop", "--help"]])
def test_help_is_asked_for_in_both_ways(arguments: list[str], tmp_path: Path) -> None:
    code, out, _ = typed(*arguments, where=tmp_path)
    assert code == 0 and "-h, --help" in out


def test_without_the_training_packages_a_sentence_says_how_to_get_them(tmp_path: Path) -> None:
    code, _, err = _without_training(tmp_path)
    assert code == 1
    assert "This command needs the training packages" in err and "make train installs them" in err
    assert not (tmp_path / "runs").exists()


def _without_training(where: Path) -> tuple[int, str, str]:
    """The command in a process to which trl is not there, as it is to the bot's own environment."""
    hide = "import importlib.util as u; f = u.find_spec; u.find_spec = lambda n, *a: None if n == 'trl' else f(n, *a);"
    typed_in = "import sys; sys.argv = ['p', 'run', 'tinyllama-quotes', '--smoke'];"
    return _python(f"{hide} {typed_in} from model_pipeline import cli; cli.main()", where)


def _python(code: str, where: Path) -> tuple[int, str, str]:
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=where,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": root, "TMPDIR": str(where)},
    )
    return done.returncode, done.stdout, done.stderr


def test_a_defect_is_told_in_a_sentence_and_its_traceback_kept(tmp_path: Path) -> None:
    broken = "cli.recipe_names = lambda: 1 // 0"
    code, out, err = _python(
        f"import sys; sys.argv = ['p', 'recipes']; from model_pipeline import cli; {broken}; cli.main()", tmp_path
    )
    [kept] = tmp_path.iterdir()
    said = "Error: This is a defect of Quotesmith (ZeroDivisionError at <string>:1). Please report it with"
    assert (code, out, err) == (1, "", f"{said} {kept}.\n")
    assert kept.read_text().startswith("Traceback") and "in recipes\n" in kept.read_text()


def test_an_output_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "model_pipeline.cli", "show", "starter"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert (done.returncode, done.stderr) == (1, "Error: The output cannot be written (No space left on device).\n")


def test_ctrl_c_is_answered_with_a_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "slow.toml")
    command = [sys.executable, "-m", "model_pipeline.cli", "show", "slow.toml"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    heard = partial(signal.signal, signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    with (
        subprocess.Popen(
            command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heard
        ) as process,
        (tmp_path / "slow.toml").open("w"),  # which waits until the command reads there, and the command for text
    ):
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "Stopped; what is finished stays, and the same command does the rest.\n"


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    code, _, err = typed("merge", "mine", where=tmp_path)
    assert code == 1 and "mine holds no run" in err
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    (tmp_path / "mine" / "recipe.json").write_text(json.dumps({"name": "x"}))
    code, _, err = typed("merge", "mine", where=tmp_path)
    assert code == 1 and "cannot be used" in err and err.count("\n") == 1
