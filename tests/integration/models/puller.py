"""A person who pulls models from the loopback hub, and sees how far the progress bar came."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bot.chat.model import Model
from bot.errors import InputError, ModelError
from bot.models.hub import PullOptions, pull
from bot.models.store import ModelStore
from tests.servers.hub import LoopbackHub
from tests.unit.models.gguf_builder import CHAT_TEMPLATE, build

REPO = "maker/tiny-GGUF"
FILE = "tiny-Q4_K_M.gguf"
GGUF = build({"tokenizer.chat_template": CHAT_TEMPLATE}, rows=12_000)  # several reads of a socket
TOKEN = "hf_secretsecretsecret"


@dataclass(slots=True)
class Puller:
    """A person at a machine with a store, and how far the progress bar came."""

    store: ModelStore
    hub: LoopbackHub
    memory_bytes: int = 1 << 40
    endpoint: str = ""
    progress: list[tuple[int, int]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    stop_after: int | None = None  # bytes; the person presses Ctrl+C

    def pull(self, spec: str = REPO, name: str | None = None) -> Model:
        options = PullOptions(self.endpoint or self.hub.endpoint, lambda: self.memory_bytes, self.pauses.append)
        return pull(spec, self.store, name, self._show, options)

    def refused(self, error: type[ModelError | InputError], spec: str = REPO) -> str:
        with pytest.raises(error) as refusal:
            self.pull(spec)
        text = str(refusal.value)
        assert TOKEN not in text
        assert self.hub.endpoint not in text
        assert "\n" not in text
        assert self.store.names() == ("starter",)
        return text

    def arrived(self) -> int | None:
        """Bytes of the unfinished download, None when there is none."""
        return next((path.stat().st_size for path in self.store.downloads.glob("*/*.gguf")), None)

    def _show(self, done: int, total: int) -> None:
        self.progress.append((done, total))
        if self.stop_after is not None and done >= self.stop_after:
            raise KeyboardInterrupt
