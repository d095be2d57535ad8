"""What `benchmarks.all` measures: each row of its table is a number that a probe takes."""

from __future__ import annotations

import itertools

from benchmarks import all as table
from benchmarks import probes


def test_availability_is_measured_beside_the_decisions_that_it_answers():
    """A time and four ratios, at a small floor."""
    one, *ratios = probes.times(5, "off")
    assert one > 0
    assert len(ratios) == 4
    assert min(ratios) > 0


def test_above_one_is_better_for_times_and_for_rates():
    """A build that takes half of the time, or comes to twice as many, is twice as good."""
    assert table._better("memory", here=1.0, beside=2.0) == 2.0
    assert table._better("rate_4", here=2.0, beside=1.0) == 2.0
    assert set(table.ROWS) >= table.MORE_IS_BETTER


def test_every_probe_is_run_and_availability_has_its_rows():
    """At three sizes, with and without moves."""
    assert {*table.EACH_ROUND["probes"], *table.ONCE["probes"]} == set(probes.PROBES)
    rows = {
        f"{name}_{tables}{key}"
        for name, tables, key in itertools.product(("times", "moves"), (20, 60, 200), probes.TIMES)
    }
    assert rows <= set(table.ROWS)
