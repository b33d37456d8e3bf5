"""What a run taught its model to write, and what that knew before: for stages that count copies, or keep them back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model_pipeline.data.prepared import read_rows, training_texts
from model_pipeline.gguf.model_folder import JUDGE_FILE
from model_pipeline.judging.learned_filters import Learned, learned_filters, read_learned
from model_pipeline.runs import Run, Stage

LEARNED_FILE = "learned.jsonl"  # of the stage prefer: the rows with the replies that it taught


def learned_texts(run: Run) -> list[str]:
    """The replies of the training rows, and those that preferences taught, each once. Raises `InputInvalid`."""
    rows, taught = read_rows(run.of(Stage.PREPARE) / "train.jsonl"), run.of(Stage.PREFER) / LEARNED_FILE
    if taught.is_file():  # written rows are rehearsed there, and stand in both
        rows += read_rows(taught)
    return list(dict.fromkeys(training_texts(rows)))


def learned_before(run: Run) -> Learned | None:
    """What a served base had learned, of which the run may have no text; None of one without a judge, or of another.

    Raises `InputInvalid`.
    """
    judge = run.of(Stage.DEQUANTIZE) / JUDGE_FILE
    return read_learned(judge) if judge.is_file() else None


def filters_of(run: Run) -> dict[str, NDArray[np.generic]]:
    """The filters of all that its model learned, for its judge's file. Raises `InputInvalid`.

    A run may learn from a part of the base's texts alone, or from other ones: it still knows the rest by heart.
    """
    return learned_filters(learned_texts(run), learned_before(run))
