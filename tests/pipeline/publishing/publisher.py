"""A person who publishes a run to the loopback hub, and sees what the terminal shows."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from model_pipeline.errors import PublishFailed
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage
from model_pipeline.stages.publish import publish
from tests.servers.hub import LoopbackHub

TOKEN = "hf_secretsecretsecret"
OFFLINE_PORT = 9  # discard: nothing listens there


@dataclass(slots=True)
class Publisher:
    """`token` None is a person without one."""

    run: Run
    hub: LoopbackHub
    token: str | None = TOKEN
    endpoint: str = ""
    screen: io.StringIO = field(default_factory=io.StringIO)

    def publish(self, *, dry_run: bool = False) -> str:
        """What was shown."""
        report = Report(Console(file=self.screen, width=200))
        publish(self.run, report, dry_run, self.endpoint or self.hub.endpoint, self.token)
        return self.screen.getvalue()

    def refused(self, repository: str) -> str:
        """The one sentence that a failure is told in, which is about `repository` and tells no secret."""
        with pytest.raises(PublishFailed) as failure:
            self.publish()
        text = str(failure.value)
        assert repository in text
        assert "\n" not in text
        assert text.endswith(".")
        assert TOKEN not in text + self.screen.getvalue()
        assert not self.run.is_finished(Stage.PUBLISH)
        return text

    def files(self, repository: str) -> dict[str, bytes]:
        """What the hub holds, without what it wrote itself."""
        held = self.hub.repositories.get(repository, {})
        return {path: content for path, content in held.items() if path != ".gitattributes"}

    def content(self, name: str) -> bytes:
        """A file of the run."""
        return Path(self.run.folder / name).read_bytes()
