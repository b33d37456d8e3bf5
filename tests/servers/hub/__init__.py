"""A model hub on loopback: what huggingface_hub asks of the real one, with the failures that a network can have."""

from __future__ import annotations

from tests.servers.hub.client import clean_hub_client
from tests.servers.hub.loopback import COMMIT, LoopbackHub
from tests.servers.hub.repositories import Commit, Refusal
from tests.servers.hub.server import loopback_hub

__all__ = ["COMMIT", "Commit", "LoopbackHub", "Refusal", "clean_hub_client", "loopback_hub"]
