"""What happens between two steps of a flow: to the host, to the rollout, to whoever else is at work."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    FixedFlags,
    FloorPlan,
    Mode,
    Outcome,
    Reason,
    Settings,
    Table,
    Venue,
)
from assignment_pipeline.adapters.memory import MemoryLockManager, MemoryStore
from assignment_pipeline.errors import CommitUnknownError, StaleRolloutError, StoreUnavailableError, TableConflictError
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.ports import Wanted

DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)
MINUTE = 60 * SECOND


def fill(house, coordinator, **facts):
    """Take every table of the house."""
    for name, size in (("F1", 2), ("F2", 2), ("F3", 4)):
        assert coordinator.assign(house.booking(name, size, **facts)).outcome is Outcome.CONFIRMED


def test_a_booking_that_somebody_else_confirmed_stays_confirmed(house, coordinator):
    """The pipeline rests its own record, and tells the guest nothing."""
    coordinator.enqueue(house.booking())
    house.booking(status="confirmed")
    house.clock.advance(MINUTE)
    assert coordinator.sweep().results[0].reason is Reason.TERMINAL_STATE
    assert house.host.booking(None, "B1").status == "confirmed"
    assert coordinator.sweep().results == ()


@pytest.mark.parametrize("versions", [("1", "1"), ("1", "2")])
def test_a_booking_that_changes_its_restaurant(house, coordinator, versions):
    """It is seated where it is now, whoever asks, and nobody else at its table."""
    for name, version in zip(("R1", "R2"), versions, strict=True):
        house.host.put_venue(Venue(name, "UTC", FloorPlan((Table("T1", 2),)), version=version))
    booking = house.booking()
    coordinator.enqueue(booking)
    moved = attrs.evolve(booking, restaurant_id="R2")
    house.host.put_booking(moved)
    house.clock.advance(MINUTE)
    assert coordinator.sweep().results[0].reason is Reason.OTHER_RESTAURANT
    assert coordinator.sweep().results[0].outcome is Outcome.CONFIRMED
    assert house.record().restaurant_id == "R2"
    assert coordinator.assign(house.booking("B2")).outcome is Outcome.CONFIRMED
    rival = attrs.evolve(moved, id="B3")
    house.host.put_booking(rival)
    assert coordinator.assign(rival).reason is Reason.INFEASIBLE
    assert coordinator.assign_id("B1", "R1").reason is Reason.OTHER_RESTAURANT


def test_by_value_a_waiting_booking_moves_to_its_new_restaurant(house, coordinator):
    """The record follows the booking."""
    house.host.put_venue(Venue("R2", "UTC", FloorPlan((Table("T1", 2),))))
    booking = house.booking()
    coordinator.enqueue(booking)
    moved = attrs.evolve(booking, restaurant_id="R2")
    assert coordinator.assign(moved).reason is Reason.OTHER_RESTAURANT  # The host does not say so.
    house.host.put_booking(moved)
    assert coordinator.assign(moved).outcome is Outcome.CONFIRMED
    assert house.record().restaurant_id == "R2"


def test_a_rollout_that_moves_on_at_the_commit_is_asked_again(house):
    """The flow's own locks do not stand in its way, not even where one assignment at a time is allowed."""
    house.store.before["commit"] = [StaleRolloutError(0, 1)]
    coordinator = house.coordinator(flags=FixedFlags(Mode.ACTIVE, max_parallel=1))
    assert coordinator.assign(house.booking()).outcome is Outcome.CONFIRMED


def test_a_hold_made_since_the_claim_is_left_alone(house):
    """The sweep expires what it claimed, and not what somebody has made of it meanwhile."""
    coordinator = house.coordinator(settings=Settings(confirmation="external"))
    booking = house.booking()
    coordinator.enqueue(booking)
    house.clock.advance(MINUTE)
    house.store.behind["due"] = [lambda: coordinator.assign(booking)]
    (result,) = coordinator.sweep().results
    assert result.reason is Reason.NOT_DUE
    assert house.record().state is AssignmentState.ASSIGNED
    house.clock.advance(180 * SECOND)
    assert coordinator.sweep().results[0].reason is Reason.HOLD_EXPIRED


