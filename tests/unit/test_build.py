"""What a fresh clone needs: the Makefile's promises, honest dependency lists, and one compilation for each machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

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
    modules = {"python-dotenv": "dotenv", "llama-cpp-python": "llama_cpp", "aiosqlite": r"sqlite\+aiosqlite"}
    for entry in PROJECT["dependencies"]:
        name = re.split(r"[\[<>=]", entry)[0]
        assert re.search(modules.get(name, rf"(import|from) {name.replace('-', '_')}\b"), source), name


def test_no_file_names_a_package_index_or_a_folder_of_one_machine() -> None:
    option = "index" + "-url|find" + "-links|/simp" + "le/"
    for path in tracked_files():
        if path.suffix in {".py", ".toml", ".txt", ".md", ".json", ".mako", ""} and path != Path(__file__):
            text = path.read_text(encoding="utf-8")
            assert not re.search(option, text), path
            assert str(ROOT) + "/" not in text, path


def test_make_help_names_every_target() -> None:
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets and all(re.search(rf"^{target} ", shown, re.MULTILINE) for target in targets[1].split())


def test_the_gate_calls_both_commands() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-2:] == ["make check", "make test"]


def test_what_the_image_copies_is_there() -> None:
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in (ROOT / ".dockerignore").read_text().splitlines()


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
    monkeypatch.setattr(install, "SELF_TEST", "pass")
    (tmp_path / "asked").write_text("")
    return tmp_path


FAKE_PIP = """
import os, pathlib, sys, time
with open(os.environ["ASKED"], "a") as asked:
    print(sys.argv[1], file=asked)
if sys.argv[1] == "wheel":
    print(os.environ.get("SAY", "[1/2] compiling"))
    if "SAY" in os.environ:
        sys.exit(1)
    pathlib.Path(sys.argv[sys.argv.index("--wheel-dir") + 1], "llama_cpp_python-0.3.36-any.whl").write_text("")
"""


def asked(machine: Path) -> list[str]:
    return (machine / "asked").read_text().split()


def test_a_machine_compiles_once(machine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert install.main() == 0
    first = capfd.readouterr()
    assert install.main() == 0
    second = capfd.readouterr()
    assert asked(machine) == ["wheel", "install", "install"]
    assert "eight minutes" in first.err and second.err == "" and first.out == second.out == ""


def test_a_wheel_that_does_not_load_is_built_anew_once(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert install.main() == 0
    monkeypatch.setattr(install, "SELF_TEST", "raise SystemExit(1)")
    assert install.main() == 1
    assert asked(machine) == ["wheel", "install", "install", "wheel", "install"]


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("No CMAKE_CXX_COMPILER could be found.", "apt install build-essential"),
        ("ERROR: No matching distribution found", "cannot be downloaded"),
        ("internal compiler error", "the log has"),
    ],
)
def test_a_failed_build_says_what_is_missing(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], log: str, said: str
) -> None:
    monkeypatch.setenv("SAY", log)
    assert install.main() == 1
    shown = capfd.readouterr().err
    assert said in shown and "build.log" in shown and "Traceback" not in shown
    assert not list((machine / "cache").rglob("*.whl"))


def test_builds_that_could_differ_share_no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    options = install.cmake_options({})
    here = install.wheel_key("0.3.36", options)
    assert here == install.wheel_key("0.3.36", options)
    assert here != install.wheel_key("0.3.37", options)
    assert here != install.wheel_key("0.3.36", install.cmake_options({"CMAKE_ARGS": "-DGGML_NATIVE=OFF"}))
    monkeypatch.setattr(install, "processor", lambda: "flags: none that are known")
    assert here != install.wheel_key("0.3.36", options)


def test_the_pinned_version_is_read_from_the_project() -> None:
    assert install.pinned_version((ROOT / "pyproject.toml").read_text()) == "0.3.36"
    with pytest.raises(install.BuildFailed, match="pins no"):
        install.pinned_version("[project]")


def constraints() -> list[str]:
    return [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]


def test_the_installed_binding_was_built_without_what_the_bot_does_not_use() -> None:
    import llama_cpp

    libraries = {path.name for path in (Path(llama_cpp.__file__).parent / "lib").iterdir()}
    assert any("llama" in name for name in libraries) and not any("mtmd" in name for name in libraries)
