"""python -m benchmarks.hidden_taste: does the loop find out what people like, where only their votes say it?

    .venv-train/bin/python -m benchmarks.hidden_taste --taste shorter --json shorter.json

People with a hidden taste talk to the real bot on loopback Discord and Telegram, and vote by its buttons. Then
`quotesmith-pipeline loop` runs beside the bot. If its gate lets the new model through, fresh people compare two quotes
each time, one of each model, and do not know which is which: `win_rate` is the share of their decided comparisons that
the new model won, with a 95% interval over people. With random votes the gate has to refuse.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from benchmarks.output import writable_file
from benchmarks.simulated_people import (
    BAD,
    GOOD,
    NATURE,
    DiscordVisitor,
    Mind,
    Taste,
    TelegramVisitor,
    Visitor,
    Voter,
    taste_of,
)
from model_pipeline.evaluation.bot_replies import machine
from model_pipeline.evaluation.statistics import estimate_statistic
from tests.e2e.platforms.bot_process import BotProcess
from tests.servers.discord import DiscordServer
from tests.servers.telegram import TelegramServer

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 16  # people who talk at the same time
QUOTES_FOR_EACH_COMPARISON = 2  # of each person who votes before the loop
FRESH_COMPARISONS = 5
TALKING_SHARE = 0.35  # of the time
SETTINGS = """\
[quote]
candidates = 1
pool_depth = 0
[limits]
requests_per_minute = 0
chat_requests_per_minute = 0
[inference]
threads = 2
"""


@dataclass(frozen=True, slots=True)
class Town:
    """The bot on both platforms, and how people come to it."""

    bot: BotProcess
    discord: DiscordServer
    telegram: TelegramServer

    def visitor(self, number: int) -> Visitor:
        """Somebody new: every other person is on Discord."""
        if number % 2:
            return TelegramVisitor(self.telegram, number)
        return DiscordVisitor(
            self.discord, self.discord.channel(self.discord.guild(f"Club {number}"), "general"), number
        )


def main() -> None:
    """Run it, print the result, and write it as JSON."""
    options = _options()
    try:
        taste = taste_of(options.taste)
    except ValueError as error:
        raise SystemExit(f"Error: {error}") from None
    with tempfile.TemporaryDirectory(prefix="hidden-taste-") as name:
        folder = Path(options.keep) if options.keep else Path(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SystemExit(f"Error: {folder} cannot be made: {error.strerror}.") from None
        result = asyncio.run(measure(folder, taste, options))
    text = json.dumps(result, indent=2)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--taste", default="shorter", help="shorter, nature, regex:PATTERN or random")
    parser.add_argument("--people", type=int, default=300, help="who vote before the loop")
    parser.add_argument("--quotes", type=int, default=6, help="of each of them; and half as many comparisons")
    parser.add_argument("--fresh", type=int, default=100, help="who compare the two models afterwards")
    parser.add_argument("--contrary", type=float, default=0.0, help="share of people who like the opposite")
    parser.add_argument("--random-voters", type=float, default=0.0, help="share of people who press anything")
    parser.add_argument("--minutes", type=float, default=30.0, help="that all may take; people talk for a third of it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=writable_file, help="where the result goes")
    parser.add_argument("--keep", help="a folder for the bot's data and the loop's, which is then kept")
    parser.add_argument("--set", action="append", default=[], help="a setting of the recipe, such as prefer.epochs=1")
    return parser.parse_args()


async def measure(folder: Path, taste: Taste, options: argparse.Namespace) -> dict[str, Any]:
    """All of it, in that folder."""
    began, random = time.monotonic(), Random(options.seed)
    seconds: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(DiscordServer())
        telegram = await stack.enter_async_context(TelegramServer())
        environment = _environment(folder, discord, telegram)
        bot = await stack.enter_async_context(BotProcess(folder, environment))
        await bot.says("Discord: connected")
        await bot.says("Telegram: connected")
        town = Town(bot, discord, telegram)
        talked = await _talk(town, taste, options, random)
        seconds["talking"] = round(time.monotonic() - began, 1)
        code = await _loop(folder, environment, options)
        seconds["loop"] = round(time.monotonic() - began - seconds["talking"], 1)
        gate = _gate(folder)
        result: dict[str, Any] = {
            "taste": options.taste,
            "contrary": options.contrary,
            "random_voters": options.random_voters,
            **talked,
            "win_rate": None,
            "interval": None,
            "adherence_before": _figure(gate, "adherence", "old"),
            "adherence_after": _figure(gate, "adherence", "new"),
            "gate": gate.get("verdict", "too few"),
            "gate_reasons": gate.get("reasons", []),
            "loop_exit_code": code,
        }
        if code == 0:
            result |= await _fresh_votes(town, taste, options, random)
            result["canary"] = await _state_of_canary(folder, environment)
            seconds["fresh votes"] = round(time.monotonic() - began - sum(seconds.values()), 1)
    seconds["all"] = round(time.monotonic() - began, 1)
    return result | {"seconds": seconds, "machine": machine()}


# -- people -----------------------------------------------------------------------------------------------------------


async def _talk(town: Town, taste: Taste, options: argparse.Namespace, random: Random) -> dict[str, int]:
    """Everybody asks for quotes and votes, until all have or the time is over."""
    ends_at, keywords = time.monotonic() + options.minutes * 60 * TALKING_SHARE, _keywords(taste, options.taste)
    counts = {"people": 0, "votes": 0, "comparisons": 0}

    async def visit(number: int, voter: Voter) -> None:
        visitor = town.visitor(number)
        await visitor.consent()
        counts["people"] += 1
        for keyword in voter.random.sample(keywords, options.quotes):
            if time.monotonic() > ends_at:
                return
            text, post = await visitor.quote(keyword)
            await visitor.press(post, GOOD if voter.likes(text) else BAD)
            counts["votes"] += 1
        for keyword in voter.random.sample(keywords, options.quotes // QUOTES_FOR_EACH_COMPARISON):
            if time.monotonic() > ends_at:
                return
            left, right, post = await visitor.compare(keyword)
            await visitor.press(post, voter.choice(left, right))
            counts["comparisons"] += 1

    voters = _voters(taste, options, options.people, random)
    await _all_of_them([partial(visit, number, voter) for number, voter in enumerate(voters)])
    return counts


async def _fresh_votes(town: Town, taste: Taste, options: argparse.Namespace, random: Random) -> dict[str, Any]:
    """What people who were not there before like better, of one quote of each model."""
    keywords = cycle(random.sample(lines_of("unseen-keywords.txt"), 200))
    first = options.people
    await _until_two_models_answer(town, first)
    voters = _voters(taste, options, options.fresh, random)
    ids: list[str] = []

    async def visit(number: int, voter: Voter) -> None:
        visitor = town.visitor(number)
        ids.append(visitor.user_id)
        for _ in range(FRESH_COMPARISONS):
            left, right, post = await visitor.compare(next(keywords))
            await visitor.press(post, voter.choice(left, right))

    await _all_of_them([partial(visit, number, voter) for number, voter in enumerate(voters, start=first + 1)])
    return _wins(town.bot, ids)


async def _until_two_models_answer(town: Town, number: int) -> None:
    """The bot follows the loop within seconds; somebody who says nothing looks whether it has."""
    visitor = town.visitor(number)
    for _ in range(120):
        await visitor.compare("courage")
        newest = town.bot.rows("SELECT left_sha256, right_sha256 FROM compared_pairs ORDER BY message_id DESC LIMIT 1")
        if newest and newest[0][0] != newest[0][1]:
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"The bot does not try the new model out: {town.bot.output}")


def _wins(bot: BotProcess, user_ids: Sequence[str]) -> dict[str, Any]:
    """Of each person's comparisons of two models, how many the newer one won."""
    # Which of the two models is the new one: the bot was started with the other.
    rows = bot.rows(
        "SELECT p.platform_user_id, f.preferred, c.left_model, c.right_model FROM preferences f "
        "JOIN compared_pairs c ON c.message_id = f.message_id JOIN people p ON p.id = f.person_id "
        "WHERE c.left_sha256 <> c.right_sha256"
    )
    wins, decided = dict.fromkeys(user_ids, 0), dict.fromkeys(user_ids, 0)
    for user_id, preferred, left, right in rows:
        if user_id in decided and preferred in ("left", "right"):
            decided[user_id] += 1
            wins[user_id] += (left if preferred == "left" else right) != "starter"
    said = [user_id for user_id in user_ids if decided[user_id]]
    columns = [[float(wins[user_id]) for user_id in said], [float(decided[user_id]) for user_id in said]]
    found = estimate_statistic(columns, _ratio, seed=0)
    return {
        "win_rate": round(found.value, 4),
        "interval": [round(found.low, 4), round(found.high, 4)],
        "fresh_people": len(user_ids),
        "fresh_comparisons": len(rows),
        "fresh_decided": int(sum(columns[1])),
    }