def test_tables_freed_while_a_first_refusal_was_made_are_noticed(house):
    """The booking had no record to wake: the sweep looks once more, and then no more."""
    soon = house.clock.now() + 10 * MINUTE
    coordinator = house.coordinator()
    fill(house, coordinator, start_at=soon)

    class FreedMeanwhile(TableEngine):
        def plan(self, request, floor, *rest):
            decision = super().plan(request, floor, *rest)
            coordinator.cancel("F1")
            return decision

    late = house.coordinator(engine=FreedMeanwhile())
    assert late.assign(house.booking("B1", 2, start_at=soon)).outcome is Outcome.MANUAL_REVIEW
    assert coordinator.sweep().results[0].outcome is Outcome.CONFIRMED
    assert coordinator.assign(house.booking("B2", 2, start_at=soon)).outcome is Outcome.MANUAL_REVIEW
    assert coordinator.sweep().results[0].outcome is Outcome.MANUAL_REVIEW
    assert coordinator.sweep().results == ()


def test_a_booking_passed_as_settled_that_waits_again_is_not_forgotten(house, coordinator):
    """Whoever passes it as it was before a person requeued it leaves it to the sweep."""
    coordinator.assign(house.booking())
    passed = house.host.booking(None, "B1")
    assert passed.status == "confirmed"
    coordinator.requeue("B1", actor="ann")
    assert coordinator.assign(passed).reason is Reason.TERMINAL_STATE
    assert house.record().next_attempt_at is not None
    assert coordinator.sweep().results[0].outcome is Outcome.CONFIRMED


def test_a_booking_that_vanishes_at_the_host_during_the_call_is_not_seated(house, coordinator):
    """What was passed is the truth no longer: there is nobody to seat."""
    booking = house.booking()
    house.store.before["commit"] = [lambda: house.host._bookings.pop("B1")]
    result = coordinator.assign(booking)
    assert (result.outcome, result.tables, house.record()) == (Outcome.NOOP, (), None)


def test_a_contested_table_that_is_free_again_is_taken(house, coordinator):
    """Who was faster has cancelled by the time that the floor is read again: nobody is turned away for that."""
    fill(house, coordinator)
    coordinator.assign(house.booking())
    coordinator.cancel("F3")

    def win_and_lose():
        assert coordinator.assign(house.booking("B2", 4)).outcome is Outcome.CONFIRMED

    house.store.before["commit"] = [win_and_lose]
    house.store.before["load"] = [lambda: None, lambda: None, lambda: coordinator.cancel("B2")]
    house.clock.advance(MINUTE)
    assert coordinator.sweep().results[0].outcome is Outcome.CONFIRMED
    assert house.record().tables == ("T3",)


def test_what_is_in_the_way_does_not_count_against_a_booking(house):
    """However often a busy restaurant turns the sweep away, no person is bothered."""
    limiter = MemoryLockManager(house.clock)
    coordinator = house.coordinator(limiter=limiter)
    coordinator.enqueue(house.booking())
    for _ in range(9):
        house.clock.advance(MINUTE)
        limiter.acquire([Wanted("restaurant:R1", slots=3)] * 3, ttl=SECOND)
        assert coordinator.sweep().results[0].reason is Reason.RATE_LIMITED
        assert house.record().deliveries == 0
    house.clock.advance(MINUTE)
    assert coordinator.sweep().results[0].outcome is Outcome.CONFIRMED


def test_a_bad_orphan_does_not_stop_the_sweep(house, coordinator):
    """What is due is seen to first, and the trouble is reported."""
    coordinator.enqueue(house.booking("B1"))
    house.booking("B2", start_at=house.clock.now().replace(second=0) + 2 * DAY)
    house.clock.advance(MINUTE)
    house.store.before["commit"] = [lambda: None, RuntimeError("a hook of the host's")]
    report = coordinator.sweep()
    assert [result.outcome for result in report.results] == [Outcome.CONFIRMED]
    assert report.errors == (("B2", "RuntimeError"),)


def test_a_cancelled_booking_in_review_is_not_reassigned(house, coordinator):
    """Freed tables or not: nobody wants them."""
    fill(house, coordinator)
    booking = house.booking("B1", 2)
    for _ in range(6):
        coordinator.assign(booking, trigger="manual")
    house.booking("B1", 2, status="cancelled")
    coordinator.cancel("F1")
    assert coordinator.reassign(booking).outcome is Outcome.NOOP
    assert house.host.booking(None, "B1").status == "cancelled"


def test_a_waiting_booking_that_changes_is_looked_at_at_once(house, coordinator):
    """It need not wait until the retry of what it asked for before."""
    fill(house, coordinator)
    booking = house.booking("B1", 2)
    coordinator.assign(booking)
    later = attrs.evolve(booking, start_at=booking.start_at + DAY)
    house.host.put_booking(later)
    assert coordinator.reassign(later).outcome is Outcome.CONFIRMED


