"""The engine: gather the seatings that could do, weigh them, rank them, explain."""

from __future__ import annotations

import bisect
import collections
import datetime as dt
import functools
import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence

import attrs

from assignment_pipeline.domain.booking import Booking, SeatingPreference
from assignment_pipeline.domain.floor import Seating
from assignment_pipeline.domain.result import Decision, Plan, Reason
from assignment_pipeline.domain.venue import NEAREST_RANGE, Venue
from assignment_pipeline.planning.base import BUDGET, Budget, Evaluation, FloorSnapshot, Rule, SeatingRequest, Strategy

OPTIMAL_FIT = "optimal_fit"
ADJACENCY = "adjacency"
MANUAL = "manual"

RUNNERS_UP = 3
NEAREST_STEP = dt.timedelta(minutes=15)
NEAREST_TIMES = 4
SLOT_MINUTES = 5
_TIME_RULES = {Reason.OUTSIDE_SERVICE: Rule.OUTSIDE_SERVICE, Reason.IN_PAST: Rule.IN_PAST}
MOST_DEMAND = 20
_KNOWN_VENUES = 1_024


class _StrategyFaultError(Exception):
    """A strategy raised, or answered what is no cost."""

    def __init__(self, strategy: Strategy) -> None:
        super().__init__(strategy.name)
        self.strategy = strategy


@attrs.frozen(eq=False)
class _Candidate:
    """A seating with the part of its cost that does not depend on the time."""

    seating: Seating
    base: float
    parts: dict[str, float]
    strategy: str
    salt: int


# Cost, operator's priority turned round, hash, position among the candidates, the candidate, and what was added.
_Scored = tuple[float, int, int, int, _Candidate, dict[str, float]]


class _Shelf:
    """What is computed once a venue: the candidates for each kind of request, cheapest first."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self._candidates: dict[tuple[object, ...], tuple[_Candidate, ...]] = {}
        self._wishes: dict[tuple[object, ...], tuple[tuple[Rule, int], ...]] = {}

    def wishes(self, booking: Booking) -> tuple[tuple[Rule, int], ...]:
        """The tables that each wish of the guest's leaves, as masks; those in use first."""
        key = (booking.zone, booking.seating)
        known = self._wishes.get(key)
        if known is None:
            tables = self.venue.floor.tables
            known = self._wishes[key] = (
                (Rule.INACTIVE, _mask(table.active for table in tables)),
                (Rule.SEATING, _mask(booking.seating in (SeatingPreference.ANY, table.seating) for table in tables)),
                (Rule.ZONE, _mask(booking.zone in (None, table.zone) for table in tables)),
            )
        return known

    @functools.cached_property
    def accessible(self) -> int:
        """The accessible tables, as a mask."""
        return _mask(table.accessible for table in self.venue.floor.tables)

    def candidates(self, booking: Booking) -> tuple[_Candidate, ...]:
        key = (booking.party_size, booking.zone, booking.seating, booking.accessible)
        known = self._candidates.get(key)
        if known is None:
            fitting = (seating for seating in self.venue.candidates(booking.party_size) if seating.grants(booking))
            found = (self.candidate(seating, booking.party_size) for seating in fitting)
            known = self._candidates[key] = tuple(sorted(found, key=lambda candidate: candidate.base))
        return known

    def candidate(self, seating: Seating, party_size: int, strategy: str | None = None) -> _Candidate:
        weights = self.venue.policy.weights
        positions = self.venue.floor.positions
        demand = sum(min(self.venue.demand[positions[table.id]], MOST_DEMAND) for table in seating.tables)
        parts = {
            "waste": weights.waste * (seating.capacity - party_size),
            "join": weights.join * (len(seating.tables) - 1),
            "scarcity": weights.scarcity * demand,
        }
        kind = OPTIMAL_FIT if len(seating.tables) == 1 else ADJACENCY
        return _Candidate(seating, sum(parts.values()), parts, strategy or kind, _digest(",".join(seating.table_ids)))


