"""``doctor``: what records and the host's rows do not agree on is named, booking by booking."""

from __future__ import annotations

import datetime as dt
import time
from zoneinfo import ZoneInfo

import attrs
import pytest

from assignment_pipeline import Booking, Settings
from assignment_pipeline.cli.apps import Waiting
from assignment_pipeline.domain.shadow import ShadowBundle, ShadowVerdict
from assignment_pipeline.domain.windows import written
from assignment_pipeline.ports import UnreadableBooking
from assignment_pipeline.rollout.doctor import Health, Restaurants, examine_host
from tests.contract.rows import AT, HOUSE, RowHost, book
from tests.contract.test_hosts import TWO_HOURS, AsyncPostgresRig, rig  # noqa: F401 - the fixture

NOW = AT - dt.timedelta(hours=20)


def findings(rig, coordinator, now=NOW, restaurants=None):  # noqa: F811
    """What is wrong, by check."""
    store = coordinator.store
    if isinstance(rig, AsyncPostgresRig):
        store = Waiting(store, rig.runner.run)
    found = examine_host(store, now, restaurants)
    return {one.check: one.evidence for one in found if one.health is Health.WRONG}


@pytest.fixture
def evening(rig):  # noqa: F811
    """Three bookings: two are seated, and one waits."""
    host = rig.host(RowHost)
    coordinator = rig.coordinator(host)
    for number in range(3):
        book(host, rig.connection, f"b-{number}")
    for number in range(2):
        coordinator.assign_id(f"b-{number}", HOUSE)
    coordinator.enqueue(host.booking(rig.connection, "b-2"))
    coordinator.assign_id("b-2", HOUSE)
    coordinator.requeue("b-2", actor="anna")
    return host, coordinator


def test_where_both_agree_nothing_is_wrong(rig, evening):  # noqa: F811
    """No check finds anything."""
    assert findings(rig, evening[1]) == {}


FAULTS = {
    "host-took": ("UPDATE @reservations SET state = 'open' WHERE id = 'b-0'", "1: b-0"),
    "host-waits": ("UPDATE @reservations SET state = 'booked' WHERE id = 'b-2'", "1: b-2"),
    "host-cancelled": ("UPDATE @reservations SET state = 'cancelled' WHERE id = 'b-1'", "1: b-1"),
    "host-request": (
        "UPDATE @reservations SET covers = 4 WHERE id = 'b-0'",
        "1: b-0 (party_size 2 here and 4 there)",
    ),
    "host-gone": ("DELETE FROM @reservations WHERE id = 'b-1'", "1: b-1"),
}


@pytest.mark.parametrize("check", FAULTS)
def test_a_row_that_says_something_else_is_named(rig, evening, check):  # noqa: F811
    """The booking on which the two differ comes with its check, and no other check speaks."""
    host, coordinator = evening
    statement, expected = FAULTS[check]
    host.rows(rig.connection, statement)
    assert findings(rig, coordinator) == {check: expected}


def test_another_time_is_said_as_the_restaurant_has_it(rig, evening):  # noqa: F811
    """The times are the restaurant's: a person compares them with what the guest was told."""
    host, coordinator = evening
    later = AT + TWO_HOURS
    host.rows(rig.connection, "UPDATE @reservations SET starts = ? WHERE id = 'b-0'", later.isoformat())
    here, there = (written(at, ZoneInfo("Europe/Lisbon")) for at in (AT, later))
    assert findings(rig, coordinator) == {"host-request": f"1: b-0 (start_at {here} here and {there} there)"}


def test_a_party_that_sits_is_not_held_against_its_row(rig):  # noqa: F811
    """It knows its table, whatever the row says of its time."""
    host, now = rig.host(RowHost), dt.datetime.now(dt.UTC)
    soon = (now + TWO_HOURS / 2).replace(second=0, microsecond=0)
    book(host, rig.connection, "b-1", starts=soon)
    coordinator = rig.coordinator(host)
    coordinator.walk_in(HOUSE, 2, actor="anna", booking_id="b-1")
    host.rows(rig.connection, "UPDATE @reservations SET covers = 4")
    assert findings(rig, coordinator, now) == {}
    assert coordinator.record("b-1").allocation.sits


