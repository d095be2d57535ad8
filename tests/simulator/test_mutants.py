"""The simulator can fail: whatever is broken on purpose, it finds."""

from __future__ import annotations

import pytest

from assignment_pipeline.errors import AssignmentPipelineError
from assignment_pipeline.testing.simulator import simulate

from .mutants import MUTANTS

SEEDS = 2_000


def finds(seed, faults):
    """Whether a run breaks an invariant; or comes to no end, since what the ledger reads is broken, too."""
    try:
        return simulate(seed, faults=faults).failure is not None
    except AssignmentPipelineError:
        return True


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_caught(mutant):
    """Within 2,000 seeds."""
    with mutant.applied():
        assert any(finds(seed, mutant.faults) for seed in mutant.seeds(SEEDS)), mutant.sentence
