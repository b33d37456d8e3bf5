"""Estimates the memory that serving a model takes, and compares it with what there is; loads nothing."""

from __future__ import annotations

from pathlib import Path

import psutil

from bot.errors import ModelTooLarge
from bot.models.gguf_header import GgufHeader
from bot.models.sizes import in_words

F16_BYTES = 2
F32_BYTES = 4
BATCH_TOKENS = 512
SLOTS = 16
OTHER_SEQUENCES = 33  # that have a state beside those being written: the worker's resting ones and that of its trials
LEAST_CELLS = 512  # below this a conversation has no memory worth the name
PROCESS_BYTES = 150 * 10**6  # the worker itself: interpreter, llama.cpp and its small buffers

_UNLIMITED = 1 << 60  # cgroup v1 writes "no limit" as a number near the largest one
_CGROUP_MOUNT = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def bytes_needed(header: GgufHeader, cells: int, batch_tokens: int = BATCH_TOKENS, slots: int = SLOTS) -> int:
    """What a worker takes with a key/value cache of so many cells (tokens, over all sequences): weights, cache, logits.

    A recurrent layer has a state for each sequence instead, of those that are resting too.
    An upper bound: sliding windows and shared caches of some architectures take less.
    """
    cache = cells * header.kv_heads * (header.key_length + header.value_length) * F16_BYTES
    # llama.cpp reserves the logits of a whole batch: a quarter of a GB for a vocabulary of 128,000.
    logits = min(batch_tokens, cells) * header.vocabulary * F32_BYTES
    states = (slots + OTHER_SEQUENCES) * header.state_length * F32_BYTES
    return header.size_bytes + cache + states + logits + PROCESS_BYTES


def least_bytes_needed(size_bytes: int) -> int:
    """What a model takes whose header is not known yet: its weights and the worker."""
    return size_bytes + PROCESS_BYTES


def check_memory(name: str, needed_bytes: int, available_bytes: int | None = None) -> None:
    """Raise ModelTooLarge when a model does not fit; `available_bytes` is measured when it is not given."""
    available = available_memory() if available_bytes is None else available_bytes
    if needed_bytes > available:
        raise ModelTooLarge(
            f"The model {name} needs about {in_words(needed_bytes)} of memory and {in_words(available)} are available: "
            "take a smaller model, or one with fewer bits a weight."
        )


def fitting_cells(
    name: str, header: GgufHeader, wanted: int, batch_tokens: int, available_bytes: int, slots: int = SLOTS
) -> int:
    """How many cells of cache a model may have: as wanted, or halved until it fits.

    Never fewer than LEAST_CELLS, or than the model's own context where that is shorter. Raises ModelTooLarge when not
    even so few fit.
    """
    least = min(LEAST_CELLS, header.context_tokens or LEAST_CELLS)
    cells = wanted
    while bytes_needed(header, cells, batch_tokens, slots) > available_bytes and cells > least:
        cells = max(least, cells // 2)
    check_memory(name, bytes_needed(header, cells, batch_tokens, slots), available_bytes)
    return cells


def available_memory() -> int:
    """Bytes that can still be taken: of the machine, or of this container where that is less."""
    return min(psutil.virtual_memory().available, cgroup_available())


def cgroup_available(mount: Path = _CGROUP_MOUNT, own: Path = _OWN_CGROUP) -> int:
    """Bytes left under the tightest cgroup limit (version 1 or 2) above this process; a huge number without one."""
    return min((_left(*files) for files in _limit_files(mount, own)), default=_UNLIMITED)


def _limit_files(mount: Path, own: Path) -> list[tuple[Path, str, str, str]]:
    """The cgroup folders above this process, each with its names for limit, usage and reclaimable file cache."""
    found = []
    for line in _lines(own):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            root, names = mount, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root, names = mount / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # In a container the path may be the host's and not exist here; the mount's own folder then has the limit.
        folder = root / path.strip("/")
        found += [(step, *names) for step in (folder, *folder.parents) if step == root or root in step.parents]
    return found


def _left(folder: Path, limit_name: str, usage_name: str, cache_name: str) -> int:
    limit = _number(folder / limit_name)
    if limit is None or limit >= _UNLIMITED:
        return _UNLIMITED
    cache = next((line.split()[1] for line in _lines(folder / "memory.stat") if line.startswith(f"{cache_name} ")), "0")
    used = (_number(folder / usage_name) or 0) - int(cache)
    return max(0, limit - max(0, used))


def _number(path: Path) -> int | None:
    text = next(iter(_lines(path)), "")
    return int(text) if text.isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
