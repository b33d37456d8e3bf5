"""A database of the bot for what is curated from it."""

from tests.integration.storage.conftest import migrated, path, stores  # noqa: F401 - fixtures
