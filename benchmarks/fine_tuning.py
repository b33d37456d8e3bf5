"""Speed, memory and correctness of the stage `fine-tune` on one GPU, for the recipe llama32-1b-finetome-r16.

    python -m benchmarks.fine_tuning --out fine_tuning.json

Each setting goes through the product's own stage, on random weights of Llama 3.2 1B's shape and random rows whose
lengths are distributed like FineTome's. Tokens are real ones: padding is not counted. What counts as arithmetic says
`fine_tuning_flops`. Correctness is the loss and the norm of the gradient of the first step on four rows, on a model of
two layers, beside those of the same method with padded rows, sdpa and no fused kernels.

A file that is there is gone on with: a setting that it has is not measured again. `--tiny` is a check on a CPU.
"""

from __future__ import annotations

import argparse
import gc
import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from benchmarks.fine_tuning_flops import DATASHEET_FLOPS, flops_per_token, matmul_flops
from benchmarks.fine_tuning_run import LLAMA32_1B, TINY, Shape, make_base, make_run, random_lengths
from benchmarks.fine_tuning_setting import SETTINGS, TINY_SETTINGS, Setting, trained
from benchmarks.output import writable_file
from model_pipeline.runs import versions

STEPS, TINY_STEPS, LEFT_OUT = 24, 8, 5  # optimizer steps of a measurement, and those before the clock starts
CHECK_STEPS, CHECK_LAYERS, CHECK_ROWS = 3, 2, (0.5, 1.5, 0.75, 1.0)  # rows in medians
HEAD = (
    "setting", "tokens/s", "ms/step", "peak GiB", "TFLOP/s", "of measured", "of datasheet", "loss +-", "gradient +-",
)  # fmt: skip

Result = dict[str, Any]


