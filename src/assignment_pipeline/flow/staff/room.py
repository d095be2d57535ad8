"""What one asks at the door: who is due, who is over time, who is next, and whose table is in use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import attrs

from assignment_pipeline.domain import room
from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.checks import require_moment, require_short
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.room import DueParty, NextParty, OverParty, TableInUse, WayOut
from assignment_pipeline.domain.turns import TurnReport, learn
from assignment_pipeline.domain.windows import MINUTE, TimeWindow, minute_of
from assignment_pipeline.errors import TableNotFoundError
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.assigning.seating import make_plan
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Flow, LoadContext, ReadRecords
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import AssignmentState
from assignment_pipeline.planning.base import SeatingRequest
from assignment_pipeline.ports import AssignmentContext, LoadQuery, RecordQuery

PAGE = 500

LEARNED_FROM = dt.timedelta(weeks=8)
"""How far back parties are counted for learned turns, if nobody says."""

_CONFIRMED = AssignmentState.CONFIRMED

AHEAD = dt.timedelta(hours=6)
"""The room is looked at for the rest of the service day, and for so long at least: midnight is no end of an evening."""


@attrs.frozen
class Room:
    """
    Who has tables at a restaurant for the rest of its service day, or for `AHEAD` from now, and who sits there.

    Attributes:
        loaded: What was loaded for that.

        records: The records, without those of bookings that the host has cancelled and whose party does not sit.
    """

    loaded: AssignmentContext
    records: tuple[AssignmentRecord, ...]

    @property
    def now(self) -> dt.datetime:
        """The store's time."""
        return self.loaded.now


def due(restaurant_id: str) -> Flow[tuple[DueParty, ...]]:
    """
    The parties that are due and have not sat down, the longest expected first.

    Raises:
        VenueNotFoundError: The host has no such restaurant.
    """
    here = yield from look(restaurant_id)
    return room.due(here.records, here.now)


def over(restaurant_id: str) -> Flow[tuple[OverParty, ...]]:
    """
    The parties that sit and are over time, the longest first.

    Raises:
        VenueNotFoundError: The host has no such restaurant.
    """
    here = yield from look(restaurant_id)
    return room.over(here.loaded.venue, here.records, here.now)


def next_parties(restaurant_id: str, table_id: str | None) -> Flow[tuple[NextParty, ...]]:
    """
    The party that is expected next at each table on this service day and in the next 6 hours, or at one.

    Raises:
        TableNotFoundError: The restaurant has no such table.
        VenueNotFoundError: The host has no such restaurant.
    """
    here = yield from look(restaurant_id)
    if table_id is not None and table_id not in here.loaded.venue.floor.positions:
        raise TableNotFoundError(restaurant_id, table_id)
    found = room.next_parties(here.records, here.now)
    return tuple(one for one in found if table_id in {None, one.table_id})


def conflicts(restaurant_id: str, settings: Settings) -> Flow[tuple[TableInUse, ...]]:
    """
    The bookings whose tables a party sits at that is not expected to have left by then, with what can be done.

    Raises:
        VenueNotFoundError: The host has no such restaurant.
    """
    here = yield from look(restaurant_id)
    return (yield from conflicts_of(here, settings))


def conflicts_of(here: Room, settings: Settings) -> Flow[tuple[TableInUse, ...]]:
    """The same, of a room that was looked at."""
    found: list[TableInUse] = []
    for conflict in room.conflicts(here.loaded.venue, here.records, here.now):
        ways_out = yield from _ways_out(here, conflict, settings)
        found += [attrs.evolve(conflict, ways_out=ways_out)]
    return tuple(found)


def learned_turns(restaurant_id: str, since: dt.datetime | None) -> Flow[TurnReport]:
    """
    How long parties sat that sat down since then, or in the last eight weeks, and what bands would fit them.

    Raises:
        InvalidValueError: *since* has no offset, or is not in the years 1971 to 9997.
        VenueNotFoundError: The host has no such restaurant.
    """
    require_short("restaurant_id", restaurant_id)
    nearby = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id))
    assert nearby is not None  # noqa: S101 - only of bookings is it not known whether they are there
    begin = require_moment("since", since or nearby.now - LEARNED_FROM)
    records = yield from _all_records(RecordQuery(restaurant_id=restaurant_id, states=(_CONFIRMED,), limit=PAGE))
    return learn(nearby.venue, records, begin)


