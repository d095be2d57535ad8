"""An evening's requests, one by one through a planner, with every answer checked."""

from __future__ import annotations

import datetime as dt
import gc
import time
from collections.abc import Callable, Collection
from typing import Any

import attrs

from assignment_pipeline import Booking, Occupied
from assignment_pipeline.domain.result import Decision
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest, Sitting
from assignment_pipeline.planning.engine import TableEngine
from benchmarks.evenings.baselines import BestFit, FirstFit
from benchmarks.evenings.checks import ImpossiblePlanError, check
from benchmarks.evenings.generator import Evening


@attrs.frozen
class Contender:
    """
    A planner, and what it is given.

    Attributes:
        name: What it is called on the command line.

        label: What it is called in tables and pictures.

        make: Makes one, for an evening.

        budget: The time for moves; None where it is not told who could be moved.
    """

    name: str
    label: str
    make: Callable[[], Any]
    budget: Budget | None = None


RESEATING = dt.timedelta(milliseconds=25)


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("first-fit", "first fit", FirstFit),
        Contender("best-fit", "plain best fit", BestFit),
        Contender("tier-1", "tier 1", TableEngine),
        # What the second tier leaves of the total is the third's: nothing, and then a minute.
        Contender("tier-2", "tiers 1+2", TableEngine, Budget(RESEATING, RESEATING)),
        Contender("tier-3", "tiers 1+2+3", TableEngine, Budget(RESEATING, dt.timedelta(minutes=1))),
    )
}


@attrs.frozen(kw_only=True)
class Replay:
    """
    What came of an evening.

    Attributes:
        seated: The tables of each booking that was seated, in the order in which they were accepted.

        refused: The ids of those that were not, in their order.

        covers: Guests that were seated.

        saved: Bookings that were seated because others moved.

        moves: How many did.

        planning: Seconds for each decision, `plan` alone.

        snapshots: Seconds for each snapshot that was built for one.
    """

    seated: dict[str, tuple[str, ...]]
    refused: tuple[str, ...]
    covers: int
    saved: int
    moves: int
    planning: tuple[float, ...]
    snapshots: tuple[float, ...]


def replay(evening: Evening, contender: Contender, only: Collection[str] | None = None) -> Replay:
    """
    Ask for tables for one booking after another, and keep what is answered.

    Args:
        evening: The floor and the bookings.

        contender: Who is asked.

        only: The ids of the bookings that ask; all of them unless told otherwise.

    Raises:
        ImpossiblePlanError: An answer could not be carried out, or was neither a plan nor a refusal.
    """
    venue, planner = evening.venue, contender.make()
    bookings = {booking.id: booking for booking in evening.bookings if only is None or booking.id in only}
    requests = {booking.id: SeatingRequest.at(venue, booking) for booking in bookings.values()}
    seated: dict[str, tuple[str, ...]] = {}
    refused: list[str] = []
    moves: list[int] = []
    planning, snapshots = [], []
    _warm(evening, planner)
    for booking in bookings.values():
        began = time.perf_counter()
        taken = [
            Occupied(table_id=table, window=requests[other].blocked, booking_id=other, movable=True)
            for other, tables in seated.items()
            for table in tables
        ]
        if contender.budget is None:
            floor = FloorSnapshot.of(venue, taken)
            given: tuple[Budget, ...] = ()
        else:
            sitting = [Sitting(requests[other], tables) for other, tables in seated.items()]
            floor = FloorSnapshot.of(venue, taken, sitting=sitting)
            given = (contender.budget,)
        built = time.perf_counter()
        decision = planner.plan(requests[booking.id], floor, *given)
        planning.append(time.perf_counter() - built)
        snapshots.append(built - began)
        if decision.plan is None:
            if decision.refusal is None:
                raise ImpossiblePlanError(f"{booking.id}: neither a plan nor a refusal")
            refused.append(booking.id)
            continue
        changed = _apply(decision, booking, seated)
        check(venue, bookings, seated, changed)
        moves.append(len(changed) - 1)
    return Replay(
        seated=seated,
        refused=tuple(refused),
        covers=sum(bookings[booking_id].party_size for booking_id in seated),
        saved=sum(1 for count in moves if count),
        moves=sum(moves),
        planning=tuple(planning),
        snapshots=tuple(snapshots),
    )


def _warm(evening: Evening, planner: Any) -> None:
    """Have each kind of request asked once, and no garbage of others collected: both are not a decision's time."""
    empty = FloorSnapshot.of(evening.venue, ())
    for booking in evening.bookings:
        planner.plan(SeatingRequest.at(evening.venue, booking), empty)
    gc.collect()


def _apply(decision: Decision, booking: Booking, seated: dict[str, tuple[str, ...]]) -> list[str]:
    """Seat the booking, and those that move for it; the ids of all of them."""
    assert decision.plan is not None
    changed = [booking.id]
    for move in decision.plan.moves:
        if move.booking_id in changed or seated.get(move.booking_id) != move.origin:
            raise ImpossiblePlanError(f"{move.booking_id} does not sit at {'+'.join(move.origin)}")
        seated[move.booking_id] = move.tables
        changed.append(move.booking_id)
    seated[booking.id] = decision.plan.tables
    return changed
