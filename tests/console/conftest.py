"""A console over a small restaurant."""

from __future__ import annotations

import pytest

from assignment_pipeline import AsyncCoordinator, Coordinator
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.console import console
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing import FakeClock
from tests.console.house import ANNA, EVENING, Browser, booking, venue


@pytest.fixture
def clock():
    """The evening's time."""
    return FakeClock(EVENING)


@pytest.fixture
def store(clock):
    """Two restaurants, and nobody in them."""
    host = MemoryHost()
    host.put_venue(venue())
    host.put_venue(venue("other"))
    return MemoryStore(host, clock=clock)


@pytest.fixture
def coordinator(store, clock):
    """A coordinator in charge of both."""
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), clock=clock) as made:
        yield made


@pytest.fixture(params=["sync", "async"])
def either(request, coordinator, store, clock):
    """A coordinator of each kind over the same store."""
    if request.param == "sync":
        return coordinator
    return AsyncCoordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), clock=clock)


@pytest.fixture
def put(coordinator, store):
    """Take a booking and have it seated."""

    def take(*values, **facts):
        made = booking(*values, **facts)
        store.host.put_booking(made)
        return coordinator.assign(made)

    return take


@pytest.fixture
def anna(coordinator):
    """A browser of somebody who works at the one restaurant."""
    return Browser(console(coordinator, staff=lambda _: ANNA))