def test_a_row_that_may_still_come_is_not_gone(rig):  # noqa: F811
    """A host that assigns before it commits is given its time; once the sweep has given up, it is named."""
    coordinator = rig.coordinator(rig.host(RowHost), settings=Settings(orphan_after=dt.timedelta(milliseconds=1)))
    coordinator.assign(Booking("b-1", HOUSE, 2, AT))
    assert findings(rig, coordinator) == {}
    for _ in range(50):
        time.sleep(0.01)
        coordinator.sweep()
        if coordinator.record("b-1").next_attempt_at is None:
            break
    assert findings(rig, coordinator) == {"host-gone": "1: b-1"}


def test_a_guest_who_waits_for_nothing_is_named(rig, evening):  # noqa: F811
    """A cancelled booking whose row is pending again gets no tables by itself, and a row may come after its end."""
    host, coordinator = evening
    coordinator.cancel("b-1", HOUSE)
    coordinator.cancel("b-8", HOUSE)
    assert findings(rig, coordinator) == {}
    host.rows(rig.connection, "UPDATE @reservations SET state = 'open' WHERE id = 'b-1'")
    book(host, rig.connection, "b-8")
    coordinator.sweep()
    assert findings(rig, coordinator) == {"host-ended": "2: b-1, b-8"}
    for name in ("b-1", "b-8"):
        coordinator.reinstate(name, actor="anna")
    assert findings(rig, coordinator) == {}


RENAMED = (
    "UPDATE @reservations SET house = 'taverna' WHERE house = 'tasca'",
    "UPDATE @dining_tables SET house = 'taverna' WHERE house = 'tasca'",
)


@pytest.fixture
def renamed(rig, evening):  # noqa: F811
    """The same restaurant, with another id at the host."""
    host, coordinator = evening
    for statement in RENAMED:
        host.rows(rig.connection, statement)
    return host, coordinator


def test_a_restaurant_whose_id_changed_is_named(rig, renamed):  # noqa: F811
    """Its tables are given away a second time under its new id, so each booking is named."""
    _, coordinator = renamed
    named = ", ".join(f"b-{number} (tasca here and taverna there)" for number in range(3))
    assert findings(rig, coordinator) == {"host-restaurant": f"3: {named}"}


def test_reassign_takes_bookings_to_the_new_id(rig, renamed):  # noqa: F811
    """After what the doctor says to do, nothing is wrong, and every party has tables under the new id."""
    host, coordinator = renamed
    for number in range(3):
        coordinator.reassign(host.booking(rig.connection, f"b-{number}"))
    assert findings(rig, coordinator) == {}
    assert {coordinator.record(f"b-{number}").restaurant_id for number in range(3)} == {"taverna"}
    assert all(coordinator.record(f"b-{number}").tables for number in range(3))


def test_a_booking_that_moved_to_another_restaurant_is_named(rig, evening):  # noqa: F811
    """Both restaurants are there, and its table is at the one, its row at the other."""
    host, coordinator = evening
    host.rows(rig.connection, "INSERT INTO @dining_tables VALUES ('taverna', 'A1', 2)")
    host.rows(rig.connection, "UPDATE @reservations SET house = 'taverna' WHERE id = 'b-0'")
    assert findings(rig, coordinator) == {"host-restaurant": "1: b-0 (tasca here and taverna there)"}


CLOSED = {
    "no bookings ahead": ("UPDATE @reservations SET house = house", dt.timedelta(days=3), {}),
    "bookings ahead": (
        "UPDATE @reservations SET house = house",
        dt.timedelta(),
        {"host-restaurant": "3: b-0 (tasca has no venue), b-1 (tasca has no venue), b-2 (tasca has no venue)"},
    ),
    "cancelled there": (
        "UPDATE @reservations SET state = 'cancelled'",
        dt.timedelta(),
        {"host-cancelled": "2: b-0, b-1"},
    ),
    "deleted there": ("DELETE FROM @reservations", dt.timedelta(), {"host-gone": "2: b-0, b-1"}),
}