class TableEngine:
    """
    Gap-aware best fit, with a say for the host's strategies.

    The cost of a seating, in wasted seats, is the sum of ``waste`` (seats that stay empty), ``join`` (tables beyond
    the first), ``scarcity`` (combinations that need its tables), ``gap`` (for each of its tables, its capacity times
    the 5-minute slots left to the parties before and after, where that is too short to sell) and what each strategy
    adds, the first four times their weights in the policy. The cheapest free seating wins; equal costs are decided by
    the operator's priority, then by a hash of the booking's id.

    Args:
        strategies: The host's, asked about every seating that is free.
    """

    def __init__(self, strategies: Sequence[Strategy] = ()) -> None:
        self._strategies = tuple(strategies)
        self._shelves: collections.OrderedDict[int, _Shelf] = collections.OrderedDict()

    def plan(self, request: SeatingRequest, floor: FloorSnapshot, budget: Budget = BUDGET) -> Decision:  # noqa: ARG002
        """The best tables for *request*, or why there are none."""
        strategies = self._strategies
        faults: list[str] = []
        while True:
            try:
                return self._plan(request, floor, strategies, tuple(faults))
            except _StrategyFaultError as fault:
                strategies = tuple(strategy for strategy in strategies if strategy is not fault.strategy)
                faults.append(fault.strategy.name)

    def evaluate(self, request: SeatingRequest, table_ids: Iterable[str], floor: FloorSnapshot) -> Evaluation:
        """What *table_ids* would cost, and which rules they would break. Strategies that raise are passed over."""
        seating = floor.venue.floor.seating(tuple(table_ids))
        if seating is None:
            return Evaluation(None, (Rule.UNKNOWN_TABLE,))
        booking = request.booking
        candidate = self._shelf(floor.venue).candidate(seating, booking.party_size, MANUAL)
        parts = dict(candidate.parts, gap=_gap(request, seating, floor))
        forbidden = False
        for strategy in self._strategies:
            try:
                extra = _weigh(strategy, request, seating, floor)
            except _StrategyFaultError:
                continue
            if extra is None:
                forbidden = True
            else:
                parts[strategy.name] = extra
        broken = {
            Rule.INACTIVE: not all(table.active for table in seating.tables),
            Rule.SEATING: booking.seating not in (SeatingPreference.ANY, seating.seating),
            Rule.ZONE: booking.zone not in (None, seating.zone),
            Rule.ACCESSIBLE: booking.accessible and not seating.accessible,
            Rule.SIZE: not _takes(floor.venue, seating, booking.party_size),
            Rule.NOT_JOINABLE: not _joinable(floor.venue, seating),
            Rule.TAKEN: bool(seating.mask & floor.occupancy.busy(request.blocked)),
            Rule.FORBIDDEN: forbidden,
            Rule.OUTSIDE_SERVICE: not floor.venue.serves(request.turn),
            Rule.IN_PAST: _is_past(request),
        }
        plan = Plan(seating.table_ids, round(sum(parts.values()), 9), parts, MANUAL)
        return Evaluation(plan, tuple(rule for rule, breaks in broken.items() if breaks))

    def _plan(
        self,
        request: SeatingRequest,
        floor: FloorSnapshot,
        strategies: tuple[Strategy, ...],
        faults: tuple[str, ...],
    ) -> Decision:
        candidates = self._gather(request, floor, strategies)
        refusal = _impossible(request, floor.venue, candidates)
        if refusal is not None:
            return Decision(
                refusal=refusal,
                turned_away=self._turned_away(request, floor, candidates, _TIME_RULES.get(refusal, Rule.FORBIDDEN)),
                nearest=self._nearest(request, floor, candidates, strategies),
                faults=faults,
            )
        best = self._rank(request, floor, candidates, strategies, 1 + RUNNERS_UP)
        plans = [
            Plan(candidate.seating.table_ids, cost, candidate.parts | added, candidate.strategy)
            for cost, *_, candidate, added in best
        ]
        if plans:
            turned_away = self._turned_away(request, floor, candidates)
            return Decision(plan=plans[0], runners_up=tuple(plans[1:]), turned_away=turned_away, faults=faults)
        fixed = floor.occupancy.immovable(request.blocked)
        proved = all(candidate.seating.mask & fixed for candidate in candidates)
        return Decision(
            refusal=Reason.INFEASIBLE if proved else Reason.NO_FIT,
            turned_away=self._turned_away(request, floor, candidates, Rule.FORBIDDEN),
            nearest=self._nearest(request, floor, candidates, strategies),
            faults=faults,
        )

    def _shelf(self, venue: Venue) -> _Shelf:
        # By identity: the store hands out the same venue until its version changes, and hashing a floor is slow.
        shelf = self._shelves.get(id(venue))
        if shelf is None or shelf.venue is not venue:
            shelf = self._shelves[id(venue)] = _Shelf(venue)
            while len(self._shelves) > _KNOWN_VENUES:
                self._shelves.popitem(last=False)
        return shelf

    def _turned_away(
        self,
        request: SeatingRequest,
        floor: FloorSnapshot,
        candidates: Iterable[_Candidate],
        last: Rule | None = None,
    ) -> dict[str, int]:
        """How many tables each rule turned away; each counts for the first that did, what is left for the *last*."""
        booking, shelf = request.booking, self._shelf(floor.venue)
        busy = floor.occupancy.busy(request.blocked)
        wanted = reachable = 0
        for candidate in candidates:
            mask = candidate.seating.mask
            wanted |= mask
            if not mask & busy:
                reachable |= mask
        rules = [
            *shelf.wishes(booking),
            (Rule.ACCESSIBLE, wanted | shelf.accessible if booking.accessible else -1),
            (Rule.SIZE, wanted),
            (Rule.TAKEN, ~busy),
            (Rule.PARTNER_TAKEN, reachable),
        ]
        if last is not None:
            rules.append((last, 0))
        left = (1 << len(floor.venue.floor.tables)) - 1
        counts = {}
        for rule, allowed in rules:
            if left & ~allowed:
                counts[rule.value] = (left & ~allowed).bit_count()
            left &= allowed
        return counts

    def _gather(
        self, request: SeatingRequest, floor: FloorSnapshot, strategies: tuple[Strategy, ...]
    ) -> tuple[_Candidate, ...]:
        booking, shelf = request.booking, self._shelf(floor.venue)
        candidates = shelf.candidates(booking)
        proposed: list[_Candidate] = []
        for strategy, seating in _proposals(request, floor, strategies):
            usable = (
                seating.capacity >= booking.party_size
                and seating.grants(booking)
                and all(table.active for table in seating.tables)
                and _joinable(floor.venue, seating)
            )
            if usable and all(seating.mask != known.seating.mask for known in (*candidates, *proposed)):
                proposed.append(shelf.candidate(seating, booking.party_size, strategy.name))
        return (*candidates, *proposed)

    def _rank(
        self,
        request: SeatingRequest,
        floor: FloorSnapshot,
        candidates: Iterable[_Candidate],
        strategies: tuple[Strategy, ...],
        most: int,
    ) -> list[_Scored]:
        busy = floor.occupancy.busy(request.blocked)
        seed = _digest(request.booking.id)
        best: list[_Scored] = []
        for place, candidate in enumerate(candidates):
            seating = candidate.seating
            if seating.mask & busy:
                continue
            # Without strategies nothing makes a seating cheaper than its base, and candidates come by their base.
            if not strategies and len(best) == most and candidate.base > best[-1][0]:
                break
            added: dict[str, float] = {"gap": _gap(request, seating, floor)}
            for strategy in strategies:
                extra = _weigh(strategy, request, seating, floor)
                if extra is None:
                    break
                added[strategy.name] = extra
            else:
                cost = round(candidate.base + sum(added.values()), 9)
                bisect.insort(best, (cost, -seating.priority, seed ^ candidate.salt, place, candidate, added))
                del best[most:]
        return best

    def _nearest(
        self,
        request: SeatingRequest,
        floor: FloorSnapshot,
        candidates: tuple[_Candidate, ...],
        strategies: tuple[Strategy, ...],
    ) -> tuple[dt.datetime, ...]:
        found: list[dt.datetime] = []
        for by in _shifts():
            shifted = request.shifted(by)
            if (
                not _is_past(shifted)
                and floor.venue.serves(shifted.turn)
                and self._rank(shifted, floor, candidates, strategies, 1)
            ):
                found.append(shifted.turn.start)
                if len(found) == NEAREST_TIMES:
                    break
        return tuple(found)


