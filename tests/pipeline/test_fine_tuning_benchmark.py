from __future__ import annotations

import inspect
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import flash_attention_mask

from benchmarks import fine_tuning
from benchmarks.fine_tuning import CHECK_LAYERS, check, main
from benchmarks.fine_tuning_flops import flops_per_token
from benchmarks.fine_tuning_run import LLAMA32_1B, TINY, make_base, random_lengths
from benchmarks.fine_tuning_setting import SETTINGS, TINY_SETTINGS, Setting
from model_pipeline.training.varlen_attention import varlen_attention

PADDED, PACKED_SDPA, PACKED_VARLEN = TINY_SETTINGS
PARAMETERS_OF_LLAMA32_1B = 1_235_814_400  # as its model card counts them


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("made") / "base", TINY, CHECK_LAYERS, "cpu")


@pytest.fixture(scope="module")
def padded(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return check(PADDED, tmp_path_factory.mktemp("padded"), base, TINY)


@pytest.mark.parametrize("packed", [PACKED_SDPA, PACKED_VARLEN], ids=lambda setting: setting.attention)
def test_packed_rows_train_as_single_rows_do(
    packed: Setting, padded: dict[str, Any], base: Path, tmp_path: Path
) -> None:
    found = check(packed, tmp_path, base, TINY)

    assert found["losses"] == pytest.approx(padded["losses"], rel=1e-5)
    assert found["gradient_norms"] == pytest.approx(padded["gradient_norms"], rel=1e-4)


def test_rows_that_see_their_neighbours_are_found_out(padded: dict[str, Any], base: Path, tmp_path: Path) -> None:
    def blind(*arguments: Any, cu_seq_lens_q: Any = None, **options: Any) -> Any:
        return varlen_attention(*arguments, **options)

    AttentionInterface.register("blind", blind)
    AttentionMaskInterface.register("blind", flash_attention_mask)

    found = check(replace(PACKED_VARLEN, attention="blind"), tmp_path, base, TINY)

    assert abs(found["losses"][0] - padded["losses"][0]) > 1e-3
    assert found["gradient_norms"][0] != pytest.approx(padded["gradient_norms"][0], rel=1e-2)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.sampled_from([1, 2, 4]))
def test_each_packed_row_attends_to_itself_alone(sizes: list[int], groups: int) -> None:
    query = torch.randn(1, 4, sum(sizes), 8, dtype=torch.float64)
    key, value = torch.randn(2, 1, 4 // groups, sum(sizes), 8, dtype=torch.float64)
    begins = torch.tensor([0, *torch.tensor(sizes).cumsum(0)], dtype=torch.int32)

    found, _ = varlen_attention(torch.nn.Module(), query, key, value, None, cu_seq_lens_q=begins)

    place = 0
    for size in sizes:
        own = (states[:, :, place : place + size] for states in (query, key, value))
        alone = scaled_dot_product_attention(*own, is_causal=True, enable_gqa=True)
        assert torch.allclose(found[:, place : place + size], alone.transpose(1, 2))
        place += size


def test_pytorchs_kernel_for_packed_rows_takes_what_it_is_given() -> None:
    from torch.nn.attention.varlen import varlen_attn

    assert {"scale", "window_size", "enable_gqa"} <= set(inspect.signature(varlen_attn).parameters)


def test_arithmetic_of_a_token_is_what_the_real_shape_makes_it() -> None:
    norms = (2 * LLAMA32_1B.layers + 1) * LLAMA32_1B.hidden
    output = LLAMA32_1B.vocabulary * LLAMA32_1B.hidden
    weights = PARAMETERS_OF_LLAMA32_1B - norms - output * 0.4  # of the tokens, 4 in 10 belong to the prompt

    without = flops_per_token(LLAMA32_1B, [100], 0)

    assert without == pytest.approx(4 * weights + 6 * 100 * LLAMA32_1B.hidden * LLAMA32_1B.layers)
    assert flops_per_token(LLAMA32_1B, [100], 1_000) == without + 6_000
    assert flops_per_token(LLAMA32_1B, [10, 190], 0) > without  # long rows have more pairs of tokens


def test_row_lengths_stay_in_bounds_and_have_the_median() -> None:
    lengths = sorted(random_lengths(LLAMA32_1B, 2_001, 0))

    assert lengths[0] >= 8 and lengths[-1] == LLAMA32_1B.max_tokens
    assert lengths[1_000] == pytest.approx(LLAMA32_1B.median, rel=0.1)


def test_no_two_settings_have_one_name() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def test_a_file_is_gone_on_with_and_a_failure_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    broken = replace(PADDED, attention="no-such-attention")
    done = {"name": "done", **asdict(PADDED), "error": "OutOfMemoryError: seen before"}
    out.write_text(json.dumps({"device": "CPU", "settings": [done]}))
    monkeypatch.setattr(sys, "argv", ["fine_tuning", "--tiny", "--out", str(out)])
    monkeypatch.setattr(fine_tuning, "TINY_SETTINGS", (broken, PACKED_VARLEN))

    with pytest.raises(SystemExit):
        main()

    first, second, third = json.loads(out.read_text())["settings"]
    assert first == done
    assert "no-such-attention" in second["error"]
    assert (
        third["tokens_per_second"] > 0 and third["ran_with"]["packing"] and third["ran_with"]["attention"] == "varlen"
    )
    assert third["tokens_per_step"] <= 2 * 2 * TINY.max_tokens
    assert "seen before" in capsys.readouterr().out
