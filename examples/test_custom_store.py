"""The shipped contract, run on the store of `custom_store.py`: all that a host writes for that is in this file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest
from custom_store import PlainStore

from assignment_pipeline import Booking, Occupied, Venue
from assignment_pipeline.adapters.memory import MemoryHost
from assignment_pipeline.ports import OnCommit
from assignment_pipeline.testing import AssignmentStoreContract, FakeClock, StoreHarness
from assignment_pipeline.testing.simulator import simulate
from assignment_pipeline.testing.store_harness import Ability


class Harness(StoreHarness):
    """How the contract has the host know things. What cannot be done is named, and its tests are skipped."""

    cannot: ClassVar[Mapping[Ability, str]] = {
        "events": "it is no sink: it leaves events to the sinks",
        "attempts": "it does not keep them",
        "keep_request": "nothing is told to it in a commit",
    }

    def __init__(self, store: PlainStore, host: MemoryHost) -> None:
        self.store = store
        self.host = host

    def put_booking(self, booking: Booking) -> None:
        """Have the host know the booking, or change it. See `StoreHarness.put_booking`."""
        self.host.put_booking(booking)

    def put_venue(self, venue: Venue) -> None:
        """Have the host know the restaurant, or change it. See `StoreHarness.put_venue`."""
        self.host.put_venue(venue)

    def occupy(self, restaurant_id: str, occupied: Occupied) -> None:
        """Take a table by other means than the pipeline's, as legacy or the staff do. See `StoreHarness.occupy`."""
        self.host.occupy(restaurant_id, occupied)

    def vacate(self, restaurant_id: str, occupied: Occupied) -> None:
        """Undo `occupy`. See `StoreHarness.vacate`."""
        self.host.vacate(restaurant_id, occupied)

    def bump_generation(self) -> None:
        """Move the rollout on by one generation. See `StoreHarness.bump_generation`."""
        self.store.move_rollout()

    def hook(self, on_commit: OnCommit) -> None:
        """Have the store call *on_commit* inside the commits from now on. See `StoreHarness.hook`."""
        self.store.on_commit = on_commit


def simulated(clock: FakeClock) -> Harness:
    """What the simulator makes for each of its runs."""
    host = MemoryHost()
    return Harness(PlainStore(host, clock=clock), host)


@pytest.mark.parametrize("seed", range(50))
def test_the_simulator_breaks_nothing(seed: int) -> None:
    """Whatever goes wrong around it, in whatever order."""
    report = simulate(seed, harness=simulated)
    assert report.failure is None


class TestPlainStore(AssignmentStoreContract):
    """The suite; the fixtures that it asks for are the whole of the work."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The time, which the tests advance."""
        return FakeClock()

    @pytest.fixture
    def host(self) -> MemoryHost:
        """A host without anything; the tests put it there."""
        return MemoryHost()

    @pytest.fixture
    def store(self, host: MemoryHost, clock: FakeClock) -> PlainStore:
        """A fresh and empty store."""
        return PlainStore(host, clock=clock)

    @pytest.fixture
    def harness(self, store: PlainStore, host: MemoryHost) -> Harness:
        """The way to the host."""
        return Harness(store, host)
