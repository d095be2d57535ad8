"""Tables out of service: taking one, giving it back, and looking them up."""

from __future__ import annotations

import datetime as dt
from typing import TypeVar

from assignment_pipeline.domain.blocks import BlockResult, TableBlock
from assignment_pipeline.domain.events import Event, EventType, Source
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import BlockNotFoundError, CommitUnknownError, TableNotFoundError
from assignment_pipeline.flow.assigning.assign import MANUAL
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import (
    BlockTable,
    Effect,
    Flow,
    LoadContext,
    Publish,
    ReadBlocks,
    UnblockTable,
)
from assignment_pipeline.ports import AssignmentContext, LoadQuery

T = TypeVar("T")

_EVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def block(restaurant_id: str, table_id: str, window: TimeWindow, *, actor: str, reason: str) -> Flow[BlockResult]:
    """
    Block a table for a while. Bookings that have it keep it, and are named.

    Raises:
        TableNotFoundError: The restaurant has no such table.
        VenueNotFoundError: The host has no such restaurant.
        StoreUnavailableError, CommitUnknownError: The store could not do it, or does not say.
    """
    call = yield from Call.by_person(("", restaurant_id), MANUAL, actor=actor)
    made = TableBlock(
        id=call.id, restaurant_id=restaurant_id, table_id=table_id, window=window, reason=reason, actor=actor
    )
    context = yield from _look(restaurant_id)
    call.now = context.now
    if table_id not in context.venue.floor.positions:
        raise TableNotFoundError(restaurant_id, table_id)
    told = (_told(call, EventType.BLOCKED, made),)
    bookings = yield from _surely(BlockTable(made, told))
    yield from Publish(told)
    return BlockResult(block=made, bookings=bookings)


def unblock(restaurant_id: str, block_id: str, *, actor: str) -> Flow[TableBlock]:
    """
    End a block.

    Raises:
        BlockNotFoundError: There is no such block.
        StoreUnavailableError, CommitUnknownError: The store could not do it, or does not say.
    """
    call = yield from Call.by_person(("", restaurant_id), MANUAL, actor=actor)
    known = yield from ReadBlocks(restaurant_id, _EVER)
    for found in known:
        if found.id == block_id:
            told = (_told(call, EventType.UNBLOCKED, found),)
            yield from _surely(UnblockTable(found, told))
            yield from Publish(told)
            return found
    raise BlockNotFoundError(restaurant_id, block_id)


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
    context = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id))
    assert context is not None  # noqa: S101 - only of bookings is it not known whether they are there
    return context


def _surely(effect: Effect[T]) -> Flow[T]:
    """Ask once more where the answer was lost: what has the same id is done once."""
    try:
        return (yield from effect)
    except CommitUnknownError:
        return (yield from effect)


def _told(call: Call, kind: EventType, block: TableBlock) -> Event:
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
