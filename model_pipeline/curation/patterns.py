"""What personal data look like, as regular expressions by the name that takes their place; knows no library.

The bot takes them out of what it exports, by the same file. The lists of presidio cover what the world shares (cards,
bank accounts, addresses of machines); these cover what people of chat platforms give away, and what presidio asks a
network or a language model for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from model_pipeline.errors import InputInvalid

_PACKAGE, _FILE = "bot", Path("storage") / "personal_data.toml"


def read_patterns() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """By `exact` and `any_case` (whether the case of letters counts), and by kind. Raises `InputInvalid`."""
    spec = find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations if spec else None) or ():
        if (path := Path(place) / _FILE).is_file():
            return tomllib.loads(path.read_text(encoding="utf-8"))
    raise InputInvalid(f"The package {_PACKAGE} is not installed here, and with it the patterns of personal data.")
