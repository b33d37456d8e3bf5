"""Makes a model as sure of its tokens as it is right: divides its logits by the temperature that suits held-out rows.

SFT on a model's own texts makes it surer than it should be of what people write. Temperature scaling takes that back,
and changes nothing in what the model finds likelier (C. Guo et al., On Calibration of Modern Neural Networks, 2017,
https://arxiv.org/abs/1706.04599). The temperature goes into the weights, so that every program that runs them has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from scipy.optimize import minimize_scalar

from model_pipeline.data.tokens import Encoded
from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.generation import reply_nats

LEAST, MOST = 0.5, 2.0  # temperatures that are looked at
LAST_NORMS = ("norm", "ln_f", "final_layer_norm", "final_layernorm")  # their names in the families of transformers


@dataclass(frozen=True, slots=True)
class Calibration:
    """The temperature, and what a token of the replies costs without it and with it, in nats."""

    temperature: float
    nats_before: float
    nats_after: float


def calibrate(model: Any, encoded: Sequence[Encoded], batch_size: int, pad_id: int) -> Calibration:
    """Divide the logits of `model` by the temperature at which the replies are likeliest.

    Raises `InputInvalid` as `scaling_weights` does.
    """
    scaled = scaling_weights(model)
    former = [parameter.detach().clone() for parameter in scaled]

    def scale(temperature: float) -> None:
        with torch.no_grad():
            for parameter, before in zip(scaled, former, strict=True):
                parameter.copy_(before / temperature)

    def nats(temperature: float) -> float:
        scale(temperature)
        found = reply_nats(model, encoded, batch_size, pad_id, lambda done, how="": None)
        return sum(each for each, _ in found) / sum(tokens for _, tokens in found)

    model.eval()
    before = nats(1.0)
    best = minimize_scalar(nats, bounds=(LEAST, MOST), method="bounded", options={"xatol": 0.005})
    temperature = float(best.x) if best.fun < before else 1.0
    scale(temperature)
    return Calibration(temperature, before, min(float(best.fun), before))


def scaling_weights(model: Any) -> list[torch.nn.Parameter]:
    """The weights that the logits are proportional to: the head's, or the last norm's where the head is tied.

    Raises `InputInvalid` where none are known.
    """
    head = model.get_output_embeddings()
    module = head
    if head.weight is model.get_input_embeddings().weight:
        module = next((each for name in LAST_NORMS if (each := getattr(model.base_model, name, None))), None)
    parameters = list(module.parameters()) if module is not None else []
    if not parameters or not _are_proportional(model, parameters):
        kind = model.config.model_type
        raise InputInvalid(
            f"prefer.calibrate knows no weights of a model of the kind {kind} that scale its logits; set it to false."
        )
    return parameters


def _are_proportional(model: Any, parameters: Sequence[torch.nn.Parameter]) -> bool:
    """Whether twice the weights are twice the logits; some norms add one to theirs."""
    ids = torch.arange(4, device=model.device)[None]
    with torch.no_grad():
        once = model(ids).logits.float()
        for parameter in parameters:
            parameter.mul_(2)
        twice = model(ids).logits.float()
        for parameter in parameters:
            parameter.div_(2)
    return bool(torch.allclose(twice, 2 * once, rtol=1e-3, atol=1e-3))
