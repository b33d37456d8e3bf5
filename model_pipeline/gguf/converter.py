"""Owns llama.cpp's converter at exactly the installed version: finding, caching and running it; knows no model.

The released `gguf` package holds no converter, but the source distribution of llama-cpp-python carries llama.cpp's
own. Taking it from the version that is installed means that what writes a GGUF and what reads it never differ.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from model_pipeline.errors import ConverterUnavailable, ExportFailed

PACKAGE = "llama-cpp-python"
MARKER = "complete.json"  # written last: a folder without it is no converter
WANTED = ("convert_hf_to_gguf.py", "convert_lora_to_gguf.py", "conversion", "gguf-py")
DOWNLOAD_TIMEOUT_S = 900  # 77 MB, and pip prepares the package's metadata in an isolated environment


@dataclass(frozen=True, slots=True)
class Converter:
    """An unpacked converter; `sdist_sha256` (hex) is of the archive that it came from."""

    folder: Path
    version: str
    sdist_sha256: str

    def run(self, script: Path, arguments: Sequence[str]) -> str:
        """Run `script` in a fresh interpreter that sees this converter and its gguf-py first; give back its log.

        Raises `ExportFailed` with the last line of the log. Nothing is fetched from a model hub.
        """
        command = [sys.executable, "-P", str(script), *arguments]  # -P: the script's own folder must not shadow gguf
        result = subprocess.run(command, env=self._environment(), capture_output=True, text=True, errors="replace")
        log = result.stdout + result.stderr
        if result.returncode != 0:
            raise ExportFailed(f"llama.cpp's converter ({self.version}) stopped: {_last_line(log)}.")
        return log

    def _environment(self) -> dict[str, str]:
        # The released gguf package of the same number lacks classes that the converter needs: ours must come first.
        inherited = [path] if (path := os.environ.get("PYTHONPATH")) else []
        path = os.pathsep.join([str(self.folder / "gguf-py"), str(self.folder), *inherited])
        return {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def installed_version() -> str:
    """The version of llama-cpp-python that will read the GGUF; raises `ConverterUnavailable` when there is none."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise ConverterUnavailable(f"{PACKAGE} is not installed, so there is no converter version to use.") from error


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where converters lie: `$QUOTESMITH_CACHE/converter`, else `quotesmith/converter` in the XDG cache folder."""
    if own := environ.get("QUOTESMITH_CACHE"):
        return Path(own) / "converter"
    xdg = environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "quotesmith" / "converter"


def find_converter(*, sdist: Path | None = None, cache: Path | None = None, version: str | None = None) -> Converter:
    """The converter of `version` (default: the installed one), unpacked into `cache` on first use, offline later.

    The archive is `sdist` if given, else one that lies in the cache folder, else a download with pip.
    Raises `ConverterUnavailable`.
    """
    version = version or installed_version()
    cache = cache or cache_folder()
    if found := _cached(cache / version, version):
        return found
    archive = sdist or cache / f"llama_cpp_python-{version}.tar.gz"
    if archive.is_file():
        return _install(archive, cache, version)
    if sdist is not None:
        raise ConverterUnavailable(f"{sdist} is not a file; give the source distribution of {PACKAGE} {version}.")
    with tempfile.TemporaryDirectory(prefix="quotesmith-converter-") as folder:
        return _install(_download(version, Path(folder), otherwise=archive), cache, version)


def _cached(folder: Path, version: str) -> Converter | None:
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return Converter(folder, version, str(marker["sdist_sha256"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent or cut off: it is laid anew


def _download(version: str, folder: Path, otherwise: Path) -> Path:
    """The archive in `folder`. Raises `ConverterUnavailable`, which names the place where it would be found too."""
    options = ["--no-deps", "--no-binary", PACKAGE, "--dest", str(folder), "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, f"{PACKAGE}=={version}"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _not_downloaded(version, str(error), otherwise) from error
    archives = sorted(folder.glob("*.tar.gz"))
    if result.returncode != 0 or not archives:
        raise _not_downloaded(version, _last_line(result.stderr), otherwise)
    return archives[0]


def _not_downloaded(version: str, reason: str, otherwise: Path) -> ConverterUnavailable:
    return ConverterUnavailable(
        f"The source distribution of {PACKAGE} {version}, which carries the converter, cannot be downloaded "
        f"({reason}); download it elsewhere and put it here as {otherwise}."
    )


def _install(archive: Path, cache: Path, version: str) -> Converter:
    """Unpack into a temporary folder beside the final one, marker last, and rename: never half a converter."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=cache))
    except OSError as error:
        reason = error.strerror or error
        raise ConverterUnavailable(f"The converter cannot be written to {cache}: {reason}.") from error
    try:
        _unpack(archive, staged, version)
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        (staged / MARKER).write_text(json.dumps({"version": version, "sdist_sha256": digest}), encoding="utf-8")
        return _move_into_place(staged, cache / version, version)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _move_into_place(staged: Path, final: Path, version: str) -> Converter:
    if final.exists() and _cached(final, version) is None:
        shutil.rmtree(final)
    try:
        staged.rename(final)
    except OSError as error:  # another process was faster, and its copy is as good
        if not _cached(final, version):
            raise ConverterUnavailable(f"The converter cannot be moved to {final}: {error}.") from error
    converter = _cached(final, version)
    if converter is None:
        raise ConverterUnavailable(f"The converter in {final} is not complete; delete that folder and try again.")
    return converter


def _unpack(archive: Path, target: Path, version: str) -> None:
    try:
        with tarfile.open(archive) as tar:
            for member in _wanted(tar, archive, version):
                tar.extract(member, target, filter="data")
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise ConverterUnavailable(f"{archive} cannot be unpacked: {error}.") from error
    if missing := [name for name in WANTED if not (target / name).exists()]:
        raise ConverterUnavailable(f"{archive} is not the source distribution of {PACKAGE}: {missing[0]} is missing.")


def _wanted(tar: tarfile.TarFile, archive: Path, version: str) -> Iterator[tarfile.TarInfo]:
    """The members below vendor/llama.cpp that make up the converter, renamed to lie at the top."""
    root = f"llama_cpp_python-{version}"
    for member in tar:
        parts = PurePosixPath(member.name).parts
        if parts[:1] != (root,):
            raise ConverterUnavailable(f"{archive} is not the source distribution of {PACKAGE} {version}.")
        if parts[1:3] == ("vendor", "llama.cpp") and parts[3:4] and parts[3] in WANTED:
            member.name = str(PurePosixPath(*parts[3:]))
            yield member


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "it said nothing"
