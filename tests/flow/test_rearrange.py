"""``rearrange``: several parties change tables in one commit, by a person's decision."""

from __future__ import annotations

import asyncio
import datetime as dt

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment_pipeline import (
    AsyncCoordinator,
    Booking,
    BookingNotFoundError,
    Coordinator,
    FloorPlan,
    Mode,
    Move,
    Outcome,
    PlacementRefusedError,
    StoreUnavailableError,
    Table,
    TableConflictError,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.errors import NoTablesError, OtherRestaurantError, OtherTablesError
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing import FakeClock

MINUTE = dt.timedelta(minutes=1)
TABLES = ("T1", "T2", "T3")


def venue(name="R1", tables=TABLES):
    return Venue(name, "Europe/London", FloorPlan([Table(table, 4) for table in tables]), VenuePolicy(reseat="off"))


@pytest.fixture
def full(harness, clock):
    """Three parties at three tables, pinned, on each store."""
    harness.put_venue(venue())
    coordinator = Coordinator(harness.store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=())
    at = clock.now().replace(second=0, microsecond=0) + dt.timedelta(hours=10)
    for table in TABLES:
        booking = Booking(f"B{table[1]}", "R1", 4, at)
        harness.put_booking(booking)
        coordinator.place(booking, [table], actor="ann")
    return coordinator


def at(coordinator):
    return {name: coordinator.record(name).tables for name in ("B1", "B2", "B3")}


ROUND = (Move("B1", ["T1"], ["T2"]), Move("B2", ["T2"], ["T3"]), Move("B3", ["T3"], ["T1"]))


def test_two_swap_and_three_move_round(full):
    """On a full floor and pinned, each in one step: all leave their tables before any takes one."""
    swapped = full.rearrange([Move("B1", ["T1"], ["T2"]), Move("B2", ["T2"], ["T1"])], actor="ben")
    assert [(one.booking_id, one.outcome, one.reason, one.tables) for one in swapped] == [
        ("B1", "confirmed", "rearranged", ("T2",)),
        ("B2", "confirmed", "rearranged", ("T1",)),
    ]
    back = full.rearrange([Move("B1", ["T2"], ["T1"]), Move("B2", ["T1"], ["T2"])], actor="ben", pin=False)
    assert not any(one.record.pinned for one in back)
    full.rearrange(ROUND, actor="ben")
    assert at(full) == {"B1": ("T2",), "B2": ("T3",), "B3": ("T1",)}
    assert {full.history(name)[-1].actor for name in at(full)} == {"ben"}
    assert {full.history(name)[-1].reason for name in at(full)} == {"rearranged"}


@pytest.mark.parametrize("minutes", [-10, 20])
def test_who_is_about_to_come_or_sits_is_moved_too(full, clock, harness, minutes):
    """It stays with its time and its arrival, and what was overruled is told."""
    start = full.record("B1").allocation.turn.start
    clock.advance(start + minutes * MINUTE - clock.now())
    if minutes > 0:
        for name in ("B1", "B2", "B3"):
            full.seated(name, actor="ann")
    before = {name: full.record(name).allocation for name in ("B1", "B2", "B3")}
    full.rearrange(ROUND, actor="ben")
    for name, held in before.items():
        assert full.record(name).allocation == held.moved(full.record(name).tables, clock.now())
    told = [event for event in full.show("B1").events if event.type == "booking.reseated"][-1]
    assert told.context["overruled"] == (("pinned", "sits", "freeze") if minutes > 0 else ("pinned", "freeze"))
    assert (told.context["origin"], told.context["tables"], told.context["actor"]) == (("T1",), ("T2",), "ben")


def test_a_booking_that_the_host_has_elsewhere_by_now_is_given_no_tables_here(full, harness):
    """Not even other ones than it has: nothing is written of anybody."""
    harness.put_booking(attrs.evolve(full.record("B1").booking, restaurant_id="R2"))
    versions = {name: full.record(name).version for name in ("B1", "B2", "B3")}
    with pytest.raises(OtherRestaurantError, match="'B1'"):
        full.rearrange(ROUND, actor="ben")
    assert {name: full.record(name).version for name in versions} == versions


def test_a_refusal_says_what_is_so(full, harness, clock):
    """Each with its own error and one sentence; nothing of it is written."""
    start = full.record("B1").allocation.turn.start
    harness.put_venue(venue("R2"))
    other = Booking("C1", "R2", 2, start)
    harness.put_booking(other)
    full.place(other, ["T1"], actor="ann")
    versions = {name: full.record(name).version for name in ("B1", "B2", "B3", "C1")}
    refused = [
        ([Move("B1", ["T1"], ["T2"])], TableConflictError, "Already taken for part of the window: T2."),
        ([Move("B1", ["T2"], ["T3"])], OtherTablesError, "Booking 'B1' is at T1, not at T2."),
        ([Move("B9", ["T2"], ["T3"])], BookingNotFoundError, "'B9'"),
        ([Move("B1", ["T1"], ["T9"])], PlacementRefusedError, "it breaks unknown_table"),
        ([Move("B1", ["T1"], ["T2"]), Move("C1", ["T1"], ["T2"])], OtherRestaurantError, "'C1'"),
        ([Move("B1", ["T1"], ["T2"]), Move("B2", ["T2"], ["T2"])], TableConflictError, "T2"),
        ([Move("B1", ["T1"], ["T2"])] * 2, ValueError, "moves: expected each booking once"),
        ([Move("B1", ["T1"], [])], ValueError, "moves: expected one table or more"),
        ([], ValueError, "moves: expected one Move or more"),
    ]
    for moves, error, sentence in refused:
        with pytest.raises(error, match=sentence):
            full.rearrange(moves, actor="ben")
    with pytest.raises(OtherRestaurantError):
        full.rearrange(ROUND, actor="ben", restaurant_id="R2")
    for actor in ("", None, "x" * 1_000_000, "be\x1bn"):
        with pytest.raises(ValueError, match="actor: expected"):
            full.rearrange(ROUND, actor=actor)
    with pytest.raises(ValueError, match="allow: expected rules"):
        full.rearrange(ROUND, actor="ben", allow=["taken"])
    harness.put_booking(attrs.evolve(full.record("B1").booking, restaurant_id="R2"))
    with pytest.raises(OtherRestaurantError, match="'B1'"):
        full.rearrange(ROUND, actor="ben")
    full.cancel("B3")
    with pytest.raises(NoTablesError):
        full.rearrange([Move("B3", ["T3"], ["T1"])], actor="ben")
    assert {name: full.record(name).version for name in versions} == versions | {"B3": versions["B3"] + 1}


def test_a_booking_that_was_cancelled_before_anybody_knew_it_has_no_tables(full):
    """Its record names no restaurant whose floor could be looked at."""
    full.cancel("B9")
    for moves in ([Move("B9", ["T1"], ["T2"])], [*ROUND, Move("B9", ["T1"], ["T2"])]):
        with pytest.raises(NoTablesError, match="'B9' has no tables: its assignment is cancelled"):
            full.rearrange(moves, actor="ben")


def test_rules_can_be_overruled(full, harness):
    """Those that `place` takes, by their names."""
    harness.put_venue(Venue("R1", "Europe/London", FloorPlan([Table("T1", 4), Table("T2", 4), Table("T3", 2)])))
    full.cancel("B3")
    with pytest.raises(PlacementRefusedError) as refused:
        full.rearrange([Move("B1", ["T1"], ["T3"])], actor="ben")
    assert refused.value.rules == ("size",)
    full.rearrange([Move("B1", ["T1"], ["T3"])], actor="ben", allow=["size"])
    assert full.record("B1").tables == ("T3",)


def test_who_waits_gets_what_comes_free(full, harness, clock):
    """A room is cleared to other tables, and its tables are sold at once."""
    harness.put_venue(venue(tables=(*TABLES, "T4", "T5")))
    full.rearrange([Move("B1", ["T1"], ["T4"]), Move("B2", ["T2"], ["T5"])], actor="ben")
    late = Booking("L1", "R1", 4, full.record("B1").allocation.turn.start)
    harness.put_booking(late)
    assert full.assign(late).tables[0] in {"T1", "T2"}


def test_a_store_that_is_away_changes_nothing(house):
    """Every move is answered with a retry."""
    coordinator = house.coordinator()
    for name in ("B1", "B2"):
        coordinator.assign(house.booking(name))
    moves = [
        Move(name, coordinator.record(name).tables, coordinator.record(other).tables)
        for name, other in (("B1", "B2"), ("B2", "B1"))
    ]
    house.store.before["commit"] = [StoreUnavailableError("away")]
    results = coordinator.rearrange(moves, actor="ben")
    assert [(one.booking_id, one.outcome, one.reason) for one in results] == [
        ("B1", Outcome.RETRY, "store_unavailable"),
        ("B2", Outcome.RETRY, "store_unavailable"),
    ]

    async def again():
        async with AsyncCoordinator(house.store, **house.options) as asked:
            return await asked.rearrange(moves, actor="ben")

    assert [one.tables for one in asyncio.run(again())] == [move.tables for move in moves]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_end_state_decides(data):
    """Whatever is moved where: it happens whole if no two parties would share a table then, and else not at all."""
    clock = FakeClock()
    coordinator = Coordinator.in_memory(venue(tables=("T1", "T2", "T3", "T4")), clock=clock, sinks=())
    start = clock.now().replace(second=0, microsecond=0) + dt.timedelta(hours=10)
    for table in TABLES:
        coordinator.place(Booking(f"B{table[1]}", "R1", 2, start), [table], actor="ann")
    before = at(coordinator)
    names = data.draw(st.lists(st.sampled_from(sorted(before)), min_size=1, max_size=3, unique=True))
    targets = {name: (data.draw(st.sampled_from(("T1", "T2", "T3", "T4"))),) for name in names}
    end = before | targets
    moves = [Move(name, before[name], targets[name]) for name in names]
    if len(set(end.values())) == len(end):
        coordinator.rearrange(moves, actor="ben")
        assert at(coordinator) == end
    else:
        with pytest.raises(TableConflictError):
            coordinator.rearrange(moves, actor="ben")
        assert at(coordinator) == before


MOVES = {
    "rearrange": lambda coordinator, _: coordinator.rearrange([Move("B1", ["T1"], ["T2"])], actor="ben", pin=False),
    "place": lambda coordinator, booking: coordinator.place(booking, ["T2"], actor="ben", allow=["in_past"]),
}


@pytest.mark.parametrize("act", sorted(MOVES))
@pytest.mark.parametrize("later", [dt.timedelta(), dt.timedelta(minutes=20)])
def test_who_sits_moves_to_a_table_that_has_come_free_since(full, harness, clock, act, later):
    """It needs the table from now on, not from when it came: who had it then has left, a moment ago or before."""
    start = full.record("B1").allocation.turn.start
    clock.advance(start - clock.now() + 10 * MINUTE)
    for name in ("B1", "B2"):
        full.seated(name, actor="ann")
    clock.advance(30 * MINUTE + dt.timedelta(seconds=20))
    full.left("B2", actor="ann")
    clock.advance(later)
    moved = clock.now()
    MOVES[act](full, harness.store.booking("B1"))
    held = full.record("B1").allocation
    assert (held.tables, held.turn.start, held.sits) == (("T2",), start, True)
    assert held.seated_at == start + 10 * MINUTE
    assert held.blocked.start - moved < MINUTE
    assert [one.table_id for one in full.floor("R1").tables if one.parties] == ["T2", "T3"]
    clock.advance(MINUTE)
    taken = {"booking_id": "D1", "tables": ["T2"]}
    harness.put_booking(Booking("D1", "R1", 2, clock.now().replace(second=0, microsecond=0)))
    with pytest.raises(TableConflictError):
        full.walk_in("R1", 2, actor="ann", **taken)
    assert full.walk_in("R1", 2, actor="ann", **{**taken, "tables": ["T1"]}).tables == ("T1",)
    assert full.extend("B1", held.turn.end + 30 * MINUTE, actor="ann").outcome is Outcome.CONFIRMED
    full.left("B1", actor="ann")
    assert full.seated("B1", actor="ann").outcome is Outcome.CONFIRMED
    full.left("B1", actor="ann")
    assert full.walk_in("R1", 2, actor="ann", offer=True).reason is not None


def test_who_is_over_time_moves_as_well(full, clock):
    """It keeps its turn, which is over, and is at the other table from now on; then it leaves."""
    start = full.record("B1").allocation.turn.start
    clock.advance(start - clock.now())
    full.seated("B1", actor="ann")
    clock.advance(full.record("B1").allocation.turn.end - clock.now() + 20 * MINUTE)
    full.rearrange([Move("B1", ["T1"], ["T2"])], actor="ben")
    assert full.record("B1").tables == ("T2",)
    assert [one.booking_id for one in full.over("R1")] == ["B1"]
    full.left("B1", actor="ann")
    assert full.over("R1") == ()
