"""What people get wrong ends in one sentence of an error of ours, and nothing is half written: a table of all acts."""

from __future__ import annotations

import datetime as dt
import inspect
import pickle

import attrs
import pytest

from assignment_pipeline import (
    AssignmentPipelineError,
    Booking,
    BookingNotFoundError,
    Coordinator,
    PlacementRefusedError,
    Reason,
    StaleRecordError,
    TimeWindow,
    VenueNotFoundError,
)
from assignment_pipeline.domain.result import Move
from assignment_pipeline.errors import (
    BlockNotFoundError,
    BookingOverError,
    IllegalTransitionError,
    InvalidValueError,
    NoTablesError,
    NotBegunError,
    OtherTablesError,
    PartySitsError,
    TableNotFoundError,
)
from assignment_pipeline.planning.exact import available
from assignment_pipeline.ports import RecordQuery

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
BY = {"actor": "ann"}


@attrs.frozen
class Act:
    """
    Something that people do.

    Attributes:
        does: Does it to a booking, for a coordinator.

        wrong: The states in which it is refused, each with the error.

        by_id: Whether it names the booking by its id.

        needs_actor: Whether it is never done without a name.
    """

    does: object
    wrong: dict
    by_id: bool = True
    needs_actor: bool = True


def window(one, start, end):
    now = one.store.clock.now().replace(second=0, microsecond=0)
    return TimeWindow(now + start, now + end)


def booking(one, name):
    return one.store.booking(name) or Booking(name, "R1", 2, window(one, DAY, 2 * DAY).start)


def at_its_tables(one, name):
    record = one.record(name)
    return Move(name, record.tables if record is not None and record.tables else ["T1"], ["T3"])


ENDED = {"cancelled": IllegalTransitionError, "failed": IllegalTransitionError}
WITHOUT = {"waiting": NoTablesError, "cancelled": NoTablesError, "failed": NoTablesError}
ACTS = {
    "block": Act(
        lambda one, _, **by: one.block("R1", "T1", window(one, DAY, 2 * DAY), reason="paint", **by), {}, by_id=False
    ),
    "cancel": Act(lambda one, name, **by: one.cancel(name, **by), {}, needs_actor=False),
    "confirm": Act(lambda one, name, **by: one.confirm(name, **by), {}, needs_actor=False),
    "extend": Act(lambda one, name, **by: one.extend(name, window(one, DAY, DAY + 3 * HOUR).end, **by), WITHOUT),
    "extend_hold": Act(lambda one, name, **by: one.extend_hold(name, **by), {}, needs_actor=False),
    "left": Act(lambda one, name, **by: one.left(name, **by), {"confirmed": NotBegunError, **WITHOUT}),
    "no_show": Act(
        lambda one, name, **by: one.no_show(name, **by),
        {"confirmed": NotBegunError, "sits": PartySitsError, **WITHOUT},
    ),
    "party_changed": Act(lambda one, name, **by: one.party_changed(name, 1, **by), WITHOUT),
    "pin": Act(lambda one, name, **by: one.pin(name, **by), WITHOUT),
    "place": Act(lambda one, name, **by: one.place(booking(one, name), ["T1"], **by), ENDED, by_id=False),
    "rearrange": Act(lambda one, name, **by: one.rearrange([at_its_tables(one, name)], **by), WITHOUT, by_id=False),
    "reassign": Act(lambda one, name, **by: one.reassign(booking(one, name), **by), {}, by_id=False, needs_actor=False),
    "reinstate": Act(lambda one, name, **by: one.reinstate(name, **by), {}),
    "reject": Act(
        lambda one, name, **by: one.reject(name, reason="no_table", **by),
        {"confirmed": IllegalTransitionError, **ENDED},
    ),
    "reoptimize": Act(
        lambda one, _, **by: one.reoptimize("R1", window(one, DAY, 2 * DAY).start.date(), apply=True, **by),
        {},
        by_id=False,
        needs_actor=False,
    ),
    "requeue": Act(
        lambda one, name, **by: one.requeue(name, **by),
        {"sits": PartySitsError, "waiting": IllegalTransitionError, **ENDED},
    ),
    "seated": Act(lambda one, name, **by: one.seated(name, **by), WITHOUT),
    "takeover": Act(lambda one, name, **by: one.takeover(name, **by), {}),
    "unblock": Act(lambda one, _, **by: one.unblock("R1", "none", **by), {}, by_id=False),
    "unpin": Act(lambda one, name, **by: one.unpin(name, **by), WITHOUT),
    "walk_in": Act(
        lambda one, name, **by: one.walk_in("R1", 2, booking_id=name, **by),
        {"confirmed": IllegalTransitionError, **ENDED},
        by_id=False,
    ),
}
TRIED = sorted(set(ACTS) - (set() if available() else {"reoptimize"}))


