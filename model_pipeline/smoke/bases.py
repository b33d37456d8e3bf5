"""Makes the small base models of `--smoke` and keeps them in a cache; knows no recipe and no stage.

Each has the architecture, the tokenizer family, the chat template and the files of a real one, so that what goes wrong
with the real one on its way to a GGUF goes wrong here too, in minutes and offline.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from filelock import FileLock

from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Family
from model_pipeline.smoke import texts

MADE_FILE = "made.json"  # written last: a folder without it is no base
PACKAGES = ("torch", "transformers", "tokenizers", "sentencepiece")
MAKERS = ("architectures.py", "chat_templates.py", "texts.py", "vocabulary.py", "weights.py")
FAMILIES = (Family.TINYLLAMA, Family.LLAMA3, Family.GPT2)

Say = Callable[[str], None]


def make_base(family: Family, folder: Path, seed: int = 0, say: Say = lambda text: None) -> Path:
    """Write a small Hugging Face model of `family` into `folder`, which is new or holds one already; returns `folder`.

    The first time takes about a minute on two cores; later it is copied from the cache, which the same seed, packages
    and texts always fill with the same weights. Raises `InputInvalid`.
    """
    if family not in FAMILIES:
        allowed = ", ".join(FAMILIES)
        raise InputInvalid(f"There is no small base of the family {family}; there is one of {allowed}.")
    key = _key(family, seed)
    if _made_as(folder) == key:
        return folder
    if folder.exists() and not _made_as(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise InputInvalid(f"{folder} is there and holds no small base; choose a folder that is not there.")
    cached = _cached(family, seed, key, say)
    try:
        _copy(cached, folder)
    except OSError as error:
        raise InputInvalid(f"The small base {folder} cannot be written: {error.strerror or error}.") from error
    return folder


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where small bases lie: `$QUOTESMITH_CACHE/smoke`, else `quotesmith/smoke` in the XDG cache folder."""
    if own := environ.get("QUOTESMITH_CACHE"):
        return Path(own) / "smoke"
    xdg = environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "quotesmith" / "smoke"


def _cached(family: Family, seed: int, key: str, say: Say) -> Path:
    """The folder in the cache, made first if need be; two processes never make the same one at a time."""
    final = cache_folder() / f"{family}-{key}"
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(final.with_name(f".{final.name}.lock")):
            if _made_as(final) != key:
                _replace(final, lambda staged: _make(family, seed, key, staged, say))
    except OSError as error:
        reason = error.strerror or error
        raise InputInvalid(
            f"A small base cannot be made in {final.parent}: {reason}; set QUOTESMITH_CACHE to another folder."
        ) from error
    return final


def _make(family: Family, seed: int, key: str, folder: Path, say: Say) -> None:
    from model_pipeline.smoke.vocabulary import write_tokenizer  # late: they load torch and transformers
    from model_pipeline.smoke.weights import write_weights

    say(f"Making a small model of the family {family}, once: about a minute on two cores.")
    began = datetime.now(UTC)
    folder.mkdir()
    write_tokenizer(family, folder, texts.lines())
    pretrained = write_weights(family, folder, texts.plain_documents(seed), seed)
    seconds = round((datetime.now(UTC) - began).total_seconds(), 1)
    say(
        f"Its loss fell from {pretrained.first_loss:.2f} to {pretrained.last_loss:.2f} nats a token in {seconds:.0f} s."
    )
    made = {"key": key, "family": family, "seed": seed, "seconds": seconds, **asdict(pretrained)}
    (folder / MADE_FILE).write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")


def _copy(source: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _replace(folder, lambda staged: shutil.copytree(source, staged))


def _replace(final: Path, write: Callable[[Path], object]) -> None:
    """Write beside the final folder and rename, so that a cut-off never leaves half of one in its place."""
    staged = final.with_name(f".{final.name}.partial")
    shutil.rmtree(staged, ignore_errors=True)
    try:
        write(staged)
        shutil.rmtree(final, ignore_errors=True)
        staged.rename(final)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _made_as(folder: Path) -> str:
    """The key of a finished base; "" of anything else."""
    try:
        return str(json.loads((folder / MADE_FILE).read_text(encoding="utf-8"))["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _key(family: Family, seed: int) -> str:
    """A hash of all that the weights depend on: family, seed, packages, texts, and how they are made."""
    hashed = hashlib.sha256(f"{family} {seed} {[metadata.version(name) for name in PACKAGES]}".encode())
    for name in texts.FILES:
        hashed.update((texts.DATA / name).read_bytes())
    for name in MAKERS:
        hashed.update((Path(__file__).parent / name).read_bytes())
    return hashed.hexdigest()[:16]