def _shifts() -> Iterator[dt.timedelta]:
    step = NEAREST_STEP
    while step <= NEAREST_RANGE:
        yield -step
        yield step
        step += NEAREST_STEP


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _is_past(request: SeatingRequest) -> bool:
    return request.not_before is not None and request.turn.start < request.not_before


def _joinable(venue: Venue, seating: Seating) -> bool:
    if seating.combination is not None:
        return True
    return len(seating.tables) <= venue.policy.max_tables and venue.floor.joinable(seating.mask, venue.policy.adjacency)


def _takes(venue: Venue, seating: Seating, party_size: int) -> bool:
    """Whether the party is neither too large for the tables nor so small that the engine would not seat it there."""
    known = venue.seatings_by_mask.get(seating.mask)
    if known is None:
        return party_size <= seating.capacity
    return known in venue.candidates(party_size)


def _impossible(request: SeatingRequest, venue: Venue, candidates: Sequence[_Candidate]) -> Reason | None:
    """Why the party could never be seated as it asks, or None if it could."""
    if _is_past(request):
        return Reason.IN_PAST
    if not venue.serves(request.turn):
        return Reason.OUTSIDE_SERVICE
    if candidates:
        return None
    party_size = request.booking.party_size
    if venue.candidates(party_size):
        return Reason.NO_SUCH_SEATING
    largest = max((seating.max_party for seating in venue.seatings), default=0)
    return Reason.PARTY_TOO_LARGE if party_size > largest else Reason.PARTY_TOO_SMALL


