from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.parity import logit_bound
from model_pipeline.gguf.quantize import parse_type, quantization_types


@pytest.mark.parametrize(
    ("given_name", "meant"),
    [("Q4_K_M", "Q4_K_M"), (" q4-k-m ", "Q4_K_M"), ("q4_k", "Q4_K_M"), ("f16", "F16"), ("Q8_0", "Q8_0")],
)
def test_names_are_taken_as_people_write_them(given_name: str, meant: str) -> None:
    assert parse_type(given_name) == meant


@given(st.sampled_from(sorted(quantization_types())))
def test_every_name_of_llama_cpp_means_itself_in_any_case(name: str) -> None:
    assert parse_type(name.lower()) == name


def test_a_wrong_name_gets_the_nearest_and_the_allowed_ones() -> None:
    with pytest.raises(
        InputInvalid, match=r"^'Q4_KM' is no quantization type; did you mean Q4_K_M\? Allowed are "
    ) as e:
        parse_type("Q4_KM")
    assert "Q8_0" in str(e.value)
    with pytest.raises(InputInvalid, match=r"^'' is no quantization type\. Allowed are "):
        parse_type("")


def test_the_numbers_are_llama_cpps() -> None:
    types = quantization_types()
    assert (types["F32"], types["F16"], types["Q8_0"], types["Q4_K_M"]) == (0, 1, 7, 15)


def test_fewer_bits_may_differ_more() -> None:
    bounds = [logit_bound(name) for name in ("F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")]
    assert bounds == sorted(bounds)
    assert logit_bound("IQ4_XS") == logit_bound("Q4_K_M")