def main() -> None:
    """Measure every setting that the file does not have, print a table, write the JSON after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=writable_file, required=True, help="the JSON")
    parser.add_argument("--seconds", type=float, default=280, help="no setting is begun after that")
    parser.add_argument("--limit", type=int, default=75, help="seconds for one setting")
    parser.add_argument("--tiny", action="store_true", help="a small model and few steps, on a CPU")
    arguments = parser.parse_args()
    results = measure(arguments)
    show(results)
    missing = len(TINY_SETTINGS if arguments.tiny else SETTINGS) - len(results["settings"])
    sys.exit(f"{missing} settings are missing; the same command goes on with them." if missing else 0)


def measure(arguments: argparse.Namespace) -> Result:
    """All results: those in the file, and those of now."""
    shape, settings = (TINY, TINY_SETTINGS) if arguments.tiny else (LLAMA32_1B, SETTINGS)
    device, ends = "cpu" if arguments.tiny else "cuda", time.monotonic() + arguments.seconds
    results = _read(arguments.out) or {"shape": asdict(shape), "packages": versions(), "device": _name(device)}
    results["measured_peak_flops"] = 0.0 if arguments.tiny else matmul_flops()
    done: list[Result] = results.setdefault("settings", [])
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        base = make_base(folder / "base", shape, shape.layers, device)
        shallow = make_base(folder / "shallow", shape, CHECK_LAYERS, device)
        for setting in settings:
            if setting.name in {result["name"] for result in done} or time.monotonic() > ends:
                continue
            result = _guarded(setting, folder, base, shallow, shape, arguments.limit)
            done.append(result)
            arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            print(json.dumps(result), flush=True)
            if "CUDA error" in result.get("error", ""):  # nothing works in this process any more
                break
    return results


def check(setting: Setting, folder: Path, shallow: Path, shape: Shape) -> Result:
    """Loss and norm of the gradient at each of a few steps on the same four rows."""
    rows = [round(shape.median * share) for share in CHECK_ROWS]
    checked = {"batch_size": len(rows), "accumulate": 1, "dropout": 0.0, "learning_rate": 1e-3, "warmup": 0}
    run = make_run(folder / f"{setting.name}-check", shallow, shape, rows, setting.recipe(CHECK_STEPS) | checked, 1)
    log = trained(run, setting).log
    return {"losses": [entry["loss"] for entry in log], "gradient_norms": [entry["grad_norm"] for entry in log]}


def speed(setting: Setting, folder: Path, base: Path, shape: Shape, steps: int) -> Result:
    """Tokens a second, memory and arithmetic of the steps behind the first `LEFT_OUT`."""
    lengths = random_lengths(shape, shape.rows if setting.packing else shape.rows // 4, 2)
    run = make_run(folder / setting.name, base, shape, lengths, setting.recipe(steps), 3)
    gc.collect()  # a trainer refers to itself, and would still hold its model
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    measured = trained(run, setting)
    seconds = measured.ended[-1] - measured.ended[LEFT_OUT - 1]
    tokens = measured.log[-1]["num_tokens"] - measured.log[LEFT_OUT - 1]["num_tokens"]
    figures = measured.figures
    return {
        "tokens_per_second": tokens / seconds,
        "tokens_per_step": tokens / (steps - LEFT_OUT),
        "seconds_per_step": seconds / (steps - LEFT_OUT),
        "peak_memory_bytes": figures["peak_memory_bytes"],
        "model_flops": flops_per_token(shape, lengths, figures["trained_parameters"]) * tokens / seconds,
        "trained_parameters": figures["trained_parameters"],
        "total_parameters": figures["total_parameters"],
        "ran_with": {key: figures[key] for key in ("attention", "packing", "liger", "precision")},
    }


def show(results: Result) -> None:
    """The table."""
    print(f"{results['device']}: a bf16 product reaches {results['measured_peak_flops'] / 1e12:.0f} TFLOP/s")
    lines = [HEAD, *(_line(result, results) for result in results["settings"])]
    widths = [max(len(line[place]) for line in lines if len(line) == len(HEAD)) for place in range(len(HEAD))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)))


def _line(result: Result, results: Result) -> tuple[str, ...]:
    if "error" in result:
        return (result["name"], result["error"])
    flops, peak = result["model_flops"], results["measured_peak_flops"]
    alike = (other for other in results["settings"] if other["method"] == result["method"] and "losses" in other)
    reference = next(alike)  # the first of each method is the plain one
    loss = result["losses"][0] - reference["losses"][0]
    gradient = result["gradient_norms"][0] / reference["gradient_norms"][0] - 1
    return (
        result["name"],
        f"{result['tokens_per_second']:,.0f}",
        f"{result['seconds_per_step'] * 1_000:.0f}",
        f"{result['peak_memory_bytes'] / 2**30:.2f}",
        f"{flops / 1e12:.1f}",
        f"{flops / peak:.1%}" if peak else "",
        f"{flops / DATASHEET_FLOPS:.1%}",
        f"{loss:+.1e}",
        f"{gradient:+.2%}",
    )


def _guarded(setting: Setting, folder: Path, base: Path, shallow: Path, shape: Shape, limit: int) -> Result:
    """The result, or the error as one, so that one setting's failure costs no other's figures."""

    def too_long(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done in {limit} s")

    result: Result = {"name": setting.name, **asdict(setting)}
    steps = TINY_STEPS if shape is TINY else STEPS
    before, began = signal.signal(signal.SIGALRM, too_long), time.monotonic()
    signal.alarm(limit)
    try:
        result |= check(setting, folder, shallow, shape)
        result |= speed(setting, folder, base, shape, steps)
    except Exception as error:  # noqa: BLE001
        cause = error.__cause__ or error
        result["error"] = f"{type(cause).__name__}: {' '.join(str(cause).split())[:300]}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    gc.collect()
    return result | {"seconds": round(time.monotonic() - began, 1)}


def _read(path: Path) -> Result:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "CPU"


if __name__ == "__main__":
    main()
