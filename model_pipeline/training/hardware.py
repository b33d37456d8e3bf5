"""What the machine can do, and which arithmetic and kernels that allows; loads no model."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from importlib.util import find_spec

import torch

from model_pipeline.recipe import Precision
from model_pipeline.training import varlen_attention

PADDED_ONLY = ("eager", "sdpa")  # kinds of attention that cannot keep the rows of a packed sequence apart
_FLASH_CAPABILITY = (8, 0)  # flash-attn 2 needs Ampere; so does bf16 arithmetic


@dataclass(frozen=True, slots=True)
class Hardware:
    """One device; `flash` and `liger` mean that the package is there too."""

    name: str
    cuda: bool
    bf16: bool
    flash: bool
    liger: bool

    def precision(self, wanted: Precision) -> Precision:
        """What AUTO stands for here; anything else stays as it is."""
        if wanted is not Precision.AUTO:
            return wanted
        if not self.cuda:
            return Precision.FP32
        return Precision.BF16 if self.bf16 else Precision.FP16

    def attention(self, precision: Precision, *, flash: bool) -> str:
        """transformers' name of the attention to train with; see `PADDED_ONLY`.

        On processors `eager` trains rows of 20 to 160 tokens 1.2 to 1.5 times as fast as `sdpa` (DECISIONS.md). Its
        memory grows with the square of a row's length.
        """
        if not self.cuda:
            return "eager"
        if not flash or not self.bf16 or precision not in (Precision.BF16, Precision.FP16):
            return "sdpa"
        if self.flash:
            return "flash_attention_2"
        return varlen_attention.NAME if find_spec("torch.nn.attention.varlen") else "sdpa"


def find_hardware() -> Hardware:
    """This process's device."""
    if not torch.cuda.is_available():
        threads = torch.get_num_threads()
        return Hardware(f"CPU, {threads} threads", cuda=False, bf16=False, flash=False, liger=False)
    modern = torch.cuda.get_device_capability() >= _FLASH_CAPABILITY
    return Hardware(
        torch.cuda.get_device_name(),
        cuda=True,
        bf16=modern and torch.cuda.is_bf16_supported(),
        flash=modern and find_spec("flash_attn") is not None,
        liger=find_spec("liger_kernel") is not None,
    )


def dtype_of(precision: Precision) -> torch.dtype:
    """The type that frozen weights are held in."""
    return {Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}.get(precision, torch.float32)


def peak_memory_bytes() -> int:
    """The most that this process has held: on the GPU if there is one, else in all."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
