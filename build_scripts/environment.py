"""Makes the environment that a make target runs in: Python, the compiled binding, and packages at tested versions.

    python3 build_scripts/environment.py .venv/.for-run

The argument is the file that says, by its age, that the work is done. Needs the standard library only, because it runs
before anything is installed, and understands being started by a Python that is too old.
"""

from __future__ import annotations

import fcntl
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHAT = {
    ".for-run": (".", "what the bot needs"),
    ".for-test": (".[test]", "what the bot and its tests need"),
    ".for-train": (".[train,test]", "what training needs, some gigabytes,"),
}
MADE_OF = ("pyproject.toml", "constraints.txt", "build_scripts/install_llama_cpp.py", "build_scripts/llama_build.cmake")


def main(stamp: Path) -> int:
    """Do what is not done yet; returns the exit code."""
    wanted = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    if wanted and not int(wanted[1]) <= sys.version_info[1] < int(wanted[2]):
        say(
            f"This is Python 3.{sys.version_info[1]}, but Quotesmith needs 3.{wanted[1]} to 3.{int(wanted[2]) - 1}: "
            "name one, such as make run PYTHON=python3.12."
        )
        return 1
    venv = stamp.parent
    venv.mkdir(exist_ok=True)
    with (venv / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second start waits, and finds everything there
        if is_fresh(stamp):
            return 0
        return install(venv, stamp)


def is_fresh(stamp: Path) -> bool:
    """Whether nothing that the environment is made of has changed since."""
    return stamp.exists() and all((ROOT / name).stat().st_mtime <= stamp.stat().st_mtime for name in MADE_OF)


def install(venv: Path, stamp: Path) -> int:
    """The steps, each of which may be repeated; the first one that fails ends it with what to do."""
    python, (packages, in_words) = venv / "bin" / "python", WHAT[stamp.name]
    say(f"Installing {in_words} into {venv.name}.")
    (venv / ".gitignore").write_text("*\n")  # for linters too, which would read every installed package
    if run([str(python), "-c", "import pip"], quiet=True) and run([sys.executable, "-m", "venv", str(venv)]):
        say(f"{venv.name} cannot be made. On Debian and Ubuntu: apt install python3-venv; then make clean, and again.")
        return 1
    if failed := run([str(python), str(ROOT / "build_scripts" / "install_llama_cpp.py")]):
        return failed  # it has said why
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    pip += [] if stamp.name == ".for-train" else ["--quiet", "--quiet"]  # twice: warnings of pip help nobody here
    if run([*pip, "--constraint", str(ROOT / "constraints.txt"), "--editable", packages]):
        say("The packages cannot be installed; pip's reason stands above. The same command goes on from here.")
        return 1
    stamp.touch()
    return 0


def run(command: list[str], quiet: bool = False) -> int:
    """Run it to its end. What waits on standard input, and standard output, belong to the bot."""
    where = subprocess.DEVNULL if quiet else sys.stderr
    try:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=where, stderr=where)
    except FileNotFoundError:
        return 1
    try:
        return process.wait()
    finally:
        if process.poll() is None:  # whoever ends this ends what it started, and lets that one clear up
            process.terminate()
            process.wait()


def say(text: str) -> None:
    """Messages go to standard error."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, frame: sys.exit(128 + number))
    try:
        sys.exit(main(Path(sys.argv[1]).absolute()))
    except KeyboardInterrupt:
        say("Stopped; the same command goes on from here.")
        sys.exit(130)
