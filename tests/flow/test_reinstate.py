"""Endings undone: who puts a booking back, where it then sits, and what a late payment gets."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    BookingNotFoundError,
    FloorPlan,
    Mode,
    Outcome,
    Reason,
    Settings,
    Table,
    VenuePolicy,
)
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import BookingOverError, IllegalTransitionError, NoTablesError, OtherRestaurantError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.rollout.flags import FixedFlags

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


def go_to(house, moment):
    """Have it be that late."""
    house.clock.advance(moment - house.clock.now())


def held(house, **settings):
    """A coordinator that holds tables for three minutes, and a booking whose hold has expired."""
    coordinator = house.coordinator(settings=Settings(confirmation="external", **settings))
    tables = coordinator.assign(house.booking()).tables
    house.clock.advance(185 * dt.timedelta(seconds=1))
    coordinator.sweep()
    return coordinator, tables


def test_a_wrong_cancellation_is_undone(house, coordinator):
    """The booking is back at its tables under its own id; the history says who, and the host is told."""
    tables = coordinator.assign(house.booking()).tables
    coordinator.cancel("B1", actor="ann")
    result = coordinator.reinstate("B1", actor="ben")
    assert (result.outcome, result.reason, result.tables) == (Outcome.CONFIRMED, Reason.REINSTATED, tables)
    steps = [(step.trigger, step.reason, step.actor) for step in coordinator.history("B1")[-4:]]
    assert steps == [
        (Trigger.REINSTATE, "reinstated", "ben"),
        (Trigger.BEGIN, None, "ben"),
        (Trigger.SEAT, None, "ben"),
        (Trigger.CONFIRM, "reinstated", "ben"),
    ]
    assert house.host.booking(None, "B1").status == "confirmed"
    assert house.told()[-1] == "coordinator.reinstated"
    again = coordinator.reinstate("B1", actor="ben")
    assert (again.outcome, again.reason, again.tables) == (Outcome.NOOP, None, tables)


def test_who_became_fewer_has_the_same_tables_back(house, coordinator):
    """Also joined ones, which nobody is given for one guest."""
    coordinator.assign(house.booking("B0", party_size=4))
    tables = coordinator.assign(house.booking(party_size=4)).tables
    assert tables == coordinator.party_changed("B1", 1, actor="ann").tables == ("T1", "T2")
    assert house.host.booking(None, "B1").party_size == 1
    coordinator.cancel("B1", actor="ann")
    result = coordinator.reinstate("B1", actor="ben")
    assert (result.outcome, result.reason, result.tables) == (Outcome.CONFIRMED, Reason.REINSTATED, tables)


def test_whoever_comes_after_all_sits_down(house, coordinator):
    """A no-show at the door half an hour late has its tables back, and sits there."""
    booking = house.booking()
    tables = coordinator.assign(booking).tables
    go_to(house, booking.start_at + 25 * MINUTE)
    coordinator.no_show("B1", actor="ann")
    house.clock.advance(5 * MINUTE)
    assert coordinator.reinstate("B1", actor="ben").tables == tables
    assert coordinator.seated("B1", actor="ben").record.allocation.sits


def test_where_its_tables_are_gone_others_do(house, coordinator):
    """It is planned anew; a floor without any is a case for a person."""
    booking = house.booking()
    (table,) = coordinator.assign(booking).tables
    coordinator.cancel("B1")
    coordinator.place(house.booking("B2", start_at=booking.start_at), [table], actor="ann")
    other = coordinator.reinstate("B1", actor="ben")
    assert other.outcome is Outcome.CONFIRMED
    assert other.tables != (table,)
    coordinator.cancel("B1")
    free = {"T1", "T2", "T3"} - {table}
    for number, name in enumerate(sorted(free)):
        coordinator.place(house.booking(f"C{number}", start_at=booking.start_at), [name], actor="ann")
    waits = coordinator.reinstate("B1", actor="ben")
    assert (waits.outcome, waits.tables) in {(Outcome.MANUAL_REVIEW, ()), (Outcome.RETRY, ())}
    assert house.host.booking(None, "B1").status == "pending"


def test_a_rollout_that_moves_on_meanwhile_is_looked_at_again(house, coordinator):
    """Also between the two looks that moving others takes."""
    house.host.put_venue(attrs.evolve(house.venue, policy=VenuePolicy(reseat="auto"), version="moving"))
    booking = house.booking()
    coordinator.assign(booking)
    coordinator.cancel("B1")
    for number, (table, pin) in enumerate((("T1", True), ("T2", True), ("T3", False))):
        other = house.booking(f"C{number}", start_at=booking.start_at)
        coordinator.place(other, [table], actor="ann", pin=pin)
    house.store.before["load"] = [lambda: None, lambda: house.store.revise(RolloutRevision(generation=1))]
    assert coordinator.reinstate("B1", actor="ben").outcome in {Outcome.MANUAL_REVIEW, Outcome.RETRY}


def test_where_the_pipeline_is_off_it_chooses_no_tables(house, coordinator):
    """The tables that it had are its own; others are chosen where the pipeline is in charge."""
    booking = house.booking()
    (table,) = coordinator.assign(booking).tables
    coordinator.cancel("B1")
    off = house.coordinator(flags=FixedFlags(Mode.OFF))
    assert off.reinstate("B1", actor="ben").tables == (table,)
    coordinator.cancel("B1")
    coordinator.place(house.booking("B2", start_at=booking.start_at), [table], actor="ann")
    answer = off.reinstate("B1", actor="ben")
    assert (answer.outcome, answer.reason) == (Outcome.NOOP, Reason.PIPELINE_DISABLED)
    assert house.record().state is AssignmentState.CANCELLED


def test_no_automatic_call_leaves_an_end(house, coordinator):
    """Nor one of the host's own, also where its row is pending again: that takes `reinstate`."""
    booking = house.booking()
    coordinator.assign(booking)
    coordinator.cancel("B1")
    house.host.put_booking(booking)
    coordinator.assign(booking)
    coordinator.assign_id("B1", "R1")
    coordinator.reassign(booking)
    coordinator.enqueue(booking)
    for _ in range(3):
        house.clock.advance(2 * MINUTE)
        coordinator.sweep()
    assert house.record().state is AssignmentState.CANCELLED
    assert coordinator.reinstate("B1", actor="the host").outcome is Outcome.CONFIRMED


