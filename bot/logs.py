"""How the log is written: one line a record, to standard error or a file, without secrets; knows nobody who logs.

What people write is logged at debug level only: that is the rule for whoever logs, and this module cannot check it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from urllib.parse import quote

from bot.errors import SettingsError

REDACTED = "[secret]"
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"
_FILE_BYTES = 10_000_000
_OLD_FILES = 3
# At info level these write a line for every request.
_TALKATIVE = ("httpx", "httpcore", "httpx2", "httpcore2", "apscheduler")
# These log a traceback for every connection that is lost, which the bot deals with and tells of itself.
_ALARMED = ("discord", "telegram", "asyncio")

# Line breaks would forge records, escape sequences would steer the terminal.
_CONTROL_CHARACTERS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_CONTROL_CHARACTERS |= {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", 0x2028: "\\u2028", 0x2029: "\\u2029"}


class OneLineFormatter(logging.Formatter):
    """Writes a record, its exception included, as one line in which no secret stands."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(_FORMAT, _TIME_FORMAT)
        forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""), repr(secret)[1:-1])}
        self._hidden = sorted(forms, key=len, reverse=True)  # one secret may be a part of another

    def format(self, record: logging.LogRecord) -> str:
        """The finished text is searched, so that message, arguments, exception and stack are all covered."""
        try:
            text = super().format(record)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # wrong arguments
            text = f"{record.levelname} {record.name}: a record that cannot be written ({type(error).__name__})"
        for secret in self._hidden:
            text = text.replace(secret, REDACTED)
        return text.translate(_CONTROL_CHARACTERS)


def set_up_logging(level: str, file: str = "", secrets: Iterable[str] = ()) -> None:
    """Send every record of `level` (debug, info, warning, error) and above to `file`, or to standard error.

    Nothing is ever written to standard output. Raises SettingsError when the file cannot be opened.
    """
    handler = _file_handler(Path(file)) if file else logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLineFormatter(secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    # What logging does when it cannot write is to print the record and its arguments, secrets included.
    logging.raiseExceptions = False
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    for name in _ALARMED:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.CRITICAL)


class _PrivateFileHandler(RotatingFileHandler):
    """Makes each file, the ones after a rotation included, so that its owner alone may read it."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # debug records hold what people wrote


def _file_handler(path: Path) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _PrivateFileHandler(
            path, maxBytes=_FILE_BYTES, backupCount=_OLD_FILES, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        raise SettingsError(f"logging.file is {str(path)!r}, which cannot be written: {error.strerror}.") from error
