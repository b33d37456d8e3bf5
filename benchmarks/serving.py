"""Tokens a second, time to first token and latency of the bot's worker, beside other ways to serve the same model.

    python -m benchmarks.serving --model MODEL.gguf --users 16 --requests 32 --tokens 32 --json serving.json

One run measures, in turn: `sequential`, one `Llama(...)` at its defaults, which take half of the processors for
writing; `sequential_all_threads`, the same with all of them; `engine`, the bot's worker as the bot starts it; and with
--llama-server BINARY also `llama_server`. With --neighbour another process keeps one processor busy all the while.
Machines drift: compare figures of one run only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.output import writable_file
from benchmarks.workload import PREAMBLE, Answered, percentile, request_for, summary
from bot.chat.generation import Finished
from bot.composition import client_limits, worker_options
from bot.errors import QuotesmithError
from bot.inference.worker_client import WorkerClient
from bot.models.folder import default_manifest
from bot.settings import InferenceSettings, Settings

LAG_EVERY_S = 0.005  # how often the event loop's lag is looked at

Ask = Callable[[int, int], Awaitable[Answered]]


def main() -> None:
    """Measure, print a table and write the JSON."""
    arguments = parse()
    try:
        figures = measure(arguments)
    except QuotesmithError as error:
        sys.exit(str(error))
    show(figures)
    run = {key: str(value) if isinstance(value, Path) else value for key, value in vars(arguments).items()}
    arguments.json.write_text(json.dumps({"arguments": run, **figures}, indent=2) + "\n")


def measure(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The figures of each way to serve."""
    default_manifest(arguments.model)  # no model: say so before anything is started
    with neighbour(arguments.neighbour):
        figures = {
            "sequential": sequential(arguments, threads=0),
            "sequential_all_threads": sequential(arguments, threads=os.cpu_count() or 1),
            "engine": asyncio.run(engine(arguments)),
        }
        if arguments.llama_server:
            figures["llama_server"] = asyncio.run(llama_server(arguments))
    return figures


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=existing_file, required=True, help="a GGUF")
    parser.add_argument("--users", type=positive, default=16, help="people who ask at once (default 16)")
    parser.add_argument("--requests", type=positive, default=32, help="requests of all together (default 32)")
    parser.add_argument("--tokens", type=positive, default=32, help="new tokens of each request (default 32)")
    parser.add_argument("--llama-server", type=existing_file, help="llama.cpp's server, to be measured too")
    parser.add_argument("--neighbour", action="store_true", help="keep one processor busy with another process")
    parser.add_argument("--json", type=writable_file, required=True, help="file to write the figures to")
    return parser.parse_args()


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return number


def existing_file(text: str) -> Path:
    """A file that is there."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return path


@contextmanager
def neighbour(wanted: bool) -> Iterator[None]:
    """A process that never sleeps, as another service of a small machine may be."""
    if not wanted:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def sequential(arguments: argparse.Namespace, threads: int) -> dict[str, float]:
    """One `Llama(...)`, in a process of its own, so that it starts from the same state as the worker."""
    command = [sys.executable, "-m", "benchmarks.sequential_llama", str(arguments.model)]
    command += [str(arguments.users), str(arguments.requests), str(arguments.tokens), str(threads)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


async def engine(arguments: argparse.Namespace) -> dict[str, float]:
    """The bot's worker at the bot's default settings, asked over the same pipe as by the bot."""
    client = await started(arguments.model, waiting=arguments.users)
    try:
        stop = asyncio.Event()
        lag = asyncio.create_task(loop_lag(stop))

        async def ask(number: int, user: int) -> Answered:
            async with aclosing(client.generate(request_for(number, user, arguments.tokens))) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        first_s = event.first_token_s or event.elapsed_s
                        return Answered(first_s, event.elapsed_s, event.completion_tokens)
            raise RuntimeError("the worker gave no end")

        figures = await under_load(ask, arguments.users, arguments.requests)
        stop.set()
        lags = sorted(await lag)
        facts = await client.ready()
    finally:
        await client.close()
    threads = {"threads": facts.threads, "batch_threads": facts.batch_threads}
    return {**figures, **threads, "event_loop_lag_p99_ms": round(percentile(lags, 99) * 1000, 2)}


async def started(model: Path, waiting: int = 1) -> WorkerClient:
    """A loaded worker, set up by the bot's own composition at its default settings."""
    settings = Settings(inference=InferenceSettings(max_waiting=max(waiting, 64)))
    served = default_manifest(model).to_model(model.parent)
    options = replace(worker_options(settings, served), shared_prefixes=(PREAMBLE,))
    client = WorkerClient(options, client_limits(settings.inference))
    client.start()
    try:
        await client.ready()
    except QuotesmithError:
        await client.close()
        raise
    return client


async def llama_server(arguments: argparse.Namespace) -> dict[str, float]:
    """llama.cpp's server, with as many slots and as large a cache as the worker has."""
    import aiohttp

    from benchmarks import llama_server

    settings = InferenceSettings()
    slots = min(settings.slots, arguments.users)
    async with (
        llama_server.running(arguments.llama_server, arguments.model, slots, settings.context_tokens) as address,
        aiohttp.ClientSession() as session,
    ):
        await llama_server.ask(session, address, arguments.requests, 4)

        async def ask(number: int, user: int) -> Answered:
            return await llama_server.ask(session, address, number, arguments.tokens)

        return await under_load(ask, arguments.users, arguments.requests)


async def under_load(ask: Ask, users: int, requests: int) -> dict[str, float]:
    """So many users at once; each asks again as soon as they have their answer."""
    numbers = iter(range(requests))
    answers: list[Answered] = []

    async def one_user(user: int) -> None:
        for number in numbers:
            answers.append(await ask(number, user))

    begin = time.monotonic()
    await asyncio.gather(*(one_user(user) for user in range(users)))
    return summary(answers, time.monotonic() - begin)


async def loop_lag(stop: asyncio.Event) -> list[float]:
    """How late the event loop wakes who sleeps, in seconds, until `stop`."""
    lags = []
    while not stop.is_set():
        before = time.monotonic()
        await asyncio.sleep(LAG_EVERY_S)
        lags.append(time.monotonic() - before - LAG_EVERY_S)
    return lags


def show(figures: dict[str, dict[str, float]]) -> None:
    """A table, and the ratios of the engine to the others."""
    keys = ("tokens_per_s", "ttft_p50_s", "latency_p50_s", "latency_p95_s")
    print(f"{'':<24}" + "".join(f"{key:>15}" for key in keys))
    for name, row in figures.items():
        print(f"{name:<24}" + "".join(f"{row[key]:>15}" for key in keys))
    for name, row in figures.items():
        ratio = figures["engine"]["tokens_per_s"] / row["tokens_per_s"]
        if name != "engine":
            print(f"the engine writes {ratio:.2f} times as many tokens a second as {name}")
    print(f"event loop lag of the engine's side, 99th percentile: {figures['engine']['event_loop_lag_p99_ms']} ms")


if __name__ == "__main__":
    main()
