"""Says in one sentence how to get the packages that training needs, where they are missing; imports none of them.

What one of them says while it is imported is kept back here too, for it can be kept back only before.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec

from model_pipeline.errors import InputInvalid

NEEDED = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "accelerate",
    "scipy",
    "sacrebleu",
    "presidio_analyzer",
    "presidio_anonymizer",
    "profanity_check",
    "py3langid",
)


def check_environment() -> None:
    """Raise `InputInvalid` unless the extra `train` is installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise InputInvalid(
            f"This command needs the training packages, and {', '.join(missing)} is not installed here: "
            "make train installs them, and .venv-train/bin/quotesmith-pipeline runs with them."
        )
    # On some processors it asks for a package that nothing here uses, and that it would fill from a network.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
