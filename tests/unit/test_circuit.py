"""The circuit breaker: how soon a store that is back is used again, and how little one that is not is asked."""

from __future__ import annotations

import datetime as dt

import pytest

from assignment_pipeline.circuit import CircuitBreaker, CircuitState
from assignment_pipeline.testing.clock import FakeClock

SECOND, NOW = dt.timedelta(seconds=1), dt.timedelta()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def circuit(clock):
    """One that is open."""
    circuit = CircuitBreaker(clock)
    for _ in range(5):
        assert circuit.remaining() == NOW
        circuit.failed()
    return circuit


def test_an_hour_of_outage_costs_one_call_a_second(circuit, clock):
    """However many want to call, one of them goes through each second, and a second after the end all do."""
    through = 0
    for _ in range(3600):
        clock.advance(SECOND)
        asking = [circuit.remaining() for _ in range(50)]
        through += asking.count(NOW)
        circuit.failed()
    assert through == 3600
    clock.advance(SECOND)
    assert circuit.remaining() == NOW
    circuit.reached()
    assert [circuit.remaining() for _ in range(50)] == [NOW] * 50


def test_a_call_that_finds_nothing_out_is_followed_by_another(circuit, clock):
    """It may have been answered without the store."""
    clock.advance(SECOND)
    assert circuit.remaining() == NOW
    assert circuit.remaining() == SECOND
    clock.advance(SECOND)
    assert circuit.remaining() == NOW


def test_late_failures_keep_it_open_no_longer(circuit, clock):
    """Calls that began before it opened say nothing new."""
    for _ in range(20):
        circuit.failed()
        clock.advance(SECOND / 20)
    assert circuit.remaining() == NOW


def test_a_store_that_only_reads_opens_it_again(circuit, clock):
    """An answer lets the others through; a commit that fails after it leaves the store alone once more."""
    clock.advance(SECOND)
    circuit.remaining()
    circuit.reached()
    circuit.failed()
    assert circuit.state is CircuitState.OPEN
    assert circuit.remaining() == SECOND


def test_two_commits_close_it(circuit, clock):
    """After them it takes five failures again."""
    clock.advance(SECOND)
    assert circuit.state is CircuitState.HALF_OPEN
    circuit.remaining()
    circuit.succeeded()
    assert circuit.state is CircuitState.HALF_OPEN
    circuit.succeeded()
    assert circuit.state is CircuitState.CLOSED
    for _ in range(4):
        circuit.failed()
    assert circuit.remaining() == NOW
    circuit.failed()
    assert circuit.remaining() == SECOND
