"""From a failure to the shortest run that fails so."""

from __future__ import annotations

import pytest

from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.testing.harnesses import MemoryHarness
from assignment_pipeline.testing.simulator import Replayed, Run, Seeded
from assignment_pipeline.testing.simulator.shrink import shrink


class Sleepy(MemoryStore):
    """A store that wakes nobody when tables come free."""

    def _woken(self, after):
        return {}


RUN = Run(harness=lambda clock: MemoryHarness(Sleepy(MemoryHost(), clock=clock)))


@pytest.fixture(scope="module")
def found():
    """The first run that fails."""
    reports = (RUN(Seeded(seed)) for seed in range(300))
    return next(report for report in reports if report.failure)


@pytest.fixture(scope="module")
def shortest(found):
    """What is left of it."""
    return shrink(RUN, found, most=100)


def test_a_failure_gets_shorter(found, shortest):
    """It is the same invariant that breaks, after fewer steps, and the trace ends with it."""
    assert shortest.failure.invariant == found.failure.invariant == "nobody_waits_beside_a_free_table"
    assert sum(map(bool, shortest.choices)) < sum(map(bool, found.choices)) / 2
    assert shortest.steps < found.steps
    assert any("manual_review" in line for line in shortest.trace)


def test_what_is_left_replays(shortest):
    """As it was shrunk to."""
    again = RUN(Replayed(shortest.choices), traced=True)
    assert again.trace == shortest.trace
    assert again.failure.details == shortest.failure.details


def test_no_time_is_no_change(found):
    """The run as it was found, with its trace."""
    shortest = shrink(RUN, found, seconds=0)
    assert shortest.steps == found.steps
    assert shortest.failure.details == found.failure.details
    assert shortest.trace