def _ratio(wins: Any, decided: Any, axis: int = -1) -> Any:
    return np.sum(wins, axis=axis) / np.sum(decided, axis=axis)


def _voters(taste: Taste, options: argparse.Namespace, count: int, random: Random) -> list[Voter]:
    voters = []
    for _ in range(count):
        drawn = random.random()
        if options.taste == "random" or drawn < options.random_voters:
            mind = Mind.RANDOM
        else:
            mind = Mind.CONTRARY if drawn < options.random_voters + options.contrary else Mind.TASTE
        voters.append(Voter(taste, mind, Random(random.random())))
    return voters


async def _all_of_them(work: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """So many at once, until all are done."""
    waiting = iter(work)

    async def one_after_another() -> None:
        for each in waiting:
            await each()

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))


def _keywords(taste: Taste, name: str) -> list[str]:
    """What people ask for: common words that say nothing of the taste themselves."""
    path = ROOT / "model_pipeline" / "data" / "simple-quotes.jsonl"
    found = {json.loads(line)["keyword"].lower() for line in path.read_text(encoding="utf-8").splitlines()}
    return sorted(word for word in found if not (name != "shorter" and (NATURE.search(word) or taste.score(word) > 0)))


def lines_of(name: str) -> list[str]:
    """A list of words of the package."""
    return (ROOT / "model_pipeline" / "data" / name).read_text(encoding="utf-8").split("\n")[:-1]


