"""What a model makes of many keywords, asked as the bot asks: closed quotes, their keyword in them, and time.

    python -m benchmarks.quotes --json quotes.json
    python -m benchmarks.quotes --model-folder data/models/llama-3.2-1b-instruct --json quotes.json

Nothing is picked or tried again: one seeded attempt for each keyword. The counts are of form, not of sense.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from contextlib import aclosing
from pathlib import Path

from benchmarks.output import writable_file
from bot.chat.generation import TextDelta
from bot.chat.model import Model
from bot.chat.prompts import quote_request
from bot.chat.quotes import finished_quote, same_text_key
from bot.composition import STARTER, client_limits, worker_options
from bot.errors import QuotesmithError
from bot.inference.worker_client import WorkerClient
from bot.models.folder import read_folder
from bot.settings import Settings
from model_pipeline.gguf.probe_lines import DEFAULT_LINES

MAX_KEYWORDS = 100


def main() -> None:
    """Ask, count, print and write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model-folder", type=Path, default=STARTER, help="default: the embedded model")
    parser.add_argument("--json", type=writable_file, required=True, help="file to write the figures and the quotes to")
    arguments = parser.parse_args()
    try:
        rows = asyncio.run(ask_all(read_folder(arguments.model_folder)))
    except QuotesmithError as error:
        sys.exit(str(error))
    figures = count(rows)
    for name, value in figures.items():
        print(f"{name:<22} {value}")
    arguments.json.write_text(json.dumps({**figures, "rows": rows}, indent=2, ensure_ascii=False) + "\n")


def keywords() -> list[str]:
    """The keywords of the lines that exports are compared on, each once."""
    rows = [json.loads(line) for line in DEFAULT_LINES.read_text(encoding="utf-8").splitlines()]
    return list(dict.fromkeys(row["keyword"] for row in rows if "keyword" in row))[:MAX_KEYWORDS]


async def ask_all(model: Model) -> list[dict[str, object]]:
    """One row for each keyword, in order, one after another."""
    settings = Settings()
    client = WorkerClient(worker_options(settings, model), client_limits(settings.inference))
    client.start()
    try:
        await client.ready()
        return [await ask(client, model, settings, keyword, seed) for seed, keyword in enumerate(keywords())]
    finally:
        await client.close()


async def ask(client: WorkerClient, model: Model, settings: Settings, keyword: str, seed: int) -> dict[str, object]:
    """One attempt, with its time in milliseconds."""
    request = quote_request(
        model, keyword, person="benchmark", max_tokens=settings.quote.max_tokens, seed=seed, deadline_s=60.0
    )
    begin, text = time.monotonic(), ""
    async with aclosing(client.generate(request)) as events:
        async for event in events:
            text += event.text if isinstance(event, TextDelta) else ""
    elapsed_ms = round((time.monotonic() - begin) * 1000, 1)
    return {"keyword": keyword, "quote": finished_quote(text), "elapsed_ms": elapsed_ms}


def count(rows: list[dict[str, object]]) -> dict[str, float]:
    """How many of the quotes are closed, differ from each other, and name their keyword."""
    quotes = [(str(row["keyword"]), str(row["quote"])) for row in rows if row["quote"] is not None]
    return {
        "keywords": len(rows),
        "closed": len(quotes),
        "different": len({same_text_key(quote) for _, quote in quotes}),
        "name their keyword": sum(keyword.lower() in quote.lower() for keyword, quote in quotes),
        "median ms": statistics.median(float(str(row["elapsed_ms"])) for row in rows),
    }


if __name__ == "__main__":
    main()
