"""Confirming, cancelling, changing: what happens to tables that a booking already has."""

from __future__ import annotations

import datetime as dt

import pytest

from assignment_pipeline import AssignmentState, BookingNotFoundError, Outcome, Reason, Settings
from assignment_pipeline.errors import CommitUnknownError, StaleRecordError, StoreUnavailableError
from assignment_pipeline.testing.store_harness import make_change

DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)


@pytest.fixture
def external(house):
    """A coordinator whose host confirms."""
    return house.coordinator(settings=Settings(confirmation="external"))


def test_an_external_confirmation_holds_the_tables(house, external):
    """Assigned until the host confirms; both say which tables."""
    held = external.assign(house.booking())
    assert (held.outcome, held.record.state) == (Outcome.ASSIGNED, AssignmentState.ASSIGNED)
    assert external.assign(house.booking()).outcome is Outcome.ASSIGNED
    confirmed = external.confirm("B1")
    assert (confirmed.outcome, confirmed.tables) == (Outcome.CONFIRMED, held.tables)
    assert external.confirm("B1").outcome is Outcome.CONFIRMED
    assert house.record().version == 5
    assert house.record().next_attempt_at is None


def test_a_hold_that_nobody_confirms_expires(house, external):
    """The sweep frees its tables and ends it; others get them, and a confirmation after that comes too late."""
    start_at = house.booking().start_at
    held = external.assign(house.booking(start_at=start_at)).tables
    assert external.sweep().results == ()
    house.clock.advance(180 * SECOND)
    (result,) = external.sweep().results
    assert (result.outcome, result.reason, result.tables) == (Outcome.FAILED, Reason.HOLD_EXPIRED, ())
    external.place(house.booking("B2", start_at=start_at), held, actor="anna")
    assert external.confirm("B1").outcome is Outcome.HOLD_LOST


def test_a_late_confirmation_finds_its_tables(house, external):
    """Past its time, but not swept yet: the guest gets the tables."""
    external.assign(house.booking())
    house.clock.advance(DAY / 2)
    assert external.confirm("B1").outcome is Outcome.CONFIRMED
    assert external.sweep().results == ()


def test_a_second_hold_where_that_is_granted(house):
    """`max_holds` above one queues it again first."""
    coordinator = house.coordinator(settings=Settings(confirmation="external", max_holds=2))
    coordinator.assign(house.booking())
    house.clock.advance(180 * SECOND)
    (expired,) = coordinator.sweep().results
    assert (expired.outcome, expired.reason) == (Outcome.RETRY, Reason.HOLD_EXPIRED)
    (again,) = coordinator.sweep().results
    assert again.outcome is Outcome.ASSIGNED
    house.clock.advance(180 * SECOND)
    assert coordinator.sweep().results[0].outcome is Outcome.FAILED


def test_a_hold_that_ends_starts_the_retries_over(house):
    """However it came to its retries: who looks for tables again after a hold has all tries before it."""
    coordinator = house.coordinator(settings=Settings(confirmation="external", max_holds=2))
    coordinator.assign(house.booking())
    counted = make_change(house.host.booking(None, "B1"), before=house.record(), retries=5, venue=house.venue)
    house.store.commit([counted])
    house.clock.advance(180 * SECOND)
    (expired,) = coordinator.sweep().results
    assert (expired.outcome, expired.record.retries) == (Outcome.RETRY, 0)


def test_confirming_what_is_unknown_raises(coordinator):
    """There is nothing to confirm."""
    with pytest.raises(BookingNotFoundError):
        coordinator.confirm("B1")


def test_cancelling_frees_the_tables(house, coordinator):
    """And is final; a second time changes nothing."""
    coordinator.assign(house.booking())
    assert coordinator.cancel("B1", actor="anna").outcome is Outcome.CANCELLED
    assert coordinator.cancel("B1").outcome is Outcome.CANCELLED
    record = house.record()
    assert (record.state, record.version, record.tables) == (AssignmentState.CANCELLED, 6, ())
    assert coordinator.history("B1")[-1].actor == "anna"
    assert coordinator.assign(house.booking()).reason is Reason.TERMINAL_STATE


def test_cancelling_an_unknown_booking_keeps_it_from_coming_back(house, coordinator):
    """A late commit cannot resurrect it."""
    assert coordinator.cancel("B1", "R1").outcome is Outcome.CANCELLED
    assert coordinator.assign(house.booking()).reason is Reason.TERMINAL_STATE
    assert house.record().tables == ()


def test_a_cancellation_overtakes_an_assignment(house, coordinator):
    """It lands between reading and committing: the assignment sees it, and nothing is seated."""
    booking = house.booking()
    house.store.before["commit"] = [lambda: house.coordinator().cancel("B1", "R1")]
    assert coordinator.assign(booking).reason is Reason.TERMINAL_STATE
    assert house.record().state is AssignmentState.CANCELLED


@pytest.mark.parametrize("when", ["before", "behind"])
def test_a_cancellation_outlives_trouble(house, coordinator, when):
    """Stale views and lost answers are dealt with; an outage is a retry."""
    coordinator.assign(house.booking())
    getattr(house.store, when)["commit"] = [CommitUnknownError("cut")]
    assert coordinator.cancel("B1").outcome is Outcome.CANCELLED
    coordinator.assign(house.booking("B2"))
    house.store.before["commit"] = [StaleRecordError("B2", "version")]
    assert coordinator.cancel("B2").outcome is Outcome.CANCELLED
    house.store.before["records"] = [StoreUnavailableError("gone")]
    assert coordinator.cancel("B2").reason is Reason.STORE_UNAVAILABLE


