"""What the reference adapters do beyond the contracts."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryHost, MemoryLockManager, MemoryStore
from assignment_pipeline.domain.record import CommitPreconditions
from assignment_pipeline.errors import StaleRecordError, VenueNotFoundError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import LoadQuery, Occupied, Wanted
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOLD,
    HOUR,
    QUEUE,
    REVIEW,
    make_booking,
    make_change,
    make_venue,
)

WINDOW = make_venue().turn(make_booking())


@pytest.fixture
def host():
    """A host with a restaurant."""
    return MemoryHost(make_venue())


@pytest.fixture
def store(host):
    """A store for it."""
    return MemoryStore(host, clock=FakeClock())


def status_after(host, store, *ways, known=True):
    """The guest's status after those changes, one after the other."""
    booking = make_booking()
    if known:
        host.put_booking(booking)
    record = None
    for way in ways:
        change = make_change(booking, *way, before=record, tables=("T1",) if Trigger.SEAT in way else ())
        store.commit([change])
        record = change.record
    return host.booking(None, booking.id).status


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("ways", "status"),
    [
        ([QUEUE], "pending"),
        ([HOLD], "pending"),
        ([REVIEW], "pending"),
        ([CONFIRM], "confirmed"),
        ([CONFIRM, (Trigger.CANCEL,)], "cancelled"),
        ([QUEUE, (Trigger.FAIL,)], "failed"),
        ([CONFIRM, (Trigger.REQUEUE,)], "pending"),
        ([CONFIRM, (Trigger.REQUEUE, Trigger.BEGIN, Trigger.ESCALATE)], "pending"),
        ([CONFIRM, (Trigger.REQUEUE, Trigger.BEGIN, Trigger.SEAT, Trigger.CONFIRM)], "confirmed"),
    ],
)
def test_the_guest_is_told_how_it_came_out(host, store, ways, status, known):
    """The host's booking says what its assignment means to the guest; a review is not the guest's concern."""
    assert status_after(host, store, *ways, known=known) == status


@pytest.mark.parametrize("way", [(), (Trigger.MOVE,)])
def test_what_does_not_change_the_outcome_tells_nothing(host, store, way):
    """A guest who has cancelled is not told of a confirmation again when the booking is pinned or moved."""
    change = make_change(make_booking(), *CONFIRM, tables=("T1",))
    store.commit([change])
    host.put_booking(attrs.evolve(make_booking(), status="cancelled"))
    store.commit([make_change(make_booking(), *way, before=change.record, tables=("T2",) if way else (), pinned=True)])
    assert host.booking(None, "b-1").status == "cancelled"


def test_the_hosts_booking_is_not_overwritten(host, store):
    """What the host knows of a booking stays, but for its status."""
    known = make_booking(party_size=4, attributes={"name": "Zoë"})
    host.put_booking(known)
    store.commit([make_change(make_booking(party_size=2), *CONFIRM, tables=("T1",))])
    assert host.booking(None, "b-1") == attrs.evolve(known, status="confirmed")
    assert host.booking(None, "b-1").attributes == {"name": "Zoë"}


def test_an_unknown_booking_may_be_cancelled(host, store):
    """A record without a booking is none of the host's business."""
    store.commit([make_change(make_booking(), Trigger.CANCEL, booking=None, restaurant_id="")])
    assert host.booking(None, "b-1") is None


def test_a_hook_that_raises_takes_the_hosts_side_back(host):
    """When the host's code refuses a commit, what the commit did to the host's bookings is undone."""

    def refuse(connection, changes):
        assert connection is None
        assert host.booking(None, "b-1").status == "confirmed"
        raise LookupError

    host.put_booking(make_booking())
    store = MemoryStore(host, clock=FakeClock(), on_commit=refuse)
    with pytest.raises(LookupError):
        store.commit([make_change(make_booking(), *CONFIRM, tables=("T1",))])
    assert host.booking(None, "b-1") == make_booking()
    assert store.history("b-1") == store.attempts("b-1") == store.events == ()