def _gap(request: SeatingRequest, seating: Seating, floor: FloorSnapshot) -> float:
    """What the time costs that is left between the party and its table's neighbours in time, too short to sell."""
    policy, positions = floor.venue.policy, floor.venue.floor.positions
    shortest = policy.shortest_sale_minutes
    lost = 0
    for table in seating.tables:
        for gap in floor.occupancy.gaps(positions[table.id], request.blocked):
            if gap is not None and gap < shortest:
                lost += table.capacity * (gap // SLOT_MINUTES)
    return policy.weights.gap * lost


def _mask(flags: Iterable[bool]) -> int:
    return sum(1 << position for position, flag in enumerate(flags) if flag)


def _weigh(strategy: Strategy, request: SeatingRequest, seating: Seating, floor: FloorSnapshot) -> float | None:
    try:
        extra = strategy.weigh(request, seating, floor)
        if extra is None or math.isfinite(extra):
            return extra
    except Exception as error:
        raise _StrategyFaultError(strategy) from error
    raise _StrategyFaultError(strategy)


def _proposals(
    request: SeatingRequest, floor: FloorSnapshot, strategies: Iterable[Strategy]
) -> Iterator[tuple[Strategy, Seating]]:
    for strategy in strategies:
        propose = getattr(strategy, "propose", None)
        if propose is None:
            continue
        try:
            seatings = list(propose(request, floor))
        except Exception as error:
            raise _StrategyFaultError(strategy) from error
        for seating in seatings:
            if not isinstance(seating, Seating):
                raise _StrategyFaultError(strategy)
            yield strategy, seating
