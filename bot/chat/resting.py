"""Which keywords no quote is written ahead for just now, since nothing new came of them; knows no model, no store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

REST_S = 300.0  # doubled each time in a row
LONGEST_REST_S = 86_400.0


class Resting:
    """Keywords that are left alone for a while, for each model. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rests: dict[str, dict[str, tuple[float, float]]] = {}  # of a keyword, how long, and until when

    def awake(self, model: str, wanted: Sequence[str]) -> Sequence[str]:
        """Those of the wanted keywords that may be tried now; what is known of keywords not wanted is forgotten."""
        rests = {keyword: rest for keyword, rest in self._of(model).items() if keyword in wanted}
        self._rests[model], now = rests, self._clock()
        return [keyword for keyword in wanted if keyword not in rests or rests[keyword][1] <= now]

    def nothing_new(self, model: str, keyword: str) -> bool:
        """Leave the keyword alone, twice as long as the last time; True where the model had none left alone before."""
        rests = self._of(model)
        first, (last_s, _) = not rests, rests.get(keyword, (REST_S / 2, 0.0))
        rest_s = min(2 * last_s, LONGEST_REST_S)
        rests[keyword] = (rest_s, self._clock() + rest_s)
        return first

    def something_new(self, model: str, keyword: str) -> None:
        """A quote came, so the keyword may be tried at any time."""
        self._of(model).pop(keyword, None)

    def _of(self, model: str) -> dict[str, tuple[float, float]]:
        return self._rests.setdefault(model, {})
