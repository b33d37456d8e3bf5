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
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

PACKAGE = "llama-cpp-python"
ROOT = Path(__file__).resolve().parents[1]
OWN_BUILD = Path(__file__).with_name("llama_build.cmake")
# Holds the key of the wheel that is installed, so that neither a change of other dependencies nor a lost cache matters.
MARKER = Path(sys.prefix) / ".llama-cpp-python"
SHOW_EVERY_S = 5.0
GIVE_UP_S = 10.0
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# The compiler's options: a build with others is another build.
FLAGS = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS")
# Loads what was compiled, and none of the package's Python, whose dependencies come later.
SELF_TEST = (
    "import ctypes, importlib.util, pathlib\n"
    "folder = pathlib.Path(importlib.util.find_spec('llama_cpp').origin).parent / 'lib'\n"
    "ctypes.CDLL(str(next(folder.glob('libllama.*')))).llama_backend_init()\n"
)


def main() -> int:
    """Install from the cache, or build first; returns the exit code."""
    folder = cache_folder(os.environ) / "wheels"
    try:
        version = pinned_version((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        options = cmake_options(os.environ)
        folder /= wheel_key(version, options, os.environ)
        if MARKER.exists() and MARKER.read_text(encoding="utf-8") == folder.name and not fault():
            return 0
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".lock"):
            if not install_cached(folder):
                say(
                    f"Compiling {PACKAGE} {version}: about eight minutes on two processors, once on this machine. "
                    "Everything after this starts in seconds."
                )
                build(version, options, folder)
                if not install_cached(folder):
                    raise InstallFailed(f"{PACKAGE} was built but does not load: {fault()}")
        MARKER.write_text(folder.name, encoding="utf-8")
    except OSError as error:
        place = error.filename or folder
        say(f"{place} cannot be used: {error.strerror}. QUOTESMITH_CACHE names another folder for the cache.")
        return 1
    except InstallFailed as error:
        say(str(error))
        return 1
    return 0


class InstallFailed(Exception):
    """One sentence: what is missing, and where the log is."""


def pinned_version(pyproject: str) -> str:
    """The version that the project's dependencies pin."""
    found = re.search(rf'"{PACKAGE}==([0-9.]+)"', pyproject)
    if found is None:
        raise InstallFailed(f"pyproject.toml pins no {PACKAGE}==VERSION.")
    return found[1]


def cmake_options(environ: Mapping[str, str]) -> str:
    """What CMAKE_ARGS is set to: the person's own, and what leaves out code that the bot does not use."""
    own = environ.get("CMAKE_ARGS", "")
    return f"{own} -DLLAVA_BUILD=OFF -DCMAKE_PROJECT_llama.cpp_INCLUDE={OWN_BUILD}".strip()


def cache_folder(environ: Mapping[str, str]) -> Path:
    """QUOTESMITH_CACHE, or `quotesmith` in the user's cache folder."""
    if own := environ.get("QUOTESMITH_CACHE"):
        return Path(own).expanduser().absolute()
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quotesmith"


def wheel_key(version: str, options: str, environ: Mapping[str, str]) -> str:
    """A folder name for a wheel: builds that could differ never share one."""
    # The options name this clone's folder, which does not matter; the content of the file in it does.
    portable = options.replace(str(OWN_BUILD), hashlib.sha256(OWN_BUILD.read_bytes()).hexdigest())
    flags = [f"{name}={environ[name]}" for name in FLAGS if environ.get(name)]
    facts = "\n".join((portable, *flags, sys.implementation.cache_tag, sysconfig.get_platform(), processor()))
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
    """Install the wheel of this folder and see that it loads; one that is damaged or does not is thrown away."""
    for wheel in folder.glob("*.whl"):
        if is_whole(wheel):
            # Not the wheel's fault, a full disk for instance: compiling it anew would not help.
            if run_pip("install", "--no-deps", "--force-reinstall", "--quiet", str(wheel)) != 0:
                raise InstallFailed(f"pip could not install {wheel}; its reason stands above.")
            if not fault():
                return True
        wheel.unlink()
    return False


def is_whole(wheel: Path) -> bool:
    """Whether every file in it has its checksum."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        return False


def fault() -> str:
    """Why what is installed does not load, in the loader's words; empty when it does."""
    tried = subprocess.run([sys.executable, "-c", SELF_TEST], capture_output=True, text=True, errors="replace")
    if tried.returncode == 0:
        return ""
    return (tried.stderr.strip().splitlines() or [f"the processor refused it ({tried.returncode})"])[-1]


def build(version: str, options: str, folder: Path) -> None:
    """Compile, showing that it is alive; the wheel appears in the folder only when it is whole."""
    log_path = folder / "build.log"
    for left in folder.glob(".build-*"):  # by a build that was killed
        shutil.rmtree(left)
    # pip's own cache of wheels knows neither options nor processor.
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-cache-dir", "--no-binary", PACKAGE]
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as work, log_path.open("wb") as log:
        with ExitStack() as ends:
            with put_off_endings():
                process = subprocess.Popen(
                    [*command, "--no-input", "--verbose", "--wheel-dir", work, f"{PACKAGE}=={version}"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "CMAKE_ARGS": options, "TMPDIR": work},
                    start_new_session=True,
                )
                ends.callback(end, process)
            watch(process, log_path)
        wheels = list(Path(work).glob("*.whl"))
        if process.returncode != 0 or not wheels:
            raise InstallFailed(reason(log_path))
        shutil.move(wheels[0], folder / wheels[0].name)


@contextmanager
def put_off_endings() -> Iterator[None]:
    """A signal that comes while a process is being started would leave that one behind: it is obeyed afterwards."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread alone
        yield
        return
    came: list[int] = []
    handlers = {one: signal.signal(one, lambda number, frame: came.append(number)) for one in ENDINGS}
    try:
        yield
    finally:
        for one, handler in handlers.items():
            signal.signal(one, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop what is left of a build, the compilers included: first so that pip clears up, then by force."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GIVE_UP_S)


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
    if re.search(r"No CMAKE_C(XX)?_COMPILER could be found|CMAKE_C(XX)?_COMPILER not set", text):
        what = "there is no C++ compiler; on Debian and Ubuntu, apt install build-essential"
    elif re.search(r"No matching distribution|new connection|name resolution|Connection re(fused|set)|timed out", text):
        what = "its source cannot be downloaded from the package index"
    elif "No space left on device" in text:
        what = "the disk is full; a build needs a gigabyte in the cache folder"
    else:
        what = "the log has the reason"
    return f"{PACKAGE} could not be built: {what} (log: {log_path})."


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
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode


def say(text: str) -> None:
    """Standard output belongs to the bot."""
    print(text, file=sys.stderr, flush=True)


def stop(number: int, frame: FrameType | None) -> None:
    """Leave by way of every `finally`, so that nothing half is left; a second signal does not hurry it."""
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    for one in ENDINGS:
        signal.signal(one, stop)
    sys.exit(main())
