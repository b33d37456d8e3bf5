"""Every command, as typed by hand: what it prints, where, and its exit code."""

from __future__ import annotations

import getpass
import json
import re
from pathlib import Path

import pytest

from bot.composition import STARTER
from bot.models.manifest import read_manifest
from tests.e2e.conftest import Run
from tests.model_folders import twin_of_the_embedded_model

CLOSED = re.compile(r".+[.!?\"”…]$")


def test_piped_lines_are_answered_in_order_and_nothing_else_is_printed(run: Run) -> None:
    done = run("run", typed="/quote courage\n\nhello\n/good\n")
    lines = done.stdout.splitlines()
    # A quote is one line; what the model says to "hello" may be several.
    assert done.returncode == 0 and CLOSED.fullmatch(lines[0]) and len(lines) >= 2 and lines[1]
    assert done.stderr == "Thank you, noted as good.\n"


def test_a_wrong_line_does_not_stop_the_others(run: Run) -> None:
    done = run("run", typed=b"/bogus\n\xff\xfe\n/quote\n/quote hope\n")
    assert done.returncode == 1 and len(done.stdout.splitlines()) == 1
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["There", "A", "Say"]


def test_a_quote_in_json(run: Run) -> None:
    done = run("quote", "courage", "--count", "3", "--json")
    quotes = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len({quote["quote"] for quote in quotes}) == 3
    assert set(quotes[0]) == {"keyword", "quote", "model", "source", "tokens", "elapsed_ms"}


def test_a_seed_gives_the_same_quotes_again(run: Run) -> None:
    first, again = (run("quote", "the sea", "--seed", "7", "--count", "2") for _ in range(2))
    other = run("quote", "the sea", "--seed", "8000")
    assert first.stdout == again.stdout and len(set(first.stdout.splitlines())) == 2
    assert other.stdout.strip() not in first.stdout.splitlines()


def test_one_chat_reply(run: Run) -> None:
    done = run("chat", "hello there", "--json")
    assert done.returncode == 0 and set(json.loads(done.stdout)) == {"reply", "model", "tokens", "elapsed_ms"}


def test_a_conversation_goes_on_and_is_counted(run: Run) -> None:
    run("chat", "hello there")
    run("run", typed="how are you\n/quote rain\n")
    counted = json.loads(run("data", "stats", "--json").stdout)
    assert counted["replies"] == 2 and counted["quotes"] == 1 and counted["people"] == 1


def test_forgetting_a_person(run: Run) -> None:
    run("chat", "my secret is 4711")
    assert json.loads(run("data", "stats", "--json").stdout)["messages"] == 2
    done = run("data", "forget", "console", getpass.getuser(), "--json")
    assert json.loads(done.stdout)["messages"] == 2
    assert json.loads(run("data", "stats", "--json").stdout)["messages"] == 0
    assert "Nothing is stored" in run("data", "forget", "discord", "42").stdout


def test_forgetting_somebody_at_the_terminal_forgets_the_lines_that_were_typed(run: Run, tmp_path: Path) -> None:
    history = tmp_path / "data" / "console_history"
    history.parent.mkdir()
    history.write_text("\n# 2026-01-01 12:00:00.000000\n+my secret is 4711\n")
    run("data", "forget", "discord", "42")
    assert "4711" in history.read_text()
    assert "Emptied the history" in run("data", "forget", "console", "somebody").stdout
    assert history.read_text() == ""
    assert "Emptied" not in run("data", "forget", "console", "somebody").stdout
    history.unlink()
    history.mkdir()
    failed = run("data", "forget", "console", "somebody")
    assert failed.returncode == 1 and "which cannot be emptied: Is a directory." in failed.stderr


