"""Pipes that break and signals that come: the command ends quietly, and says how by its exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import COMMAND


def start(tmp_path: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
        preexec_fn=heeding_signals,
    )


def heeding_signals() -> None:
    """The tests may be a shell's background job or behind nohup, which ignore these, and so would what they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_order(tmp_path: Path, environment: dict[str, str], number: int, code: int) -> None:
    process = start(tmp_path, environment, "run")
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write("/quote courage\n")
    process.stdin.flush()
    assert process.stdout.readline().strip()
    process.send_signal(number)
    assert process.wait(60) == code and process.stderr.read() == ""


def test_ctrl_c_ends_it_in_order_while_the_commands_are_loaded(environment: dict[str, str]) -> None:
    interrupted = """
import signal, sys
class CtrlC:
    def find_spec(self, name, *_):
        if name == "bot.composition":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, CtrlC())
sys.argv = ["quotesmith", "--help"]
from bot.cli import main
main()
"""
    command = [sys.executable, "-c", interrupted]
    done = subprocess.run(command, capture_output=True, env=environment, preexec_fn=heeding_signals)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path, environment: dict[str, str]) -> None:
    process = start(tmp_path, environment, "quote", "courage", "--count", "50")
    assert process.stdout and process.stderr
    assert process.stdout.readline().strip()
    process.stdout.close()
    assert process.wait(60) == 1 and process.stderr.read() == ""


@pytest.mark.parametrize(
    "arguments", [["model", "list"], ["data", "stats", "--json"], ["quote", "courage"], ["--help"]]
)
def test_an_output_that_cannot_be_written_is_told(
    tmp_path: Path, environment: dict[str, str], arguments: list[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
        )
    assert done.returncode == 1
    assert done.stderr == "quotesmith: The output cannot be written (No space left on device).\n"


def test_a_terminated_bot_leaves_no_worker_behind(tmp_path: Path, environment: dict[str, str]) -> None:
    process = start(tmp_path, environment, "run")
    assert process.stdin and process.stdout
    process.stdin.write("/quote courage\n")
    process.stdin.flush()
    assert process.stdout.readline().strip()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait(60)
    # The worker holds the other end of the pipe for errors: it reaches its end when nobody does any more.
    assert process.stderr and process.stderr.read() == ""
    assert children and not any(is_worker(child) for child in children)


def is_worker(pid: str) -> bool:
    try:
        return b"worker_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False
