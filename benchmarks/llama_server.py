"""llama.cpp's own server under the same load: starts the binary, asks it over HTTP, ends it."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from benchmarks.workload import SAMPLING, Answered, prompt_for

START_TIMEOUT_S = 120.0


@asynccontextmanager
async def running(binary: Path, model: Path, slots: int, context_tokens: int) -> AsyncIterator[str]:
    """The server with so many slots over one cache; yields its address. Raises RuntimeError if it does not start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        binary,
        *("--model", model, "--host", "127.0.0.1", "--port", str(port)),
        *("--parallel", str(slots), "--ctx-size", str(context_tokens), "--kv-unified"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        await _healthy(address, process)
        yield address
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ask(session: aiohttp.ClientSession, address: str, number: int, tokens: int) -> Answered:
    """Answer one request, streamed; the server says itself how many tokens it wrote."""
    body = {
        "prompt": prompt_for(number),
        "n_predict": tokens,
        "stream": True,
        "seed": number,
        "temperature": SAMPLING.temperature,
        "top_k": SAMPLING.top_k,
        "top_p": SAMPLING.top_p,
        "min_p": SAMPLING.min_p,
    }
    submitted, first, written = time.monotonic(), 0.0, 0
    async with session.post(f"{address}/completion", json=body) as response:
        response.raise_for_status()
        async for line in response.content:
            if not line.startswith(b"data: "):
                continue
            first = first or time.monotonic()
            part = json.loads(line.removeprefix(b"data: "))
            written = part.get("tokens_predicted", written)
    return Answered(first - submitted, time.monotonic() - submitted, written)


async def _healthy(address: str, process: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    async with aiohttp.ClientSession() as session:
        while process.returncode is None and time.monotonic() < deadline:
            try:
                async with session.get(f"{address}/health") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError("llama-server did not start")