def test_what_is_over_stays_over(house, coordinator):
    """In one sentence that says what to do."""
    booking = house.booking()
    coordinator.assign(booking)
    coordinator.cancel("B1")
    go_to(house, booking.start_at + 3 * HOUR)
    with pytest.raises(BookingOverError, match=r"The time of booking 'B1' ended at .*: make a new booking"):
        coordinator.reinstate("B1", actor="ben")
    assert house.record().state is AssignmentState.CANCELLED


def test_a_rejection_is_undone(house, coordinator):
    """A booking that never had tables is planned as a new one."""
    coordinator.assign(house.booking(party_size=9))
    coordinator.reject("B1", actor="ann", reason="mistake")
    house.host.put_booking(attrs.evolve(house.host.booking(None, "B1"), party_size=2, status="pending"))
    assert coordinator.reinstate("B1", actor="ben").outcome is Outcome.CONFIRMED


@pytest.mark.parametrize("holds", [1, 2])
def test_a_late_payment_gets_its_tables(house, holds):
    """In the commit that confirms them, whatever has become of the booking meanwhile."""
    coordinator, tables = held(house, max_holds=holds)
    result = coordinator.confirm("B1")
    assert (result.outcome, result.reason, result.tables) == (Outcome.CONFIRMED, Reason.REINSTATED, tables)
    assert coordinator.confirm("B1").outcome is Outcome.CONFIRMED
    assert house.host.booking(None, "B1").status == "confirmed"


def test_a_late_payment_finds_its_tables_taken(house):
    """Nothing is written, and the host refunds; so it is where the guest has cancelled, or the time is over."""
    coordinator, (table,) = held(house)
    booking = house.record().booking
    other = house.booking("B2", start_at=booking.start_at)
    coordinator.place(other, [table], actor="ann")
    before = house.record()
    assert coordinator.confirm("B1").outcome is Outcome.HOLD_LOST
    assert house.record() == before
    coordinator.cancel("B2")
    house.host.put_booking(attrs.evolve(house.host.booking(None, "B1"), status="cancelled"))
    assert coordinator.confirm("B1").outcome is Outcome.HOLD_LOST
    house.host.put_booking(attrs.evolve(house.host.booking(None, "B1"), status="pending"))
    go_to(house, booking.start_at + 3 * HOUR)
    assert coordinator.confirm("B1").outcome is Outcome.HOLD_LOST


