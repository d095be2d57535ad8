"""The service itself: who sits, who has left, who never came, and who stays on."""

from __future__ import annotations

import datetime as dt
import re

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    BookingNotFoundError,
    Outcome,
    Reason,
    Settings,
    TableConflictError,
    TimeWindow,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.errors import BookingOverError, NoTablesError, NotBegunError, StoreUnavailableError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.testing.store_harness import CONFIRM, make_change

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def party(house, coordinator):
    """Two guests at a table of theirs for 90 minutes from tomorrow on, with a quarter of an hour behind them."""
    house.host.put_venue(Venue("R1", "Europe/London", house.venue.floor, VenuePolicy(post_buffer_minutes=15)))
    return coordinator.place(house.booking(), ["T1"], actor="anna", pin=False).record.allocation


def go_to(house, moment):
    """Have it be that late."""
    house.clock.advance(moment - house.clock.now())


def last(coordinator):
    """What the history says last."""
    step = coordinator.history("B1")[-1]
    return step.trigger, step.reason, step.actor, step.tables


def test_whoever_sits_is_moved_no_more(house, coordinator, party):
    """Pinned, with who said so and when; the guest's view does not change."""
    go_to(house, party.turn.start)
    result = coordinator.seated("B1", actor="ben")
    assert (result.outcome, result.reason, result.record.pinned) == (Outcome.CONFIRMED, Reason.SEATED, True)
    assert last(coordinator) == (Trigger.MOVE, "seated", "ben", ("T1",))
    assert house.record().allocation == attrs.evolve(party, seated_at=house.clock.now())
    assert coordinator.history("B1")[-1].seated_at == house.clock.now()
    assert house.host.booking(None, "B1").status == "confirmed"
    assert house.told()[-1] == "coordinator.seated"
    told = house.sink.events[-1].context
    assert (told["actor"], told["seated_at"]) == ("ben", house.clock.now().isoformat())


def test_whoever_sits_already_sits(house, coordinator, party):
    """A second report writes nothing. A party that was marked as left by mistake sits again, since its arrival."""
    go_to(house, party.turn.start)
    first = coordinator.seated("B1", actor="ben").record
    house.clock.advance(5 * MINUTE)
    again = coordinator.seated("B1", actor="ben")
    assert (again.outcome, again.reason, again.record) == (Outcome.NOOP, None, first)
    gone = coordinator.left("B1", actor="ben").record.allocation
    assert (gone.seated_at, gone.left_at) == (party.turn.start, house.clock.now())
    assert coordinator.left("B1", actor="ben").outcome is Outcome.NOOP
    back = coordinator.seated("B1", actor="ben").record.allocation
    assert (back.seated_at, back.left_at, back.sits) == (party.turn.start, None, True)


def test_whoever_is_given_other_tables_still_sits(house, coordinator, party):
    """A move by hand changes the tables, and not when the party came."""
    go_to(house, party.turn.start)
    coordinator.seated("B1", actor="ben")
    house.clock.advance(5 * MINUTE)
    moved = coordinator.place(house.booking(start_at=party.turn.start), ["T2"], actor="ben", allow=["in_past"])
    assert (moved.tables, moved.record.allocation.seated_at) == (("T2",), party.turn.start)


def test_a_hold_is_confirmed_by_sitting_down(house):
    """Its end would free a table at which somebody sits."""
    coordinator = house.coordinator(settings=Settings(confirmation="external"))
    coordinator.assign(house.booking(start_at=house.clock.now() + HOUR))
    result = coordinator.seated("B1", actor="ben")
    assert (result.outcome, result.record.state) == (Outcome.CONFIRMED, AssignmentState.CONFIRMED)
    assert last(coordinator)[:2] == (Trigger.CONFIRM, "seated")
    house.clock.advance(HOUR)
    assert coordinator.sweep().results == ()


