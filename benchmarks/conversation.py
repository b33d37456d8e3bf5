"""Time to first token over the turns of one conversation: the twentieth should start about as fast as the second.

    python -m benchmarks.conversation --model MODEL.gguf --turns 20 --json conversation.json

Every turn adds the same number of new words. The figures are medians over several conversations, which differ.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from contextlib import aclosing
from pathlib import Path

from benchmarks.output import writable_file
from benchmarks.serving import existing_file, positive, started
from benchmarks.workload import SAMPLING
from bot.chat.generation import Finished, GenerationRequest, TextDelta
from bot.chat.messages import Role, Turn
from bot.errors import QuotesmithError
from bot.inference.worker_client import WorkerClient

_MESSAGE = "Turn {turn} of talk {talk}: and what about the garden?"


def main() -> None:
    """Measure, print a table and write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=existing_file, required=True, help="a GGUF")
    parser.add_argument("--turns", type=positive, default=20, help="turns of each conversation (default 20)")
    parser.add_argument("--talks", type=positive, default=5, help="conversations, one after another (default 5)")
    parser.add_argument("--tokens", type=positive, default=24, help="new tokens of each reply (default 24)")
    parser.add_argument("--json", type=writable_file, required=True, help="file to write the figures to")
    arguments = parser.parse_args()
    try:
        rows = asyncio.run(measure(arguments.model, arguments.talks, arguments.turns, arguments.tokens))
    except QuotesmithError as error:
        sys.exit(str(error))
    print(f"{'turn':>4} {'prompt':>8} {'decoded':>8} {'ttft_ms':>8}")
    for row in rows:
        print(f"{row['turn']:>4} {row['prompt_tokens']:>8} {row['decoded_tokens']:>8} {row['ttft_ms']:>8}")
    ratio = round(rows[-1]["ttft_ms"] / rows[1]["ttft_ms"], 2) if len(rows) > 1 else 1.0
    print(f"turn {len(rows)} has {ratio} times turn 2's time to first token")
    arguments.json.write_text(json.dumps({"ratio": ratio, "turns": rows}, indent=2) + "\n")


async def measure(model: Path, talks: int, turns: int, tokens: int) -> list[dict[str, float]]:
    """One row for each turn: medians over the talks."""
    client = await started(model)
    try:
        ended = [await converse(client, talk, turns, tokens) for talk in range(talks)]
    finally:
        await client.close()
    return [
        {
            "turn": turn + 1,
            "prompt_tokens": statistics.median(talk[turn].prompt_tokens for talk in ended),
            "decoded_tokens": statistics.median(talk[turn].prompt_tokens - talk[turn].cached_tokens for talk in ended),
            "ttft_ms": round(statistics.median((talk[turn].first_token_s or 0.0) for talk in ended) * 1000, 1),
        }
        for turn in range(turns)
    ]


async def converse(client: WorkerClient, talk: int, turns: int, tokens: int) -> list[Finished]:
    """One conversation; returns how each turn ended."""
    said: list[Turn] = []
    ended = []
    for turn in range(turns):
        said.append(Turn(Role.USER, _MESSAGE.format(turn=turn + 1, talk=talk)))
        request = GenerationRequest(
            person="one",
            turns=tuple(said),
            conversation=f"talk {talk}",
            max_tokens=tokens,
            sampling=SAMPLING,
            seed=turn,
        )
        text = ""
        async with aclosing(client.generate(request)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    text += event.text
                elif isinstance(event, Finished):
                    ended.append(event)
        said.append(Turn(Role.ASSISTANT, text.strip()))
    return ended


if __name__ == "__main__":
    main()
