#!/usr/bin/env python3
"""Speaks as much of llama-server as the benchmark asks for: /health, and /completion as a stream of events."""

from __future__ import annotations

import argparse
import json

from aiohttp import web

WORDS = 8


async def health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def completion(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    written = min(WORDS, asked["n_predict"])
    for _ in range(written):
        await response.write(b"data: " + json.dumps({"content": "word ", "stop": False}).encode() + b"\n\n")
    last = {"content": "", "stop": True, "tokens_predicted": written}
    await response.write(b"data: " + json.dumps(last).encode() + b"\n\n")
    return response


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_known_args()[0].port
    app = web.Application()
    app.add_routes([web.get("/health", health), web.post("/completion", completion)])
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main()
