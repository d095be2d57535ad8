"""What planning is asked, and what it works with."""

from __future__ import annotations

import datetime as dt
import enum
import functools
from collections.abc import Collection, Iterable
from typing import Protocol

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied, Seating
from assignment_pipeline.domain.result import Decision, Plan
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.planning.occupancy import Occupancy

__all__ = [
    "Budget",
    "Engine",
    "Evaluation",
    "FloorSnapshot",
    "Rule",
    "Seating",
    "SeatingRequest",
    "Sitting",
    "Strategy",
]


class Rule(enum.StrEnum):
    """What turns a table away, or what tables that a person chose may break."""

    UNKNOWN_TABLE = "unknown_table"
    INACTIVE = "inactive"
    SEATING = "seating"
    ZONE = "zone"
    ACCESSIBLE = "accessible"
    SIZE = "size"
    TAKEN = "taken"
    PARTNER_TAKEN = "partner_taken"
    FORBIDDEN = "forbidden"
    NOT_JOINABLE = "not_joinable"
    OUTSIDE_SERVICE = "outside_service"
    IN_PAST = "in_past"


@attrs.frozen(kw_only=True)
class SeatingRequest:
    """
    A booking, as a restaurant would seat it.

    Attributes:
        booking: What the guest asked for.

        turn: When the party sits.

        blocked: For how long its tables are kept from others.

        not_before: The earliest time at which a party can still be seated, or None where the clock does not count.
    """

    booking: Booking
    turn: TimeWindow
    blocked: TimeWindow
    not_before: dt.datetime | None = None

    @classmethod
    def at(cls, venue: Venue, booking: Booking, not_before: dt.datetime | None = None) -> SeatingRequest:
        """The request that *booking* is at *venue*."""
        turn = venue.turn(booking)
        return cls(booking=booking, turn=turn, blocked=venue.blocked(turn), not_before=not_before)

    def shifted(self, by: dt.timedelta) -> SeatingRequest:
        """The same party, *by* later."""
        return attrs.evolve(self, turn=self.turn.shifted(by), blocked=self.blocked.shifted(by))


@attrs.frozen
class Sitting:
    """
    A party that has tables, and may be given others.

    Attributes:
        request: What it asked for, at the time at which it sits.

        tables: The ids of its tables.
    """

    request: SeatingRequest
    tables: tuple[str, ...]


@attrs.frozen(eq=False)
class FloorSnapshot:
    """
    A floor and who sits where on it.

    Attributes:
        venue: The restaurant.

        occupancy: Which of its tables are taken when.

        sitting: The parties among them that may be moved; none where that is not wanted, or was not looked up.

        complete: Whether those are all whose tables `occupancy` calls movable: only then can it be proved that no
            moves would do.
    """

    venue: Venue
    occupancy: Occupancy
    sitting: tuple[Sitting, ...] = ()
    complete: bool = False

    @classmethod
    def of(
        cls,
        venue: Venue,
        taken: Iterable[Occupied],
        without: Collection[str] = (),
        sitting: Iterable[Sitting] = (),
    ) -> FloorSnapshot:
        """
        The floor of *venue* with what is *taken*, but for the bookings in *without*.

        Parties that hold anything else than their tables for their time are not among those that may be moved.
        """
        rows = [row for row in taken if row.booking_id is None or row.booking_id not in without]
        parties = _as_they_sit((party for party in sitting if party.request.booking.id not in without), rows)
        known = {party.request.booking.id for party in parties}
        complete = all(row.booking_id in known for row in rows if row.movable)
        return cls(venue, Occupancy(venue.floor.positions, rows), parties, complete)

    @functools.cached_property
    def held(self) -> Occupancy:
        """What is taken by others than those who may be moved."""
        parties = {party.request.booking.id for party in self.sitting}
        rows = [row for row in self.occupancy.rows if not (row.movable and row.booking_id in parties)]
        return Occupancy(self.venue.floor.positions, rows)

    def seating(self, *table_ids: str) -> Seating | None:
        """Those tables as one place to sit, for a strategy to propose; None if one of them is unknown."""
        return self.venue.floor.seating(table_ids)


def _as_they_sit(sitting: Iterable[Sitting], rows: Iterable[Occupied]) -> tuple[Sitting, ...]:
    parties = tuple(sitting)
    if not parties:
        return ()
    held: dict[str | None, list[Occupied]] = {}
    for row in rows:
        held.setdefault(row.booking_id, []).append(row)
    return tuple(party for party in parties if _holds(party, held.get(party.request.booking.id, [])))


def _holds(party: Sitting, rows: list[Occupied]) -> bool:
    """Whether the *rows*, which are all of the party's, are those of its tables for its time."""
    window = party.request.blocked
    return len(rows) == len(party.tables) and all(
        row.table_id in party.tables and row.movable and (row.window is window or row.window == window) for row in rows
    )


class Strategy(Protocol):
    """
    A host's say in which tables are best.

    It may also have a method ``propose(request, floor) -> Iterable[Seating]``:
    seatings for the engine to consider beside its own, such as more room than a
    party needs. They too must be free, joinable, large enough and where the guest
    wants to sit. A strategy that raises is skipped, and named in `Decision.faults`.

    Attributes:
        name: What its part of the cost is called.
    """

    @property
    def name(self) -> str:
        """What its part of the cost, and a plan that it proposed, is called."""
        ...

    def weigh(self, request: SeatingRequest, seating: Seating, floor: FloorSnapshot) -> float | None:
        """What is added to the cost of *seating*, in wasted seats: less is better. None forbids it."""
        ...


@attrs.frozen
class Evaluation:
    """
    What given tables are worth to a request.

    Attributes:
        plan: The tables with their cost; None if they are no tables of this floor.

        broken: The rules that they break.
    """

    plan: Plan | None
    broken: tuple[Rule, ...]


@attrs.frozen
class Budget:
    """
    For how long moves may be looked for, where no table is free.

    Attributes:
        reseating: By the second tier, which looks for a few moves.

        total: By all tiers together: what the second leaves is the third's.
    """

    reseating: dt.timedelta = dt.timedelta(milliseconds=25)
    total: dt.timedelta = dt.timedelta(seconds=5)


BUDGET = Budget()
"""The usual budget."""


class Engine(Protocol):
    """What finds tables."""

    def plan(self, request: SeatingRequest, floor: FloorSnapshot, budget: Budget = BUDGET) -> Decision:
        """
        The best tables for *request*, or why there are none.

        Where none are free, and the floor names the parties that may be moved, moves are looked for.
        """
        ...

    def evaluate(self, request: SeatingRequest, table_ids: Iterable[str], floor: FloorSnapshot) -> Evaluation:
        """What *table_ids* would cost, and which rules they would break."""
        ...
