"""What a repository of a model hub is to hold, and how it may be called; sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model_pipeline.errors import InputInvalid

RepositoryType = Literal["model", "dataset"]


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """A file of a repository: what lies at `content`, or those bytes."""

    path: str
    content: Path | bytes

    @property
    def size_bytes(self) -> int:
        """The size of what will be sent."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


@dataclass(frozen=True, slots=True)
class Repository:
    """OWNER/NAME, and everything that is to be in it, in the order in which it is sent."""

    name: str
    type: RepositoryType
    files: tuple[RepositoryFile, ...]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)


def check_repositories(repositories: Sequence[Repository]) -> None:
    """Raise `InputInvalid` for a name that no hub takes, or one that is given twice."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    seen = set()
    for repository in repositories:
        name = repository.name
        try:
            validate_repo_id(name)
        except HFValidationError as error:
            raise InputInvalid(f"{name!r} cannot be the name of a repository; it is written OWNER/NAME.") from error
        if "/" not in name:
            raise InputInvalid(f"The repository {name!r} has no owner; it is written OWNER/NAME.")
        if (repository.type, name.lower()) in seen:
            raise InputInvalid(f"The repository {name} is named twice; each of them needs a name of its own.")
        seen.add((repository.type, name.lower()))
