"""The simulator on a real PostgreSQL server."""

from __future__ import annotations

import pytest

from assignment_pipeline.testing.simulator import simulate


@pytest.mark.parametrize("seed", range(8))
def test_nothing_breaks_on_postgres(seed, postgres_database):
    """The same driver, the same faults."""
    from tests.servers.postgres_harness import simulated  # noqa: PLC0415 - it takes the extra

    report = simulate(seed, harness=simulated)
    assert report.failure is None
