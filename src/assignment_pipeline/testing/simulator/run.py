"""One run, from its choices to its report."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence

import attrs

from assignment_pipeline.planning.base import Strategy
from assignment_pipeline.testing.harnesses import MemoryHarness
from assignment_pipeline.testing.simulator import faults as every
from assignment_pipeline.testing.simulator.choices import Choices, Seeded
from assignment_pipeline.testing.simulator.faults import Fault
from assignment_pipeline.testing.simulator.invariants import BrokenError
from assignment_pipeline.testing.simulator.schedule import Schedule
from assignment_pipeline.testing.simulator.settle import settle
from assignment_pipeline.testing.simulator.simulation import Simulation
from assignment_pipeline.testing.simulator.world import MakeHarness

MOST_STEPS = 2_000
"""Steps after which a run comes to its end, whatever is left to do."""


@attrs.frozen(kw_only=True)
class Report:
    """
    How a run went.

    Attributes:
        choices: What was chosen. Replayed, it is the same run.

        steps: How many effects were answered.

        faults: How often each fault struck.

        jobs: How often each job was begun, and each happening came about.

        outcomes: How calls came out.

        failure: The invariant that broke, or None.

        trace: What happened, in plain words; empty unless it was wanted.
    """

    choices: tuple[int, ...]
    steps: int
    faults: Counter[str]
    jobs: Counter[str]
    outcomes: Counter[str]
    failure: BrokenError | None
    trace: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Run:
    """
    What is to be simulated, but for the choices.

    Attributes:
        harness: Makes a new, empty store with its harness, which has it as ``store``.

        strategies: The host's say in which tables are best.

        faults: What may go wrong.

        steps: Effects that are answered at most before all comes to an end.
    """

    harness: MakeHarness = MemoryHarness.new
    strategies: Sequence[Strategy] = ()
    faults: tuple[Fault, ...] = every.ALL
    steps: int = MOST_STEPS

    def __call__(self, choices: Choices, *, traced: bool = False) -> Report:
        """Make the run that *choices* lead to."""
        with _quiet():
            world = Simulation(choices, self.faults, self.harness, self.strategies, traced=traced)
            failure = None
            try:
                Schedule(world).run(self.steps)
                settle(world)
            except BrokenError as broken:
                failure = broken
            finally:
                for worker in world.workers:
                    worker.bury()
                world.harness.close()
        return Report(
            choices=tuple(choices.made),
            steps=world.steps,
            faults=world.struck,
            jobs=world.done,
            outcomes=world.outcomes,
            failure=failure,
            trace=tuple(world.trace or ()),
        )


def simulate(
    seed: int,
    *,
    harness: MakeHarness = MemoryHarness.new,
    strategies: Sequence[Strategy] = (),
    faults: str | Sequence[str] = "all",
    steps: int = MOST_STEPS,
) -> Report:
    """
    Have a fleet of workers go through what a seed makes of it.

    Args:
        seed: Where all chance comes from: the same seed is the same run.

        harness: Makes a new, empty store that goes by a clock, with its harness, which has it as ``store``.

        strategies: The host's say in which tables are best.

        faults: ``all``, ``none``, or the names of some.

        steps: Effects that are answered at most before all comes to an end.

    Raises:
        ValueError: There is no such fault.
    """
    run = Run(harness=harness, strategies=strategies, faults=every.select(faults), steps=steps)
    return run(Seeded(seed))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Sinks that raise are expected: nobody wants to read of each."""
    log = logging.getLogger("assignment_pipeline")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
