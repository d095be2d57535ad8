"""Taking over what legacy has seated, so that the pipeline plans around it."""

from __future__ import annotations

import asyncio
import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    AsyncCoordinator,
    Booking,
    Outcome,
    Reason,
    StoreUnavailableError,
    TableConflictError,
)
from assignment_pipeline.domain.adoption import AdoptReport, LegacySeat
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import Owner

HOUR = dt.timedelta(hours=1)


def seat(house, name, *tables, **facts):
    """A booking that legacy has seated, with the host's status."""
    return LegacySeat(house.booking(name, status="confirmed", **facts), tables)


def test_what_legacy_has_seated_is_planned_around(house, coordinator):
    """It is confirmed, legacy's, taken, and not moved."""
    report = coordinator.adopt([seat(house, "L1", "T1"), seat(house, "L2", "T3", party_size=4)])
    assert report == AdoptReport(adopted=("L1", "L2"))
    record = house.record("L1")
    assert (record.owner, record.state, record.tables) == (Owner.LEGACY, AssignmentState.CONFIRMED, ("T1",))
    last = house.store.history("L1")[-1]
    assert (last.reason, last.actor) == ("adopted", "legacy")  # No outcome of the pipeline's, in no rate.
    assert "coordinator.adopted" in house.told()
    assert coordinator.assign(house.booking("B1")).tables == ("T2",)
    assert coordinator.assign(house.booking("B2")).outcome is not Outcome.CONFIRMED


def test_once_more_changes_nothing(house, coordinator):
    """Idempotent, to the row."""
    seats = [seat(house, "L1", "T1")]
    coordinator.adopt(seats)
    before = house.record("L1"), house.store.history("L1"), house.store.events
    assert coordinator.adopt(seats) == AdoptReport(known=("L1",))
    assert (house.record("L1"), house.store.history("L1"), house.store.events) == before


def test_where_legacy_has_moved_it_it_moves(house, coordinator):
    """To other tables, or to another time."""
    coordinator.adopt([seat(house, "L1", "T1")])
    assert coordinator.adopt([seat(house, "L1", "T2")]).adopted == ("L1",)
    assert house.record("L1").tables == ("T2",)
    later = house.host.booking(None, "L1").start_at + HOUR
    assert coordinator.adopt([seat(house, "L1", "T2", start_at=later)]).adopted == ("L1",)
    assert house.record("L1").allocation.turn.start == later


def test_the_hosts_own_rows_for_it_do_not_count_against_it(house, coordinator):
    """A host that shows legacy's seats as occupied may have them adopted as well."""
    found = seat(house, "L1", "T1")
    window = house.venue.turn(found.booking)
    house.host.occupy("R1", Occupied(table_id="T1", window=window, booking_id="L1"))
    assert coordinator.adopt([found]) == AdoptReport(adopted=("L1",))


def test_tables_given_away_twice_are_conflicted(house, coordinator):
    """Both are adopted, and the table is free only when both are gone."""
    report = coordinator.adopt([seat(house, "L1", "T1"), seat(house, "L2", "T1")])
    assert report == AdoptReport(adopted=("L1", "L2"), conflicted=("L2",))
    assert house.record("L2").allocation.conflicted
    wanted = house.booking("B1")
    coordinator.cancel("L1")
    with pytest.raises(TableConflictError):
        coordinator.place(wanted, ["T1"], actor="anna")
    coordinator.cancel("L2")
    assert coordinator.place(wanted, ["T1"], actor="anna").tables == ("T1",)


def test_conflicted_tables_are_taken_over_once_they_are_free(house, coordinator):
    """The pipeline answers for nothing that two have."""
    coordinator.adopt([seat(house, "L1", "T1"), seat(house, "L2", "T1")])
    with pytest.raises(TableConflictError):
        coordinator.takeover("L2", actor="anna")
    coordinator.cancel("L1")
    result = coordinator.takeover("L2", actor="anna")
    assert (result.tables, result.record.allocation.conflicted) == (("T1",), False)


