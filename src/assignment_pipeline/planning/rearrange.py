"""A whole day planned again: as many guests as there can be, with as little waste and as few moves."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

import attrs

from assignment_pipeline.domain.checks import as_tuple
from assignment_pipeline.domain.result import Move, Plan
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest, Sitting
from assignment_pipeline.planning.exact import Model, Proof, Solution
from assignment_pipeline.planning.options import Option, Options
from assignment_pipeline.planning.places import Places
from assignment_pipeline.planning.repack import REPACK

MOVE_PENALTY = 2.0
"""How many wasted seats a move has to save."""

_FINE = 1000
"""The parts of a wasted seat in which waste and moves are weighed against each other."""


@attrs.frozen(kw_only=True)
class Rearrangement:
    """
    A day planned again: what would change, and what it is worth. Nothing changes where nothing is gained.

    Attributes:
        moves: Who moves, and where to.

        seated: The bookings that get tables, and which.

        left_out: Those that get none.

        stranded: The bookings that cannot sit at the tables that they have, and for which there are no others.

        covers_before: Guests who have tables at which they can sit.

        covers_after: The same, with the changes.

        waste_before: Seats that stay empty at their tables.

        waste_after: The same, with the changes.

        bound: Guests for whom there is room at most, whatever moves: proved by the solver.

        proved: That no plan is better, be it in covers, or else in waste and moves. False where the time ran out.
    """

    moves: tuple[Move, ...] = attrs.field(default=(), converter=as_tuple)
    seated: tuple[tuple[str, Plan], ...] = attrs.field(default=(), converter=as_tuple)
    left_out: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    stranded: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    covers_before: int
    covers_after: int
    waste_before: int
    waste_after: int
    bound: int
    proved: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not self.moves and not self.seated

    @property
    def gap(self) -> float:
        """The share of the bound that the plan may fall short of the best one: nothing where it is proved to be it."""
        return (self.bound - self.covers_after) / self.bound if self.bound else 0.0


@attrs.frozen(eq=False)
class _Place:
    """A party at a place: `option`, or where it sits now if that is None."""

    request: SeatingRequest
    sitting: Sitting | None
    option: Option | None
    stranded: bool
    empty: int

    @property
    def covers(self) -> int:
        return self.request.booking.party_size

    @property
    def moves(self) -> bool:
        return self.sitting is not None and self.option is not None

    @property
    def seats(self) -> bool:
        """Whether the party can sit there."""
        return self.option is not None or not self.stranded


def rearrange(
    floor: FloorSnapshot,
    waiting: Iterable[SeatingRequest],
    options: Options,
    *,
    seconds: float,
    move_penalty: float = MOVE_PENALTY,
) -> Rearrangement:
    """
    The best plan for all parties of a day.

    Every party that has tables keeps some. First come parties whose tables are out of use, taken by a party that
    cannot be moved, or no longer for them; then as many *waiting* guests as possible; then the least waste and moves.

    Args:
        floor: Who sits where.

        waiting: Who has no table.

        options: Where a party may sit.

        seconds: For how long to look.

        move_penalty: How many wasted seats a move has to save, at least 0.

    Raises:
        MissingExtraError: The solver is not installed.
    """
    deadline = time.monotonic() + seconds
    requests = sorted(waiting, key=lambda request: request.booking.id)
    day = _Day(floor, requests, options)
    seated = day.seat(deadline)
    chosen, least = day.tidy(seated, move_penalty, deadline)
    # At a communal table any seats do, and not all sets of them are looked at.
    proves = not floor.venue.floor.has_any_seats
    before = [day.places[binary] for binary in day.idle]
    after = [day.places[binary] for binary in chosen]
    placed = {place.request.booking.id for place in after}
    return Rearrangement(
        moves=tuple(
            Move(place.request.booking.id, place.sitting.tables, place.option.seating.table_ids)
            for place in after
            if place.sitting is not None and place.option is not None
        ),
        seated=tuple(
            (place.request.booking.id, _plan(place.option))
            for place in after
            if place.sitting is None and place.option is not None
        ),
        left_out=tuple(request.booking.id for request in requests if request.booking.id not in placed),
        stranded=tuple(place.request.booking.id for place in after if not place.seats),
        covers_before=_covers(before),
        covers_after=_covers(after),
        waste_before=_waste(before),
        waste_after=_waste(after),
        bound=day.bound(seated, chosen) if proves else sum(place.covers for place in before) + _wanted(requests),
        proved=proves and seated.verdict is Proof.BEST and least.verdict is Proof.BEST and floor.complete,
    )


class _Day:
    """
    The model of a day.

    Attributes:
        places: What each binary stands for.

        idle: The binaries of the plan that changes nothing.
    """

    def __init__(self, floor: FloorSnapshot, waiting: Sequence[SeatingRequest], options: Options) -> None:
        self.places: list[_Place] = []
        self.idle: list[int] = []
        self._model = Model()
        # Guests who wait count one each; a single stranded one more than all of these.
        self._rank = 1 + sum(request.booking.party_size for request in waiting)
        known = Places(floor, options)
        for party in known.sitting:
            present = known.present(party)
            stranded = party.misplaced or _is_stranded(party, present, floor)
            capacity = sum(table.capacity for table in floor.venue.floor.tables if table.id in party.tables)
            empty = max(capacity - party.request.booking.party_size, 0)
            _, others = known.others(party)
            self.idle.append(len(self.places))
            self.places.append(_Place(party.request, party, None, stranded, empty))
            self.places += [_place(party.request, option, party, stranded=stranded) for option in others]
            gain = -self._rank * party.request.booking.party_size if stranded else 0
            masks = [(present, 0), *((option.seating.mask, gain) for option in others)]
            self._model.party(party.request.blocked, masks, seated=True)
        for request in waiting:
            found = known.open(request)
            self.places += [_place(request, option) for option in found]
            masks = [(option.seating.mask, -request.booking.party_size) for option in found]
            self._model.party(request.blocked, masks, seated=False, must=False)

    def seat(self, deadline: float) -> Solution:
        """As many guests as possible."""
        if not any(self._model.costs):
            return Solution(Proof.BEST, frozenset(self.idle), 0, 0)
        return self._improved(self._model.solve(deadline - time.monotonic(), start=self.idle))

    def tidy(self, seated: Solution, move_penalty: float, deadline: float) -> tuple[list[int], Solution]:
        """As many guests as are *seated*, with the least waste and moves."""
        model, gains = self._model, self._model.costs
        start = sorted(seated.chosen) if seated.cost else self.idle
        if seated.cost:
            model.row(range(len(gains)), gains, most=seated.cost)
        else:
            # Who waits finds no room.
            model.row([binary for binary, gain in enumerate(gains) if gain], most=0)
        # Of equal plans, the one with fewer moves.
        move = round(move_penalty * _FINE) + 1
        model.costs = [place.empty * _FINE + (move if place.moves else 0) for place in self.places]
        found = model.solve(deadline - time.monotonic(), start=start)
        model.costs, costs = gains, model.costs
        worth = sum(costs[binary] for binary in start)
        chosen = sorted(found.chosen) if found.chosen and found.cost < worth else start
        return chosen, found

    def bound(self, seated: Solution, chosen: Sequence[int]) -> int:
        """How many guests can have tables at most, in a plan in which stranded ones go first."""
        staying = [self.places[binary] for binary in self.idle if not self.places[binary].stranded]
        rehoused = sum(place.covers for place in map(self.places.__getitem__, chosen) if place.stranded and place.seats)
        most = self._most if seated.bound == -math.inf else int(-seated.bound)
        first, then = divmod(most, self._rank)
        return _covers(staying) + first + (then if rehoused == first else self._rank - 1)

    @property
    def _most(self) -> int:
        """What everybody with a place to go to would count for."""
        gains = {id(place.request): -gain for place, gain in zip(self.places, self._model.costs, strict=True) if gain}
        return int(sum(gains.values()))

    def _improved(self, answer: Solution) -> Solution:
        """The answer, or that nothing changes where it found nothing better."""
        if answer.chosen and answer.cost < 0:
            return answer
        verdict = Proof.BEST if answer.verdict is Proof.BEST else Proof.FOUND
        return Solution(verdict, frozenset(self.idle), 0, answer.bound)


def _is_stranded(party: Sitting, present: int, floor: FloorSnapshot) -> bool:
    """Whether a table of the party's is out of use or gone, or taken by somebody who cannot be moved."""
    active = {table.id for table in floor.venue.floor.tables if table.active}
    return not active.issuperset(party.tables) or bool(present & floor.occupancy.immovable(party.request.blocked))


def _place(
    request: SeatingRequest, option: Option, sitting: Sitting | None = None, *, stranded: bool = False
) -> _Place:
    return _Place(request, sitting, option, stranded, option.seating.empty_seats(request.booking.party_size))


def _plan(option: Option) -> Plan:
    return Plan(option.seating.table_ids, option.cost, {"seating": option.cost}, REPACK)


def _covers(places: Iterable[_Place]) -> int:
    return sum(place.covers for place in places if place.seats)


def _wanted(requests: Iterable[SeatingRequest]) -> int:
    return sum(request.booking.party_size for request in requests)


def _waste(places: Iterable[_Place]) -> int:
    return sum(place.empty for place in places if place.seats)
