"""Installs llama-cpp-python into the environment that runs this script, compiling it at most once on a machine.

    .venv/bin/python build_scripts/install_llama_cpp.py

The wheel is kept in the user's cache, under a key of everything that it depends on: version, Python, processor and
build options. Needs the standard library only, and pip.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PACKAGE = "llama-cpp-python"
ROOT = Path(__file__).resolve().parents[1]
LEAN = Path(__file__).with_name("lean_llama.cmake")
SHOW_EVERY_S = 5.0
# Loads what was compiled, and none of the package's Python, whose dependencies come later.
SELF_TEST = (
    "import ctypes, importlib.util, pathlib\n"
    "folder = pathlib.Path(importlib.util.find_spec('llama_cpp').origin).parent / 'lib'\n"
    "ctypes.CDLL(str(next(folder.glob('libllama.*')))).llama_backend_init()\n"
)


def main() -> int:
    """Install from the cache, or build first; returns the exit code."""
    version = pinned_version((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    options = cmake_options(os.environ)
    folder = cache_folder(os.environ) / "wheels" / wheel_key(version, options)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".lock"):
            if install_cached(folder):
                return 0
            say(
                f"Compiling {PACKAGE} {version}: about eight minutes on two processors, once on this machine. "
                "Everything after this starts in seconds."
            )
            build(version, options, folder)
            if install_cached(folder):
                return 0
    except OSError as error:
        say(f"{folder} cannot be used: {error.strerror}. QUOTESMITH_CACHE names another folder.")
        return 1
    except BuildFailed as error:
        say(str(error))
        return 1
    say(f"{PACKAGE} was built but cannot be loaded: {folder} holds the wheel.")
    return 1


class BuildFailed(Exception):
    """One sentence: what is missing, and where the log is."""


def pinned_version(pyproject: str) -> str:
    """The version that the project's dependencies pin."""
    found = re.search(rf'"{PACKAGE}==([0-9.]+)"', pyproject)
    if found is None:
        raise BuildFailed(f"pyproject.toml pins no {PACKAGE}==VERSION.")
    return found[1]


def cmake_options(environ: Mapping[str, str]) -> str:
    """What CMAKE_ARGS is set to: the person's own, and what leaves out code that the bot does not use."""
    own = environ.get("CMAKE_ARGS", "")
    return f"{own} -DLLAVA_BUILD=OFF -DCMAKE_PROJECT_llama.cpp_INCLUDE={LEAN}".strip()


def cache_folder(environ: Mapping[str, str]) -> Path:
    """QUOTESMITH_CACHE, or `quotesmith` in the user's cache folder."""
    if own := environ.get("QUOTESMITH_CACHE"):
        return Path(own)
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quotesmith"


def wheel_key(version: str, options: str) -> str:
    """A folder name for a wheel: builds that could differ never share one."""
    # The options name this clone's folder, which does not matter; the content of the file in it does.
    portable = options.replace(str(LEAN), hashlib.sha256(LEAN.read_bytes()).hexdigest())
    facts = "\n".join((portable, sys.implementation.cache_tag, sysconfig.get_platform(), processor()))
    return f"{version}-{hashlib.sha256(facts.encode()).hexdigest()[:16]}"


def processor() -> str:
    """What the compiler would optimise for: the model and the instruction sets of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    kept = [line for line in lines if line.split("\t")[0].strip() in ("model name", "flags", "Features")]
    return "\n".join(sorted(set(kept))) or platform.machine()


def install_cached(folder: Path) -> bool:
    """Install the wheel of this folder and see that it loads; a wheel that does not is thrown away."""
    for wheel in folder.glob("*.whl"):
        installed = run_pip("install", "--no-deps", "--force-reinstall", "--quiet", str(wheel)) == 0
        if installed and subprocess.run([sys.executable, "-c", SELF_TEST], capture_output=True).returncode == 0:
            return True
        wheel.unlink()
    return False


def build(version: str, options: str, folder: Path) -> None:
    """Compile, showing that it is alive; the wheel appears in the folder only when it is whole."""
    log_path = folder / "build.log"
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as work:
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-binary", PACKAGE, "--verbose"]
        command += ["--wheel-dir", work, f"{PACKAGE}=={version}"]
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "CMAKE_ARGS": options}
            )
            try:
                watch(process, log_path)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        wheels = list(Path(work).glob("*.whl"))
        if process.returncode != 0 or not wheels:
            raise BuildFailed(reason(log_path))
        shutil.move(wheels[0], folder / wheels[0].name)


def watch(process: subprocess.Popen[bytes], log_path: Path) -> None:
    """A line every few seconds: how long it has taken, and the compiler's own count."""
    start = time.monotonic()
    while True:
        try:
            process.wait(SHOW_EVERY_S)
            return
        except subprocess.TimeoutExpired:
            minutes, seconds = divmod(round(time.monotonic() - start), 60)
            say(f"  {minutes}:{seconds:02}  {progress(log_path)}")


def progress(log_path: Path) -> str:
    """The last "[12/345]" of the log, in words."""
    steps = re.findall(rb"\[(\d+)/(\d+)\]", log_path.read_bytes()[-20_000:])
    return f"step {int(steps[-1][0])} of {int(steps[-1][1])}" if steps else "fetching and configuring"


def reason(log_path: Path) -> str:
    """One sentence on a build that failed."""
    text = log_path.read_text(encoding="utf-8", errors="replace")
    if re.search(r"No CMAKE_C(XX)?_COMPILER could be found|could not find (gcc|g\+\+|cc)", text, re.IGNORECASE):
        what = "there is no C++ compiler; install one (Debian and Ubuntu: apt install build-essential)"
    elif re.search(r"No matching distribution|Failed to establish|Temporary failure|Connection", text):
        what = "its source cannot be downloaded from the package index"
    else:
        what = "the log has the compiler's words"
    return f"{PACKAGE} could not be built: {what}. Log: {log_path}"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One at a time: a second start waits for the first one's wheel instead of compiling its own."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another process is compiling {PACKAGE}; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_pip(*arguments: str) -> int:
    """Run pip of this environment; what it says goes to standard error."""
    return subprocess.run([sys.executable, "-m", "pip", *arguments], stdout=sys.stderr).returncode


def say(text: str) -> None:
    """Standard output belongs to the bot."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
