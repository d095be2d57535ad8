"""Bookings that nobody enqueued, among those of restaurants that the pipeline is not in charge of."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import AssignmentState, Booking, FloorPlan, Mode, Reason, Table, Venue
from assignment_pipeline.adapters.memory import MemoryHost
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.errors import FlagsUnreadError
from assignment_pipeline.ports import FlagDecision, UnreadableBooking

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)


class Ours:
    """In charge of the restaurants whose names begin so; how often it was asked."""

    def resolve(self, restaurant_id):
        mode = Mode.ACTIVE if restaurant_id.startswith("R1") else Mode.OFF
        return FlagDecision(mode=mode, max_parallel=3, reason="listed", source="test")


class ThreeArguments(MemoryHost):
    """A host as the first docs had it: it cannot look by restaurant, and knows no order within a minute."""

    restaurants_waiting = None
    rows = 0

    def unassigned(self, connection, since, limit):
        found = super().unassigned(connection, since, 10**9)
        found = sorted(found, key=lambda booking: (booking.start_at, hash((booking.id, self.rows))))[:limit]
        self.rows += len(found)
        return found


def fill(put, clock, count, a_minute):
    """So many pending bookings of a restaurant that is off; the time of the last."""
    start = clock.now().replace(second=0, microsecond=0) + HOUR
    for number in range(count):
        put(Booking(f"a{number:05}", "other", 2, start + number // a_minute * MINUTE))
    return start + (count - 1) // a_minute * MINUTE


@pytest.mark.parametrize(("count", "a_minute"), [(19, 19), (20, 20), (60, 60), (900, 7), (900, 20), (900, 900)])
@pytest.mark.parametrize("kind", [MemoryHost, ThreeArguments])
def test_the_backlog_of_others_hides_nobody(house, kind, count, a_minute):
    """However many wait where the pipeline is off, at one minute or at many, each booking of ours is enqueued once."""
    host = house.store.host = kind(house.venue, attrs.evolve(house.venue, id="other"))
    last = fill(host.put_booking, house.clock, count, a_minute)
    times = (last - 5 * MINUTE * (last > house.clock.now() + 2 * HOUR), last, last + MINUTE)
    for number, at in enumerate(times):
        host.put_booking(Booking(f"z{number}", house.venue.id, 2, at))
    coordinator = house.coordinator(flags=Ours())
    sweeps = 2 if kind is MemoryHost else 9
    found = [name for _ in range(sweeps) for name in coordinator.sweep(limit=20).enqueued]
    assert sorted(found) == ["z0", "z1", "z2"]


def test_the_search_begins_again_behind_its_end(house):
    """A booking that comes into the middle of what was searched to its end is found by the next sweeps."""
    host = house.store.host = ThreeArguments(house.venue, attrs.evolve(house.venue, id="other"))
    last = fill(host.put_booking, house.clock, 900, 7)
    coordinator = house.coordinator(flags=Ours())
    for _ in range(5):
        coordinator.sweep(limit=20)
    host.put_booking(Booking("z", house.venue.id, 2, last - 90 * MINUTE))
    assert [name for _ in range(5) for name in coordinator.sweep(limit=20).enqueued] == ["z"]


def test_a_host_that_knows_its_restaurants_is_asked_for_those_in_charge(house):
    """The sweep reads no row of a restaurant that is off: once for the restaurants, once for the bookings."""
    asked = []

    class Watched(MemoryHost):
        def unassigned(self, connection, since, limit, *, restaurants=None):
            found = super().unassigned(connection, since, limit, restaurants=restaurants)
            asked.append((restaurants, len(found)))
            return found

    host = house.store.host = Watched(house.venue, attrs.evolve(house.venue, id="other"))
    fill(host.put_booking, house.clock, 300, 10)
    coordinator = house.coordinator(flags=Ours())
    coordinator.sweep()
    assert asked == []
    host.put_booking(Booking("z", house.venue.id, 2, house.clock.now().replace(second=0, microsecond=0) + 2 * HOUR))
    assert coordinator.sweep().enqueued == ("z",)
    assert asked == [(("R1",), 1)]


def test_a_page_that_always_comes_back_ends_the_search(house):
    """A host that answers the same whatever it is asked is asked at most so often."""
    calls = []

    class Stuck(ThreeArguments):
        def unassigned(self, connection, since, limit):
            calls.append(limit)
            at = house.clock.now().replace(second=0, microsecond=0) + HOUR
            return [Booking(f"a{number}", "other", 2, at) for number in range(min(limit, 50))]

    house.store.host = Stuck(house.venue)
    house.coordinator(flags=Ours()).sweep(limit=10)
    assert len(calls) < 20


def test_bookings_that_raise_do_not_hide_those_behind_them(house, coordinator):
    """What cannot be enqueued is an error each time, and comes after the others from then on."""
    start = house.clock.now().replace(second=0, microsecond=0) + HOUR
    for number in range(30):
        house.booking(f"a{number:02}", start_at=start)
    house.booking("z", start_at=start + HOUR)

    def poisoned(changes):
        if any(change.record.booking_id.startswith("a") for change in changes):
            raise RuntimeError
        return type(house.store).mro()[1].commit(house.store, changes)

    house.store.commit = poisoned
    found = [name for _ in range(3) for name in coordinator.sweep(limit=20).enqueued]
    assert found == ["z"]


def test_a_booking_that_raises_is_tried_once_in_a_sweep(house, coordinator):
    """Also where one minute fills a page, so that the page is read again with the next one."""
    host = house.store.host = ThreeArguments(house.venue)
    start = house.clock.now().replace(second=0, microsecond=0) + HOUR
    names = [f"a{number}" for number in range(5)]
    for name in names:
        host.put_booking(Booking(name, house.venue.id, 2, start))
    house.store.before["commit"] = [RuntimeError(name) for name in names * 3]
    assert sorted(name for name, _ in coordinator.sweep(limit=2).errors) == names


def test_a_list_that_raises_is_told_once_and_stops_nothing_else(house, coordinator):
    """A host's list that one row makes raise: what is due goes on, the report has it once, until it is well again."""

    class Raises(MemoryHost):
        broken = True

        def unassigned(self, *args, **options):
            if self.broken:
                raise ValueError("party_size: expected 1 or more")
            return super().unassigned(*args, **options)

    host = house.store.host = Raises(house.venue)
    at = house.clock.now().replace(second=0, microsecond=0) + HOUR
    for name in ("B1", "B2"):
        host.put_booking(Booking(name, "R1", 2, at))
    coordinator.enqueue(host.booking(None, "B1"))
    house.clock.advance(MINUTE)
    reports = [coordinator.sweep() for _ in range(3)]
    assert [result.booking_id for report in reports for result in report.results] == ["B1"]
    assert [report.errors for report in reports] == [(("", "ValueError"),), (), ()]
    host.broken = False
    assert coordinator.sweep().enqueued == ("B2",)
    host.broken = True
    assert coordinator.sweep().errors == (("", "ValueError"),)