def test_the_hosts_status_is_left_alone(house, coordinator):
    """Who sits already, sits; a booking that the host still has waiting is confirmed."""
    seated = LegacySeat(house.booking("L1", status="seated"), ("T1",))
    coordinator.adopt([seated, LegacySeat(house.booking("L2"), ("T2",))])
    assert [house.host.booking(None, name).status for name in ("L1", "L2")] == ["seated", "confirmed"]


@pytest.mark.parametrize("begun", ["enqueued", "in review"])
def test_what_the_pipeline_has_not_seated_may_be_adopted(house, coordinator, begun):
    """Legacy has been faster, and that is so."""
    booking = house.booking("L1", 2 if begun == "enqueued" else 50)
    coordinator.enqueue(booking) if begun == "enqueued" else coordinator.assign(booking)
    assert coordinator.adopt([LegacySeat(booking, ("T1",))]).adopted == ("L1",)
    assert (house.record("L1").owner, house.record("L1").reason) == (Owner.LEGACY, None)


def test_what_cannot_be_is_refused_with_a_sentence(house, coordinator):
    """The others are adopted."""
    ours, gone = house.booking("B1"), house.booking("B2")
    coordinator.assign(ours)
    coordinator.cancel(gone.id)
    elsewhere = attrs.evolve(house.booking("L5"), restaurant_id="R9")
    report = coordinator.adopt(
        [
            LegacySeat(ours, ("T3",)),
            LegacySeat(gone, ("T3",)),
            seat(house, "L3", "T9"),
            LegacySeat(house.booking("L4", status="cancelled"), ("T3",)),
            LegacySeat(elsewhere, ("T3",)),
            seat(house, "L6", "T3"),
        ]
    )
    assert report.adopted == ("L6",)
    assert dict(report.refused) == {
        "B1": f"the pipeline has seated it at {house.record('B1').tables[0]}",
        "B2": "it is cancelled here, for good",
        "L3": "Restaurant 'R1' has no table 'T9'.",
        "L4": "it is cancelled",
        "L5": "The host has no venue for restaurant 'R9'.",
    }


@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_seat_at_another_restaurant_than_the_hosts_is_refused(house, coordinator, meanwhile):
    """The host's restaurant decides, here too, and where it has moved the booking between the look and the commit."""
    house.host.put_venue(attrs.evolve(house.venue, id="R2"))
    booking = house.booking("L1")

    def moves():
        house.host.put_booking(attrs.evolve(booking, restaurant_id="R2"))

    if meanwhile:
        house.store.before["commit"] = [moves]
    else:
        moves()
    report = coordinator.adopt([LegacySeat(booking, ("T1",))])
    assert report.adopted == ()
    assert dict(report.refused)["L1"].startswith("The host has booking 'L1' at restaurant 'R2'; the call named 'R1'")
    assert house.record("L1") is None


def test_a_seat_has_tables():
    """And a booking to name where it has none."""
    with pytest.raises(ValueError, match="tables: expected one table or more for booking 'L1', got none"):
        LegacySeat(Booking("L1", "R1", 2, dt.datetime(2031, 5, 2, 18, tzinfo=dt.UTC)), ())


def test_a_store_that_is_down_raises(house, coordinator):
    """What was adopted before stays so, and once more does the rest."""
    seats = [seat(house, "L1", "T1"), seat(house, "L2", "T2")]
    house.store.before["commit"] = [lambda: None, StoreUnavailableError("gone")]
    with pytest.raises(StoreUnavailableError):
        coordinator.adopt(seats)
    assert coordinator.adopt(seats) == AdoptReport(adopted=("L2",), known=("L1",))


def test_for_asyncio(house):
    """The same."""
    coordinator = AsyncCoordinator(house.store, **house.options)

    async def both():
        report = await coordinator.adopt([seat(house, "L1", "T1")])
        return report, await coordinator.takeover("L1", actor="anna")

    report, result = asyncio.run(both())
    assert (report.adopted, result.reason) == (("L1",), Reason.TAKEN_OVER)
