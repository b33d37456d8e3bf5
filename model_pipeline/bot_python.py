"""How `python -m bot` is found from any folder; imports no code of the bot."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path


def python_path() -> str:
    """A PYTHONPATH with the place of this package, beside which the bot lies, and what was there before."""
    beside = str(Path(str(files("model_pipeline"))).parent)
    return os.pathsep.join([beside, *filter(None, [os.environ.get("PYTHONPATH")])])
