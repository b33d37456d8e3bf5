"""Translates what can go wrong with a model hub into one sentence, without the token; sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from model_pipeline.errors import PublishFailed
from model_pipeline.library_errors import transport_error

LONGEST_REASON = 300  # characters of what a hub said


@contextmanager
def told(repository: str, token: object) -> Iterator[None]:
    """Translate what goes wrong with a repository into one sentence, without the token, whoever repeats it.

    Raises `PublishFailed`.
    """
    try:
        yield
    except (transport_error(), OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        text = _explain(_first_cause(error), repository)
        raise PublishFailed(text.replace(str(token), "(token)")) from error


def _first_cause(error: BaseException) -> BaseException:
    """What an upload's thread met: the library wraps it in a RuntimeError that says only which file it was."""
    while type(error) is RuntimeError and error.__cause__ is not None:
        error = error.__cause__
    return error


def _explain(error: BaseException, repository: str) -> str:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return f"{repository} cannot be published while HF_HUB_OFFLINE is set: unset it."
    if isinstance(error, HfHubHTTPError):
        return _refusal(error.response.status_code, one_line(error.server_message or ""), repository)
    if isinstance(error, transport_error()):
        reason = type(error).__name__
        return (
            f"The hub cannot be reached for {repository}, or the connection was cut ({reason}): a repository changes "
            "as a whole or not at all, and the same command sends it again."
        )
    if isinstance(error, ConnectionError):  # of hf_xet, the library's other way to upload
        return (
            f"The upload of {repository} ended ({one_line(str(error))}): a repository changes as a whole or not at "
            "all; send it again, with HF_HUB_DISABLE_XET=1 if that does not help."
        )
    if "metadata in README.md" in str(error):
        return f"The hub does not take the card of {repository}: {one_line(str(error).partition(chr(10))[2])}."
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename} cannot be read for {repository}: {error.strerror}."
    return f"The hub did not take {repository} ({type(error).__name__}: {one_line(str(error))}): nothing was changed."


def _refusal(status: int, said: str, repository: str) -> str:
    because = f": {said}" if said else ""
    if status == 401:
        return f"The hub does not accept the token for {repository}: set HF_TOKEN to one that may write there."
    if status == 403:
        return f"The hub does not let this token write to {repository}{because or ': use one that has the right'}."
    if status == 429 or status >= 500:
        return f"The hub has no time for {repository} now (status {status}{because}): try again later."
    return f"The hub refuses {repository} (status {status}{because}): nothing of it was changed."


def one_line(text: str) -> str:
    """The beginning of what a hub said, without line breaks and without a full stop."""
    line = " ".join(text.split()).lstrip("- ").rstrip(". ")
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."
