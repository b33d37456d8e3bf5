"""How much memory a model takes, how much there is, and how much context is left when it is short."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ModelTooLarge
from bot.inference.batch_engine import RESTING_SEQUENCES
from bot.models.gguf_header import GgufHeader, read_header
from bot.models.gguf_reader import Value
from bot.models.memory import (
    LEAST_CELLS,
    OTHER_SEQUENCES,
    PROCESS_BYTES,
    available_memory,
    bytes_needed,
    cgroup_available,
    check_memory,
    fitting_cells,
)
from tests.unit.models.gguf_builder import write

BATCH = 256


def header_of(context_tokens: int = 4_096) -> GgufHeader:
    metadata: dict[str, Value] = {
        "general.architecture": "llama",
        "llama.context_length": context_tokens,
        "llama.block_count": 16,
        "llama.embedding_length": 2_048,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
    }
    return GgufHeader(3, 800_000_000, metadata, {"tokenizer.ggml.tokens": 128_256}, ())


def test_weights_cache_logits_and_the_process_are_counted(tmp_path: Path) -> None:
    # 32 kB a cell is what llama.cpp reports for Llama 3.2 1B: 16 layers x 8 heads x (64 + 64) numbers of 2 bytes.
    assert bytes_needed(header_of(), 1_000, BATCH) == 800_000_000 + 1_000 * 32_768 + BATCH * 128_256 * 4 + PROCESS_BYTES

    tiny = read_header(write(tmp_path / "tiny.gguf"))
    assert bytes_needed(tiny, 10, BATCH) == tiny.size_bytes + 10 * 4 * (2 + 2) * 2 + 10 * 6 * 4 + PROCESS_BYTES


# What llama.cpp says that it keeps of each sequence: rows of a convolution, and the state itself.
STATES: dict[str, tuple[dict[str, Value], int]] = {
    "lfm2": ({"lfm2.shortconv.l_cache": 3}, 2 * 256 * 2),
    "mamba2": (
        {"mamba2.ssm.conv_kernel": 4, "mamba2.ssm.inner_size": 512, "mamba2.ssm.state_size": 128},
        4 * (3 * (512 + 2 * 128) + 512 * 128),
    ),
    "rwkv7": ({"rwkv7.wkv.head_size": 64, "rwkv7.token_shift_count": 2}, 4 * 256 * (2 + 64)),
}


@pytest.mark.parametrize("architecture", STATES)
def test_the_state_of_every_sequence_is_counted(architecture: str) -> None:
    state, numbers = STATES[architecture]
    metadata: dict[str, Value] = {
        "general.architecture": architecture,
        f"{architecture}.block_count": 4,
        f"{architecture}.embedding_length": 256,
        f"{architecture}.ssm.group_count": 1,
        "lfm2.attention.head_count_kv": (0, 8, 0, 8),
    }
    without, recurrent = (GgufHeader(3, 1_000, known, {}, ()) for known in (metadata, metadata | state))
    for slots in (1, 16):
        more = bytes_needed(recurrent, 100, BATCH, slots) - bytes_needed(without, 100, BATCH, slots)
        assert more == (slots + OTHER_SEQUENCES) * numbers * 4


def test_attention_keeps_no_state() -> None:
    assert bytes_needed(header_of(), 100, BATCH, 1) == bytes_needed(header_of(), 100, BATCH, 200)


def test_as_many_sequences_rest_as_are_counted() -> None:
    assert OTHER_SEQUENCES == RESTING_SEQUENCES + 1


def test_a_model_that_does_not_fit_is_refused_with_both_figures() -> None:
    check_memory("large", 2_000_000_000, 2_000_000_000)
    with pytest.raises(ModelTooLarge) as refused:
        check_memory("large", 2_000_000_001, 2_000_000_000)

    assert str(refused.value).startswith("The model large needs about 2.0 GB of memory and 2.0 GB are available:")


@given(wanted=st.integers(1, 1 << 20), spare=st.integers(0, 1 << 36))
def test_the_context_is_halved_until_the_model_fits(wanted: int, spare: int) -> None:
    header = header_of()
    available = header.size_bytes + spare
    floor = min(wanted, LEAST_CELLS)
    try:
        cells = fitting_cells("tiny", header, wanted, BATCH, available)
    except ModelTooLarge:
        assert bytes_needed(header, floor, BATCH) > available
        return

    assert floor <= cells <= wanted
    assert bytes_needed(header, cells, BATCH) <= available
    if cells < wanted:  # twice as many (and one, where a half was rounded) would not have fitted
        assert bytes_needed(header, min(wanted, 2 * cells + 1), BATCH) > available


def test_a_context_that_fits_stays_whole() -> None:
    assert fitting_cells("tiny", header_of(), 5_000, BATCH, 1 << 40) == 5_000


def test_a_model_of_a_short_context_may_have_as_few_cells_as_that() -> None:
    header = header_of(context_tokens=128)
    available = bytes_needed(header, 128, BATCH)

    assert fitting_cells("tiny", header, 4_096, BATCH, available) == 128
    with pytest.raises(ModelTooLarge, match="The model tiny needs about"):
        fitting_cells("tiny", header, 4_096, BATCH, available - 1)


# -- what a container may take ----------------------------------------------------------------------------------------


class Cgroups:
    """A /sys/fs/cgroup and a /proc/self/cgroup in folders of ours."""

    def __init__(self, folder: Path) -> None:
        self.mount = folder / "cgroup"
        self.own = folder / "own"
        self.mount.mkdir()

    def belongs_to(self, *lines: str) -> None:
        self.own.write_text("".join(f"{line}\n" for line in lines))

    def v2(self, path: str, limit: int | str, current: int = 0, file_cache: int = 0) -> None:
        self._write(path, {"max": limit, "current": current}, f"anon 5\ninactive_file {file_cache}\n")

    def v1(self, path: str, limit: int, usage: int = 0, file_cache: int = 0) -> None:
        limits = {"limit_in_bytes": limit, "usage_in_bytes": usage}
        self._write(f"memory/{path}", limits, f"inactive_file 1\ntotal_inactive_file {file_cache}\n")

    def _write(self, path: str, numbers: Mapping[str, int | str], stat: str) -> None:
        folder = self.mount / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, number in numbers.items():
            (folder / f"memory.{name}").write_text(f"{number}\n")
        (folder / "memory.stat").write_text(stat)

    def available(self) -> int:
        return cgroup_available(self.mount, self.own)


@pytest.fixture
def cgroups(tmp_path: Path) -> Cgroups:
    return Cgroups(tmp_path)


def test_version_2_the_tightest_limit_above_the_process_counts(cgroups: Cgroups) -> None:
    cgroups.belongs_to("0::/pods/bot")
    cgroups.v2("pods/bot", "max", current=900)
    cgroups.v2("pods", 1_000, current=400)
    cgroups.v2("", 5_000, current=400)
    assert cgroups.available() == 600

    cgroups.v2("pods/bot", 500, current=450)
    assert cgroups.available() == 50


def test_version_2_file_cache_that_can_be_dropped_is_not_taken(cgroups: Cgroups) -> None:
    cgroups.belongs_to("0::/")
    cgroups.v2("", 1_000, current=900, file_cache=700)

    assert cgroups.available() == 800


def test_version_2_a_container_that_sees_the_path_of_its_host_has_the_limit_of_the_mount(cgroups: Cgroups) -> None:
    cgroups.belongs_to("0::/docker/0123456789ab")
    cgroups.v2("", 1_000, current=1)

    assert cgroups.available() == 999


def test_version_1_the_memory_controller_counts(cgroups: Cgroups) -> None:
    cgroups.belongs_to("11:cpu,cpuacct:/elsewhere", "7:memory:/docker/abc", "1:name=systemd:/")
    cgroups.v1("docker/abc", 1_000, usage=500, file_cache=100)
    cgroups.v1("", 9_223_372_036_854_771_712)

    assert cgroups.available() == 600


def test_more_in_use_than_allowed_leaves_nothing(cgroups: Cgroups) -> None:
    cgroups.belongs_to("0::/")
    cgroups.v2("", 1_000, current=2_000)

    assert cgroups.available() == 0


@pytest.mark.parametrize("lines", [(), ("0::/",), ("7:memory:/x",), ("nonsense",)])
def test_without_a_limit_the_machine_decides(cgroups: Cgroups, lines: tuple[str, ...]) -> None:
    cgroups.belongs_to(*lines)
    assert cgroups.available() > 1 << 50
    cgroups.own.unlink()
    assert cgroups.available() > 1 << 50


def test_this_machine_has_some_memory_left() -> None:
    assert 0 < available_memory() < 1 << 50
