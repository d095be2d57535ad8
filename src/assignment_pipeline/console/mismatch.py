"""A mismatch of the shadow, with both plans drawn side by side."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from assignment_pipeline.console.board import Board, board_of
from assignment_pipeline.console.names import Names
from assignment_pipeline.console.view import AbsentError, View
from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.day import ServiceDay
from assignment_pipeline.domain.floor import FloorPlan, Occupied
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.shadow import ShadowBundle
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.lifecycle import AssignmentState
from assignment_pipeline.ports import AssignmentContext
from assignment_pipeline.rollout.shadow.bundles import read_floor

AROUND = dt.timedelta(hours=1)
KINDS = (("held", "?", "this booking"), ("laying", "", "laying the table"), ("others", "H", "taken"))
MOST_TABLES = 12
"""Of a picture: those that either planner chose, and then those with as many seats or a few more."""


@attrs.frozen(kw_only=True)
class Side:
    """
    What one of the two planners made of the booking.

    Attributes:
        name: The planner.

        tables: What it chose.

        cost: What that costs, in seats; None where nothing tells.

        parts: What the cost is made of.

        moves: Who was to make room, and where they were to go.

        said: An error, a reason, or the rules that its tables break.

        board: Its plan among what else is taken then; None where the bundle was kept without its floor.
    """

    name: str
    tables: tuple[str, ...]
    cost: float | None
    parts: Mapping[str, float]
    moves: Mapping[str, tuple[str, ...]]
    said: str
    board: Board | None = None


async def mismatch(view: View) -> Response:
    """What the two planners made of one booking, side by side."""
    store: Any = view.calls.coordinator.store
    found: ShadowBundle | None = None
    if hasattr(store, "bundle") and view.asked("id"):
        found = await run_in_threadpool(store.bundle, view.asked("id"))
    if found is None or not view.staff.works_at(found.restaurant_id):
        raise AbsentError
    sides = tuple(_sides(found.document))
    booking, venue = None, None
    try:
        case, context = read_floor(found.document)
    except InvalidValueError:
        pass  # It was too large to be kept whole, or an earlier release has written it.
    else:
        booking, venue = case.booking, context.venue
        sides = tuple(attrs.evolve(side, board=_board(side, sides, booking, context)) for side in sides)
    return await view.page(
        "mismatch.html",
        title=f"Mismatch of {found.booking_id}",
        restaurant=found.restaurant_id,
        bundle=found,
        booking=booking,
        names=None if venue is None else Names(venue),
        day={
            "date": found.captured_at.date()
            if venue is None or booking is None
            else venue.service_date(booking.start_at)
        },
        sides=sides,
        link=False,
        legend_of=KINDS,
        clock="",
    )


def _sides(found: Mapping[str, Any]) -> Iterator[Side]:
    case, candidate = found.get("case") or {}, found.get("candidate") or {}
    plan = candidate.get("plan") or {}
    yield Side(
        name="The old planner",
        tables=tuple((case.get("legacy") or {}).get("tables") or ()),
        cost=found.get("legacy_cost"),
        parts={},
        moves={},
        said=case.get("error") or ", ".join(found.get("legacy_broken") or ()),
    )
    yield Side(
        name="The pipeline",
        tables=tuple(candidate.get("tables") or ()),
        cost=plan.get("cost"),
        parts={name: part for name, part in (plan.get("parts") or {}).items() if part},
        moves={move["booking_id"]: tuple(move["tables"]) for move in plan.get("moves") or ()},
        said=candidate.get("error") or candidate.get("reason") or "",
    )


def _board(side: Side, sides: Sequence[Side], booking: Booking, context: AssignmentContext) -> Board:
    """The tables that matter, around the time of the booking, as that planner would have them."""
    venue = _cut(context.venue, booking, [name for each in sides for name in _chosen(each)])
    turn = venue.turn(booking)
    shown = {table.id for table in venue.floor.tables}
    records = []
    if side.tables:
        here = Allocation(tables=side.tables, turn=turn, blocked=venue.blocked(turn))
        records.append(
            AssignmentRecord(
                booking_id=booking.id,
                restaurant_id=booking.restaurant_id,
                state=AssignmentState.ASSIGNED,
                version=1,
                booking=booking,
                allocation=here,
            )
        )
    day = ServiceDay(
        venue=attrs.evolve(venue, policy=attrs.evolve(venue.policy, service_periods=())),
        date=venue.service_date(turn.start),
        window=TimeWindow(turn.start - AROUND, turn.end + AROUND),
        now=dt.datetime.min.replace(tzinfo=dt.UTC),  # Nobody sits longer than planned in a plan.
        records=records,
        blocks=(),
        others=[row for row in _taken(side, booking, context) if row.table_id in shown],
    )
    return board_of(day)


def _chosen(side: Side) -> Iterator[str]:
    yield from side.tables
    for tables in side.moves.values():
        yield from tables


def _taken(side: Side, booking: Booking, context: AssignmentContext) -> Iterator[Occupied]:
    """What else is taken, once those that make room have moved."""
    moved: dict[str, Occupied] = {}
    for row in context.taken:
        if row.booking_id is not None and row.booking_id in side.moves:
            moved[row.booking_id] = row
        elif row.booking_id != booking.id:
            yield row
    for booking_id, row in moved.items():
        yield from (attrs.evolve(row, table_id=table_id) for table_id in side.moves[booking_id])


def _cut(venue: Venue, booking: Booking, chosen: Sequence[str]) -> Venue:
    """The restaurant with its tables that matter."""
    nearest = sorted(venue.floor.tables, key=lambda table: (table.capacity < booking.party_size, table.capacity))
    first = dict.fromkeys([*chosen, *(table.id for table in nearest)])
    kept = set(list(first)[: max(MOST_TABLES, len(set(chosen)))])
    return attrs.evolve(venue, floor=FloorPlan([table for table in venue.floor.tables if table.id in kept]))
