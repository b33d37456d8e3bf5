"""What a fresh clone needs: the Makefile's promises, honest dependency lists, and one compilation for each machine."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bot.settings import load_settings
from build_scripts import environment
from build_scripts import install_llama_cpp as install

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_the_bot_does_not_need_what_training_needs() -> None:
    needed = " ".join(PROJECT["dependencies"])
    assert not re.search(r"torch|transformers|peft|trl|bitsandbytes|datasets", needed)
    assert "torch==2.13.0" in PROJECT["optional-dependencies"]["train"]


def test_every_dependency_has_one_tested_version() -> None:
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in constraints()}
    everything = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
    names = {re.split(r"[\[<>=]", entry)[0].lower().replace("_", "-") for entry in everything}
    assert names - pinned == {"llama-cpp-python"} and "llama-cpp-python==0.3.36" in PROJECT["dependencies"]


def test_every_dependency_of_the_bot_is_imported() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "bot").rglob("*.py"))
    modules = {
        "aiosqlite": r"sqlite\+aiosqlite",
        "discord.py": "import discord",
        "llama-cpp-python": "llama_cpp",
        "python-dotenv": "dotenv",
        "python-telegram-bot": "from telegram import",
    }
    for entry in PROJECT["dependencies"]:
        name = re.split(r"[\[<>=]", entry)[0]
        assert re.search(modules.get(name, rf"(import|from) {name.replace('-', '_')}\b"), source), name


def test_no_file_names_a_package_index_or_a_folder_of_one_machine() -> None:
    forbidden = "index" + "-url|find" + "-links|/simp" + "le/?[\"'\\s]|pypi" + "\\.org|" + re.escape(f"{ROOT}/")
    for path in tracked_files():
        if path.stat().st_size < 1_000_000:
            assert not re.search(forbidden, path.read_text(encoding="utf-8", errors="replace")), path


def test_make_alone_shows_every_target() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets and re.findall(r"^make ([a-z-]+) +\S", shown, re.MULTILINE) == targets[1].split()


def test_the_gate_calls_both_commands() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-2:] == ["make check", "make test"]


def test_what_the_image_copies_is_there() -> None:
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists() and f"!{source}" in sent, source


def test_the_image_has_no_command_of_a_package_that_it_lacks() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = set(" ".join(re.findall(r"^COPY (?!--)(.*) \S+$", dockerfile, re.MULTILINE)).split())
    assert {"bot", "migrations"} <= copied and "model_pipeline" not in copied  # which is mostly what models train on
    works = {name for name, place in PROJECT["scripts"].items() if place.partition(".")[0] in copied}
    removed = set(re.findall(r"rm \.venv/bin/(\S+)", dockerfile))
    assert (works, removed) == ({"quotesmith"}, set(PROJECT["scripts"]) - works)


def test_every_container_of_the_readme_has_the_secrets_and_the_volume() -> None:
    started = re.findall(r"^\$ docker run (.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert any("--platform console" in line for line in started) and any("doctor" in line for line in started)
    for line in started:  # without the key an encrypted database is refused
        assert "--env-file .env -v quotesmith:/data quotesmith" in line and ("--rm " in line or "-d " in line), line


def test_the_pages_link_to_what_is_there() -> None:
    pages = [path for path in tracked_files() if path.suffix == ".md"]
    assert ROOT / "README.md" in pages
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            assert "://" in link or (page.parent / link).exists(), (page, link)


def test_an_installation_has_every_file_that_the_packages_read() -> None:
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package, patterns in given.items():
        for path in tracked_files():
            if path.is_relative_to(ROOT / package) and path.suffix != ".py" and path.name != "README.md":
                assert any(path.match(f"{package}/{pattern}") for pattern in patterns), path


def test_the_image_keeps_everything_in_its_volume(tmp_path: Path) -> None:
    variables = dict(re.findall(r"\b(QUOTESMITH_\w+__\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    settings = load_settings(variables, tmp_path, tmp_path)
    kept = [settings.database.url, str(settings.model.folder), str(settings.console.history_file)]
    assert kept == ["sqlite+aiosqlite:////data/quotesmith.db", "/data/models", "/data/console_history"]
    assert "VOLUME /data\n" in (ROOT / "Dockerfile").read_text()


# -- the environment --------------------------------------------------------------------------------------------------


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment whose Python does nothing but keep a list of what it was asked to do."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    python = tmp_path / "venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\ncase "$*" in *"$FAILING"*) exit 1;; esac\n')
    python.chmod(0o755)
    monkeypatch.setenv("FAILING", "nothing of the kind")
    return tmp_path / "venv"


def test_an_environment_is_made_once(venv: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert environment.main(venv / ".for-run") == 0
    done = (venv.parent / "asked").read_text()
    assert "install_llama_cpp.py" in done and f"--constraint {ROOT / 'constraints.txt'} --editable .\n" in done
    assert environment.main(venv / ".for-run") == 0
    assert (venv.parent / "asked").read_text() == done
    out, err = capfd.readouterr()
    assert out == "" and err == "Installing what the bot needs into venv.\n"


def test_make_knows_what_an_environment_is_made_of() -> None:
    rule = re.search(r"^\.venv/\.for-run .*: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert rule and tuple(rule[1].split()) == environment.MADE_OF


def test_a_changed_dependency_is_installed(venv: Path) -> None:
    assert environment.main(venv / ".for-test") == 0
    newest = max((ROOT / name).stat().st_mtime for name in environment.MADE_OF)
    os.utime(venv / ".for-test", (newest - 1, newest - 1))
    assert environment.main(venv / ".for-test") == 0
    assert (venv.parent / "asked").read_text().count("--editable .[test]") == 2


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        ("install_llama_cpp", "Installing"),  # which says itself why
        ("--editable", "The packages cannot be installed"),
    ],
)
def test_a_failed_installation_is_tried_again(
    venv: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], failing: str, said: str
) -> None:
    monkeypatch.setenv("FAILING", failing)
    assert environment.main(venv / ".for-run") == 1
    assert capfd.readouterr().err.splitlines()[-1].startswith(said)
    monkeypatch.setenv("FAILING", "nothing of the kind")
    assert environment.main(venv / ".for-run") == 0


@pytest.mark.parametrize("minor", [10, 14])
def test_a_python_that_does_not_fit_is_refused(
    venv: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], minor: int
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, minor, 0, "final", 0))
    assert environment.main(venv / ".for-run") == 1
    assert f"This is Python 3.{minor}, but Quotesmith needs 3.11 to 3.13" in capfd.readouterr().err


# -- the compiled wheel -----------------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a `pip` that builds and installs nothing but keeps a list of what it was asked."""
    pip = tmp_path / "site" / "pip"
    pip.mkdir(parents=True)
    (pip / "__init__.py").write_text("")
    (pip / "__main__.py").write_text(FAKE_PIP)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("QUOTESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    monkeypatch.setattr(install, "MARKER", tmp_path / "marker")
    monkeypatch.setattr(install, "SELF_TEST", "pass")
    (tmp_path / "asked").write_text("")
    return tmp_path


FAKE_PIP = """
import os, pathlib, sys, zipfile
arguments = sys.argv[sys.argv.index("--disable-pip-version-check") + 1:] if "install" in sys.argv else sys.argv[1:]
with open(os.environ["ASKED"], "a") as asked:
    print(arguments[0], file=asked)
if arguments[0] == "install":
    sys.exit("REFUSED" in os.environ)
folder = pathlib.Path(sys.argv[sys.argv.index("--wheel-dir") + 1])
(folder / "half.o").write_text("")
print(os.environ.get("SAY", "[1/2] compiling"), flush=True)
if "SAY" in os.environ:
    sys.exit(1)
if "BEGUN" in os.environ:
    with open(os.environ["BEGUN"], "w") as begun:
        print(os.getpid(), file=begun)
    with open(os.environ["GO_ON"]) as go_on:
        go_on.read()
with zipfile.ZipFile(folder / "llama_cpp_python-0.3.36-any.whl", "w") as wheel:
    wheel.writestr("llama_cpp/__init__.py", "")
"""


@pytest.fixture
def slow_build(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The build says by one pipe that it has begun, and goes on when another is opened and closed."""
    for name in ("BEGUN", "GO_ON"):
        os.mkfifo(machine / name)
        monkeypatch.setenv(name, str(machine / name))
    return machine


def asked(machine: Path) -> list[str]:
    return (machine / "asked").read_text().split()


def left_in_cache(machine: Path) -> list[str]:
    return sorted(path.name for path in (machine / "cache").rglob("*") if path.is_file() or ".build-" in path.name)


def test_a_machine_compiles_once(machine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert install.main() == 0
    first = capfd.readouterr()
    (machine / "marker").unlink()  # another environment
    assert install.main() == 0
    second = capfd.readouterr()
    assert asked(machine) == ["wheel", "install", "install"]
    assert "eight minutes" in first.err and second.err == "" and first.out == second.out == ""
    assert left_in_cache(machine) == [".lock", "build.log", "llama_cpp_python-0.3.36-any.whl"]


def test_an_environment_that_has_it_does_without_the_cache(machine: Path) -> None:
    assert install.main() == 0
    shutil.rmtree(machine / "cache")
    assert install.main() == 0
    assert asked(machine) == ["wheel", "install"]


def test_two_at_once_compile_once(slow_build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(install, "say", said.put)
    with ThreadPoolExecutor() as both:
        first = both.submit(install.main)
        (slow_build / "BEGUN").read_text()
        second = both.submit(install.main)
        assert "Compiling" in said.get(timeout=60) and "waiting for it" in said.get(timeout=60)
        (slow_build / "GO_ON").write_text("")
        assert first.result() == second.result() == 0
    assert asked(slow_build) == ["wheel", "install", "install"]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_nothing_half(
    slow_build: Path, monkeypatch: pytest.MonkeyPatch, ending: signal.Signals
) -> None:
    monkeypatch.setenv("CFLAGS", "-DNOBODY_HAS_THIS")  # what is installed here must not be enough
    with subprocess.Popen([sys.executable, install.__file__], stderr=subprocess.PIPE, text=True) as process:
        builder = int((slow_build / "BEGUN").read_text())
        process.send_signal(ending)
        _, shown = process.communicate(timeout=60)
    assert process.returncode == 128 + ending and "Traceback" not in shown
    assert left_in_cache(slow_build) == [".lock", "build.log"]
    with pytest.raises(ProcessLookupError):
        os.kill(builder, 0)


@pytest.mark.parametrize("ending", install.ENDINGS)
def test_a_build_interrupted_while_it_starts_is_ended_too(
    slow_build: Path, monkeypatch: pytest.MonkeyPatch, ending: signal.Signals
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class InterruptedAtOnce(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)
            signal.raise_signal(ending)

    monkeypatch.setattr(subprocess, "Popen", InterruptedAtOnce)
    before = {one: signal.signal(one, install.stop) for one in install.ENDINGS}
    try:
        with pytest.raises(SystemExit) as left:
            install.main()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert left.value.code == 128 + ending
    assert len(started) == 1 and started[0].returncode is not None
    assert left_in_cache(slow_build) == [".lock", "build.log"]


def test_a_long_build_shows_how_far_it_is(slow_build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(install, "say", said.put)
    monkeypatch.setattr(install, "SHOW_EVERY_S", 0.01)
    with ThreadPoolExecutor() as beside:
        running = beside.submit(install.main)
        (slow_build / "BEGUN").read_text()
        shown = [said.get(timeout=60)]
        while "step 1 of 2" not in shown[-1]:
            shown.append(said.get(timeout=60))
        (slow_build / "GO_ON").write_text("")
        assert running.result() == 0
    assert re.fullmatch(r"  \d:\d\d  step 1 of 2", shown[-1])


def test_a_damaged_wheel_is_built_anew(machine: Path) -> None:
    assert install.main() == 0
    (wheel,) = (machine / "cache").rglob("*.whl")
    wheel.write_bytes(wheel.read_bytes()[:40])
    (machine / "marker").unlink()
    assert install.main() == 0
    assert asked(machine) == ["wheel", "install", "wheel", "install"]


def test_a_wheel_that_does_not_load_is_built_anew_once(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert install.main() == 0
    monkeypatch.setattr(install, "SELF_TEST", "raise OSError('libgomp.so.1 is missing')")
    assert install.main() == 1
    assert asked(machine) == ["wheel", "install", "install", "wheel", "install"]
    assert "does not load: OSError: libgomp.so.1 is missing" in capfd.readouterr().err


def test_a_wheel_that_cannot_be_installed_now_is_kept(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REFUSED", "disk full")
    assert install.main() == 1
    assert "pip could not install" in capfd.readouterr().err
    monkeypatch.delenv("REFUSED")
    assert install.main() == 0
    assert asked(machine) == ["wheel", "install", "install"]


def test_a_cache_that_cannot_be_written_is_named(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUOTESMITH_CACHE", str(machine / "asked"))
    assert install.main() == 1
    assert re.search(r"asked.* cannot be used: Not a directory\. QUOTESMITH_CACHE names", capfd.readouterr().err)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("No CMAKE_CXX_COMPILER could be found.", "apt install build-essential"),
        ("ERROR: No matching distribution found", "cannot be downloaded"),
        ("cc1plus: No space left on device", "the disk is full"),
        ("internal compiler error", "the log has the reason"),
    ],
)
def test_a_failed_build_says_what_is_missing(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], log: str, said: str
) -> None:
    monkeypatch.setenv("SAY", log)
    assert install.main() == 1
    shown = capfd.readouterr().err.splitlines()
    assert len(shown) == 2 and said in shown[1] and "build.log" in shown[1]
    assert left_in_cache(machine) == [".lock", "build.log"]


def test_builds_that_could_differ_share_no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(version: str = "0.3.36", **environ: str) -> str:
        return install.wheel_key(version, install.cmake_options(environ), environ)

    here = key()
    assert here == key(HOME="elsewhere")
    others = {key("0.3.37"), key(CMAKE_ARGS="-DGGML_NATIVE=OFF"), key(CXXFLAGS="-O1"), key(CC="clang")}
    monkeypatch.setattr(install, "processor", lambda: "flags: none that are known")
    assert len({here, *others, key()}) == 6


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"QUOTESMITH_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, Path("/a")),
        ({"XDG_CACHE_HOME": "/b"}, Path("/b/quotesmith")),
        ({}, Path.home() / ".cache" / "quotesmith"),
    ],
)
def test_the_cache_lies_where_caches_lie(environ: dict[str, str], folder: Path) -> None:
    assert install.cache_folder(environ) == folder


def test_the_pinned_version_is_read_from_the_project() -> None:
    assert install.pinned_version((ROOT / "pyproject.toml").read_text()) == "0.3.36"
    with pytest.raises(install.InstallFailed, match="pins no"):
        install.pinned_version("[project]")


def constraints() -> list[str]:
    return [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]


def test_the_installed_binding_was_built_without_what_the_bot_does_not_use() -> None:
    import llama_cpp

    libraries = {path.name for path in (Path(llama_cpp.__file__).parent / "lib").iterdir()}
    assert any("llama" in name for name in libraries) and not any("mtmd" in name for name in libraries)
