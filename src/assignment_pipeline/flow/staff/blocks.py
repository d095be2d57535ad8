"""Tables out of service: taking one, giving it back, and looking them up."""

from __future__ import annotations

import datetime as dt
from typing import TypeVar

import attrs

from assignment_pipeline.domain.blocks import BlockResult, TableBlock, block_id
from assignment_pipeline.domain.checks import code, named, require_short
from assignment_pipeline.domain.events import Event, EventType, Source
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow, written
from assignment_pipeline.errors import (
    BlockNotFoundError,
    CommitUnknownError,
    InvalidValueError,
    TableNotFoundError,
    ZoneNotFoundError,
)
from assignment_pipeline.flow.assigning.assign import MANUAL
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import (
    BlockTables,
    Effect,
    Flow,
    LoadContext,
    Publish,
    ReadBlocks,
    UnblockTables,
)
from assignment_pipeline.ports import AssignmentContext, LoadQuery

T = TypeVar("T")

_EVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def block(
    restaurant_id: str,
    table_id: str | None,
    window: TimeWindow | None,
    *,
    zone: str | None,
    actor: str,
    reason: str,
) -> Flow[BlockResult]:
    """
    Block a table, or all tables of a zone, for a while. Bookings that have them keep them, and are named.

    A block that is there already stays as it is.

    Raises:
        InvalidValueError: Not just one of a table and a zone was named, no reason, or no time that is not over.
        TableNotFoundError: The restaurant has no such table.
        ZoneNotFoundError: No table of it stands in that zone.
        VenueNotFoundError: The host has no such restaurant.
        StoreUnavailableError, CommitUnknownError: The store could not do it, or does not say.
    """
    _require_one("table_id", "zone", table_id, zone)
    if not isinstance(window, TimeWindow):
        raise InvalidValueError("window", "a TimeWindow", named(type(window)))
    _Reason(reason)
    call = yield from Call.by_person(("", restaurant_id), MANUAL, actor=actor)
    context = yield from _look(restaurant_id)
    call.now = context.now
    if window.end <= context.now:
        now, start, end = (written(one, context.venue.zone) for one in (context.now, window.start, window.end))
        raise InvalidValueError("window", f"one that ends after {now}", f"{start} .. {end}")
    wanted = [
        TableBlock(
            id=block_id(restaurant_id, name, window),
            restaurant_id=restaurant_id,
            table_id=name,
            window=window,
            reason=reason,
            actor=actor,
        )
        for name in _tables(context.venue, table_id, zone)
    ]
    known = {one.id: one for one in (yield from ReadBlocks(restaurant_id, window.start))}
    made = tuple(known.get(one.id, one) for one in wanted)
    told = tuple(_event(call, EventType.BLOCKED, one) for one in made if one.id not in known)
    bookings = yield from _surely(BlockTables(made, told))
    yield from Publish(told)
    return BlockResult(blocks=made, bookings=bookings)


def unblock(
    restaurant_id: str, block_id: str | None, *, zone: str | None, window: TimeWindow | None, actor: str
) -> Flow[TableBlock | tuple[TableBlock, ...]]:
    """
    End a block, or the blocks of a zone's tables that have not ended: all of them, or those for just that time.

    Raises:
        BlockNotFoundError: There is no such block.
        InvalidValueError: Not just one of a block and a zone was named.
        ZoneNotFoundError: No table of the restaurant stands in that zone.
        VenueNotFoundError: The host has no such restaurant.
        StoreUnavailableError, CommitUnknownError: The store could not do it, or does not say.
    """
    _require_one("block_id", "zone", block_id, zone)
    call = yield from Call.by_person(("", restaurant_id), MANUAL, actor=actor)
    if zone is not None:
        context = yield from _look(restaurant_id)
        tables = set(_tables(context.venue, None, zone))
        known = yield from ReadBlocks(restaurant_id, context.now)
        found = tuple(one for one in known if one.table_id in tables and window in (None, one.window))
        if found:
            yield from _end(call, found)
        return found
    known = yield from ReadBlocks(restaurant_id, _EVER)
    found = tuple(one for one in known if one.id == block_id)
    if not found:
        raise BlockNotFoundError(restaurant_id, block_id or "")
    yield from _end(call, found)
    return found[0]


def _end(call: Call, found: tuple[TableBlock, ...]) -> Flow[None]:
    told = tuple(_event(call, EventType.UNBLOCKED, one) for one in found)
    yield from _surely(UnblockTables(found, told))
    yield from Publish(told)


def _tables(venue: Venue, table_id: str | None, zone: str | None) -> list[str]:
    """The tables that are meant, in the floor's order."""
    if zone is not None:
        found = [table.id for table in venue.floor.tables if table.zone == zone]
        if not found:
            raise ZoneNotFoundError(venue.id, zone)
        return found
    if table_id is None or table_id not in venue.floor.positions:
        raise TableNotFoundError(venue.id, table_id or "")
    return [table_id]


@attrs.frozen
class _Reason:
    """Why tables are out of service."""

    reason: str = attrs.field(validator=code)


def _require_one(first: str, second: str, one: str | None, other: str | None) -> None:
    for name, value in ((first, one), (second, other)):
        if value is not None:
            require_short(name, value)
    if (one is None) == (other is None):
        raise InvalidValueError(first, f"a text, or else a {second}", "neither" if one is None else "both")


def blocks(restaurant_id: str) -> Flow[tuple[TableBlock, ...]]:
    """
    The blocks that have not ended, by when they begin.

    Raises:
        VenueNotFoundError: The host has no such restaurant.
        StoreUnavailableError: The store could not be asked.
    """
    context = yield from _look(restaurant_id)
    return (yield from ReadBlocks(restaurant_id, context.now))


def _look(restaurant_id: str) -> Flow[AssignmentContext]:
    require_short("restaurant_id", restaurant_id)
    context = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id))
    assert context is not None  # noqa: S101 - only of bookings is it not known whether they are there
    return context


def _surely(effect: Effect[T]) -> Flow[T]:
    """Ask once more where the answer was lost: what has the same id is done once."""
    try:
        return (yield from effect)
    except CommitUnknownError:
        return (yield from effect)


def _event(call: Call, kind: EventType, block: TableBlock) -> Event:
    return call.event(
        Source.COORDINATOR,
        kind,
        trigger=call.trigger,
        block=block.id,
        table=block.table_id,
        start_at=block.window.start.isoformat(),
        end_at=block.window.end.isoformat(),
        reason=block.reason,
    )
