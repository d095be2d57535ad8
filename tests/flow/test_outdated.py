"""Bookings that change while a call is under way, and those that the host cancels without telling."""

from __future__ import annotations

import datetime as dt

import attrs

from assignment_pipeline import AssignmentState, Outcome, Reason, StoreUnavailableError
from assignment_pipeline.domain.adoption import LegacySeat
from assignment_pipeline.domain.rollout import RolloutRevision

MINUTE = dt.timedelta(minutes=1)


def test_what_the_host_changed_stays_changed_when_the_rollout_moves(house, coordinator):
    """A second round does not go back to the booking as it was passed."""
    passed = house.booking("B1", 2)

    def changes():
        house.host.put_booking(attrs.evolve(passed, party_size=4))
        house.store.revise(RolloutRevision(generation=house.store.generation + 1))

    house.store.behind["load"] = [lambda: None, changes]
    house.store.before["commit"] = [lambda: house.host.put_booking(attrs.evolve(passed, party_size=3))]
    result = coordinator.assign(passed)
    assert (result.outcome, result.record.booking.party_size) == (Outcome.CONFIRMED, 4)


def test_what_the_host_changed_stays_changed_when_a_day_is_tried_again(house, coordinator):
    """By the day, and one by one behind it."""
    passed, other = house.booking("B1", 2), house.booking("B2", 2)
    house.store.before["commit"] = [lambda: house.host.put_booking(attrs.evolve(passed, party_size=4))]
    first, _ = coordinator.assign_many([passed, other])
    assert (first.tables, first.record.booking.party_size) == (("T3",), 4)


def test_what_the_host_moved_elsewhere_is_not_planned_here(house, coordinator):
    """A day's retry leaves it to a call of its own, which asks the host."""
    house.host.put_venue(attrs.evolve(house.venue, id="R2"))
    passed, other = house.booking("B1", 2), house.booking("B2", 2)
    house.store.before["commit"] = [lambda: house.host.put_booking(attrs.evolve(passed, restaurant_id="R2"))]
    first, second = coordinator.assign_many([passed, other])
    assert (first.outcome, first.reason) == (Outcome.NOOP, Reason.OTHER_RESTAURANT)
    assert (second.outcome, house.record("B1")) == (Outcome.CONFIRMED, None)


def test_what_the_host_deletes_meanwhile_gets_no_tables(house, coordinator):
    """A booking that was passed, and that is gone at the host when its plan would land."""
    passed = house.booking()
    house.store.before["commit"] = [lambda: house.host._bookings.pop("B1")]
    result = coordinator.assign(passed)
    assert (result.outcome, result.reason, result.tables) == (Outcome.NOOP, Reason.TERMINAL_STATE, ())
    assert house.record() is None


# -- Outages ------------------------------------------------------------------------------------------------------


def test_an_outage_does_not_make_a_crash_loop(house, coordinator):
    """However often the sweep meets a store that cannot be written, its bookings are healthy."""
    coordinator.enqueue(house.booking())
    house.clock.advance(MINUTE)
    for _ in range(9):
        house.store.before["commit"] = [StoreUnavailableError("gone")]
        (result,) = coordinator.sweep().results
        assert result.reason is Reason.STORE_UNAVAILABLE
        assert house.record().deliveries == 0
        house.clock.advance(MINUTE)
    assert coordinator.sweep().results[0].outcome is Outcome.CONFIRMED


def test_while_the_circuit_is_open_nothing_is_claimed(house, coordinator):
    """A claim of which nothing can come only counts against its booking."""
    coordinator.enqueue(house.booking())
    house.clock.advance(MINUTE)
    house.store.before["commit"] = [StoreUnavailableError("gone")] * 5
    for number in range(5):
        coordinator.assign(house.booking(f"F{number}"))
    assert coordinator.sweep().results == ()
    assert house.record().deliveries == 0


# -- Cancelled without telling ------------------------------------------------------------------------------------


def fill(house, coordinator):
    """Everybody has a table."""
    for number in range(3):
        coordinator.assign(house.booking(f"F{number}"))


