"""Nested tables as one, by keys such as `fine_tune.r`; knows no recipe."""

from __future__ import annotations


def by_dotted_keys(content: object, prefix: str = "") -> dict[str, object]:
    """Every value that is no table, by the names on the way to it."""
    if not isinstance(content, dict):
        return {prefix: content}
    return {
        key: value
        for name, inner in content.items()
        for key, value in by_dotted_keys(inner, f"{prefix}.{name}" if prefix else str(name)).items()
    }