# -- the bot and the loop ---------------------------------------------------------------------------------------------


def _environment(folder: Path, discord: DiscordServer, telegram: TelegramServer) -> dict[str, str]:
    (folder / "config.toml").write_text(
        SETTINGS
        + f'[discord]\napi_base = "{discord.api_base}"\ngateway_url = "{discord.gateway_url}"\n'
        + f'[telegram]\nbase_url = "{telegram.base_url}"\n',
        encoding="utf-8",
    )
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV", "HOME") if name in os.environ}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "DISCORD_TOKEN": discord.token,
        "TELEGRAM_TOKEN": telegram.token,
    }


async def _loop(folder: Path, environment: dict[str, str], options: argparse.Namespace) -> int:
    command = [sys.executable, "-m", "model_pipeline.cli", "loop", "--bot", str(folder), "--out", str(folder / "turn")]
    command += ["--share", "50%", "--least-people", str(options.fresh)]
    for setting in options.set:
        command += ["--set", setting]
    with (folder / "loop.log").open("w", encoding="utf-8") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=log, stderr=log)
        code = await process.wait()
    print((folder / "loop.log").read_text(encoding="utf-8"), file=sys.stderr)
    return code


async def _state_of_canary(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """What `quotesmith model status` says, once the bot has weighed the last vote."""
    for _ in range(30):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "model", "status", "--json"),
            cwd=folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        status: dict[str, Any] = json.loads(out)
        if status["canary"]["state"] != "running":
            break
        await asyncio.sleep(1)
    return {"state": status["canary"]["state"], "active": status["active"], "votes": status["votes"]}


def _gate(folder: Path) -> dict[str, Any]:
    path = folder / "turn" / "gate" / "gate.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _figure(gate: dict[str, Any], name: str, side: str) -> float | None:
    figure = gate.get("figures", {}).get(name)
    return None if figure is None else figure[side]


if __name__ == "__main__":
    main()
