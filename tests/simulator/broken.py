"""A store that is broken on purpose, for the command to find out."""

from __future__ import annotations

from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.testing.harnesses import MemoryHarness


class Amnesiac(MemoryStore):
    """Never remembers the last transition."""

    def history(self, booking_id):
        return super().history(booking_id)[:-1]


def harness(clock):
    return MemoryHarness(Amnesiac(MemoryHost(), clock=clock))