def test_a_cancellation_that_nobody_told_is_found_where_somebody_waits(house, coordinator):
    """The tables are free with the next sweep but one, and the cancellation is in the history."""
    fill(house, coordinator)
    gone = house.host.booking(None, "F1")
    house.host.put_booking(attrs.evolve(gone, status="cancelled"))
    coordinator.assign(house.booking("B1"))
    house.clock.advance(MINUTE)
    (result,) = coordinator.sweep().results
    assert result.outcome is Outcome.RETRY
    assert (house.record("F1").state, house.record("F1").tables) == (AssignmentState.CANCELLED, ())
    (result,) = coordinator.sweep().results
    assert (result.booking_id, result.outcome) == ("B1", Outcome.CONFIRMED)


def test_legacys_tables_come_free_so_too(house, coordinator):
    """Who cancels with the host rarely tells of what was adopted."""
    found = LegacySeat(house.booking("L1", status="confirmed"), ("T3",))
    coordinator.adopt([found])
    coordinator.place(house.booking("B0"), ["T1"], actor="anna")
    house.host.put_booking(attrs.evolve(found.booking, status="cancelled"))
    coordinator.assign(house.booking("B1", 4))
    house.clock.advance(MINUTE)
    coordinator.sweep()
    assert coordinator.sweep().results[0].tables == ("T3",)


def test_where_nobody_waits_nothing_is_compared(house, coordinator):
    """It costs a look only where it may help."""
    fill(house, coordinator)
    house.store.asked.clear()
    coordinator.sweep()
    assert "load" not in house.store.asked


def test_only_what_is_cancelled_is_ended(house, coordinator):
    """Not who sits, nor whom the host does not know."""
    fill(house, coordinator)
    host = house.host
    host.put_booking(attrs.evolve(host.booking(None, "F0"), status="seated"))
    del host._bookings["F1"]
    coordinator.assign(house.booking("B1"))
    house.clock.advance(MINUTE)
    house.store.asked.clear()
    coordinator.sweep()
    assert "booking" not in house.store.asked
    assert [house.record(f"F{number}").state for number in range(3)] == [AssignmentState.CONFIRMED] * 3


def test_a_restaurant_that_is_gone_does_not_stop_the_sweep(house, coordinator):
    """What went wrong is in the report."""
    fill(house, coordinator)
    coordinator.assign(house.booking("B1"))
    house.clock.advance(MINUTE)
    house.store.before["load"] = [lambda: None, StoreUnavailableError("gone")]
    report = coordinator.sweep()
    assert report.results[0].outcome is Outcome.RETRY
    assert report.errors == (("", "StoreUnavailableError: The assignment store is unavailable: gone."),)


def test_of_several_days_each_is_compared(house, coordinator):
    """One sweep frees what was cancelled on every day on which it found no tables, up to three."""
    days = [house.booking("first").start_at + number * 24 * 60 * MINUTE for number in range(3)]
    for number, day in enumerate(days):
        for name in "abc":
            coordinator.assign(house.booking(f"F{number}{name}", start_at=day))
        coordinator.assign(house.booking(f"B{number}", start_at=day))
        gone = house.host.booking(None, f"F{number}a")
        house.host.put_booking(attrs.evolve(gone, status="cancelled"))
    house.clock.advance(MINUTE)
    coordinator.sweep()
    assert [house.record(f"F{number}a").state for number in range(3)] == [AssignmentState.CANCELLED] * 3


def test_a_cancellation_that_the_host_takes_back_is_no_cancellation(house, coordinator):
    """The host is asked once more before a guest loses the tables."""
    fill(house, coordinator)
    gone = house.host.booking(None, "F1")
    house.host.put_booking(attrs.evolve(gone, status="cancelled"))
    coordinator.assign(house.booking("B1"))
    house.clock.advance(MINUTE)

    def take_back():
        assert house.record("F1").tables
        house.host.put_booking(gone)

    house.store.behind["load"] = [lambda: None, lambda: None, take_back]
    coordinator.sweep()
    assert house.host.booking(None, "F1") == gone
    assert house.record("F1").state is AssignmentState.CONFIRMED