def look(restaurant_id: str) -> Flow[Room]:
    """
    The room as it is.

    Raises:
        VenueNotFoundError: The host has no such restaurant.
    """
    require_short("restaurant_id", restaurant_id)
    nearby = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id))
    assert nearby is not None  # noqa: S101 - only of bookings is it not known whether they are there
    sitting = yield from who_sits(restaurant_id)
    now = minute_of(nearby.now)
    end = nearby.venue.service_day(nearby.venue.service_date(now)).end
    day = TimeWindow(now, max(end, now + AHEAD))
    ids = tuple(record.booking_id for record in sitting)
    loaded = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id, booking_ids=ids, day=day))
    assert loaded is not None  # noqa: S101 - all of those have a record
    return Room(loaded, tuple(record for record in loaded.records.values() if _counts(loaded, record)))


def who_sits(restaurant_id: str | None = None) -> Flow[list[AssignmentRecord]]:
    """The records of all parties that sit, at a restaurant or anywhere."""
    query = RecordQuery(restaurant_id=restaurant_id, sitting=True, limit=PAGE)
    found = yield from _all_records(
        query, lambda record, now: bool(record.allocation and record.allocation.sits_at(now))
    )
    return found


def _sits(record: AssignmentRecord, now: dt.datetime) -> bool:
    return record.allocation is not None and record.allocation.sits_at(now)


def _all_records(
    query: RecordQuery, wanted: Callable[[AssignmentRecord, dt.datetime], bool] = lambda _, __: True
) -> Flow[list[AssignmentRecord]]:
    """The records of all pages of *query* that are *wanted*."""
    found: list[AssignmentRecord] = []
    while True:
        page = yield from ReadRecords(query)
        found += [record for record in page.records if wanted(record, page.now)]
        if page.next is None:
            return found
        query = attrs.evolve(query, after=page.next)


def _counts(loaded: AssignmentContext, record: AssignmentRecord) -> bool:
    if record.allocation is None:
        return False
    at_host = loaded.bookings.get(record.booking_id)
    return record.allocation.sits or at_host is None or at_host.status != CANCELLED


def _ways_out(here: Room, conflict: TableInUse, settings: Settings) -> Flow[tuple[WayOut, ...]]:
    records = here.loaded.records
    following, sitting = records[conflict.booking_id], records[conflict.sitting]
    ways = []
    tables = yield from _tables_for(here, following, following.booking, settings)
    if tables:
        ways.append(_moved(conflict.booking_id, tables, allow=conflict.start_at <= here.now))
    ways.append(
        WayOut(
            sentence=f"The party of {conflict.sitting!r} leaves: its tables are free.",
            method="left",
            arguments={"booking_id": conflict.sitting},
        )
    )
    if sitting.booking is not None and sitting.allocation is not None:
        now = minute_of(here.now)
        stays = attrs.evolve(sitting.booking, start_at=now, end_at=max(conflict.until, now + MINUTE))
        tables = yield from _tables_for(here, sitting, stays, settings)
        if tables:
            ways.append(_moved(conflict.sitting, tables, allow=True))
    return tuple(ways)


def _moved(booking_id: str, tables: tuple[str, ...], *, allow: bool) -> WayOut:
    arguments = {"booking_id": booking_id, "tables": list(tables)}
    if allow:
        arguments["allow"] = ["in_past"]
    return WayOut(sentence=f"{booking_id!r} moves to {', '.join(tables)}.", method="place", arguments=arguments)


def _tables_for(
    here: Room, record: AssignmentRecord, wish: Booking | None, settings: Settings
) -> Flow[tuple[str, ...]]:
    """The best free tables for a booking of the room, without anybody else moved; none where there are none."""
    if wish is None:
        return ()
    call = yield from Call.begin((record.booking_id, record.restaurant_id), "manual")
    context = DecisionContext(call=call, settings=settings, loaded=here.loaded, booking=wish)
    decision = yield from make_plan(context, SeatingRequest.at(here.loaded.venue, wish))
    if decision.plan is None or decision.plan.moves:
        return ()
    return decision.plan.tables
