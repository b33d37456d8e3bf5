"""Owns quantization through llama.cpp's own routine, in this process; knows no model folder and judges no output.

Type names are llama.cpp's, read from the installed binding, so a type that it learns needs no change here.
"""

from __future__ import annotations

import ctypes
import difflib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
from llama_cpp import _logger as llama_logger

from model_pipeline.errors import InputInvalid, QuantizationFailed

UNQUANTIZED = ("F32", "F16", "BF16")
# tools/quantize/quantize.cpp of llama.cpp gives these names beside those of the enumeration.
_ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}
_PREFIX = re.compile(r"^LLAMA_FTYPE_(?:MOSTLY|ALL)_")
_FALLBACKS = re.compile(r"(\d+) of \d+ tensor\(s\) required fallback quantization")


@dataclass(frozen=True, slots=True)
class Quantized:
    """What was written. `fallback_tensors` kept a larger type, as widths that 256 does not divide must."""

    path: Path
    type_name: str
    size_bytes: int
    fallback_tensors: int


def quantization_types() -> dict[str, int]:
    """Every type name, and its number in llama.cpp's `llama_ftype`."""
    names = [name for name in vars(llama_cpp.llama_cpp) if _PREFIX.match(name)]
    return {_PREFIX.sub("", name): int(getattr(llama_cpp.llama_cpp, name)) for name in names}


def parse_type(text: str) -> str:
    """llama.cpp's name for a type, whatever its case; raises `InputInvalid` with the nearest and the allowed ones."""
    allowed = quantization_types()
    name = text.strip().upper().replace("-", "_")
    name = _ALIASES.get(name, name)
    if name in allowed:
        return name
    nearest = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]}?" if nearest else "."
    raise InputInvalid(f"{text!r} is no quantization type{hint} Allowed are {', '.join(allowed)}.")


def quantize(source: Path, out: Path, type_name: str, *, threads: int | None = None) -> Quantized:
    """Write `source` (a GGUF in F32, F16 or BF16) as `type_name` to `out`, which appears only when it is complete.

    `threads` defaults to the processors of this machine. Raises `InputInvalid` or `QuantizationFailed`.
    """
    type_name = parse_type(type_name)
    if not source.is_file():
        raise InputInvalid(f"{source} is not a file; give a GGUF that is not quantized.")
    if out.is_dir() or not out.parent.is_dir():
        raise InputInvalid(f"{out} cannot be written; give the name of a file in a folder that is there.")
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = quantization_types()[type_name]
    params.nthread = threads or os.cpu_count() or 1
    partial = out.with_name(f".{out.name}.partial")
    try:
        log = _run(source, partial, params, type_name)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    found = _FALLBACKS.search(log)
    return Quantized(out, type_name, out.stat().st_size, int(found[1]) if found else 0)


def _run(source: Path, out: Path, params: Any, type_name: str) -> str:
    with _captured_log() as lines:
        code = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(out), ctypes.byref(params))
    log = "".join(lines)
    if code != 0:
        found = re.search(r"failed to quantize: (.*)", log)
        reason = found[1].strip().rstrip(".") if found else "it gave no reason"
        raise QuantizationFailed(f"llama.cpp cannot write {source.name} as {type_name}: {reason}.")
    return log


@contextmanager
def _captured_log() -> Iterator[list[str]]:
    """Keep llama.cpp's log lines, which are its only account of what went wrong, and give the binding's logger back."""
    lines: list[str] = []

    def keep(level: int, text: bytes, user_data: object) -> None:
        lines.append(text.decode(errors="replace"))

    callback = llama_cpp.llama_log_callback(keep)  # named: llama.cpp holds no reference that keeps it alive
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        yield lines
    finally:
        llama_cpp.llama_log_set(llama_logger.llama_log_callback, ctypes.c_void_p(0))