def test_a_backlog_whose_flags_are_unread_hides_nobody(house):
    """A host that knows its restaurants is asked for those alone whose flags say that the pipeline is in charge."""

    class Unread(Ours):
        def resolve(self, restaurant_id):
            if restaurant_id == "other":
                raise FlagsUnreadError("nobody has said so")
            return super().resolve(restaurant_id)

    house.host.put_venue(attrs.evolve(house.venue, id="other"))
    last = fill(house.host.put_booking, house.clock, 30, 10)
    house.booking("z", start_at=last + MINUTE)
    assert house.coordinator(flags=Unread()).sweep(limit=20).enqueued == ("z",)


def test_a_row_that_is_no_booking_is_one_case_for_a_person(house, coordinator):
    """The good rows of a host's list are enqueued; the bad one is in review, once, and told."""

    class Marks(MemoryHost):
        def unassigned(self, *args, **options):
            bad = UnreadableBooking(id="bad", restaurant_id="R1", problem="party_size: expected 1 or more, got 0")
            return [bad, *super().unassigned(*args, **options)]

    host = house.store.host = Marks(house.venue)
    host.put_booking(Booking("good", "R1", 2, house.clock.now().replace(second=0, microsecond=0) + HOUR))
    assert coordinator.sweep().enqueued == ("good",)
    assert coordinator.sweep() == coordinator.sweep()
    record = house.record("bad")
    assert (record.state, record.reason) == (AssignmentState.MANUAL_REVIEW, Reason.BOOKING_UNREADABLE)
    told = [event.context.get("error") for event in house.sink.events if event.booking_id == "bad"]
    assert [error for error in told if error] == ["party_size: expected 1 or more, got 0"]


def test_a_row_that_is_no_booking_is_left_alone_where_the_pipeline_is_off(house):
    """The planner in charge there reads the booking itself: the pipeline writes no record for it."""

    class Marks(ThreeArguments):
        def unassigned(self, *_):
            return [
                UnreadableBooking(id=f"bad-{name}", restaurant_id=name, problem="no party") for name in ("R1", "R9")
            ]

    house.store.host = Marks(house.venue)
    house.coordinator(flags=Ours()).sweep()
    assert house.record("bad-R1").state is AssignmentState.MANUAL_REVIEW
    assert house.record("bad-R9") is None


def test_a_bad_row_of_a_standalone_database_hides_no_other(tmp_path, house):
    """A party of 0 that somebody wrote into the table: the sweep enqueues the others."""
    path = tmp_path / "a.db"
    init(path, standalone=True)
    host = StandaloneHost()
    at = house.clock.now().replace(second=0, microsecond=0) + HOUR
    with SQLiteStore(path, host=host, clock=house.clock) as store:
        store.write(lambda connection: host.put_venue(connection, Venue("R1", "UTC", FloorPlan([Table("T", 2)]))))
        for name in ("a", "bad", "c"):
            store.write(lambda connection, name=name: host.put_booking(connection, Booking(name, "R1", 2, at)))
        store.write(lambda connection: connection.execute("UPDATE bookings SET party_size = 0 WHERE id = 'bad'"))
        coordinator = Coordinator(store, flags=Ours(), sinks=(), shadow=None, clock=house.clock)
        report = coordinator.sweep()
        assert (report.enqueued, report.errors) == (("a", "c"), ())
        record = coordinator.record("bad")
        assert record is not None
        assert (record.state, record.reason) == (AssignmentState.MANUAL_REVIEW, Reason.BOOKING_UNREADABLE)
