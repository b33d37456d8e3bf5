"""Numbers of bytes as people read them; knows nothing of what is measured."""

from __future__ import annotations


def in_words(size_bytes: int) -> str:
    """Such as "1.2 GB", "808 MB" or "12 kB": decimal units, as download pages and disk tools show them."""
    for unit, divisor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= divisor:
            amount = size_bytes / divisor
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return f"{size_bytes} bytes"
