"""How long a waiting request will wait, from the rate measured lately; has no clock of its own."""

from __future__ import annotations

_PREFILL_COST = 1 / 3  # of a decoded token: 115 to 147 against 46 tokens a second on two processors
_WEIGHT = 0.1  # of a new observation in the running means


class WaitEstimate:
    """Running means of the worker's rate and of what a request costs, both in decoded tokens."""

    def __init__(self, batch_rate: float, slots: int) -> None:
        self._rate = batch_rate
        self._slots = slots
        self._cost: float | None = None

    def step(self, decoded: int, prefilled: int, seconds: float, running: int) -> None:
        """One step was run. Only full steps say what the worker can do when people wait."""
        if running >= self._slots and seconds > 0:
            self._rate += _WEIGHT * ((decoded + prefilled * _PREFILL_COST) / seconds - self._rate)

    def finished(self, prefilled: int, completion: int) -> None:
        """A request was written to its end."""
        cost = completion + prefilled * _PREFILL_COST
        self._cost = cost if self._cost is None else self._cost + _WEIGHT * (cost - self._cost)

    def wait_s(self, position: int, max_tokens: int) -> float:
        """Seconds until the request at that place in the queue begins: so many others must end before it."""
        cost = self._cost if self._cost is not None else max_tokens / 2
        return position * cost / max(self._rate, 0.1)
