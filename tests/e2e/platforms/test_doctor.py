"""`quotesmith doctor` tries the tokens, and says what whoever sets up the bot has to do."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.servers.discord import DiscordServer
from tests.servers.telegram import Fault, TelegramServer

DISCORD_TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.Gabcde." + "x" * 38
WRONG_DISCORD, WRONG_TELEGRAM = DISCORD_TOKEN.replace("Gabcde", "Gwrong"), "999999:" + "B" * 35
SCHEMES = "begins with {0}s:// ({0}:// for this machine only)"


async def doctor(folder: Path, environment: Mapping[str, str], **more: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and each check by its name; all that is wrong stands in the checks."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "doctor", "--json"),
        cwd=folder,
        env={**environment, **more},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    assert process.returncode is not None and said.decode() == ""
    return process.returncode, {check["name"]: check for check in json.loads(out)["checks"]}


async def test_good_tokens_come_with_the_link_that_adds_the_bot(tmp_path: Path, environment: dict[str, str]) -> None:
    async with DiscordServer(DISCORD_TOKEN) as discord, TelegramServer() as telegram:
        code, checks = await doctor(
            tmp_path,
            environment,
            DISCORD_TOKEN=discord.token,
            TELEGRAM_TOKEN=telegram.token,
            QUOTESMITH_DISCORD__API_BASE=discord.api_base,
            QUOTESMITH_DISCORD__GATEWAY_URL=discord.gateway_url,
            QUOTESMITH_TELEGRAM__BASE_URL=telegram.base_url,
        )
    assert code == 0
    assert f"client_id={discord.application_id}" in checks["discord"]["detail"]
    assert checks["telegram"]["detail"].startswith("@quotesmith_bot;")


async def test_wrong_tokens_are_told_from_an_outage_and_never_shown(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    async with DiscordServer(DISCORD_TOKEN) as discord, TelegramServer() as telegram:
        telegram.down()
        code, checks = await doctor(
            tmp_path,
            environment,
            DISCORD_TOKEN=WRONG_DISCORD,
            TELEGRAM_TOKEN=WRONG_TELEGRAM,
            QUOTESMITH_DISCORD__API_BASE=discord.api_base,
            QUOTESMITH_DISCORD__GATEWAY_URL=discord.gateway_url,
            QUOTESMITH_TELEGRAM__BASE_URL=telegram.base_url,
        )
    assert code == 1
    assert checks["discord"]["detail"] == "Discord does not accept DISCORD_TOKEN."
    assert checks["telegram"]["detail"].startswith("Telegram cannot be reached")
    assert "Gwrong" not in str(checks) and "BBBB" not in str(checks)


async def test_an_endpoint_that_is_no_telegram_is_told_and_the_log_shows_no_token(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    async with TelegramServer() as telegram:
        telegram.fail_next("getMe", *(Fault.status(500, "Internal Server Error") for _ in range(20)))
        given = {"TELEGRAM_TOKEN": telegram.token, "QUOTESMITH_TELEGRAM__BASE_URL": telegram.base_url}
        code, checks = await doctor(tmp_path, environment, **given)
        assert code == 1 and checks["telegram"]["detail"].startswith("Telegram cannot be reached")
        log = {"QUOTESMITH_LOGGING__LEVEL": "debug", "QUOTESMITH_LOGGING__FILE": "doctor.log"}
        await doctor(tmp_path, environment, **given, **log)
    logged = (tmp_path / "doctor.log").read_text()
    assert "/bot[secret]/getMe" in logged and telegram.token not in logged


async def test_a_log_that_cannot_be_written_is_wrong_here_as_for_the_other_commands(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    code, checks = await doctor(tmp_path, environment, QUOTESMITH_LOGGING__FILE="/proc/none/bot.log")
    assert code == 1 and not checks["settings"]["ok"]
    assert checks["settings"]["detail"].startswith("logging.file is '/proc/none/bot.log', which cannot be written")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "QUOTESMITH_DISCORD__API_BASE",
            "http://example.org/api",
            SCHEMES.format("http"),
        ),
        ("QUOTESMITH_DISCORD__GATEWAY_URL", "ws://example.org", SCHEMES.format("ws")),
        (
            "QUOTESMITH_TELEGRAM__BASE_URL",
            "http://10.0.0.1:8081",
            SCHEMES.format("http"),
        ),
        ("QUOTESMITH_DISCORD__API_BASE", "https://example.org/api", "set both, or neither"),
        ("QUOTESMITH_TELEGRAM__OPERATORS", "me", "a list of ids in quotes"),
        ("QUOTESMITH_PLATFORMS__LANGUAGE", "german", "two letters of a language"),
    ],
)
async def test_a_wrong_setting_is_named_with_what_is_allowed(
    tmp_path: Path, environment: dict[str, str], variable: str, value: str, said: str
) -> None:
    code, checks = await doctor(tmp_path, environment, **{variable: value})
    assert code == 1 and said in checks["settings"]["detail"]


async def test_a_platform_without_a_token_is_refused_before_anything_is_loaded(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "run", "--platform", "telegram"),
        cwd=tmp_path,
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode() == "quotesmith: TELEGRAM_TOKEN is not set: put it into .env or the environment.\n"
