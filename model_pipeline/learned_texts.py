"""What a run taught its model to write, for the stages that count copies or keep the bot from giving them."""

from __future__ import annotations

from model_pipeline.data.prepared import read_rows, training_texts
from model_pipeline.runs import Run, Stage

LEARNED_FILE = "learned.jsonl"  # of the stage prefer: the rows with the replies that it taught


def learned_texts(run: Run) -> list[str]:
    """The replies of the training rows, and those that the model was taught to prefer. Raises `InputInvalid`."""
    files = [run.of(Stage.PREPARE) / "train.jsonl", run.of(Stage.PREFER) / LEARNED_FILE]
    return [text for file in files if file.is_file() for text in training_texts(read_rows(file))]
