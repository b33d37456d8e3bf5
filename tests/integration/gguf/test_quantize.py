from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from model_pipeline.errors import InputInvalid, ParityFailed, QuantizationFailed
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.parity import Probes, check_parity, require
from model_pipeline.gguf.quantize import quantize
from tests.integration.gguf.conftest import STARTER

PROBES = Probes(["A quiet door is still a door."], prompts=["Keyword: sea\nQuote:", "Keyword: courage\nQuote:"])


def checked(trained: Path, written: Path, type_name: str) -> dict[str, dict[str, float]]:
    with GgufModel(trained) as reference, GgufModel(written) as candidate:
        gates = check_parity(reference, candidate, PROBES, type_name)
    require(*gates)
    return {gate.name: gate.figures for gate in gates}


@pytest.mark.parametrize(("type_name", "gates"), [("F16", 4), ("Q8_0", 3), ("Q4_K_M", 3)])
def test_a_quantized_model_passes_its_gates(unquantized: Path, tmp_path: Path, type_name: str, gates: int) -> None:
    done = quantize(unquantized, tmp_path / "out.gguf", type_name, threads=1)
    assert done.path == tmp_path / "out.gguf"
    assert done.size_bytes == done.path.stat().st_size < unquantized.stat().st_size
    assert done.fallback_tensors == 0
    assert len(checked(unquantized, done.path, type_name)) == gates
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


def test_fewer_bits_make_a_smaller_file_with_a_larger_difference(unquantized: Path, tmp_path: Path) -> None:
    eight, four = (quantize(unquantized, tmp_path / f"{name}.gguf", name, threads=1) for name in ("Q8_0", "q4_k"))
    assert four.type_name == "Q4_K_M"
    assert four.size_bytes < eight.size_bytes
    differences = [checked(unquantized, made.path, made.type_name)["logits"]["relative_rms"] for made in (eight, four)]
    assert 0 < differences[0] < differences[1]


def test_a_quantized_file_is_not_quantized_again(tmp_path: Path) -> None:
    with pytest.raises(QuantizationFailed, match=r"^llama\.cpp cannot write model\.gguf as Q4_K_M: requantizing .+\.$"):
        quantize(STARTER / "model.gguf", tmp_path / "out.gguf", "Q4_K_M", threads=1)
    assert not list(tmp_path.iterdir())


def test_what_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("no GGUF at all")
    with pytest.raises(QuantizationFailed, match=r"^llama\.cpp cannot write text\.gguf as Q8_0: .+\.$"):
        quantize(tmp_path / "text.gguf", tmp_path / "out.gguf", "Q8_0", threads=1)
    assert not (tmp_path / "out.gguf").exists()


@pytest.mark.parametrize(
    ("source", "out", "type_name", "told"),
    [
        ("none.gguf", "out.gguf", "Q8_0", "none.gguf is not a file"),
        ("model.gguf", "nowhere/out.gguf", "Q8_0", "nowhere/out.gguf cannot be written"),
        ("model.gguf", ".", "Q8_0", "cannot be written"),
        ("model.gguf", "out.gguf", "Q9", "'Q9' is no quantization type"),
    ],
)
def test_wrong_input_is_named(tmp_path: Path, source: str, out: str, type_name: str, told: str) -> None:
    shutil.copyfile(STARTER / "model.gguf", tmp_path / "model.gguf")
    with pytest.raises(InputInvalid) as caught:
        quantize(tmp_path / source, tmp_path / out, type_name)
    assert told in str(caught.value)


def damaged(source: Path, target: Path, old: bytes, new: bytes) -> Path:
    content = source.read_bytes()
    assert len(old) == len(new) and content.count(old) == 1
    target.write_bytes(content.replace(old, new))
    return target


def test_damaged_weights_fail_the_gate(unquantized: Path, tmp_path: Path) -> None:
    content = bytearray(unquantized.read_bytes())
    content[-4 * 256 * 64 :] = bytes(4 * 256 * 64)
    (tmp_path / "damaged.gguf").write_bytes(content)
    with pytest.raises(ParityFailed, match=r"^The logits differ too much: relative RMS "):
        checked(unquantized, tmp_path / "damaged.gguf", "F32")


def test_a_damaged_vocabulary_fails_the_gate(unquantized: Path, tmp_path: Path) -> None:
    # "Ġdoor" becomes "Ġdopr": each length comes before the text.
    other = damaged(
        unquantized, tmp_path / "damaged.gguf", b"\6\0\0\0\0\0\0\0\xc4\xa0door", b"\6\0\0\0\0\0\0\0\xc4\xa0dopr"
    )
    with pytest.raises(ParityFailed, match=r"^The GGUF cuts '.+' into other tokens from number "):
        checked(unquantized, other, "F32")


def test_a_damaged_template_fails_the_gate(unquantized: Path, tmp_path: Path) -> None:
    other = damaged(unquantized, tmp_path / "damaged.gguf", b"add_generation_prompt", b"and_generation_prompt")
    with pytest.raises(ParityFailed, match=r"^The GGUF's chat template gives .* and the trained one "):
        checked(unquantized, other, "F32")


def test_a_template_that_cannot_be_parsed_is_named(unquantized: Path, tmp_path: Path) -> None:
    other = damaged(unquantized, tmp_path / "damaged.gguf", b"if add_generation_prompt", b"of add_generation_prompt")
    with pytest.raises(InputInvalid, match=r"^llama\.cpp cannot load .*damaged\.gguf: Encountered unknown tag 'of'\.$"):
        GgufModel(other)


def test_a_file_that_llama_cpp_cannot_load_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("no GGUF at all")
    with pytest.raises(InputInvalid, match=r"^llama\.cpp cannot load .*text\.gguf: .+\.$"):
        GgufModel(tmp_path / "text.gguf")