@pytest.mark.parametrize(
    ("after", "turn_end", "blocked_end"),
    [(20 * MINUTE, 20, 20), (20 * MINUTE + dt.timedelta(seconds=59), 20, 20), (95 * MINUTE, 90, 95)],
)
def test_whoever_leaves_frees_the_rest(house, coordinator, party, after, turn_end, blocked_end):
    """At once, the buffer with it; what has been stays as it was."""
    go_to(house, party.turn.start + after)
    result = coordinator.left("B1", actor="ben")
    assert (result.outcome, result.reason) == (Outcome.CONFIRMED, Reason.LEFT)
    held = house.record().allocation
    assert held.turn == TimeWindow(party.turn.start, party.turn.start + turn_end * MINUTE)
    assert held.blocked == TimeWindow(party.blocked.start, party.turn.start + blocked_end * MINUTE)
    assert last(coordinator) == (Trigger.MOVE, "left", "ben", ("T1",))
    assert house.told()[-1] == "coordinator.left"
    following = house.booking("B2", start_at=held.blocked.end)
    assert coordinator.place(following, ["T1"], actor="ben").tables == ("T1",)


def test_nobody_leaves_before_they_came(house, coordinator, party):
    """An error that says so, also in the minute in which they come; and after their time there is nothing to free."""
    with pytest.raises(NotBegunError, match=f"begins only at {re.escape(party.written(party.turn.start))}") as early:
        coordinator.left("B1", actor="ben")
    assert (early.value.booking_id, house.record().version) == ("B1", 5)
    go_to(house, party.turn.start)
    with pytest.raises(NotBegunError):
        coordinator.left("B1", actor="ben")
    go_to(house, party.blocked.end)
    assert coordinator.left("B1", actor="ben").outcome is Outcome.NOOP
    assert house.record().version == 5


def test_time_that_is_left_goes_to_whoever_waits(house, coordinator, party):
    """The sweep finds those that wait for it due at once."""
    full = [coordinator.place(house.booking(name), [table], actor="anna") for name, table in (("X", "T2"), ("Y", "T3"))]
    assert {result.outcome for result in full} == {Outcome.CONFIRMED}
    go_to(house, party.turn.start)
    waits = coordinator.assign(house.booking("B2", start_at=party.turn.start + 60 * MINUTE))
    assert (waits.outcome, waits.reason) == (Outcome.RETRY, Reason.NO_FIT)
    house.clock.advance(30 * MINUTE)
    coordinator.sweep()
    while house.record("B2").state is not AssignmentState.MANUAL_REVIEW:
        house.clock.advance(MINUTE)
        coordinator.sweep()
    coordinator.left("B1", actor="ben")
    (result,) = coordinator.sweep().results
    assert (result.booking_id, result.tables) == ("B2", ("T1",))


def test_a_no_show_frees_the_tables_for_good(house, coordinator, party):
    """Cancelled, with that as the reason; it is told apart from a guest's own cancellation."""
    with pytest.raises(NotBegunError):
        coordinator.no_show("B1", actor="ben")
    go_to(house, party.turn.start)
    coordinator.pin("B1", actor="ben")
    result = coordinator.no_show("B1", actor="ben")
    assert (result.outcome, result.reason, result.tables) == (Outcome.CANCELLED, Reason.NO_SHOW, ())
    record = house.record()
    assert (record.state, record.reason, record.pinned) == (AssignmentState.CANCELLED, "no_show", False)
    assert last(coordinator) == (Trigger.CANCEL, "no_show", "ben", ())
    assert house.host.booking(None, "B1").status == "cancelled"
    assert house.told()[-1] == "coordinator.no_show"
    with pytest.raises(NoTablesError):
        coordinator.no_show("B1", actor="ben")


