"""Encryption at rest for the text of messages: AES-256-GCM; knows no table and keeps no key but the one it is given.

A sealed text is `enc1:` and the URL-safe base64 of nonce (12 bytes), ciphertext and tag. Text that was stored without
a key stays readable beside it, until `sealing` encrypts it. The empty text is never sealed: it marks an erased message,
and SQL must see that.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import string

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bot.errors import DataKeyError
from bot.storage.column_types import storable

MESSAGE_TEXT = b"messages.text"
CORRECTION_TEXT = b"corrections.text"
PAIR_TEXT = b"compared_pairs.text"
JOB_ADDRESS = b"jobs.address"
SEALED = "enc1:"
_PLAIN = "raw:"  # before an unsealed text that begins like one of the two marks, so that nobody can type a sealed one
_NONCE_BYTES = 12
_KEY_BYTES = 32


class TextCipher:
    """Seals and unseals text with one key, or passes it through without one."""

    def __init__(self, key: bytes | None) -> None:
        self._aes = AESGCM(key) if key is not None else None
        # AES and HMAC each get a key of their own.
        self._digest_key = hmac.digest(key, b"digest", "sha256") if key is not None else b""

    @property
    def has_key(self) -> bool:
        """Whether new text is encrypted."""
        return self._aes is not None

    def seal(self, text: str, column: bytes) -> str:
        """The text as it is stored; `column` binds it to its place, so that it cannot be moved to another."""
        text = storable(text)
        if not text:
            return ""
        if self._aes is None:
            return _PLAIN + text if text.startswith((SEALED, _PLAIN)) else text
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._aes.encrypt(nonce, text.encode(), column)
        return SEALED + base64.urlsafe_b64encode(sealed).decode()

    def digest(self, text: str, column: bytes) -> str:
        """What equal texts have in common, in hex; with a key, nobody without it can tell what they are."""
        return hmac.new(self._digest_key, column + b"\0" + storable(text).encode(), "sha256").hexdigest()

    def unseal(self, stored: str, column: bytes) -> str:
        """The text; raises DataKeyError when it is encrypted and the key is missing or another one."""
        if not stored.startswith(SEALED):
            return stored.removeprefix(_PLAIN)
        if self._aes is None:
            raise DataKeyError("The database holds encrypted text: set the data key that it was written with.")
        try:
            sealed = base64.b64decode(stored.removeprefix(SEALED), altchars=b"-_", validate=True)
            return self._aes.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], column).decode()
        except (InvalidTag, ValueError) as error:
            raise DataKeyError(
                "Encrypted text in the database cannot be read: the data key is another one, or the text was changed."
            ) from error


def parse_data_key(text: str) -> bytes:
    """The 32 bytes of a key written as 64 hex digits or as base64 (standard or URL-safe); else DataKeyError."""
    text = text.strip()
    if len(text) == 2 * _KEY_BYTES and set(text) <= set(string.hexdigits):
        return bytes.fromhex(text)
    standard = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        key = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        # Neither the text nor the cause is shown: both may hold most of a real key.
        raise DataKeyError(
            "The data key must be 32 bytes, written as 64 hex digits or as base64; "
            'make one with: python3 -c "import secrets; print(secrets.token_hex(32))"'
        ) from None
    return key