@pytest.fixture
def one(house):
    """A restaurant with a booking in each state."""
    coordinator = house.coordinator()
    start = house.clock.now().replace(second=0, microsecond=0)
    coordinator.walk_in("R1", 4, actor="ann", booking_id="sits", tables=["T3"], until=start + HOUR)
    assert coordinator.assign(house.booking("confirmed")).tables
    for name in ("cancelled", "failed", "waiting"):
        coordinator.enqueue(house.booking(name, start_at=start + 2 * DAY))
    coordinator.cancel("cancelled")
    coordinator.reject("failed", actor="ann", reason="no_table")
    return coordinator


def everything(one):
    """All that is kept: records, histories, and events that commits carry."""
    records = one.store.records(RecordQuery(limit=100)).records
    changed = [event for event in one.store.events if event.source.value == "assignment.state_machine"]
    return records, [one.history(record.booking_id) for record in records], changed, one.blocks("R1")


def is_refused(one, act, *errors):
    """It raises one of those errors: one sentence, pickled and back, and all that is kept is as it was."""
    before = everything(one)
    with pytest.raises(errors) as caught:
        act()
    said = str(caught.value)
    assert said.strip()
    assert said.isprintable(), said
    assert len(said) < 1_000
    assert isinstance(caught.value, AssignmentPipelineError | InvalidValueError), caught.value
    assert str(pickle.loads(pickle.dumps(caught.value))) == said
    assert everything(one) == before
    return said


def test_every_act_is_in_the_table():
    """What takes an actor is an act of people."""
    found = {
        name
        for name in dir(Coordinator)
        if not name.startswith("_") and callable(getattr(Coordinator, name))
        if "actor" in inspect.signature(getattr(Coordinator, name)).parameters
    }
    assert found == set(ACTS)


NAMES = {
    "empty": "",
    "blank": "   ",
    "a number": 7,
    "bytes": b"ann",
    "1 MB": "x" * 1_000_000,
    "a line": "ann\nben",
    "controls": "ann\x1b[2J",
    "nul": "a\x00b",
}


@pytest.mark.parametrize("what", NAMES)
@pytest.mark.parametrize("name", TRIED)
def test_nobody_is_no_actor(one, name, what):
    """The name of who does it is a text that can be read, wherever it is given."""
    said = is_refused(one, lambda: ACTS[name].does(one, "confirmed", actor=NAMES[what]), InvalidValueError)
    assert said.startswith("actor: ")


@pytest.mark.parametrize("name", [name for name in TRIED if ACTS[name].needs_actor])
def test_none_is_no_actor(one, name):
    """What only people do has a name."""
    assert is_refused(one, lambda: ACTS[name].does(one, "confirmed", actor=None), InvalidValueError).startswith(
        "actor: "
    )


@pytest.mark.parametrize("name", [name for name in TRIED if ACTS[name].by_id and name != "cancel"])
def test_an_unknown_booking_is_unknown(one, name):
    """By its id; `cancel` remembers it, so that nothing late seats it."""
    assert "'nobody'" in is_refused(one, lambda: ACTS[name].does(one, "nobody", **BY), BookingNotFoundError)


IDS = {"empty": "", "None": None, "a number": 7, "1 MB": "x" * 1_000_000, "controls": "b\x1b[2J", "nul": "b\x00"}


@pytest.mark.parametrize("what", IDS)
@pytest.mark.parametrize("name", [name for name in TRIED if ACTS[name].by_id])
def test_what_is_no_id_is_refused(one, name, what):
    """Before anything is looked up."""
    is_refused(one, lambda: ACTS[name].does(one, IDS[what], **BY), InvalidValueError, BookingNotFoundError)


@pytest.mark.parametrize(("name", "state"), [(name, state) for name in TRIED for state in ACTS[name].wrong])
def test_the_wrong_state_is_named(one, name, state):
    """With an error of its own."""
    is_refused(one, lambda: ACTS[name].does(one, state, **BY), ACTS[name].wrong[state])


NOWHERE = {
    "place": lambda one: one.place(booking(one, "confirmed"), ["T9"], **BY),
    "rearrange": lambda one: one.rearrange([Move("confirmed", one.record("confirmed").tables, ["T9"])], **BY),
    "walk_in": lambda one: one.walk_in("R1", 2, tables=["T9"], **BY),
    "block": lambda one: one.block("R1", "T9", window(one, DAY, 2 * DAY), reason="paint", **BY),
}


@pytest.mark.parametrize("name", NOWHERE)
def test_an_unknown_table_is_named(one, name):
    """In the sentence, whichever error it is."""
    assert "no table 'T9'" in is_refused(one, lambda: NOWHERE[name](one), PlacementRefusedError, TableNotFoundError)


NO_TABLES = {
    "place": lambda one, tables: one.place(booking(one, "confirmed"), tables, **BY),
    "rearrange": lambda one, tables: one.rearrange([Move("confirmed", one.record("confirmed").tables, tables)], **BY),
    "walk_in": lambda one, tables: one.walk_in("R1", 2, tables=tables, **BY),
}


