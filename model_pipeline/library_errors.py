"""What the errors of libraries have in common when they become one of our sentences; imports no library by itself."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """A library's message as the end of a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


def transport_error() -> type[Exception]:
    """The root of the HTTP library's errors: of httpx or httpx2, as huggingface_hub's version has it."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__[0]
