from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from model_pipeline.errors import ConverterUnavailable, ExportFailed
from model_pipeline.gguf.converter import Converter, cache_folder, find_converter, installed_version

VERSION = "1.2.3"
FILES = {
    "vendor/llama.cpp/convert_hf_to_gguf.py": "import gguf\n",
    "vendor/llama.cpp/convert_lora_to_gguf.py": "import gguf\n",
    "vendor/llama.cpp/conversion/base.py": "NAME = 'converter'\n",
    "vendor/llama.cpp/gguf-py/gguf/__init__.py": "NAME = 'its own'\n",
    "vendor/llama.cpp/src/llama.cpp": "int main;\n",
    "pyproject.toml": "[project]\n",
}


def sdist(path: Path, files: Mapping[str, str] = FILES, root: str = f"llama_cpp_python-{VERSION}") -> Path:
    """A source distribution with a converter of a few lines."""
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"{root}/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def without(name: str) -> dict[str, str]:
    return {path: text for path, text in FILES.items() if name not in path}


def unpacked(tmp_path: Path) -> Converter:
    return find_converter(sdist=sdist(tmp_path / "a.tar.gz"), cache=tmp_path / "cache", version=VERSION)


def test_the_converter_and_nothing_else_is_unpacked(tmp_path: Path) -> None:
    converter = unpacked(tmp_path)
    files = {str(path.relative_to(converter.folder)) for path in converter.folder.rglob("*") if path.is_file()}
    assert files == {
        "convert_hf_to_gguf.py",
        "convert_lora_to_gguf.py",
        "conversion/base.py",
        "gguf-py/gguf/__init__.py",
        "complete.json",
    }
    assert converter.version == VERSION
    assert converter.sdist_sha256 == hashlib.sha256((tmp_path / "a.tar.gz").read_bytes()).hexdigest()


def test_the_second_time_no_archive_is_needed(tmp_path: Path) -> None:
    first = unpacked(tmp_path)
    (tmp_path / "a.tar.gz").unlink()
    assert find_converter(cache=tmp_path / "cache", version=VERSION) == first


def test_an_archive_in_the_cache_is_found(tmp_path: Path) -> None:
    sdist(tmp_path / f"llama_cpp_python-{VERSION}.tar.gz")
    assert find_converter(cache=tmp_path, version=VERSION).folder == tmp_path / VERSION


@pytest.mark.parametrize("marker", [None, "{", "[]", '{"version": "1.2.3"}'])
def test_half_a_converter_is_laid_anew(tmp_path: Path, marker: str | None) -> None:
    half = tmp_path / "cache" / VERSION
    half.mkdir(parents=True)
    if marker is not None:
        (half / "complete.json").write_text(marker)
    (half / "old.py").touch()
    assert (unpacked(tmp_path).folder / "conversion" / "base.py").is_file()
    assert not (half / "old.py").exists()


def truncated(path: Path) -> None:
    content = sdist(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def scrambled(path: Path) -> None:
    content = bytearray(sdist(path).read_bytes())
    content[40:80] = bytes(40)
    path.write_bytes(content)


def escaping(path: Path) -> None:
    sdist(path, {**FILES, "vendor/llama.cpp/conversion/../../../escaped.py": "print()"})


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.write_text("text"), "cannot be unpacked"),
        (truncated, "cannot be unpacked"),
        (scrambled, "cannot be unpacked"),
        (escaping, "cannot be unpacked"),
        (lambda path: sdist(path, without("gguf-py")), "gguf-py is missing"),
        (lambda path: sdist(path, without("hf_to")), "convert_hf_to_gguf.py is missing"),
        (lambda path: sdist(path, root="llama_cpp_python-9.9.9"), f"of llama-cpp-python {VERSION}."),
        (lambda path: None, "is not a file"),
    ],
)
def test_another_file_is_refused_and_leaves_nothing_behind(tmp_path: Path, make: object, told: str) -> None:
    archive, cache = tmp_path / "other.tar.gz", tmp_path / "cache"
    assert callable(make)
    make(archive)
    with pytest.raises(ConverterUnavailable) as caught:
        find_converter(sdist=archive, cache=cache, version=VERSION)
    assert str(archive) in str(caught.value)
    assert told in str(caught.value)
    assert not cache.exists() or not list(cache.iterdir())
    assert not list(tmp_path.rglob("escaped.py"))


def test_without_an_index_the_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    with pytest.raises(ConverterUnavailable) as caught:
        find_converter(cache=tmp_path, version=VERSION)
    assert f"llama-cpp-python {VERSION}" in str(caught.value)
    assert "\n" not in str(caught.value) and "--" not in str(caught.value)  # the stage export-gguf has no option for it
    named = Path(str(caught.value).rpartition(" put it here as ")[2].removesuffix("."))
    sdist(named)
    assert find_converter(cache=tmp_path, version=VERSION).version == VERSION


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(ConverterUnavailable, match=r"cannot be written to .*cache: "):
        unpacked(tmp_path)


def test_scripts_import_the_converters_own_gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "gguf.py").write_text("NAME = 'another'\n")
    monkeypatch.setenv("PYTHONPATH", str(other))
    script = tmp_path / "gguf_script.py"
    script.write_text("import sys, gguf, conversion.base\nprint(gguf.NAME, conversion.base.NAME, sys.argv[1:])\n")
    assert unpacked(tmp_path).run(script, ["--outtype", "f16"]) == "its own converter ['--outtype', 'f16']\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise ValueError('unknown tensor x')", "ValueError: unknown tensor x."),
        ("import sys; print('working'); sys.exit('a reason.')", "a reason."),
        ("raise SystemExit(3)", "it said nothing."),
    ],
)
def test_a_script_that_stops_is_quoted_by_its_last_line(tmp_path: Path, code: str, told: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(code)
    with pytest.raises(ExportFailed) as caught:
        unpacked(tmp_path).run(script, [])
    assert str(caught.value) == f"llama.cpp's converter ({VERSION}) stopped: {told}"


def test_where_the_cache_is(tmp_path: Path) -> None:
    assert cache_folder({"QUOTESMITH_CACHE": "/c", "XDG_CACHE_HOME": "/x"}) == Path("/c/converter")
    assert cache_folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/quotesmith/converter")
    assert cache_folder({}) == Path.home() / ".cache/quotesmith/converter"


def test_the_version_is_that_of_the_runtime() -> None:
    import llama_cpp

    assert installed_version() == llama_cpp.__version__
