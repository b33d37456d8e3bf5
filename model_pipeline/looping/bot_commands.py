"""Runs `quotesmith` in the bot's folder, with the settings that the bot itself has there; knows no step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from model_pipeline.bot_python import python_path
from model_pipeline.errors import InputInvalid

LIMIT_S = 600


class BotCommands:
    """The commands of the bot whose settings lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputInvalid(f"{folder} is not a folder; give the one that the bot runs in.")
        self.folder = folder

    def run(self, *arguments: str) -> Any:
        """What the command prints as JSON.

        Raises `InputInvalid` with the bot's own sentence where it fails, and where it takes longer than `LIMIT_S`.
        """
        command = f"quotesmith {' '.join(arguments[:2])}"
        try:
            done = subprocess.run(
                [sys.executable, "-m", "bot", *arguments, "--json"],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": python_path()},
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=LIMIT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise InputInvalid(f"{command} was not done after {LIMIT_S} s, and was stopped.") from error
        lines = done.stdout.strip().splitlines()
        if done.returncode != 0 or not lines:
            said = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1].removeprefix("quotesmith: ")
            raise InputInvalid(f"{command} failed: {said.rstrip('.')}.")
        return json.loads(lines[-1])