def test_a_party_stays_on(house, coordinator, party):
    """Turn and buffer move back together; the guest's request stays what it was."""
    until = party.turn.end + 30 * MINUTE
    result = coordinator.extend("B1", until, actor="ben")
    assert (result.outcome, result.reason) == (Outcome.CONFIRMED, Reason.EXTENDED)
    held = house.record().allocation
    assert held.turn == TimeWindow(party.turn.start, until)
    assert held.blocked == TimeWindow(party.blocked.start, until + 15 * MINUTE)
    assert last(coordinator) == (Trigger.MOVE, "extended", "ben", ("T1",))
    assert house.told()[-1] == "coordinator.extended"
    assert coordinator.reassign(house.booking()).reason is Reason.TERMINAL_STATE


def test_whoever_is_in_the_way_is_named(house, coordinator, party):
    """Nothing is written where the tables are somebody else's by then; a block has no name to be told."""
    following = house.booking("B2", start_at=party.blocked.end)
    coordinator.place(following, ["T1"], actor="anna")
    result = coordinator.extend("B1", party.turn.end + MINUTE, actor="ben")
    assert (result.outcome, result.reason, result.displaced) == (Outcome.KEPT, Reason.LAYING_TIME, ("B2",))
    assert (result.tables, house.record().allocation) == (("T1",), party)
    far = coordinator.extend("B1", party.turn.start + DAY, actor="ben")
    assert far.displaced == ("B2",)
    coordinator.cancel("B2")
    window = TimeWindow(party.blocked.end, party.blocked.end + HOUR)
    coordinator.block("R1", "T1", window, actor="anna", reason="maintenance")
    result = coordinator.extend("B1", party.turn.end + MINUTE, actor="ben")
    assert (result.outcome, result.displaced) == (Outcome.KEPT, ())


@pytest.mark.parametrize("by", [dt.timedelta(), -MINUTE, DAY, dt.timedelta(seconds=30)])
def test_a_stay_is_extended_to_a_time(house, coordinator, party, by):
    """A whole minute after the end that it has, and at most a day after its start."""
    with pytest.raises(ValueError, match="until: expected a"):
        coordinator.extend("B1", party.turn.end + by, actor="ben")
    with pytest.raises(ValueError, match="until: expected a time with an offset"):
        coordinator.extend("B1", party.turn.end.replace(tzinfo=None) + HOUR, actor="ben")
    assert house.record().allocation == party


def test_a_longer_stay_goes_along_to_other_tables(house, coordinator, party):
    """Who is placed elsewhere stays as long as was said before, until the booking itself asks for something else."""
    coordinator.extend("B1", party.turn.end + HOUR, actor="ben")
    longer = house.record().allocation
    coordinator.place(house.record().booking, ["T2"], actor="ben")
    assert house.record().allocation == attrs.evolve(longer, tables=("T2",))
    coordinator.place(attrs.evolve(house.record().booking, party_size=1), ["T2"], actor="ben")
    assert house.record().allocation.turn == party.turn


def test_a_party_may_leave_a_table_that_is_blocked_under_it(house, coordinator, party):
    """What it gives up it need not take again."""
    coordinator.block("R1", "T1", party.blocked, actor="anna", reason="leak")
    go_to(house, party.turn.start + HOUR)
    assert coordinator.left("B1", actor="ben").reason is Reason.LEFT


CALLS = [
    lambda coordinator: coordinator.pin("B1", actor="ben"),
    lambda coordinator: coordinator.unpin("B1", actor="ben"),
    lambda coordinator: coordinator.seated("B1", actor="ben"),
    lambda coordinator: coordinator.left("B1", actor="ben"),
    lambda coordinator: coordinator.no_show("B1", actor="ben"),
    lambda coordinator: coordinator.extend("B1", dt.datetime(2099, 1, 1, tzinfo=dt.UTC), actor="ben"),
]


