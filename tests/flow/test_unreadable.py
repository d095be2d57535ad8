"""Rows of the host's that are no bookings: each is its booking's case, and stops nobody else."""

from __future__ import annotations

import datetime as dt

import attrs
import psycopg
import pytest

from assignment_pipeline import AssignmentState, Booking, Coordinator, Mode, Outcome, Reason, Settings
from assignment_pipeline.adapters import postgres
from assignment_pipeline.adapters.memory import MemoryHost
from assignment_pipeline.errors import BookingUnreadableError
from assignment_pipeline.rollout.flags import FixedFlags

MINUTE = dt.timedelta(minutes=1)


class Rows(MemoryHost):
    """A host that raises, as Booking does, for the rows that somebody has made unreadable."""

    error: type[Exception] = ValueError

    def __init__(self, *venues):
        super().__init__(*venues)
        self.bad = set()

    def booking(self, connection, booking_id):
        if booking_id in self.bad:
            raise self.error("party_size: expected 1 or more, got 0")
        return super().booking(connection, booking_id)


@pytest.fixture
def host(house):
    """The house's host, with rows that may be spoilt."""
    house.host = house.store.host = Rows(house.venue)
    return house.host


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError, ZeroDivisionError, AttributeError])
def test_a_neighbour_whose_row_makes_no_sense_keeps_its_tables(house, coordinator, host, error):
    """Nobody else notices: bookings are seated around it, a day is swept, and its tables stay taken."""
    host.error = error
    seated = coordinator.assign(house.booking("F1"))
    host.bad.add("F1")
    results = [coordinator.assign(house.booking(f"B{number}")) for number in range(3)]
    assert [result.outcome for result in results[:2]] == [Outcome.CONFIRMED] * 2
    assert seated.tables[0] not in {table for result in results for table in result.tables}
    report = coordinator.sweep()
    assert report.errors == ()
    assert house.record("F1").tables == seated.tables


@pytest.mark.parametrize("error", [ValueError, AttributeError])
def test_a_row_that_makes_no_sense_hides_no_queue(house, coordinator, host, error):
    """It may raise because the row of its restaurant is gone: people see all who wait, and a person decides on it."""
    host.error = error
    for name in ("B1", "B2"):
        assert coordinator.assign(house.booking(name, party_size=9)).outcome is Outcome.MANUAL_REVIEW
    coordinator.enqueue(house.booking("B3"))
    host.bad.update({"B1", "B3"})
    assert {case.record.booking_id for case in coordinator.review_cases().cases} == {"B1", "B2"}
    assert coordinator.show("B1").booking is None
    house.clock.advance(MINUTE)
    report = coordinator.sweep()
    assert report.errors == ()
    assert house.record("B3").reason == Reason.BOOKING_UNREADABLE


class Spoilt(MemoryHost):
    """A host whose code raises for one restaurant."""

    method = ""

    def _raise(self, method, restaurant_id):
        if (method, restaurant_id) == (self.method, "R1"):
            raise RuntimeError("Mrs Canary")

    def venue(self, connection, restaurant_id, known_version):
        self._raise("venue", restaurant_id)
        return super().venue(connection, restaurant_id, known_version)

    def occupied(self, connection, restaurant_id, window):
        self._raise("occupied", restaurant_id)
        return super().occupied(connection, restaurant_id, window)


