"""``doctor``: what records and the host's rows do not agree on is named, booking by booking."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline.cli.apps import Waiting
from assignment_pipeline.domain.shadow import ShadowBundle, ShadowVerdict
from assignment_pipeline.ports import UnreadableBooking
from assignment_pipeline.rollout.doctor import Health, examine_host
from tests.contract.rows import AT, HOUSE, RowHost, book
from tests.contract.test_hosts import TWO_HOURS, AsyncPostgresRig, rig  # noqa: F401 - the fixture

NOW = AT - dt.timedelta(hours=20)


def findings(rig, coordinator):  # noqa: F811
    """What is wrong, by check."""
    store = coordinator.store
    if isinstance(rig, AsyncPostgresRig):
        store = Waiting(store, rig.runner.run)
    return {one.check: one.evidence for one in examine_host(store, NOW) if one.health is Health.WRONG}


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
}


@pytest.mark.parametrize("check", FAULTS)
def test_a_row_that_says_something_else_is_named(rig, evening, check):  # noqa: F811
    """The booking on which the two differ comes with its check, and no other check speaks."""
    host, coordinator = evening
    statement, expected = FAULTS[check]
    host.rows(rig.connection, statement)
    assert findings(rig, coordinator) == {check: expected}


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
    """By its restaurant and its id, as the host gives them."""
    coordinator = rig.coordinator(rig.host(SaysSo))
    assert findings(rig, coordinator) == {"host-readable": "1: tasca: b-8"}


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
