"""The command line: what can be typed, and how results and errors are shown there."""

from bot.cli.app import main

__all__ = ["main"]
