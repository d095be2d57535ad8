"""What every assignment store promises, in one suite."""

from __future__ import annotations

from assignment_pipeline.testing.contracts.blocks import Blocks
from assignment_pipeline.testing.contracts.guards import Guards
from assignment_pipeline.testing.contracts.legacys import Legacys
from assignment_pipeline.testing.contracts.pacing import Pacing
from assignment_pipeline.testing.contracts.presence import Presence
from assignment_pipeline.testing.contracts.reads import Reads
from assignment_pipeline.testing.contracts.records import Records
from assignment_pipeline.testing.contracts.spans import Spans
from assignment_pipeline.testing.contracts.sweep import Sweep
from assignment_pipeline.testing.contracts.threads import Threads


class AssignmentStoreContract(Records, Guards, Pacing, Spans, Blocks, Legacys, Presence, Sweep, Reads, Threads):
    """
    The suite for an `AssignmentStore`.

    Give it three fixtures: ``store``, a fresh and empty one; ``clock``, the `FakeClock`
    that it goes by; and ``harness``, a `StoreHarness` for the host that it reads.
    """