@pytest.mark.parametrize("call", CALLS)
def test_it_takes_tables(house, coordinator, call):
    """Of a booking without a record, or without tables, none of this makes sense."""
    with pytest.raises(BookingNotFoundError):
        call(coordinator)
    coordinator.assign(house.booking(party_size=9))
    with pytest.raises(NoTablesError, match="Booking 'B1' has no tables: its assignment is manual_review"):
        call(coordinator)


@pytest.mark.parametrize("call", CALLS)
def test_legacys_seats_are_left_alone(house, coordinator, call):
    """Whoever answers for a booking sees to it."""
    booking = house.booking()
    house.store.commit([make_change(booking, *CONFIRM, tables=("T1",), owner=Owner.LEGACY)])
    before = house.record()
    assert call(coordinator).reason is Reason.OWNED_BY_LEGACY
    assert house.record() == before


@pytest.mark.parametrize("call", CALLS[:3])
def test_a_store_that_is_down_is_said(house, coordinator, call):
    """As the outcome, and nothing has happened."""
    coordinator.place(house.booking(start_at=house.clock.now() + HOUR), ["T1"], actor="anna", pin=False)
    house.store.before["commit"] = [StoreUnavailableError("gone")] * 2
    if call is CALLS[1]:
        coordinator = house.coordinator()
        house.store.before["commit"].clear()
        coordinator.pin("B1", actor="anna")
        house.store.before["commit"] = [StoreUnavailableError("gone")]
    before = house.record()
    result = call(coordinator)
    assert (result.outcome, result.reason) == (Outcome.RETRY, Reason.STORE_UNAVAILABLE)
    assert house.record() == before


def test_a_conflict_that_is_gone_again_names_nobody(house, coordinator, party):
    """Who was in the way may have left by the time that it is asked who that is."""
    house.store.before["commit"] = [TableConflictError(("T1",))]
    result = coordinator.extend("B1", party.turn.end + HOUR, actor="ben")
    assert (result.outcome, result.displaced) == (Outcome.KEPT, ())


def test_who_was_cancelled_meanwhile_is_not_kept(house, coordinator, party):
    """It has no tables any more to stay at, whoever was in the way."""

    def cancelled():
        coordinator.cancel("B1")
        raise TableConflictError(("T1",))

    house.store.before["commit"] = [cancelled]
    with pytest.raises(NoTablesError):
        coordinator.extend("B1", party.turn.end + HOUR, actor="ben")


IN_KOLKATA = {
    "extend": lambda one, start: one.extend("B1", start, actor="ben"),
    "extend_hold": lambda one, start: one.extend_hold("B2", start + 5 * DAY),
    "walk_in": lambda one, start: one.walk_in("R1", 2, until=start - 9 * DAY, actor="ben"),
    "block": lambda one, start: one.block(
        "R1", "T1", window=TimeWindow(start - 9 * DAY, start - 8 * DAY), actor="ben", reason="paint"
    ),
    "left": lambda one, start: one.left("B1", actor="ben"),
    "reinstate": lambda one, start: one.reinstate("B3", actor="ben"),
}


@pytest.mark.parametrize("act", IN_KOLKATA.values(), ids=IN_KOLKATA)
def test_refusals_say_times_as_the_restaurant_has_them(house, act):
    """People there read their own clock: each time of a refusal is local, with its offset."""
    house.host.put_venue(attrs.evolve(house.venue, timezone="Asia/Kolkata", version="2"))
    coordinator = house.coordinator(settings=Settings(confirmation="external"))
    party = house.booking("B1")
    coordinator.place(party, ["T1"], actor="ben")
    coordinator.assign(house.booking("B2"))
    over = house.booking("B3", start_at=party.start_at - DAY + HOUR)
    coordinator.assign(over)
    coordinator.cancel("B3")
    house.clock.advance(9 * HOUR)
    with pytest.raises((ValueError, NotBegunError, BookingOverError)) as refused:
        act(coordinator, party.start_at)
    times = re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\d\S*", str(refused.value))
    assert times
    assert all(time.strip(".,:").endswith("+05:30") for time in times)
