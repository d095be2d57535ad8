"""The simulator can fail: whatever is broken on purpose, it finds."""

from __future__ import annotations

import pytest

from assignment_pipeline.testing.simulator import simulate

from .mutants import MUTANTS

SEEDS = 2_000


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_caught(mutant):
    """Within 2,000 seeds."""
    with mutant.applied():
        reports = (simulate(seed, faults=mutant.faults) for seed in mutant.seeds(SEEDS))
        assert any(report.failure for report in reports), mutant.sentence