@pytest.mark.parametrize(("tables", "got"), [([], "none"), (["T1", "T2", "T1"], "'T1' twice")])
@pytest.mark.parametrize("name", NO_TABLES)
def test_no_tables_and_one_twice_are_named(one, name, tables, got):
    """They are no tables that the floor does not have. A walk-in without tables leaves the choice to the engine."""
    if name == "walk_in" and not tables:
        assert NO_TABLES[name](one, tables).outcome == "confirmed"
    else:
        said = is_refused(one, lambda: NO_TABLES[name](one, tables), InvalidValueError)
        assert f"expected one table or more, each once, got {got}" in said


def late(one):
    """A booking whose time is over."""
    return attrs.evolve(booking(one, "waiting"), start_at=window(one, -HOUR, HOUR).start)


TOO_LATE = {
    "place": (lambda one, _: one.place(late(one), ["T1"], **BY), PlacementRefusedError),
    "extend": (lambda one, gone: one.extend("sits", gone.end, **BY), InvalidValueError),
    "walk_in": (lambda one, gone: one.walk_in("R1", 2, until=gone.end, **BY), InvalidValueError),
    "block": (lambda one, gone: one.block("R1", "T1", gone, reason="paint", **BY), InvalidValueError),
}


@pytest.mark.parametrize("name", TOO_LATE)
def test_a_time_that_is_over_is_refused(one, name):
    """Where a time is given."""
    act, error = TOO_LATE[name]
    is_refused(one, lambda: act(one, window(one, -2 * HOUR, -HOUR)), error)


def test_a_booking_that_is_over_stays_over(one, house):
    """Nobody puts it back."""
    house.clock.advance(3 * DAY)
    is_refused(one, lambda: one.reinstate("cancelled", **BY), BookingOverError)


def test_what_a_person_saw_has_to_be_so(one):
    """A version, or tables, that are not those of now."""
    is_refused(one, lambda: one.place(booking(one, "confirmed"), ["T1"], expect_version=1, **BY), StaleRecordError)
    moves = [Move("confirmed", ["T9"], ["T1"])]
    is_refused(one, lambda: one.rearrange(moves, **BY), OtherTablesError)
    is_refused(one, lambda: one.place(booking(one, "waiting"), ["T1"], moves=moves, **BY), StaleRecordError)
    is_refused(one, lambda: one.walk_in("R1", 2, tables=["T1"], moves=moves, **BY), StaleRecordError)


VALUES = {
    "party size": lambda one, bad: one.party_changed("confirmed", bad, **BY),
    "guests": lambda one, bad: one.walk_in("R1", bad, **BY),
    "until": lambda one, bad: one.extend("sits", bad, **BY),
    "hold": lambda one, bad: one.extend_hold("confirmed", bad or 0, **BY),
    "stay": lambda one, bad: one.walk_in("R1", 2, until=bad or 0, **BY),
    "reason": lambda one, bad: one.reject("waiting", reason=bad, **BY),
    "block's reason": lambda one, bad: one.block("R1", "T1", window(one, DAY, 2 * DAY), reason=bad, **BY),
    "window": lambda one, bad: one.block("R1", "T1", bad, reason="paint", **BY),
    "table": lambda one, bad: one.block("R1", bad, window(one, DAY, 2 * DAY), reason="paint", **BY),
    "tables": lambda one, bad: one.place(booking(one, "confirmed"), [bad], **BY),
    "rules": lambda one, bad: one.place(booking(one, "confirmed"), ["T1"], allow=[bad], **BY),
    "version": lambda one, bad: one.place(booking(one, "confirmed"), ["T1"], expect_version=bad or -1, **BY),
    "moves": lambda one, bad: one.rearrange([bad], **BY),
    "block": lambda one, bad: one.unblock("R1", bad, **BY),
    "restaurant": lambda one, bad: one.walk_in(bad, 2, **BY),
}
BAD = {"None": None, "empty": "", "1 MB": "x" * 1_000_000, "controls": "a\x1b[2J\n", "an object": object()}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_the_wrong_kind_is_refused(one, name, what):
    """By what it is for, and not by what breaks first."""
    known = (InvalidValueError, PlacementRefusedError, StaleRecordError, TableNotFoundError, BlockNotFoundError)
    is_refused(one, lambda: VALUES[name](one, BAD[what]), *known, VenueNotFoundError)


def test_the_right_input_is_done(one):
    """The table's acts work where nothing is wrong: it is the input that is refused."""
    assert ACTS["seated"].does(one, "sits", **BY).reason is None
    for name in ("pin", "unpin", "party_changed"):
        ACTS[name].does(one, "confirmed", **BY)
    assert ACTS["reinstate"].does(one, "cancelled", **BY).reason is Reason.REINSTATED or one.record("cancelled")
