"""How surprised models are by the quotes on held-out keywords, by the set that a quote comes from; loads no model.

Bits a character, and not nats a token: models with other tokens than these can be held beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model_pipeline.data.rows import Row, reply_of, source_of
from model_pipeline.evaluation.page_markdown import escape
from model_pipeline.evaluation.perplexity import BitsPerCharacter
from model_pipeline.evaluation.statistics import Estimate

LEAST_QUOTES = 2  # of a set: one quote has no spread


@dataclass(frozen=True, slots=True)
class HeldOutBits:
    """For each set its number of quotes, and for each model what it makes of each set, with 95% intervals over quotes.

    The sum runs over the tokens of a quote and the token that ends it.
    """

    quotes: dict[str, int]
    models: dict[str, dict[str, Estimate]]

    @property
    def head(self) -> tuple[str, ...]:
        """Of a table with a column for each set."""
        return ("Bits a character", *(f"{name}, {count:,} quotes" for name, count in self.quotes.items()))

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Of that table: one for each model."""
        return [(model, *(f"{one.value:.3f}" for one in found.values())) for model, found in self.models.items()]

    def section(self) -> str:
        """The same for a model's card, with the intervals."""
        lines = [self.head, ("---",) * len(self.head)]
        for model, found in self.models.items():
            cells = (f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})" for one in found.values())
            lines.append((escape(model), *cells))
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def figures(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)


def held_out_bits(rows: Sequence[Row], nats: Mapping[str, Sequence[float]], seed: int) -> HeldOutBits:
    """Of the quotes in `rows`; `nats` holds for each model the negative log-likelihood of each, in their order."""
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(source_of(row), []).append(place)
    sets = {name: found for name, found in places.items() if len(found) >= LEAST_QUOTES}

    def estimate(found: Sequence[float], of: Sequence[int]) -> Estimate:
        bits = tuple(found[place] / math.log(2) for place in of)
        return BitsPerCharacter(bits, tuple(len(reply_of(rows[place])) for place in of)).estimate(seed)

    models = {model: {name: estimate(found, of) for name, of in sets.items()} for model, found in nats.items()}
    return HeldOutBits({name: len(of) for name, of in sets.items()}, models)