def test_a_cancelled_booking_is_not_paid_back_to_life(house):
    """Only a person undoes a cancellation."""
    coordinator, _ = held(house, max_holds=2)
    coordinator.cancel("B1")
    assert coordinator.confirm("B1").outcome is Outcome.HOLD_LOST


def test_a_hold_lasts_longer(house):
    """From now on for as long as holds last, or until a time; the sweep ends it then."""
    coordinator = house.coordinator(settings=Settings(confirmation="external"))
    coordinator.assign(house.booking())
    house.clock.advance(2 * MINUTE)
    result = coordinator.extend_hold("B1", actor="ben")
    assert (result.outcome, result.reason) == (Outcome.ASSIGNED, Reason.HOLD_EXTENDED)
    assert result.record.next_attempt_at == house.clock.now() + 3 * MINUTE
    until = house.clock.now() + HOUR
    assert coordinator.extend_hold("B1", until).record.next_attempt_at == until
    version = house.record().version
    assert coordinator.extend_hold("B1", until - MINUTE).outcome is Outcome.ASSIGNED
    assert house.record().version == version
    for wrong in (house.clock.now(), house.clock.now() + 25 * HOUR, until.replace(tzinfo=None)):
        with pytest.raises(ValueError, match="until: expected a time"):
            coordinator.extend_hold("B1", wrong)
    house.clock.advance(59 * MINUTE)
    assert coordinator.sweep().results == ()
    house.clock.advance(2 * MINUTE)
    assert [result.reason for result in coordinator.sweep().results] == [Reason.HOLD_EXPIRED]
    assert coordinator.extend_hold("B1").outcome is Outcome.HOLD_LOST


@pytest.mark.parametrize(("party_size", "fits"), [(1, True), (3, False)])
def test_another_number_of_guests_came(house, coordinator, party_size, fits):
    """The number is corrected, and the party keeps its tables and time; or it is told why not, and what would do."""
    booking = house.booking()
    coordinator.place(booking, ["T1"], actor="ann")
    go_to(house, booking.start_at)
    before = coordinator.seated("B1", actor="ben").record
    result = coordinator.party_changed("B1", party_size, actor="ben")
    if fits:
        assert (result.outcome, result.reason) == (Outcome.CONFIRMED, Reason.PARTY_CHANGED)
        assert result.record.booking.party_size == party_size
        assert coordinator.history("B1")[-1].actor == "ben"
    else:
        assert (result.outcome, result.reason) == (Outcome.KEPT, Reason.PARTY_TOO_LARGE)
        assert result.decision.plan.tables == ("T3",)
        assert house.record() == before
    assert house.record().allocation == before.allocation
    assert coordinator.party_changed("B1", house.record().booking.party_size, actor="ben").outcome is Outcome.NOOP


@pytest.mark.parametrize("keep", [True, False])
def test_a_changed_booking_leaves_a_party_that_sits(house, coordinator, keep):
    """Whatever the host says has changed: `reassign` corrects the number, and takes no tables."""
    booking = house.booking()
    coordinator.place(booking, ["T1"], actor="ann")
    go_to(house, booking.start_at)
    coordinator.seated("B1", actor="ben")
    house.clock.advance(10 * MINUTE)
    for changed, reason in (
        (attrs.evolve(booking, party_size=1), Reason.PARTY_CHANGED),
        (attrs.evolve(booking, party_size=4), Reason.PARTY_TOO_LARGE),
        (attrs.evolve(booking, start_at=booking.start_at + HOUR), Reason.SITS),
    ):
        house.host.put_booking(changed)
        result = coordinator.reassign(changed, keep=keep)
        assert (result.reason, result.tables) == (reason, ("T1",))
    assert house.record().allocation.sits


CALLS = [
    lambda coordinator, **given: coordinator.seated("B1", actor="ben", **given),
    lambda coordinator, **given: coordinator.left("B1", actor="ben", **given),
    lambda coordinator, **given: coordinator.no_show("B1", actor="ben", **given),
    lambda coordinator, **given: coordinator.extend("B1", dt.datetime(2099, 1, 1, tzinfo=dt.UTC), actor="ben", **given),
    lambda coordinator, **given: coordinator.party_changed("B1", 3, actor="ben", **given),
    lambda coordinator, **given: coordinator.reinstate("B1", actor="ben", **given),
    lambda coordinator, **given: coordinator.extend_hold("B1", actor="ben", **given),
    lambda coordinator, **given: coordinator.confirm("B1", actor="ben", **given),
    lambda coordinator, **given: coordinator.pin("B1", actor="ben", **given),
    lambda coordinator, **given: coordinator.unpin("B1", actor="ben", **given),
    lambda coordinator, **given: coordinator.requeue("B1", actor="ben", **given),
    lambda coordinator, **given: coordinator.reject("B1", actor="ben", reason="x", **given),
]
BAD_ACTORS = ["", " ", "a" * 1_000_000, "a\nb", "\x00", 7]


