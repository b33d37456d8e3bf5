"""Reads what `prefer.data` names: a curated folder, or a file of marked quotes; trains nothing."""

from __future__ import annotations

from pathlib import Path

from model_pipeline.data.curated import Curated, read_curated
from model_pipeline.data.marked import Marked, read_marked
from model_pipeline.data.sources import find_path


def read_preference_source(data: str) -> Curated | Marked:
    """A file of marked quotes, which may be one of this package, or a curated folder. Raises `InputInvalid`."""
    place = Path(data).expanduser()
    return read_curated(place) if place.is_dir() or place.suffix != ".jsonl" else read_marked(find_path(data))
