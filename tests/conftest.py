"""Settings of the whole suite."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("default", max_examples=60, deadline=None)
settings.register_profile("thorough", max_examples=2_000, deadline=None)