def test_a_host_of_ones_own_will_do(store):
    """A store works for any host, with or without a hook of its own."""

    class Host:
        def booking(self, connection, booking_id):
            return None

        def venue(self, connection, restaurant_id, known_version):
            return make_venue()

        def occupied(self, connection, restaurant_id, window):
            return [Occupied(table_id="T9", window=window, movable=True)]

        def unassigned(self, connection, since, limit):
            return []

    store = MemoryStore(Host(), clock=FakeClock())
    store.commit([make_change(make_booking(), *CONFIRM, tables=("T1",))])
    taken = store.load(LoadQuery(restaurant_id="r-1", bookings=(make_booking("b-2"),))).taken
    assert {(one.table_id, one.movable) for one in taken} == {("T1", True), ("T9", False)}


def test_a_restaurant_that_is_gone_can_be_cancelled_at(host, store):
    """A guest may cancel at a restaurant that the host has closed; whoever waits there is told."""
    seated = make_change(make_booking(), *CONFIRM, tables=("T1",))
    store.commit([seated, make_change(make_booking("b-2"), *QUEUE, next_attempt_at=DINNER)])
    host._venues.clear()
    store.commit([make_change(make_booking(), Trigger.CANCEL, before=seated.record)])
    assert [due.booking_id for due in store.due(9)] == ["b-2"]


def test_a_plan_for_a_restaurant_that_is_gone_is_stale(host, store):
    """What was planned on a floor that is no longer there is refused as such."""
    preconditions = CommitPreconditions(
        booking=None, venue_version=make_venue().version, next_attempt_at=None, pinned=False
    )
    change = make_change(make_booking(), *CONFIRM, tables=("T1",), preconditions=preconditions)
    host._venues.clear()
    with pytest.raises(StaleRecordError, match="venue"):
        store.commit([change])


def test_the_host_lists_venues_by_version(host):
    """A known version is answered with None, another with the venue."""
    version = make_venue().version
    assert host.venue(None, "r-1", version) is None
    assert host.venue(None, "r-1", "older") == make_venue()
    with pytest.raises(VenueNotFoundError):
        host.venue(None, "r-9", None)


def test_what_is_vacated_is_free(host):
    """What the staff took it may give back."""
    seat = Occupied(table_id="T1", window=WINDOW)
    host.occupy("r-1", seat)
    assert host.occupied(None, "r-1", WINDOW) == [seat]
    assert host.occupied(None, "r-1", WINDOW.shifted(3 * HOUR)) == []
    host.vacate("r-1", seat)
    assert host.occupied(None, "r-1", WINDOW) == []


def test_a_move_to_another_restaurant_frees_the_first(host, store):
    """A booking that changes restaurants takes its seats along, and wakes those that wait where it was."""
    host.put_venue(make_venue("r-2"))
    first = make_change(make_booking(), *CONFIRM, tables=("T1",))
    store.commit([first, make_change(make_booking("b-2"), *QUEUE, next_attempt_at=DINNER)])
    there = make_booking(restaurant_id="r-2")
    store.commit([make_change(there, Trigger.MOVE, before=first.record, tables=("T1",))])
    assert [due.booking_id for due in store.due(9)] == ["b-2"]
    store.commit([make_change(make_booking("b-3"), *CONFIRM, tables=("T1",))])


def test_leases_say_whose_they_are():
    """A lease names its owner for people, and hides what proves it."""
    (lease,) = MemoryLockManager(FakeClock(), owner="worker 3").acquire([Wanted("a")], ttl=HOUR).leases
    assert lease.owner == "worker 3"
    assert lease.nonce not in repr(lease)
    (other,) = MemoryLockManager(FakeClock()).acquire([Wanted("a")], ttl=HOUR).leases
    assert other.owner
    assert other.nonce != lease.nonce


def test_locks_forget_what_is_released():
    """Keys that nobody holds take no room."""
    locks = MemoryLockManager(FakeClock())
    for number in range(100):
        locks.release(locks.acquire([Wanted(f"booking:{number}")], ttl=dt.timedelta(seconds=30)))
    assert not locks._held
