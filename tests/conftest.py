"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("without deadline", deadline=None)  # how long an example takes depends on who else computes
settings.load_profile("without deadline")
