"""``show`` and ``floor``: all that is kept of a booking, and who sat where."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from assignment_pipeline import (
    AsyncCoordinator,
    BookingNotFoundError,
    Coordinator,
    Mode,
    TimeWindow,
    VenueNotFoundError,
)
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.errors import OtherRestaurantError
from assignment_pipeline.rollout.flags import FixedFlags

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def at(house):
    """Minutes behind the start of every party's turn."""
    start = house.booking().start_at
    return lambda minutes: start + minutes * MINUTE


def go(house, moment):
    house.clock.advance(moment - house.clock.now())


def rows(view):
    """Each table with who is there, and how."""
    return {
        table.table_id: [
            (party.booking_id, party.presence.value, party.late // MINUTE, party.over // MINUTE)
            for party in table.parties
        ]
        or list(table.closed)
        for table in view.tables
    }


def test_the_floor_is_as_it_was(house, coordinator, at):
    """Late, sitting, moved, over time and gone: each at the table and the minute at which it was so."""
    coordinator.assign(house.booking("B1", 4))
    coordinator.assign(house.booking("B2", 2))
    assert coordinator.record("B1").tables == ("T3",)
    (own,) = coordinator.record("B2").tables
    (free,) = {"T1", "T2"} - {own}
    go(house, at(7))
    coordinator.seated("B1", actor="ann")
    go(house, at(20))
    coordinator.place(house.booking("B2", 2, start_at=at(0)), [free], actor="ben", allow=["in_past"])
    end = coordinator.record("B1").allocation.turn.end
    go(house, end + 5 * MINUTE)
    coordinator.left("B1", actor="ann")
    go(house, end + 60 * MINUTE)

    def seen(moment):
        return {key: value for key, value in rows(coordinator.floor("R1", moment)).items() if value}

    assert seen(at(-1)) == {}
    assert seen(at(5)) == {"T3": [("B1", "expected", 5, 0)], own: [("B2", "expected", 5, 0)]}
    assert seen(at(7))["T3"] == [("B1", "sits", 0, 0)]
    assert seen(at(25)) == {"T3": [("B1", "sits", 0, 0)], free: [("B2", "expected", 25, 0)]}
    assert seen(end + 4 * MINUTE) == {"T3": [("B1", "sits", 0, 4)]}
    assert seen(end + 5 * MINUTE) == {}
    view = coordinator.floor("R1", at(25))
    assert [(one.booking_id, one.party_size, one.tables) for one in view.parties] == [
        ("B2", 2, (free,)),
        ("B1", 4, ("T3",)),
    ]
    assert view.parties[1].seated_at == at(7)


def test_the_floor_is_now_unless_a_time_is_named(house, coordinator, at):
    """By the store's clock; what lies ahead is as planned, and a party that sits is not expected to stay on."""
    coordinator.assign(house.booking("B1", 4))
    assert coordinator.floor("R1").at == house.clock.now()
    assert rows(coordinator.floor("R1", at(10)))["T3"] == [("B1", "expected", 0, 0)]  # Nobody is late yet.
    go(house, at(10))
    assert rows(coordinator.floor("R1"))["T3"] == [("B1", "expected", 10, 0)]
    coordinator.seated("B1", actor="ann")
    end = coordinator.record("B1").allocation.turn.end
    assert rows(coordinator.floor("R1", end - MINUTE))["T3"] == [("B1", "sits", 0, 0)]
    assert rows(coordinator.floor("R1", end + MINUTE))["T3"] == []
    go(house, end + MINUTE)
    assert rows(coordinator.floor("R1"))["T3"] == [("B1", "sits", 0, 1)]


def test_the_floor_has_what_is_closed_and_what_the_host_shows(house, coordinator, at):
    """Blocks with their reasons, tables that staff have taken, and parties that legacy has seated."""
    window = TimeWindow(at(0), at(60))
    coordinator.block("R1", "T1", window, actor="ann", reason="leak")
    house.host.occupy("R1", Occupied(table_id="T2", window=window, reason="staff"))
    house.host.occupy("R1", Occupied(table_id="T3", window=window, booking_id="theirs"))
    assert rows(coordinator.floor("R1", at(30))) == {
        "T1": ["leak"],
        "T2": ["staff"],
        "T3": [("theirs", "expected", 0, 0)],
    }
    assert rows(coordinator.floor("R1", at(60))) == {"T1": [], "T2": [], "T3": []}


def test_a_floor_needs_a_restaurant_and_an_offset(coordinator):
    """Each is refused with its own error."""
    with pytest.raises(VenueNotFoundError):
        coordinator.floor("nowhere")
    with pytest.raises(ValueError, match="at: expected"):
        coordinator.floor("R1", dt.datetime(2031, 5, 2, 19))  # noqa: DTZ001 - that is the point


def test_show_has_everything_about_a_booking(house, coordinator):
    """The costs of what was chosen, the next best, what was turned away, and who did what."""
    coordinator.assign(house.booking("B1", 2))
    coordinator.assign(house.booking("B2", 2, zone="terrace"))
    coordinator.pin("B1", actor="ann")
    trail = coordinator.show("B1", restaurant_id="R1")
    assert trail.record == coordinator.record("B1")
    assert trail.history == coordinator.history("B1")
    assert [step.actor for step in trail.history][-1] == "ann"
    (attempt,) = trail.attempts
    (own,) = trail.record.tables
    (free,) = {"T1", "T2"} - {own}
    assert attempt.metadata["cost"] == pytest.approx(0.1)
    assert attempt.metadata["runners_up"].startswith(f"{free} 0.1, T3 2")
    assert [event.type.value for event in trail.events][-1] == "coordinator.pinned"
    assert {event.booking_id for event in trail.events} == {"B1"}
    refused = coordinator.show("B2")
    assert (refused.attempts[0].reason, refused.attempts[0].metadata["zone"]) == ("no_such_seating", 3)


def test_show_says_how_many_tables_were_turned_away_where_some_were_found(house, coordinator):
    """A party that has tables may ask why it did not get others."""
    coordinator.assign(house.booking("B1", 2))
    coordinator.assign(house.booking("B2", 2))
    assert coordinator.show("B2").attempts[0].metadata["turned_away"] == "taken 1"


def test_show_refuses_what_is_unknown_or_elsewhere(house, coordinator):
    """A booking that only the host knows is shown, and has no record."""
    house.booking("B1")
    assert coordinator.show("B1").record is None
    with pytest.raises(BookingNotFoundError):
        coordinator.show("B9")
    with pytest.raises(OtherRestaurantError):
        coordinator.show("B1", restaurant_id="R2")


def test_a_store_that_keeps_less_is_refused(house):
    """In one sentence that says which store does."""

    class Plain:
        load = commit = staticmethod(lambda *_: None)

    with pytest.raises(TypeError, match="expected an AuditStore"):
        Coordinator(Plain(), flags=FixedFlags(Mode.ACTIVE)).show("B1")


def test_asyncio_has_the_same(house, coordinator, at):
    """Over a sync store, in a worker thread."""
    coordinator.assign(house.booking("B1", 4))

    async def look():
        async with AsyncCoordinator(house.store, **house.options) as asked:
            return await asked.show("B1"), await asked.floor("R1", at(5))

    trail, view = asyncio.run(look())
    assert trail == coordinator.show("B1")
    assert rows(view)["T3"] == [("B1", "expected", 0, 0)]
