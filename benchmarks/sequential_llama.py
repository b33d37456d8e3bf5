"""The usual way to serve a GGUF from Python: one `Llama(...)` at its defaults, one request after another.

Run by serving.py in a process of its own: `python -m benchmarks.sequential_llama MODEL USERS REQUESTS TOKENS THREADS`
prints the figures as JSON; THREADS 0 is the default, half of the processors. Tokens are drawn with `Llama.generate`,
which keeps the common beginning of two prompts; nothing is turned into text, so the figures flatter it a little.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque

from llama_cpp import Llama

from benchmarks.workload import SAMPLING, Answered, prompt_for, summary


def main(model: str, users: int, requests: int, tokens: int, threads: int) -> None:
    """Every user asks again as soon as they have their answer; whoever asked first is served first."""
    llama = Llama(model, n_ctx=2048, n_threads=threads or None, verbose=False)
    ask(llama, requests, 4)  # the first call pays for what is allocated late; the engine's start does the same
    begin = time.monotonic()
    waiting = deque((begin, number) for number in range(min(users, requests)))
    asked, answers = len(waiting), []
    while waiting:
        submitted, number = waiting.popleft()
        first, written = ask(llama, number, tokens)
        now = time.monotonic()
        answers.append(Answered(first - submitted, now - submitted, written))
        if asked < requests:
            waiting.append((now, asked))
            asked += 1
    print(json.dumps(summary(answers, time.monotonic() - begin)))


def ask(llama: Llama, number: int, tokens: int) -> tuple[float, int]:
    """Answer one request; returns when its first token came and how many there were."""
    prompt = llama.tokenize(prompt_for(number).encode())
    llama.set_seed(number)
    drawn = llama.generate(
        prompt,
        top_k=SAMPLING.top_k,
        top_p=SAMPLING.top_p,
        min_p=SAMPLING.min_p,
        temp=SAMPLING.temperature,
        repeat_penalty=SAMPLING.repeat_penalty,
    )
    first, written = 0.0, 0
    for token in drawn:
        first = first or time.monotonic()
        if token == llama.token_eos():
            break
        written += 1
        if written == tokens:
            break
    return first, written


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:]))