def test_an_export_of_nothing_says_so(run: Run, tmp_path: Path) -> None:
    run("chat", "hello")
    done = run("data", "export", "--out", str(tmp_path / "export"), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["rows"] == 0
    assert json.loads((tmp_path / "export" / "manifest.json").read_text())["rows"] == 0
    again = run("data", "export", "--out", str(tmp_path / "export"))
    assert again.returncode == 1 and "not empty" in again.stderr


def test_backups_are_written_and_the_oldest_removed(run: Run, tmp_path: Path) -> None:
    run("chat", "hello there")
    for number in range(3):
        done = run("data", "backup", "copies", "--keep", "2")
        assert (
            done.returncode == 0
            and done.stdout.startswith("copies/quotesmith-")
            and "holds the database" in done.stdout
        )
        assert ("took the place of 1 older" in done.stdout) is (number == 2)
    made = json.loads(run("data", "backup", "copies", "--keep", "1", "--json").stdout)
    assert [str(path.relative_to(tmp_path)) for path in (tmp_path / "copies").iterdir()] == [made["path"]]
    assert len(made["removed"]) == 2
    restored = run("data", "stats", "--json", QUOTESMITH_DATABASE__URL=f"sqlite+aiosqlite:///{made['path']}")
    assert json.loads(restored.stdout)["messages"] == 2
    refused = run("data", "backup", "config.toml")
    assert refused.returncode == 1 and "The backup cannot be written to config.toml" in refused.stderr


def test_a_persons_rights_in_the_terminal(run: Run) -> None:
    run("run", typed="/consent on\nmy secret is 4711\n")
    shown = run("run", typed="/mydata show\n/mydata export\n").stdout
    assert shown.startswith("Stored about you: 1 message, 1 reply") and '"text": "my secret is 4711"' in shown
    assert json.loads(run("data", "export", "--out", "out", "--json").stdout)["rows"] == 1
    assert run("data", "lineage").stdout.startswith("No export holds anything of people who were forgotten or do not")
    run("run", typed="/consent off\n")
    assert "): 1 rows of people who do not consent now\n" in run("data", "lineage").stdout
    assert run("run", typed="/forget me\n").stderr.startswith("Erased: 2 messages")
    assert run("run", typed="/mydata show\n").stdout.startswith("Stored about you: 0 messages")
    assert "1 rows of people who were forgotten since" in run("data", "lineage").stdout
    (export,) = json.loads(run("data", "lineage", "--json").stdout)
    assert run("data", "discard", export["name"]).stdout.startswith(f"Deleted the export {export['name']} in ")
    assert not Path(export["folder"]).exists() and run("data", "lineage").stdout.startswith("No export")
    assert run("data", "discard", "nothing").stdout == "No export of the name nothing is on record.\n"


def test_doctor_finds_nothing_wrong(run: Run) -> None:
    done = run("doctor", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["ok"]
    names = {"settings", "database", "migrations", "encryption", "model", "speed", "answer", "discord", "disk"}
    assert names <= {check["name"] for check in report["checks"]}


def test_doctor_finds_what_is_wrong(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "quotesmith.db").write_text("no database, but long enough to be looked at" * 50)
    done = run("doctor", DISCORD_TOKEN="oops-not-a-token", QUOTESMITH_MODEL__FOLDER=str(tmp_path / "models"))
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert done.returncode == 1 and [line.split()[1] for line in failed] == ["database", "discord"]
    assert "oops" not in done.stdout + done.stderr


def test_models_are_added_chosen_and_removed(run: Run, tmp_path: Path) -> None:
    assert run("model", "add", str(STARTER), "--name", "twin").returncode == 1  # it is here already, as starter
    gguf = tmp_path / "Broken.gguf"
    gguf.write_bytes((STARTER / "model.gguf").read_bytes()[:100_000])
    refused = run("model", "add", str(gguf))
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    listed = json.loads(run("model", "list", "--json").stdout)
    assert [model["name"] for model in listed["models"]] == ["starter"] and len(listed["catalogue"]) >= 5
    shown = json.loads(run("model", "show", "starter", "--json").stdout)
    assert shown["quantization"] == read_manifest(STARTER).quantization and shown["active"]
    assert "did you mean starter" in run("model", "use", "startr").stderr
    assert run("model", "remove", "starter").returncode == 1


def test_a_model_is_tried_out_and_taken_back(run: Run, tmp_path: Path) -> None:
    twin_of_the_embedded_model(tmp_path / "twin", "twin")
    assert run("model", "status").stdout == "starter answers.\n"
    assert run("model", "rollback").stderr.startswith("quotesmith: There is nothing to take back")
    run("model", "add", str(tmp_path / "twin"))
    begun = run("model", "canary", "twin", "--share", "30%")
    assert begun.returncode == 0 and begun.stdout.startswith("twin answers 30% of the people from now on")
    status = json.loads(run("model", "status", "--json").stdout)
    assert (status["active"], status["canary"]["state"], status["votes"]["verdict"]) == (
        "starter",
        "running",
        "undecided",
    )
    assert run("model", "rollback").stdout == "starter answers everybody from now on.\n"
    assert "rolled back: an operator took it back." in run("model", "status").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["quote", ""], "keyword"),
        (["quote", "x" * 300], "80 characters"),
        (["quote", "courage", "--model", "gpt-9"], "There is no model called gpt-9"),
        (["chat", " "], "A message needs some text."),
        (["chat", "--json"], "--json needs a TEXT"),
        (["run", "--platform", "discord"], "DISCORD_TOKEN is not set"),
        (["run", "--platform", "console", "--platform", "telegram"], "The terminal chat is served alone"),
        (["model", "canary", "starter", "--share", "2"], "'2' is no share of the people; give one from 1% to 50%"),
        (["model", "show", "nothing"], "There is no model called nothing"),
        (["model", "add", "/nowhere/x.gguf"], "/nowhere/x.gguf"),
        (["model", "pull", "not a repo"], "not a repo"),
    ],
)
def test_wrong_input_gets_one_sentence(run: Run, arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 1 and said in done.stderr and done.stdout == ""
    assert done.stderr.startswith("quotesmith: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["quote"],
        ["bogus"],
        ["quote", "x", "--count", "0"],
        ["quote", "x", "--seed", str(2**32 - 1)],
        ["run", "--platform", "irc"],
    ],
)
def test_wrong_usage_ends_with_2(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2 and "Error" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        *[[name] for name in ("run", "quote", "chat", "model", "data", "doctor")],
        *[["model", name] for name in ("list", "show", "add", "pull", "use", "canary", "status", "rollback", "remove")],
        *[["data", name] for name in ("stats", "export", "forget", "lineage", "discard", "backup")],
    ],
)
def test_every_command_has_help(run: Run, arguments: list[str]) -> None:
    done = run(*arguments, "--help")
    assert done.returncode == 0 and "Usage" in done.stdout


def test_a_wrong_setting_is_named(run: Run) -> None:
    done = run("quote", "x", QUOTESMITH_INFERENCE__SLOT="3")
    assert done.returncode == 1 and "QUOTESMITH_INFERENCE__SLOTS" in done.stderr and done.stderr.count("\n") == 1


def test_an_encrypted_database_needs_its_key(run: Run, tmp_path: Path) -> None:
    run("chat", "a very private matter", QUOTESMITH_DATA_KEY="ab" * 32)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("quotesmith.db*"))
    assert b"private matter" not in stored
    for key in ("", "cd" * 32):
        done = run("chat", "hello", QUOTESMITH_DATA_KEY=key)
        assert done.returncode == 1 and "data key" in done.stderr and "cdcd" not in done.stderr


def test_a_model_file_that_was_cut_off_is_named(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "models" / "cut"
    folder.mkdir(parents=True)
    manifest = json.loads((STARTER / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "name": "cut"}))
    (folder / "model.gguf").write_bytes((STARTER / "model.gguf").read_bytes()[:1_000_000])
    done = run("quote", "x", "--model", "cut")
    assert done.returncode == 1 and "is cut off" in done.stderr and done.stderr.count("\n") == 1
