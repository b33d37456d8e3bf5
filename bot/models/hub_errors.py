"""What to tell a person when a model hub refuses or does not answer; never repeats an address, a header or a token.

Knows the status codes and the X-Error-Code names that hubs answer with, and no HTTP library.
"""

from __future__ import annotations

from bot.errors import DownloadFailed, ModelError, ModelNotFound

_TOKEN_REFUSED = "Invalid credentials in Authorization header"


def refused(status: int, code: str, message: str, repo: str, file: str = "") -> ModelError:
    """The error for an answer with an HTTP status of 400 or more; `code` and `message` are the hub's own, or ""."""
    if code == "GatedRepo":
        return DownloadFailed(
            f"{repo} is gated: accept its licence on its page at the hub, then set HF_TOKEN to a token of that account."
        )
    if message == _TOKEN_REFUSED:
        return bad_token()
    if code in ("EntryNotFound", "RevisionNotFound"):
        return ModelNotFound(f"The hub has no file {file} in {repo} any more: leave the file name out to choose again.")
    if status in (401, 404):
        return ModelNotFound(
            f"The hub has no public model {repo}: check the name, or set HF_TOKEN if it is private or gated."
        )
    if status == 403:
        return DownloadFailed(
            f"The hub refuses access to {repo}: accept its licence on its page at the hub, and set HF_TOKEN to a token "
            "of that account that may read it."
        )
    if status == 429:
        return DownloadFailed("The hub asks for fewer requests: try again in some minutes, or set HF_TOKEN.")
    return DownloadFailed(f"The hub answered with status {status} for {repo}: try again later.")


def unreachable(repo: str, reason: str) -> DownloadFailed:
    """The error for no answer at all; `reason` is the name of the library's error, such as ConnectTimeout."""
    return DownloadFailed(
        f"The hub cannot be reached for {repo} ({reason}): check the network, the proxy and HF_ENDPOINT, and try "
        "again; what has arrived is kept."
    )


def offline() -> DownloadFailed:
    """The error for a machine whose owner has forbidden downloads."""
    return DownloadFailed("HF_HUB_OFFLINE is set, so nothing is downloaded: unset it and try again.")


def bad_token() -> DownloadFailed:
    """The error for a token that the hub refuses, or that cannot even be sent."""
    return DownloadFailed("The hub does not accept the token: set HF_TOKEN to a valid one, or unset it.")


def not_a_hub() -> DownloadFailed:
    """The error for an answer that is none of a hub's, such as the login page of a hotel's network."""
    return DownloadFailed(
        "What answers is not a model hub: check HF_ENDPOINT and the proxy, and whether this network asks for a login "
        "first."
    )
