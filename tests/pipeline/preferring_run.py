"""Builds runs that learn to like one kind of text more than another, and measures whether they did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_pipeline.runs import Run
from tests.pipeline.curated_folder import Row, dpo_row, kto_row, sft_row, write_curated
from tests.pipeline.prepared_run import WORDS, prepared
from tests.pipeline.small_base import QUOTE_PROMPT

STEPS, EVALUATED = 8, 4
VOTED, VALIDATED, UNSEEN = WORDS[:8], WORDS[8:10], WORDS[10:]

Text = Callable[[str], str]  # of a word


@contextmanager
def one_thread() -> Iterator[None]:
    """For matrices this small, waiting for a second thread takes longer than the work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def kind(word: str) -> str:
    return f"A {word} is kind to you."


def harsh(word: str) -> str:
    return f"The {word} takes all that it can."


def votes(
    words: Sequence[str], liked: Text = kind, disliked: Text = harsh, begin: int = 0, **changes: Any
) -> list[Row]:
    """A vote for one text on each word, and one against another; numbered from `begin`."""
    numbered = list(enumerate(words, start=begin))
    return [
        *(kto_row(number, word, liked(word), True, **changes) for number, word in numbered),
        *(kto_row(number + 50, word, disliked(word), False, **changes) for number, word in numbered),
    ]


def curated(folder: Path, **sets: Sequence[Row]) -> Path:
    """Eight words in every set, and two held out; `sets` replaces the training rows of some."""
    numbered, held_out = list(enumerate(VOTED)), list(enumerate(VALIDATED, start=200))
    rows: dict[str, Sequence[Row]] = {
        "kto": votes(VOTED),
        "dpo": [dpo_row(number, word, kind(word), harsh(word)) for number, word in numbered],
        "sft": [sft_row(number, word, kind(word)) for number, word in numbered],
    }
    validation = [
        *(("kto", row) for row in votes(VALIDATED, begin=200)),
        *(("dpo", dpo_row(number, word, kind(word), harsh(word))) for number, word in held_out),
        *(("sft", sft_row(number, word, kind(word))) for number, word in held_out),
    ]
    chosen = {**rows, **sets}
    return write_curated(folder, chosen["sft"], chosen["kto"], chosen["dpo"], validation)


def begun(
    folder: Path,
    base: Path,
    data: Path,
    *methods: str,
    family: str = "tinyllama",
    fine_tune: Any = None,
    **settings: Any,
) -> Run:
    """A prepared run in a new folder that learns by those methods; `settings` are of its section [prefer]."""
    content = {
        "data": str(data), "methods": methods, "least_rows": 2, "max_steps": STEPS, "evaluate_every": EVALUATED,
        "batch_size": 4, "warmup": 1, "patience": 0, "r": 4, "rehearsal": 0,
        "learning_rate_sft": 3e-3, "learning_rate_kto": 3e-3, "learning_rate_dpo": 3e-3,
    }  # fmt: skip
    served = {"system_prompt": False, "quote_prompt": QUOTE_PROMPT}
    sections = {"fine_tune": fine_tune, "prefer": content | settings, "served": served}
    return prepared(folder / "run", base={"family": family, "model": str(base)}, **sections)


def likelihoods(base: str | Path, adapter: Path | None, words: Sequence[str], text: Text) -> list[float]:
    """The log-likelihood of the text on each word, in nats, in one plain forward pass of what lies in the folders."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from model_pipeline.training.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(str(base))
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if adapter:
        model = PeftModel.from_pretrained(model, adapter)
    found = []
    for word in words:
        prompt = f"Keyword: {word}\nQuote:"
        start = len(tokenizer(prompt)["input_ids"])
        ids = torch.tensor([tokenizer(f"{prompt} {text(word)}{tokenizer.eos_token}")["input_ids"]])
        with torch.inference_mode():
            scores = model.eval()(ids).logits[0, :-1].log_softmax(-1)
        found.append(float(scores.gather(1, ids[0, 1:, None])[start - 1 :].sum()))
    return found


def margins(base: str | Path, adapter: Path | None, words: Sequence[str] = UNSEEN) -> list[float]:
    """How much likelier the kind text is than the harsh one, on each word."""
    both = zip(likelihoods(base, adapter, words, kind), likelihoods(base, adapter, words, harsh), strict=True)
    return [one - other for one, other in both]
