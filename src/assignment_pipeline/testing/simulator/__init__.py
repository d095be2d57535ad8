"""
A fleet of workers in one thread: every interleaving and every fault, from a seed.

Flows are generators of effects, so a worker is a flow that waits for an answer, and a schedule is who gets the next
one. Nothing runs beside anything, nobody sleeps, and the same seed is the same run.
"""

from assignment_pipeline.flow.effects import Effect
from assignment_pipeline.testing.simulator.choices import Choices, Drawn, Replayed, Seeded
from assignment_pipeline.testing.simulator.faults import ALL, Blow, Fault, select
from assignment_pipeline.testing.simulator.invariants import BrokenError
from assignment_pipeline.testing.simulator.ledger import Standing
from assignment_pipeline.testing.simulator.run import Report, Run, simulate
from assignment_pipeline.testing.simulator.scenario import Scenario
from assignment_pipeline.testing.simulator.world import FleetMember, World

__all__ = [
    "ALL",
    "Blow",
    "BrokenError",
    "Choices",
    "Drawn",
    "Effect",
    "Fault",
    "FleetMember",
    "Replayed",
    "Report",
    "Run",
    "Scenario",
    "Seeded",
    "Standing",
    "World",
    "select",
    "simulate",
]
