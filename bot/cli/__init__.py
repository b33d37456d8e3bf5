"""The command line: what can be typed, and how results and errors are shown there."""

from __future__ import annotations

import sys

__all__ = ["main"]

_INTERRUPTED = 130  # as bot.cli.session has it


def main() -> None:
    """Run what was typed; Ctrl-C ends it in order also while the commands are still being loaded."""
    try:
        from bot.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
