"""Decides when numbers of threads are tried anew, and goes on with the trials a step at a time; runs none itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from bot.inference.batch_engine import TRIAL_BATCH, Threads

RETUNE_BELOW = 0.4  # of the measured rate, over RETUNE_STEPS steps: something else took a processor
RETUNE_STEPS = 40
RETUNE_PAUSE_S = 30.0
RETUNE_EVERY_S = 600.0  # in a quiet moment: the last trials may have met a busy one
QUIET_S = 30.0  # without a request
SOON_QUIET_S = 5.0  # where the last trials met a busy moment: the bot was starting beside them, or steps were slow


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
    """Watches the rates of an engine. With one count to choose from, trials measure them anew and choose nothing."""

    def __init__(self, engine: Engine, counts: Sequence[int], clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._counts = counts
        self._clock = clock
        self._trials: Generator[None, None, Threads] | None = None
        self._slow_steps = 0
        self._in_doubt = True  # the last trials met a busy moment, as those at the start do
        self._tuned_at = self._busy_at = self._quiet_trials_from = clock()

    @property
    def trying(self) -> bool:
        """Trials are under way: `between_steps` wants to be called soon."""
        return self._trials is not None

    def step_took(self, decoding: int, prefilled: int, seconds: float) -> None:
        """A step decoded one token for each of `decoding` texts and `prefilled` tokens of prompts.

        Begins trials when steps without prompts stay far slower than the last trials found. Several tokens take at most
        as long as a trial's batch, or as many such batches as they are.
        """
        if prefilled or not decoding:
            return
        threads = self._engine.threads
        width, rate = (1, threads.single_rate) if decoding == 1 else (max(decoding, TRIAL_BATCH), threads.batch_rate)
        slow = width < RETUNE_BELOW * rate * seconds
        self._slow_steps = self._slow_steps + 1 if slow else 0
        if self._slow_steps >= RETUNE_STEPS and self._clock() - self._tuned_at > RETUNE_PAUSE_S:
            self._begin(in_doubt=True)

    def between_steps(self, busy: bool) -> bool:
        """Go on with trials by one, or begin some in a quiet moment; True where trials have ended: rates are new."""
        now = self._clock()
        self._busy_at = now if busy else self._busy_at
        if self._trials is not None:
            if next(self._trials, self) is self:  # the engine has chosen
                self._trials = None
                return True
        elif now >= self._quiet_trials_from and now - self._busy_at > (SOON_QUIET_S if self._in_doubt else QUIET_S):
            self._begin(in_doubt=False)
        return False

    def _begin(self, in_doubt: bool) -> None:
        if self._trials is None:
            self._trials = self._engine.thread_trials(self._counts)
        self._slow_steps, self._tuned_at, self._in_doubt = 0, self._clock(), in_doubt
        self._quiet_trials_from = self._tuned_at + (RETUNE_PAUSE_S if in_doubt else RETUNE_EVERY_S)
