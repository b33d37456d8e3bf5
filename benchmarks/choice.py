"""What a choice among several quotes costs: so many texts on one keyword at once, beside as many on different ones.

    python -m benchmarks.choice
    python -m benchmarks.choice --model-folder data/models/starter --model-folder data/models/another

The numbers take turns, each time on the next keywords. Texts on one keyword have their prompt decoded once, and so the
ratio says what that saves. Times are of the worker, without the choice itself and the database.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path

from benchmarks.quotes import keywords
from bot.chat.generation import Finished, GenerationRequest
from bot.chat.model import Model
from bot.chat.prompts import quote_request
from bot.composition import STARTER, client_limits, open_judge, worker_options
from bot.errors import QuotesmithError
from bot.inference.worker_client import WorkerClient
from bot.models.folder import read_folder
from bot.settings import Settings

NUMBERS = (1, 4, 8, 16)


@dataclass(slots=True)
class Trial:
    """Seconds and drawn tokens of each round, for one number of texts at once."""

    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def add(self, seconds: float, ends: Sequence[Finished]) -> None:
        """One round."""
        self.seconds.append(seconds)
        self.tokens.append(sum(end.completion_tokens for end in ends))

    @property
    def middle_ms(self) -> float:
        """Half of the rounds took no longer."""
        return statistics.median(self.seconds) * 1000

    @property
    def rate(self) -> float:
        """Drawn tokens a second."""
        return sum(self.tokens) / sum(self.seconds)


def main() -> None:
    """Try each model, and print a table for it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model-folder", type=Path, action="append", help="default: the embedded model")
    parser.add_argument("--rounds", type=int, default=30, help="for each number of texts (default 30)")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds is {arguments.rounds}; it must be 1 or more")
    for folder in arguments.model_folder or [STARTER]:
        try:
            model = read_folder(folder)
            alike, different = asyncio.run(try_all(model, arguments.rounds))
        except QuotesmithError as error:
            sys.exit(str(error))
        show(folder, alike, different)


async def try_all(model: Model, rounds: int) -> tuple[dict[int, Trial], dict[int, Trial]]:
    """For each number of texts the trials on one keyword, and those on different ones."""
    settings, judge = Settings(), open_judge(model)
    client = WorkerClient(worker_options(settings, model), client_limits(settings.inference))
    client.start()
    alike: dict[int, Trial] = defaultdict(Trial)
    different: dict[int, Trial] = defaultdict(Trial)
    asked = requests(model, settings, states=judge is not None and judge.of_readers)
    try:
        await client.ready()
        await client.generate_candidates(next(asked), max(NUMBERS))
        for _ in range(rounds):
            for number in NUMBERS:
                several = [next(asked) for _ in range(number)]
                start = time.perf_counter()
                candidates = await client.generate_candidates(several[0], number)
                alike[number].add(time.perf_counter() - start, [one.finished for one in candidates])
                start = time.perf_counter()
                ends = await asyncio.gather(*(ended(client, request) for request in several))
                different[number].add(time.perf_counter() - start, ends)
    finally:
        await client.close()
    return alike, different


def requests(model: Model, settings: Settings, *, states: bool) -> Iterator[GenerationRequest]:
    """A request for each keyword, as the choice makes it, over and over; each of another person, with other seeds."""
    for number, keyword in enumerate(cycle(keywords())):
        request = quote_request(
            model,
            keyword,
            person=f"person {number}",
            max_tokens=settings.quote.max_tokens,
            seed=number * max(NUMBERS),
            deadline_s=60.0,
        )
        yield replace(request, likelihood=True, states=states)


async def ended(client: WorkerClient, request: GenerationRequest) -> Finished:
    """The end of one text."""
    async with aclosing(client.generate(request)) as events:
        found = [event async for event in events if isinstance(event, Finished)]
    return found[0]


def show(folder: Path, alike: dict[int, Trial], different: dict[int, Trial]) -> None:
    """Print one line for each number of texts."""
    one = alike[NUMBERS[0]].middle_ms
    print(folder)
    print("texts  on one keyword            tokens/s  on different keywords     ratio")
    for number in NUMBERS:
        same, other = alike[number], different[number]
        times = f"{same.middle_ms / one:.1f} times one"
        print(
            f"{number:>5}  {same.middle_ms:>6.0f} ms, {times:<15}  {same.rate:>7.0f}"
            f"  {other.middle_ms:>6.0f} ms  {other.rate:>6.0f} tok/s"
            f"  {same.middle_ms / other.middle_ms:>6.2f}"
        )


if __name__ == "__main__":
    main()