@pytest.mark.parametrize("method", ["venue", "occupied"])
def test_a_restaurant_whose_host_raises_keeps_no_other_from_its_tables(house, method):
    """Parties sit at both, and somebody waits at both: the sweep seats whom it can, and says what was raised."""
    house.host = house.store.host = Spoilt(house.venue, attrs.evolve(house.venue, id="R2"))
    coordinator = house.coordinator()
    for place in ("R1", "R2"):
        assert coordinator.walk_in(place, 2, actor="anna").tables
        waits = attrs.evolve(house.booking(f"waits-{place}"), restaurant_id=place)
        house.host.put_booking(waits)
        coordinator.enqueue(waits)
        large = attrs.evolve(house.booking(f"large-{place}", party_size=9), restaurant_id=place)
        house.host.put_booking(large)
        assert coordinator.assign(large).outcome is Outcome.MANUAL_REVIEW
    house.clock.advance(MINUTE)
    house.host.method = method
    report = coordinator.sweep()
    assert [result.booking_id for result in report.results] == ["waits-R2"]
    assert house.record("waits-R2").tables
    assert {error for _, error in report.errors} == {"RuntimeError"}
    assert [case.record.booking_id for case in coordinator.review_cases().cases] == ["large-R1", "large-R2"]
    with pytest.raises(RuntimeError, match="Canary"):
        coordinator.review_cases("R1")
    house.host.method = ""
    house.clock.advance(2 * MINUTE)
    assert [result.outcome for result in coordinator.sweep().results] == [Outcome.CONFIRMED]


def test_a_booking_whose_own_row_makes_no_sense_goes_to_a_person(house, coordinator, host):
    """At the sweep as by its id, with a reason of its own and an event."""
    for name in ("B1", "B2"):
        coordinator.enqueue(house.booking(name))
    host.bad.update({"B1", "X9"})
    house.clock.advance(MINUTE)
    results = {result.booking_id: result.reason for result in coordinator.sweep().results}
    assert results == {"B1": Reason.BOOKING_UNREADABLE, "B2": None}
    assert house.record("B1").state is AssignmentState.MANUAL_REVIEW
    assert coordinator.assign_id("X9", "R1").reason is Reason.BOOKING_UNREADABLE
    assert "coordinator.error" in house.told()


def test_a_hold_whose_row_makes_no_sense_keeps_its_tables(house, host):
    """It is seated already: nobody takes its tables away before the hold ends."""
    coordinator = house.coordinator(settings=Settings(confirmation="external"))
    held = coordinator.assign(house.booking())
    host.bad.add("B1")
    assert coordinator.assign_id("B1", "R1").tables == held.tables
    assert (house.record().state, house.record().tables) == (AssignmentState.ASSIGNED, held.tables)
    assert coordinator.confirm("B1").tables == held.tables


def test_what_legacy_is_at_work_on_is_left_to_it(house, coordinator, host):
    """A booking that was handed over stays so when its row makes no sense."""

    class Killed(BaseException):
        pass

    def kill(booking):
        raise Killed

    coordinator.enqueue(house.booking())
    with pytest.raises(Killed):
        house.coordinator(flags=FixedFlags(Mode.OFF), legacy=kill).assign(host.booking(None, "B1"))
    before = house.record()
    assert before.state is AssignmentState.ASSIGNMENT_IN_PROGRESS
    host.bad.add("B1")
    coordinator.assign_id("B1", "R1")
    assert house.record() == before


def test_a_cancellation_needs_no_row(house, coordinator, host):
    """A booking whose row makes no sense is cancelled all the same, known to the pipeline or not."""
    coordinator.assign(house.booking("B1"))
    host.bad.update({"B1", "X9"})
    for name in ("B1", "X9"):
        assert coordinator.cancel(name).outcome is Outcome.CANCELLED


def test_who_asks_for_the_row_is_told(house, host):
    """The store raises an error of its own, which names the booking and quotes nothing."""
    host.bad.add("B1")
    with pytest.raises(BookingUnreadableError, match=r"'B1'.*ValueError") as raised:
        house.store.booking("B1")
    assert "got 0" not in str(raised.value)


def test_who_waits_for_tables_with_a_row_that_makes_no_sense_is_not_seated(house, host):
    """A table comes free, and the host asks for it: a person decides, and the sweep goes on once the row is mended."""
    coordinator = house.coordinator(settings=Settings(max_retries=0))
    for name in ("F1", "F2", "F3", "B1"):
        coordinator.assign(house.booking(name))
    coordinator.sweep()
    host.bad.add("B1")
    coordinator.cancel("F1")
    assert [result.reason for result in coordinator.sweep().results] == [Reason.BOOKING_UNREADABLE]
    result = coordinator.reassign(house.booking("B1"))
    assert (result.outcome, result.reason) == (Outcome.NOOP, Reason.BOOKING_UNREADABLE)
    host.bad.clear()
    coordinator.sweep()
    assert house.record("B1").state is AssignmentState.CONFIRMED