def test_who_gives_up_tables_waits_as_a_new_booking_would(house, coordinator):
    """The attempts before it sat do not count."""
    fill(house, coordinator)
    booking = house.booking("B1", 2)
    for _ in range(5):
        coordinator.assign(booking, trigger="manual")
    coordinator.cancel("F1")
    assert coordinator.assign(booking, trigger="manual").outcome is Outcome.CONFIRMED
    fill_again = house.booking("F4", 2)
    coordinator.assign(fill_again)
    larger = house.booking("B1", 4)
    assert coordinator.reassign(larger, keep=False).outcome is Outcome.RETRY


def test_a_review_woken_while_the_pipeline_is_off_is_not_forgotten(house, coordinator):
    """Once it is on again, the booking gets what was freed."""
    fill(house, coordinator)
    booking = house.booking("B1", 2)
    for _ in range(6):
        coordinator.assign(booking, trigger="manual")
    coordinator.cancel("F1")
    off = house.coordinator(flags=FixedFlags(Mode.OFF))
    assert off.sweep().results[0].reason is Reason.PIPELINE_DISABLED
    house.clock.advance(MINUTE)
    assert coordinator.sweep().results[0].outcome is Outcome.CONFIRMED


def test_a_commit_between_failures_starts_the_count_over(house, coordinator):
    """Only failures in a row open the circuit; and once it is closed again, one failure does not."""
    booking, gone = house.booking("B9"), StoreUnavailableError("gone")
    for number, failures in enumerate((4, 4, 5)):
        house.store.before["commit"] = [gone] * failures
        reasons = [coordinator.assign(booking).reason for _ in range(failures)]
        assert reasons == [Reason.STORE_UNAVAILABLE] * failures
        house.clock.advance(2 * SECOND)
        assert coordinator.assign(house.booking(f"B{number}")).outcome is Outcome.CONFIRMED
    coordinator.cancel("B0")
    house.store.before["commit"] = [gone]
    assert coordinator.assign(booking).reason is Reason.STORE_UNAVAILABLE
    assert coordinator.assign(booking).outcome is Outcome.CONFIRMED


def test_a_store_that_reads_and_cannot_write_opens_the_circuit(house, coordinator):
    """A full disk, a replica: each call reads well, and none of them helps."""
    house.store.before["commit"] = [StoreUnavailableError("read-only")] * 5
    for number in range(5):
        coordinator.assign(house.booking(f"B{number}"))
    assert coordinator.assign(house.booking("B9")).reason is Reason.CIRCUIT_OPEN


def test_a_commit_whose_answer_was_lost_is_told(house, coordinator):
    """Sinks hear of it once it is known to have landed."""
    house.store.behind["commit"] = [CommitUnknownError("cut")]
    coordinator.assign(house.booking())
    assert "coordinator.confirmed" in house.told()


def test_retries_may_be_many():
    """The wait stops growing; it does not overflow."""
    settings = Settings(max_retries=100)
    assert settings.retry_delay(100, 1.0) == settings.max_backoff
    assert settings.retry_delay(3, 0.5) == 2 * SECOND


def test_a_commit_that_lands_behind_the_look_for_it_is_told_as_it_is(house, coordinator, monkeypatch):
    """Its answer was lost and nobody had it yet; it lands all the same, once, and is what is answered."""
    store, late = house.store, []

    class Late(MemoryStore):
        def commit(self, changes):
            late.append(changes)
            raise CommitUnknownError("cut")

    monkeypatch.setattr(store, "commit", lambda changes: (monkeypatch.undo(), Late.commit(store, changes)))
    store.behind["knows"] = [lambda: store.commit(late.pop())]
    result = coordinator.assign(house.booking())
    assert (result.outcome, result.tables) == (Outcome.CONFIRMED, house.record().tables)
    assert [step.version for step in coordinator.history("B1")] == [1, 2, 3, 4, 5]
    assert store.asked.count("knows") == 2


def test_every_table_that_was_contested_counts_as_taken(house, coordinator):
    """What an earlier try of the same call lost is not proposed again by a later one."""
    house.store.before["commit"] = [TableConflictError(("T1",)), TableConflictError(("T2",))]
    assert coordinator.assign(house.booking()).tables == ("T3",)
