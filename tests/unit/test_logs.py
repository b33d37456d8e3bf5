"""What the log holds, and what it must never hold."""

from __future__ import annotations

import logging
import stat
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.logs import set_up_logging
from bot.settings import load_settings
from bot.settings_sources import SECRET_VARIABLES

TOKEN = "123:AA-bb/cc"
KEY = "k3y'with\"quotes"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, handlers, level = logging.root, list(logging.root.handlers), logging.root.level
    yield
    logging.captureWarnings(False)
    logging.raiseExceptions = True
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_a_record_is_one_line_with_time_level_logger_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info")
    logging.getLogger("bot.inference").info("loaded %s", "a model")
    logging.getLogger("bot.inference").debug("not this")
    time, level, logger, message = logged(capsys).rstrip("\n").split(" ", 3)
    assert time.startswith("20") and (level, logger, message) == ("INFO", "bot.inference:", "loaded a model")


def test_no_text_can_forge_a_record_or_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info")
    logging.info("a\nb\rc\x1b[2Jd\u2028e\x9bf")
    assert logged(capsys).endswith("a\\nb\\rc\\x1b[2Jd\\u2028e\\x9bf\n")


def test_an_exception_stays_on_the_line_of_its_record(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info")
    try:
        raise ValueError("no such thing")
    except ValueError:
        logging.exception("it failed")
    text = logged(capsys)
    assert text.count("\n") == 1 and "it failed" in text and "ValueError: no such thing" in text


def test_secrets_are_hidden_in_message_arguments_exception_and_stack(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("debug", secrets=[TOKEN, KEY, ""])
    logging.info("GET /bot" + TOKEN + "/getMe")
    logging.info("%s and %r and %r", TOKEN, {"key": KEY}, [TOKEN])
    logging.info("GET /bot123%3AAA-bb%2Fcc/getMe")
    try:
        raise ValueError(f"bad token {TOKEN}") from RuntimeError(KEY)
    except ValueError:
        logging.exception("failed", stack_info=True)
    text = logged(capsys)
    assert text.count("\n") == 4 and text.count("[secret]") == 7
    assert TOKEN not in text and "k3y" not in text and "%3AAA" not in text


def test_every_secret_of_the_settings_is_hidden(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tokens = {variable: f"value-of-{variable}" for variable in SECRET_VARIABLES.values()}
    set_up_logging("info", secrets=load_settings(tokens, tmp_path, tmp_path).secrets.values())
    for token in tokens.values():
        logging.info("refused: %s", ValueError(token))
    text = logged(capsys)
    assert text.count("refused: [secret]") == 4 and "value-of" not in text


def test_a_secret_that_holds_another_is_hidden_whole(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", secrets=["abc", "abcdef"])
    logging.info("abcdef")
    assert logged(capsys).endswith(": [secret]\n")


def test_a_broken_record_is_mentioned_and_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", secrets=[TOKEN])
    logging.getLogger("somebody").info("%d", TOKEN)
    text = logged(capsys)
    assert text == "INFO somebody: a record that cannot be written (TypeError)\n"


def test_nothing_is_printed_when_the_log_cannot_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "closed").open("w") as closed:
        monkeypatch.setattr(sys, "stderr", closed)
        set_up_logging("info", secrets=[TOKEN])
    logging.info("%s", TOKEN)
    monkeypatch.undo()
    assert logged(capsys) == ""


def test_warnings_of_python_go_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("warning", secrets=[TOKEN])
    warnings.warn(f"deprecated {TOKEN}", UserWarning, stacklevel=1)
    assert "deprecated [secret]" in logged(capsys)


@pytest.mark.parametrize("library", ["httpx", "httpx2", "httpcore2.http11"])
def test_the_request_of_every_few_seconds_is_not_logged_at_info(
    capsys: pytest.CaptureFixture[str], library: str
) -> None:
    set_up_logging("info")
    logging.getLogger(library).info("HTTP Request: POST getUpdates")
    assert logged(capsys) == ""


def test_a_file_takes_the_records_and_the_terminal_stays_quiet(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "log" / "bot.log"
    set_up_logging("info", str(file), secrets=[TOKEN])
    logging.info("grüße \udcff %s", TOKEN)
    assert file.read_text(encoding="utf-8").endswith("grüße \\udcff [secret]\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert logged(capsys) == ""


def test_every_file_of_the_log_is_its_owners_alone_after_a_rotation_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.logs._FILE_BYTES", 100)
    set_up_logging("info", str(tmp_path / "bot.log"))
    for _ in range(3):
        logging.info("more than half of what one file takes, and so a file for each")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"bot.log": 0o600, "bot.log.1": 0o600, "bot.log.2": 0o600}


def test_a_file_that_cannot_be_written_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^logging\.file is .*, which cannot be written: .*\.$"):
        set_up_logging("info", str(tmp_path))