@pytest.mark.parametrize("act", ["requeue", "reassign", "sweep"])
def test_a_booking_whose_row_makes_no_sense_can_give_its_tables_back(house, act):
    """What a commit looks at behind ``on_commit`` contradicts nothing where it cannot be read."""
    host = house.host = house.store.host = Rows(house.venue)
    host.is_ours = False
    coordinator = house.coordinator(settings=Settings(confirmation="external", max_holds=2))
    booking = house.booking("B1")
    assert coordinator.assign(booking).outcome is Outcome.ASSIGNED
    if act == "requeue":
        assert coordinator.confirm("B1").outcome is Outcome.CONFIRMED
    host.bad.add("B1")
    house.clock.advance(3 * MINUTE)
    if act == "requeue":
        coordinator.requeue("B1", actor="anna")
    elif act == "reassign":
        coordinator.reassign(attrs.evolve(booking, party_size=9), keep=False)
    else:
        assert coordinator.sweep().errors == ()
    assert house.record("B1").tables == ()


def test_of_many_the_one_whose_row_makes_no_sense_goes_to_a_person(house, coordinator, host):
    """Whatever was passed of it; the others are seated."""
    bookings = [house.booking(name) for name in ("B1", "B2", "B3")]
    host.bad.add("B2")
    results = {result.booking_id: result.outcome for result in coordinator.assign_many(bookings)}
    assert results == {"B1": Outcome.CONFIRMED, "B2": Outcome.MANUAL_REVIEW, "B3": Outcome.CONFIRMED}
    assert house.record("B2").reason == Reason.BOOKING_UNREADABLE


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_where_the_pipeline_is_not_in_charge_the_caller_sees_to_it(house, host, mode):
    """By its id alone there is nothing to hand to legacy: that is an answer, and no error."""
    coordinator = house.coordinator(flags=FixedFlags(mode), legacy=lambda _: pytest.fail("no booking to plan for"))
    house.booking("B1")
    host.bad.add("B1")
    result = coordinator.assign_id("B1", "R1")
    assert (result.outcome, result.reason, result.handled) == (Outcome.NOOP, Reason.BOOKING_UNREADABLE, False)


def test_postgres_rows_that_make_no_sense(postgres_database, house):
    """A party of 0 in the standalone tables: the neighbours are seated, and the booking itself goes to a person."""
    schema = "unreadable"
    postgres.init(postgres_database, standalone=True, schema=schema)
    host = postgres.StandaloneHost(schema=schema)
    start = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) + dt.timedelta(days=1)
    with postgres.PostgresStore(postgres_database, host=host, schema=schema) as store:
        store.write(lambda connection: host.put_venue(connection, house.venue))
        coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None)
        seated = coordinator.assign(Booking("F1", "R1", 2, start))
        for name in ("a", "bad", "c"):
            store.write(lambda connection, name=name: host.put_booking(connection, Booking(name, "R1", 2, start)))
        with psycopg.connect(postgres_database, autocommit=True) as connection:
            connection.execute(f"UPDATE {schema}.bookings SET party_size = 0 WHERE id IN ('F1', 'bad')")
        assert coordinator.assign(Booking("B1", "R1", 2, start)).outcome is Outcome.CONFIRMED
        assert coordinator.assign_id("bad", "R1").reason is Reason.BOOKING_UNREADABLE
        assert coordinator.assign_id("F1", "R1").tables == seated.tables
        report = coordinator.sweep()
        assert (report.enqueued, report.errors) == (("a", "c"), ())
        with pytest.raises(BookingUnreadableError):
            store.booking("F1")