@pytest.mark.parametrize("call", CALLS)
def test_a_call_by_id_refuses_another_restaurants_booking(house, coordinator, call):
    """Where the caller says which restaurant it is of; and an unknown booking is unknown, wherever."""
    with pytest.raises(BookingNotFoundError):
        call(coordinator, restaurant_id="R1")
    coordinator.assign(house.booking())
    before = house.record()
    with pytest.raises(OtherRestaurantError):
        call(coordinator, restaurant_id="R2")
    assert house.record() == before


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("actor", BAD_ACTORS, ids=["empty", "blank", "huge", "line break", "zero", "number"])
def test_an_actor_is_a_name(house, coordinator, call, actor):
    """One sentence that does not repeat a million letters, and nothing is written."""
    coordinator.assign(house.booking())
    before = house.record()

    class Acting:
        """The coordinator, whose calls get that actor."""

        def __getattr__(self, name):
            method = getattr(coordinator, name)
            return lambda *args, **options: method(*args, **{**options, "actor": actor})

    with pytest.raises((ValueError, TypeError)) as refused:
        call(Acting())
    assert len(str(refused.value)) < 1_000
    assert "\n" not in str(refused.value)
    assert house.record() == before


def test_a_booking_that_was_cancelled_unknown_comes_back_where_the_host_has_it(house, coordinator):
    """Its record names no restaurant. Whom the host does not know is not found."""
    coordinator.cancel("B1")
    with pytest.raises(BookingNotFoundError):
        coordinator.reinstate("B1", actor="anna")
    house.booking("B1")
    back = coordinator.reinstate("B1", actor="anna")
    assert (back.outcome, house.record("B1").restaurant_id) == (Outcome.CONFIRMED, "R1")


def test_a_party_that_has_grown_meanwhile_gets_no_table_that_is_too_small(house):
    """A late payment overrules what the booking was given in spite of, not what it has asked for since."""
    coordinator, tables = held(house)
    assert tables in (("T1",), ("T2",))
    house.host.put_booking(attrs.evolve(house.host.booking(None, "B1"), party_size=4))
    assert coordinator.confirm("B1").outcome is Outcome.HOLD_LOST


def test_tables_that_another_wish_had_are_no_longer_its_own(house, coordinator):
    """Who gave them up as another party, and then ended, is planned anew: the table may be kept for more guests."""
    house.venue = attrs.evolve(
        house.venue,
        floor=FloorPlan([Table("T1", 2), Table("T3", 4, min_party_size=3)]),
        version="kept for more",
    )
    house.host.put_venue(house.venue)
    four = house.booking("B1", 4)
    assert coordinator.assign(four).tables == ("T3",)
    coordinator.assign(house.booking("B2", 2))
    two = attrs.evolve(four, party_size=2)
    house.host.put_booking(two)
    assert coordinator.reassign(two, keep=False).outcome in {Outcome.RETRY, Outcome.MANUAL_REVIEW}
    coordinator.cancel("B1")
    result = coordinator.reinstate("B1", "ann")
    assert result.tables == ()
    assert house.record("B1").booking.party_size == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda coordinator, booking: coordinator.seated("B1", actor="ann"),
        lambda coordinator, booking: coordinator.extend("B1", booking.start_at + 3 * HOUR, actor="ann"),
        lambda coordinator, booking: coordinator.place(booking, ["T1"], actor="ann"),
        lambda coordinator, booking: coordinator.requeue("B1", actor="ann"),
        lambda coordinator, booking: coordinator.reject("B1", actor="ann", reason="guest_withdrew"),
    ],
)
def test_what_needs_a_booking_that_has_not_ended_names_the_way_back(house, coordinator, call):
    """In Python as on the command line."""
    booking = house.booking()
    coordinator.assign(booking)
    coordinator.cancel("B1", actor="ann")
    with pytest.raises((IllegalTransitionError, NoTablesError), match=r"`reinstate` puts it back"):
        call(coordinator, booking)