@pytest.mark.parametrize("how", CLOSED)
def test_of_a_restaurant_that_closed_down_only_bookings_ahead_count(rig, evening, how):  # noqa: F811
    """A restaurant without a venue is no fault by itself; tables that guests still have there are."""
    host, coordinator = evening
    statement, later, expected = CLOSED[how]
    host.rows(rig.connection, "DELETE FROM @dining_tables")
    host.rows(rig.connection, statement)
    assert findings(rig, coordinator, NOW + later) == expected


def changed(host, rig, coordinator):  # noqa: F811
    coordinator.reassign(host.booking(rig.connection, "b-0"))


def ended(host, rig, coordinator):  # noqa: F811
    assert coordinator.cancel("b-1", HOUSE).outcome == "cancelled"


def told_again(host, rig, coordinator):  # noqa: F811
    coordinator.sweep()  # It knows nothing of a row that was there and was not written.
    assert "host-took" in findings(rig, coordinator)
    coordinator.requeue("b-0", actor="anna")
    assert coordinator.assign_id("b-0", HOUSE).outcome == "confirmed"


@pytest.mark.parametrize(
    ("check", "mend"), [("host-request", changed), ("host-gone", ended), ("host-took", told_again)]
)
def test_what_the_doctor_says_helps(rig, evening, check, mend):  # noqa: F811
    """After what it says to do, nothing is wrong any more."""
    host, coordinator = evening
    host.rows(rig.connection, FAULTS[check][0])
    mend(host, rig, coordinator)
    assert findings(rig, coordinator) == {}


def test_seats_of_others_are_looked_at(rig, evening):  # noqa: F811
    """A table that is none of the floor's is named, and a booking of ours beside whom somebody else is seated."""
    host, coordinator = evening
    (table_id,) = coordinator.record("b-0").tables
    times = (AT.isoformat(), (AT + TWO_HOURS).isoformat())
    for name in ("Z9", table_id):
        host.rows(rig.connection, "INSERT INTO @legacy_seats VALUES ('tasca', ?, ?, ?, 'b-7')", name, *times)
    assert findings(rig, coordinator) == {"host-tables": "1: tasca: Z9", "host-seats": "1: b-0"}


def test_a_row_that_cannot_be_read_is_named(rig, evening):  # noqa: F811
    """The booking whose row makes no sense is a finding, not a traceback, and nobody's data is quoted."""
    host, coordinator = evening
    host.rows(rig.connection, "UPDATE @reservations SET starts = 'Mrs Canary at eight' WHERE id = 'b-0'")
    (evidence,) = findings(rig, coordinator).values()
    assert evidence == "1: tasca: b-0"


def test_a_list_that_raises_is_named(rig, evening):  # noqa: F811
    """A row that makes no sense, in a host that says so of none, hides the bookings that nobody enqueued."""
    host, coordinator = evening
    book(host, rig.connection, "b-8")
    host.rows(rig.connection, "UPDATE @reservations SET starts = 'yy, Mrs Canary at eight' WHERE id = 'b-8'")
    (evidence,) = findings(rig, coordinator).values()
    assert evidence == "1: ValueError"


class SaysSo(RowHost):
    """A host whose list has a word for rows that make no sense."""

    def unassigned(self, connection, since, limit):
        return [
            UnreadableBooking(id="b-8", restaurant_id=HOUSE, problem="no time"),
            *super().unassigned(connection, since, limit),
        ]


