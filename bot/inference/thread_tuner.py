"""Decides when numbers of threads are tried anew, and goes on with the trials a step at a time; runs none itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from bot.inference.batch_engine import Threads

RETUNE_BELOW = 0.4  # of the measured rate of one stream, over RETUNE_STEPS steps: something else took a processor
RETUNE_STEPS = 40
RETUNE_PAUSE_S = 30.0
RETUNE_EVERY_S = 600.0  # in a quiet moment: the last trials may have met a busy one
QUIET_S = 30.0  # without a request


class Engine(Protocol):
    """What is tuned; see BatchEngine."""

    @property
    def threads(self) -> Threads:
        """What the last trials chose."""
        ...

    def thread_trials(self, counts: Sequence[int]) -> Generator[None, None, Threads]:
        """One trial for each step; the last step chooses."""
        ...


class ThreadTuner:
    """Watches the rate of an engine. With one count to choose from there is nothing to tune."""

    def __init__(self, engine: Engine, counts: Sequence[int], clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._counts = counts
        self._clock = clock
        self._trials: Generator[None, None, Threads] | None = None
        self._slow_steps = 0
        self._tuned_at = self._busy_at = clock()

    @property
    def trying(self) -> bool:
        """Trials are under way: `between_steps` wants to be called soon."""
        return self._trials is not None

    def step_took(self, decoding: int, prefilled: int, seconds: float) -> None:
        """A step decoded one token for each of `decoding` texts and `prefilled` tokens of prompts.

        Begins trials when single tokens stay far slower than the last trials found.
        """
        if decoding != 1 or prefilled:
            return
        slow = 1 / max(seconds, 1e-9) < RETUNE_BELOW * self._engine.threads.single_rate
        self._slow_steps = self._slow_steps + 1 if slow else 0
        if self._slow_steps >= RETUNE_STEPS and self._clock() - self._tuned_at > RETUNE_PAUSE_S:
            self._begin()

    def between_steps(self, busy: bool) -> None:
        """Go on with trials by one; begin some in a quiet moment."""
        now = self._clock()
        self._busy_at = now if busy else self._busy_at
        if self._trials is not None:
            if next(self._trials, self) is self:  # the engine has chosen
                self._trials = None
        elif now - self._busy_at > QUIET_S and now - self._tuned_at > RETUNE_EVERY_S:
            self._begin()

    def _begin(self) -> None:
        if len(self._counts) > 1 and self._trials is None:
            self._trials = self._engine.thread_trials(self._counts)
        self._slow_steps, self._tuned_at = 0, self._clock()
