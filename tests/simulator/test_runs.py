"""Runs of the simulator: the same again, on any store, with a host's own parts, and nothing breaks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.testing.harnesses import MemoryHarness, SQLiteHarness
from assignment_pipeline.testing.simulator import ALL, Drawn, Replayed, Run, Seeded, simulate
from assignment_pipeline.testing.simulator.faults import BY_NAME
from assignment_pipeline.testing.simulator.happenings import HAPPENINGS
from assignment_pipeline.testing.simulator.jobs import JOBS

RUN = Run()

SEEDS = int(os.environ.get("ASSIGNMENT_PIPELINE_TEST_SEEDS", "60"))
"""How many fresh seeds are run."""

PARTS = 4

FRESH = int.from_bytes(os.urandom(4))
"""Where the fresh seeds begin: others each time, and named by the tests' ids where one fails."""


def passes(report):
    """Whether nothing broke; pytest shows what did."""
    assert report.failure is None, report.failure.details
    return report


@pytest.mark.parametrize("part", range(PARTS))
def test_fresh_seeds_hold(part):
    """Every invariant, whatever goes wrong, in runs that nobody has seen."""
    seeds = range(FRESH + part, FRESH + SEEDS, PARTS)
    assert seeds
    assert {seed: report.failure for seed in seeds if (report := simulate(seed)).failure} == {}


def test_fresh_seeds_hold_where_nothing_goes_wrong():
    """Interleavings alone."""
    runs = ((seed, simulate(seed, faults="none")) for seed in range(FRESH, FRESH + SEEDS // 3))
    broken = {seed: report.failure for seed, report in runs if report.failure}
    assert broken == {}


def test_fresh_seeds_hold_on_sqlite():
    """The same driver, over files."""
    runs = ((seed, simulate(seed, harness=SQLiteHarness.new)) for seed in range(FRESH, FRESH + 10))
    assert {seed: report.failure for seed, report in runs if report.failure} == {}


@settings(max_examples=25)
@given(st.data())
def test_hypothesis_drives_it(data):
    """Its choices make a run too, and what it would shrink is the run."""
    passes(RUN(Drawn(data)))


@pytest.mark.parametrize("faults", ["all", "none"])
def test_a_seed_is_the_same_run(faults):
    """Down to every line of the trace."""
    run = Run(faults=ALL if faults == "all" else ())
    reports = [run(Seeded(7), traced=True) for _ in range(2)]
    assert reports[0] == reports[1]
    assert len(reports[0].trace) > 20
    assert run(Seeded(8), traced=True).trace != reports[0].trace


def test_a_seed_is_the_same_run_in_every_process():
    """Whatever Python's hashes are salted with."""
    command = [sys.executable, "-m", "assignment_pipeline.testing.simulator", "--seed", "7"]
    told = [
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": salt}, check=True, capture_output=True).stdout
        for salt in ("1", "2")
    ]
    assert told[0] == told[1] != b""


def test_a_run_on_sqlite_is_that_in_memory():
    """The stores agree, so the same choices lead the same way."""
    memory, sqlite = (Run(harness=kind.new)(Seeded(10), traced=True) for kind in (MemoryHarness, SQLiteHarness))
    assert memory.trace == sqlite.trace


def test_what_was_chosen_makes_the_same_run():
    """A report holds all that it takes to make it again."""
    report = RUN(Seeded(3), traced=True)
    assert RUN(Replayed(report.choices), traced=True) == report


def test_the_plainest_run_does_nothing():
    """Zeros alone: nothing is to do, and the sweep sees to what the host has."""
    report = passes(RUN(Replayed([]), traced=True))
    assert report.jobs == {}
    assert report.faults == {}


@pytest.fixture(scope="module")
def many():
    """What the first 150 seeds come to, in which nothing breaks."""
    faults, jobs = {}, {}
    for seed in range(150):
        report = passes(simulate(seed))
        for counts, counter in ((faults, report.faults), (jobs, report.jobs)):
            for name, count in counter.items():
                counts[name] = counts.get(name, 0) + count
    return faults, jobs


@pytest.mark.parametrize("name", BY_NAME)
def test_every_fault_strikes(many, name):
    """None is there for show."""
    assert many[0].get(name, 0) >= 3


@pytest.mark.parametrize("kind", [*JOBS, *HAPPENINGS], ids=lambda kind: kind.name)
def test_everything_comes_about(many, kind):
    """Every job is begun, and the host does all that it may."""
    assert many[1].get(kind.name, 0) >= 3


@pytest.mark.parametrize("name", BY_NAME)
def test_a_fault_can_strike_alone(name):
    """Without any other."""
    assert {*simulate(1, faults=[name]).faults} <= {name}


def test_where_there_are_no_faults_none_strikes():
    """Nothing but the order of things is left to chance."""
    assert simulate(1, faults="none").faults == {}


def test_an_unknown_fault_is_refused():
    """With those that there are."""
    with pytest.raises(ValueError, match=r"faults among dies-before, .*, got 'gremlins'"):
        simulate(1, faults=["gremlins"])


class Forgetful(MemoryStore):
    """A store that does not look whether a table is taken."""

    def _contested(self, after):
        return set()


def forgetful(clock):
    return MemoryHarness(Forgetful(MemoryHost(), clock=clock))


def test_a_store_that_double_books_is_found_out():
    """A host's own store runs as ours do, and is caught as a broken one."""
    failures = (simulate(seed, harness=forgetful).failure for seed in range(400))
    assert "no_table_twice" in (failure.invariant for failure in failures if failure)


class NotThere:
    """A host's strategy that keeps everybody from a table, and counts how often it was asked."""

    name = "not_there"

    def __init__(self):
        self.asked = 0

    def weigh(self, request, seating, floor):
        self.asked += 1
        return None if "R1-T1" in seating.table_ids else 0.0


def test_a_strategy_of_the_host_is_asked():
    """By the fleet's planning, and by the last look for who waits beside a free table."""
    strategy = NotThere()
    for seed in range(20):
        passes(simulate(seed, strategies=[strategy]))
    assert strategy.asked > 100


def limited(clock):
    """A host that can do next to nothing."""
    harness = MemoryHarness.new(clock)
    harness.cannot = dict.fromkeys(("bump_generation", "occupy", "block", "events", "attempts"), "not here")
    for name in harness.cannot:
        setattr(harness, name, None)
    return harness


def test_a_host_without_abilities_does():
    """What it cannot does not come about, and is not looked at."""
    done = {name for seed in range(40) for name in passes(simulate(seed, harness=limited)).jobs}
    assert not done & {"the rollout moves", "the staff seat somebody"}


def test_a_run_closes_its_store():
    """However it ends."""
    closed = []

    class Closing(MemoryHarness):
        def close(self):
            closed.append(self)

    for kind in (MemoryStore, Forgetful):
        for seed in range(10):
            simulate(seed, harness=lambda clock, kind=kind: Closing(kind(MemoryHost(), clock=clock)))
    assert len(closed) == 20
