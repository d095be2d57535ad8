"""A party sits down: early, late, too long, and where somebody else is still there."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    Outcome,
    Reason,
    TableConflictError,
    TimeWindow,
    TurnFrom,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.domain.allocation import OVERSTAY
from assignment_pipeline.domain.policy import ServicePeriod
from assignment_pipeline.errors import NotBegunError, PartySitsError, TableNotFoundError, VenueNotFoundError

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


def go_to(house, moment):
    """Have it be that late."""
    house.clock.advance(moment - house.clock.now())


def local(house, days, hour, minute=0):
    """A local time so many days from today."""
    date = house.clock.now().astimezone(house.venue.zone).date() + dt.timedelta(days=days)
    return dt.datetime.combine(date, dt.time(hour, minute), house.venue.zone)


def with_policy(house, **policy):
    """The restaurant, with a policy."""
    house.host.put_venue(Venue("R1", "Europe/London", house.venue.floor, VenuePolicy(**policy)))


def at_t1(house, coordinator, name, start, **fields):
    """A booking that is placed at T1."""
    booking = house.booking(name, start_at=start, **fields)
    return coordinator.place(booking, ["T1"], actor="anna", pin=False).record.allocation


@pytest.fixture
def party(house, coordinator):
    """Two guests at T1 for 90 minutes."""
    return at_t1(house, coordinator, "B1", house.booking().start_at)


@pytest.mark.parametrize(("turn_from", "end"), [(TurnFrom.ARRIVAL, 60), (TurnFrom.BOOKING, 90)])
def test_whoever_comes_early_has_the_table_from_then_on(house, coordinator, party, turn_from, end):
    """The window begins with the arrival, and ends as the policy says; nobody is seated there meanwhile."""
    with_policy(house, turn_from=turn_from)
    go_to(house, party.turn.start - 30 * MINUTE)
    held = coordinator.seated("B1", actor="ben").record.allocation
    assert held.blocked == TimeWindow(party.turn.start - 30 * MINUTE, party.turn.start + end * MINUTE)
    assert held.turn == TimeWindow(party.turn.start, party.turn.start + end * MINUTE)
    quick = house.booking("B2", start_at=house.clock.now() + MINUTE, end_at=house.clock.now() + 20 * MINUTE)
    with pytest.raises(TableConflictError) as refused:
        coordinator.place(quick, ["T1"], actor="ben")
    assert refused.value.table_ids == ("T1",)


@pytest.mark.parametrize(("turn_from", "end"), [(TurnFrom.ARRIVAL, 130), (TurnFrom.BOOKING, 90)])
def test_whoever_comes_late_stays_as_the_policy_says(house, coordinator, party, turn_from, end):
    """As long as planned, or until the time that was booked."""
    with_policy(house, turn_from=turn_from)
    go_to(house, party.turn.start + 40 * MINUTE)
    held = coordinator.seated("B1", actor="ben").record.allocation
    assert held.turn == TimeWindow(party.turn.start, party.turn.start + end * MINUTE)
    assert held.blocked.end == held.turn.end


def test_whoever_comes_on_another_day_keeps_the_time(house, coordinator, party):
    """The arrival is recorded, and the window is not a day long."""
    go_to(house, party.turn.start - 7 * HOUR)
    held = coordinator.seated("B1", actor="ben").record.allocation
    assert (held.turn, held.blocked, held.seated_at) == (party.turn, party.blocked, house.clock.now())


def test_whoever_is_booked_next_is_named(house, coordinator, party):
    """A late party gets the time up to the next booking, and the answer, an event and the conflicts name that one."""
    following = at_t1(house, coordinator, "B2", party.turn.end + 10 * MINUTE)
    go_to(house, party.turn.start + 40 * MINUTE)
    result = coordinator.seated("B1", actor="ben")
    assert (result.outcome, result.reason, result.displaced) == (Outcome.CONFIRMED, Reason.SEATED, ("B2",))
    assert result.record.allocation.blocked == TimeWindow(party.blocked.start, following.blocked.start)
    (event,) = (event for event in house.sink.events if event.type == "coordinator.table_in_use")
    expected = party.turn.end + 40 * MINUTE
    assert (event.booking_id, event.context["by"], event.context["until"]) == ("B2", "B1", expected.isoformat())
    (conflict,) = coordinator.conflicts("R1")
    assert (conflict.booking_id, conflict.sitting, conflict.tables) == ("B2", "B1", ("T1",))
    assert (conflict.start_at, conflict.until) == (following.turn.start, expected)
    assert conflict.sentence == "The party of 'B1' still sits at T1, where 'B2' is next."


def test_nobody_sits_down_on_another_day(house, coordinator):
    """It was the wrong booking: nothing is written, and the refusal says when it begins and what to do."""
    held = at_t1(house, coordinator, "B1", local(house, 6, 19))
    version = house.record().version
    for moment in (house.clock.now(), local(house, 5, 12)):
        go_to(house, moment)
        with pytest.raises(NotBegunError) as refused:
            coordinator.seated("B1", actor="ben")
        assert str(refused.value) == (
            f"The turn of booking 'B1' begins only at {held.written(held.turn.start)}: "
            "a party that comes on another day is rescheduled with `reassign`, or seated as a walk-in."
        )
        assert (house.record().version, house.record().allocation) == (version, held)
    with pytest.raises(NotBegunError):
        coordinator.left("B1", actor="ben")
    go_to(house, local(house, 1, 11))
    assert coordinator.seated("B1", actor="ben").record.allocation.sits


@pytest.mark.parametrize(
    ("days", "hour", "minute", "sits"),
    [(2, 0, 10, False), (2, 3, 0, True), (2, 23, 50, True), (3, 0, 10, True), (3, 0, 50, True)],
)
def test_half_past_midnight_belongs_to_the_evening_before(house, coordinator, days, hour, minute, sits):
    """That evening is the party's day from its morning on; the night before, it is another evening's."""
    dinner = ServicePeriod("dinner", dt.time(18), dt.time(2))
    with_policy(house, service_periods=[dinner])
    at_t1(house, coordinator, "B1", local(house, 3, 0, 30))
    go_to(house, local(house, days, hour, minute))
    if sits:
        assert coordinator.seated("B1", actor="ben").record.allocation.sits
    else:
        with pytest.raises(NotBegunError):
            coordinator.seated("B1", actor="ben")


def test_midnight_parts_no_evening_where_there_are_no_hours(house, coordinator):
    """A restaurant that names no periods has a party in that comes a little early, before midnight."""
    at_t1(house, coordinator, "B1", local(house, 3, 0, 30))
    go_to(house, local(house, 2, 18, 29))
    with pytest.raises(NotBegunError):
        coordinator.seated("B1", actor="ben")
    house.clock.advance(MINUTE)
    assert coordinator.seated("B1", actor="ben").record.allocation.sits


def test_nobody_sits_down_where_somebody_sits(house, coordinator, party):
    """Nothing is written, and the answer names who is there; once that party has left, the next one sits down."""
    following = at_t1(house, coordinator, "B2", party.turn.end)
    go_to(house, party.turn.start)
    coordinator.seated("B1", actor="ben")
    go_to(house, following.turn.start + 2 * MINUTE)
    result = coordinator.seated("B2", actor="ben")
    assert (result.outcome, result.reason, result.displaced) == (Outcome.KEPT, Reason.TABLE_IN_USE, ("B1",))
    assert house.record("B2").allocation == following
    coordinator.left("B1", actor="ben")
    assert coordinator.seated("B2", actor="ben").reason is Reason.SEATED


@pytest.mark.parametrize(("number", "method", "whose"), [(0, "place", "B2"), (1, "left", "B1"), (2, "place", "B1")])
def test_each_way_out_leads_out(house, coordinator, party, number, method, whose):
    """The next party moves to free tables, the party that sits leaves, or it moves: each ends the conflict."""
    following = at_t1(house, coordinator, "B2", party.turn.end)
    go_to(house, party.turn.start)
    coordinator.seated("B1", actor="ben")
    go_to(house, following.turn.start + 2 * MINUTE)
    (conflict,) = coordinator.conflicts("R1")
    assert len(conflict.ways_out) == 3
    way = conflict.ways_out[number]
    arguments = dict(way.arguments)
    assert (way.method, arguments.pop("booking_id")) == (method, whose)
    what = {"booking": house.record(whose).booking} if method == "place" else {"booking_id": whose}
    getattr(coordinator, method)(**what, **arguments, actor="ben")
    assert coordinator.conflicts("R1") == ()


def test_an_overstay_is_told_once(house, coordinator, party):
    """The sweep names who waits for the table of a party past its time, and does not repeat itself."""
    at_t1(house, coordinator, "B2", party.turn.end)
    go_to(house, party.turn.start)
    coordinator.seated("B1", actor="ben")
    go_to(house, party.turn.end - MINUTE)
    coordinator.sweep()
    told = [event for event in house.sink.events if event.type == "coordinator.table_in_use"]
    assert told == []
    house.clock.advance(MINUTE)
    for _ in range(3):
        coordinator.sweep()
        house.clock.advance(MINUTE)
    (event,) = (event for event in house.sink.events if event.type == "coordinator.table_in_use")
    assert (event.booking_id, event.context["by"], event.context["reason"]) == ("B2", "B1", "table_in_use")
    assert house.record("B2").state is AssignmentState.CONFIRMED
    assert house.record("B2").tables == ("T1",)


def test_a_walk_in_is_not_sent_to_a_party_past_its_time(house, coordinator, party):
    """Neither a plan nor a person gives the table away; `extend` has nobody in its way."""
    for name in ("T2", "T3"):
        coordinator.place(house.booking(name, start_at=party.turn.end), [name], actor="anna")
    go_to(house, party.turn.start)
    coordinator.seated("B1", actor="ben")
    go_to(house, party.turn.end + 5 * MINUTE)
    walk_in = house.booking("W", start_at=house.clock.now() + 5 * MINUTE)
    assert coordinator.assign(walk_in).tables == ()
    with pytest.raises(TableConflictError):
        coordinator.place(walk_in, ["T1"], actor="ben")
    assert coordinator.extend("B1", party.turn.end + 30 * MINUTE, actor="ben").reason is Reason.EXTENDED


def test_nothing_takes_the_tables_of_a_party_that_sits(house, coordinator, party):
    """A cancellation is kept off, a no-show and a requeue are refused in a sentence, and it may be unpinned."""
    go_to(house, party.turn.start)
    coordinator.seated("B1", actor="ben")
    result = coordinator.cancel("B1")
    assert (result.outcome, result.reason, result.tables) == (Outcome.KEPT, Reason.SITS, ("T1",))
    for refused in (coordinator.no_show, coordinator.requeue):
        with pytest.raises(PartySitsError, match="The party of booking 'B1' sits at T1: call left first"):
            refused("B1", actor="ben")
    coordinator.unpin("B1", actor="ben")
    for table in ("T2", "T3"):
        coordinator.place(house.booking(table, start_at=party.turn.start), [table], actor="anna", allow=["in_past"])
    full = coordinator.assign(house.booking("B2", start_at=party.turn.start + HOUR))
    assert (full.tables, full.moved) == ((), ())
    assert house.record().tables == ("T1",)


def test_a_cancellation_that_nobody_reported_waits_until_the_party_has_left(house, coordinator, party):
    """The sweep frees its tables once it is gone, and not before."""
    go_to(house, party.turn.start)
    coordinator.seated("B1", actor="ben")
    house.host.put_booking(attrs.evolve(house.host.booking(None, "B1"), status="cancelled"))
    for table in ("T2", "T3"):
        coordinator.place(house.booking(table, start_at=party.turn.start), [table], actor="anna", allow=["in_past"])
    coordinator.assign(house.booking("B2", start_at=party.turn.start + 30 * MINUTE))
    coordinator.sweep()
    assert house.record().tables == ("T1",)


def test_who_is_due_and_not_here(house, coordinator, party):
    """Those whose time has begun and who have not sat down, with for how long: not those who sit or have left."""
    for name, later in (("B2", 0), ("B3", 20), ("B4", 60)):
        booking = house.booking(name, start_at=party.turn.start + later * MINUTE)
        coordinator.place(booking, [f"T{2 if name == 'B2' else 3}"], actor="anna") if name != "B4" else None
    go_to(house, party.turn.start + 25 * MINUTE)
    coordinator.seated("B2", actor="ben")
    found = coordinator.due("R1")
    assert [(one.booking_id, one.late, one.tables) for one in found] == [
        ("B1", 25 * MINUTE, ("T1",)),
        ("B3", 5 * MINUTE, ("T3",)),
    ]
    assert (found[0].party_size, found[0].start_at) == (2, party.turn.start)


def test_who_is_over_time(house, coordinator, party):
    """With since when, and who waits for the table."""
    at_t1(house, coordinator, "B2", party.turn.end + OVERSTAY)
    go_to(house, party.turn.start)
    coordinator.seated("B1", actor="ben")
    assert coordinator.over("R1") == ()
    go_to(house, party.turn.end + 5 * MINUTE)
    (one,) = coordinator.over("R1")
    assert (one.booking_id, one.over, one.end_at, one.waiting) == ("B1", 5 * MINUTE, party.turn.end, ("B2",))
    coordinator.left("B1", actor="ben")
    assert coordinator.over("R1") == ()


def test_who_is_next(house, coordinator, party):
    """At each table the first who is still to come, with who sits there now; or at one table."""
    following = at_t1(house, coordinator, "B2", party.turn.end)
    coordinator.place(house.booking("B3", start_at=party.turn.start), ["T2"], actor="anna")
    go_to(house, party.turn.start)
    coordinator.seated("B1", actor="ben")
    first, second = coordinator.next("R1")
    assert (first.table_id, first.booking_id, first.start_at, first.sitting) == ("T1", "B2", following.turn.start, "B1")
    assert (second.table_id, second.booking_id, second.sitting) == ("T2", "B3", None)
    assert coordinator.next("R1", "T2") == (second,)
    assert coordinator.next("R1", "T3") == ()
    with pytest.raises(TableNotFoundError):
        coordinator.next("R1", "T9")
    for ask in (coordinator.due, coordinator.over, coordinator.next, coordinator.conflicts):
        with pytest.raises(VenueNotFoundError):
            ask("R9")