def test_a_row_of_the_list_that_cannot_be_read_is_named(rig):  # noqa: F811
    """By its restaurant and its id, as the host gives them; where restaurants are named, only of those."""
    coordinator, wrong = rig.coordinator(rig.host(SaysSo)), {"host-readable": "1: tasca: b-8"}
    assert findings(rig, coordinator) == wrong
    assert findings(rig, coordinator, restaurants=Restaurants((HOUSE,), 2, named=True)) == wrong
    (evidence,) = findings(rig, coordinator, restaurants=Restaurants(("other",), 2, named=True)).values()
    assert evidence == "1: The host has no venue for restaurant 'other'."


def test_the_first_ten_are_named(rig):  # noqa: F811
    """Of many, ten are named and the others counted."""
    host = rig.host(RowHost)
    host.rows(rig.connection, "DELETE FROM @dining_tables")
    for number in range(12):
        host.rows(rig.connection, "INSERT INTO @dining_tables VALUES ('tasca', ?, 2)", f"T{number:02}")
        book(host, rig.connection, f"b-{number:02}")
    coordinator = rig.coordinator(host)
    bookings = [host.booking(rig.connection, f"b-{number:02}") for number in range(12)]
    coordinator.assign_many(bookings)
    host.rows(rig.connection, "UPDATE @reservations SET state = 'open'")
    assert findings(rig, coordinator)["host-took"].endswith("b-09, and 2 more")
    assert attrs.asdict(bookings[0])["status"] == "pending"


def test_a_seat_of_the_old_planner_that_nobody_shows_is_named(rig, evening):  # noqa: F811
    """The shadow knows where the old planner has seated a booking; neither `occupied` nor a record has it."""
    host, coordinator = evening
    book(host, rig.connection, "b-9", state="booked")
    bundle = ShadowBundle(
        id="shadow-1",
        captured_at=NOW,
        restaurant_id=HOUSE,
        booking_id="b-9",
        verdict=ShadowVerdict.MISMATCH,
        document={"case": {"legacy": {"tables": ["B2"]}}},
    )
    kept = coordinator.store.keep_bundle(bundle, most=10, since=NOW - TWO_HOURS)
    if isinstance(rig, AsyncPostgresRig) and kept is not None:
        rig.runner.run(kept)
    assert findings(rig, coordinator) == {"host-legacy": "1: b-9 at B2"}
    times = (AT.isoformat(), (AT + TWO_HOURS).isoformat())
    host.rows(rig.connection, "INSERT INTO @legacy_seats VALUES ('tasca', 'B2', ?, ?, 'b-9')", *times)
    assert "host-legacy" not in findings(rig, coordinator)


class Chain(RowHost):
    """Has the same floor at each of its houses."""

    def venue(self, connection, restaurant_id, known_version):
        found = super().venue(connection, HOUSE, None)
        return attrs.evolve(found, id=restaurant_id)


def test_what_was_looked_at_is_said(rig):  # noqa: F811
    """How many of how many restaurants, and until when; another run looks at others; a named one is looked at."""
    host = rig.host(Chain)
    coordinator = rig.coordinator(host)
    for number in range(60):
        book(host, rig.connection, f"b-{number:02}", house=f"r-{number:02}")
        coordinator.assign_id(f"b-{number:02}", f"r-{number:02}")
    host.rows(rig.connection, "UPDATE @reservations SET state = 'cancelled'")
    store = coordinator.store
    if isinstance(rig, AsyncPostgresRig):
        store = Waiting(store, rig.runner.run)

    def says(check, **options):
        return next(one.evidence for one in examine_host(store, NOW, **options) if one.check == check)

    until = (NOW + dt.timedelta(hours=60)).isoformat(timespec="minutes")
    said = says("host-took")
    assert said.startswith(
        "records and host agree: 50 bookings at 50 of 60 restaurants, which each run draws anew, from "
    )
    assert said.endswith(f" to {until}")
    assert len({Restaurants.of(store).ids for _ in range(5)}) > 1
    named = Restaurants.of(store, ["r-07", "r-59"])
    assert says("host-cancelled", restaurants=named) == "2: b-07, b-59"