def test_freed_tables_wake_who_waits_for_them(house, coordinator):
    """A retry that was far off and a review for want of tables are due at once; others are not."""
    for name, size in (("F1", 2), ("F2", 2), ("F3", 4)):
        coordinator.assign(house.booking(name, size))
    reviewed = house.booking("B1", 2)
    for _ in range(6):
        coordinator.assign(reviewed, trigger="manual")
    assert house.record().state is AssignmentState.MANUAL_REVIEW
    too_large = house.booking("B2", 99)
    coordinator.assign(too_large)
    assert coordinator.sweep().results == ()
    coordinator.cancel("F3")
    (seated,) = coordinator.sweep().results
    assert (seated.booking_id, seated.outcome, seated.tables) == ("B1", Outcome.CONFIRMED, ("T3",))


def test_a_review_that_freed_tables_do_not_help_stays(house, coordinator):
    """It is looked at once, and left as it was."""
    for name, size in (("F1", 2), ("F2", 2), ("F3", 4)):
        coordinator.assign(house.booking(name, size))
    reviewed = house.booking("B1", 4)
    for _ in range(6):
        coordinator.assign(reviewed, trigger="manual")
    version = house.record().version
    coordinator.cancel("F1")
    (stays,) = coordinator.sweep().results
    assert (stays.outcome, stays.reason) == (Outcome.MANUAL_REVIEW, Reason.NO_FIT)
    assert house.record().version == version
    assert coordinator.sweep().results == ()


def test_a_party_that_grows_moves(house, coordinator):
    """The old table goes in the commit in which the new one is taken."""
    coordinator.assign(house.booking(party_size=2))
    result = coordinator.reassign(house.booking(party_size=4))
    assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("T3",))
    assert coordinator.history("B1")[-1].trigger == "move"
    assert coordinator.assign(house.booking("B2", 2)).tables in {("T1",), ("T2",)}


def test_a_party_that_still_fits_stays(house, coordinator):
    """Guests are not moved for nothing, and what did not change is not written."""
    tables = coordinator.assign(house.booking(party_size=4)).tables
    result = coordinator.reassign(house.booking(party_size=3))
    assert (result.outcome, result.tables, result.record.booking.party_size) == (Outcome.CONFIRMED, tables, 3)
    version = house.record().version
    assert coordinator.reassign(house.booking(party_size=3)).outcome is Outcome.NOOP
    assert house.record().version == version


def test_without_a_plan_everything_is_kept(house, coordinator):
    """Nothing is written, and the nearest times are told."""
    coordinator.assign(house.booking("F1", 4))
    tables = coordinator.assign(house.booking("B1", 2)).tables
    coordinator.assign(house.booking("B2", 2))
    before = house.record()
    result = coordinator.reassign(house.booking("B1", 4))
    assert (result.outcome, result.reason, result.tables) == (Outcome.KEPT, Reason.NO_FIT, tables)
    assert result.decision.nearest
    assert house.record() == before


def test_without_keep_the_tables_go(house, coordinator):
    """The booking waits as a new one would."""
    coordinator.assign(house.booking("F1", 4))
    coordinator.assign(house.booking("B1", 2))
    coordinator.assign(house.booking("B2", 2))
    result = coordinator.reassign(house.booking("B1", 4), keep=False)
    assert (result.outcome, result.record.state) == (Outcome.RETRY, AssignmentState.ASSIGNMENT_PENDING)
    assert result.tables == ()


def test_a_changed_review_is_tried_again(house, coordinator):
    """A party that was too large comes back smaller."""
    assert coordinator.assign(house.booking(party_size=9)).outcome is Outcome.MANUAL_REVIEW
    result = coordinator.reassign(house.booking(party_size=3))
    assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("T3",))
    assert coordinator.reassign(house.booking("B2", 2)).outcome is Outcome.CONFIRMED


def test_what_has_ended_stays_ended(house, coordinator):
    """Nothing brings a cancelled booking back."""
    coordinator.assign(house.booking())
    coordinator.cancel("B1")
    assert coordinator.reassign(house.booking(party_size=4)).reason is Reason.TERMINAL_STATE


def test_a_moved_hold_still_expires(house, external):
    """Other tables, same hold."""
    external.assign(house.booking(party_size=2))
    assert external.reassign(house.booking(party_size=4)).outcome is Outcome.ASSIGNED
    house.clock.advance(180 * SECOND)
    assert external.sweep().results[0].reason is Reason.HOLD_EXPIRED


def test_cancelling_what_has_failed_changes_nothing(house, external):
    """It has no tables, and its end stays the one that it had."""
    external.assign(house.booking())
    house.clock.advance(180 * SECOND)
    external.sweep()
    failed = house.record()
    result = external.cancel("B1")
    assert (result.outcome, result.reason) == (Outcome.NOOP, Reason.TERMINAL_STATE)
    assert house.record() == failed


@pytest.mark.parametrize("act", ["confirm", "cancel"])
def test_what_comes_of_a_booking_voids_the_claim_on_it(house, external, act):
    """A worker that has claimed the end of a hold, and was slower, has claimed nothing."""
    external.assign(house.booking())
    house.clock.advance(180 * SECOND)
    (claim,) = house.store.due(10)
    assert claim.deliveries == house.record().deliveries == 1
    getattr(external, act)("B1")
    assert house.record().deliveries == 0
