"""Where one party could sit: the cheapest seatings that are free, and why there are none."""

from __future__ import annotations

import bisect
import datetime as dt
import math
from collections.abc import Iterable, Iterator

import attrs

from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.result import Plan, Reason
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import MINUTE, TimeWindow, minute
from assignment_pipeline.plain import Printed
from assignment_pipeline.planning.base import FloorSnapshot, Rule, SeatingRequest, Strategy
from assignment_pipeline.planning.candidate_seatings import Candidate, CandidateSeatings, Choice, digest
from assignment_pipeline.planning.costs import FAIR_SLOTS, SLOT_MINUTES, orphans, places, weigh
from assignment_pipeline.planning.movable_parties import bits

# Cost, the operator's priority turned round, hash, tables; the candidate, its gap, what was added.
_Scored = tuple[float, int, int, int, Candidate, float, dict[str, float]]

_NOTHING: dict[str, float] = {}

_ACCESSIBLE, _SIZE = Rule.ACCESSIBLE.value, Rule.SIZE.value
_TAKEN, _PARTNER_TAKEN = Rule.TAKEN.value, Rule.PARTNER_TAKEN.value

_unchecked_plan = maker(Plan)


class Gaps:
    """
    What the time costs that is left beside a party, before and after it.

    At each of its tables, and on both sides, the slots of five minutes until the neighbour in time are lost if they
    are too few to seat a party that fills the table. Four are no loss: as many are lost where the next party is far
    or not there yet. So they are deducted, and a party that follows on the heels of another costs less than nothing.
    Each slot counts for the seats of the table, times the weight.

    Args:
        request: The party.

        floor: Who sits beside it.

        reach: Minutes from which on no gap is too short, for any table.

    Attributes:
        busy: The tables that are taken at that time, as a mask.

        near: The tables that have a neighbour as near as that: the others cost nothing.
    """

    __slots__ = ("_after", "_before", "_weight", "busy", "near")

    def __init__(self, request: SeatingRequest, floor: FloorSnapshot, reach: int) -> None:
        self._weight = floor.venue.policy.weights.gap
        self.busy, self._before, self._after = floor.occupancy.around(*request.blocked.minutes, reach)
        self.near = 0
        for _, tables in (*self._before, *self._after):
            self.near |= tables

    def cost(self, places: Iterable[tuple[int, int, int]]) -> float:
        """
        What it costs.

        Args:
            places: For each table its bit, its seats, and the minutes for which it can be sold to as many guests.
        """
        lost = 0
        for bit, seats, shortest in places:
            slots = 0
            for side in (self._before, self._after):
                for minutes, tables in side:
                    if tables & bit:
                        if minutes < shortest:
                            slots += minutes // SLOT_MINUTES - FAIR_SLOTS
                        break
            lost += seats * slots
        return self._weight * lost


@attrs.frozen(eq=False, repr=False)
class Question(Printed):
    """
    Where one party could sit.

    Attributes:
        request: The party.

        floor: Who sits where.

        choice: Where it could sit if nobody did.

        strategies: The host's, as far as they have not raised.

        reach: Minutes from which on no gap is too short.

        gaps: What the time costs that is left beside the party.

        busy: The tables that are taken at that time, as a mask.
    """

    request: SeatingRequest
    floor: FloorSnapshot
    choice: Choice
    strategies: tuple[Strategy, ...]
    reach: int
    gaps: Gaps = attrs.field(init=False)
    busy: int = attrs.field(init=False)

    @gaps.default
    def _measured(self) -> Gaps:
        return Gaps(self.request, self.floor, self.reach)

    @busy.default
    def _taken(self) -> int:
        return self.gaps.busy

    def choice_at(self, request: SeatingRequest, seatings: CandidateSeatings) -> Choice:
        """Where it could sit at another time, at which more or fewer tables may be held back."""
        floor = self.floor.venue.floor
        if not floor.holds or floor.releases(request.ahead) == floor.releases(self.request.ahead):
            return self.choice
        return seatings.gather(request, self.floor, self.strategies)

    def best(self, most: int) -> list[Plan]:
        """
        The cheapest free seatings, at most so many.

        Raises:
            StrategyFaultError: A strategy raised, or answered what is no cost.
        """
        choice, gaps, busy, near = self.choice, self.gaps, self.busy, self.gaps.near
        best = _Best(self, most)
        best.consider_far(busy | near)
        for place, mask in enumerate(choice.masks):
            if mask & near and not mask & busy:
                candidate = choice.candidates[place]
                if candidate.bound > best.limit:
                    break
                best.consider(candidate, gaps.cost(candidate.places))
        for candidate in self._scattered(gaps) if choice.shared else ():
            best.consider(candidate, gaps.cost(candidate.places))
        return best.plans

    def added(self, candidate: Candidate) -> dict[str, float] | None:
        """What its seats leave alone beside it, and what each strategy adds to its cost; None if one forbids it."""
        row = candidate.seating.row
        added = {} if row is None else {"orphan": orphans(row, candidate.mask, self.busy)}
        for strategy in self.strategies:
            extra = weigh(strategy, self.request, candidate.seating, self.floor)
            if extra is None:
                return None
            added[strategy.name] = extra
        return added

    def _scattered(self, gaps: Gaps) -> Iterator[Candidate]:
        """The best seats at communal tables where enough are free, and not side by side."""
        venue, size = self.floor.venue, self.choice.size

        def lost(seat: int) -> tuple[float, int]:
            return gaps.cost(places(venue, venue.floor.at(1 << seat))), seat

        for free in self.choice.scattered(self.busy):
            seats = sorted(bits(free), key=lost)[:size]
            yield Candidate.of(self.request, venue, venue.floor.at(sum(1 << seat for seat in seats)))


class _Best:
    """
    The cheapest seatings of those that were considered, at most so many.

    Attributes:
        limit: Seatings that cost more need not be considered.
    """

    __slots__ = ("_found", "_is_plain", "_most", "_question", "_seed", "limit")

    def __init__(self, question: Question, most: int) -> None:
        self._question = question
        self._most = most
        self._seed = digest(question.request.booking.id)
        self._is_plain = not (question.strategies or question.choice.has_rows)
        self._found: list[_Scored] = []
        self.limit = math.inf

    def consider_far(self, beside: int) -> None:
        """Begin with the seatings that are far from all taken tables, which *beside* has with those near them."""
        choice, seed = self._question.choice, self._seed
        for place, mask in enumerate(choice.option_masks):
            if mask & beside:
                continue
            far = choice.options[place]  # It costs what it always does: the cheapest come first.
            if far.cost > self.limit:
                break
            if not self._is_plain:
                self.consider(far, 0.0)
                continue
            self._found.append((far.cost, -far.priority, seed ^ far.salt, mask, far, 0.0, _NOTHING))
            if len(self._found) == self._most:
                self.limit = far.cost
        self._found.sort()
        del self._found[self._most :]

    def consider(self, candidate: Candidate, gap: float) -> None:
        """Take a free seating among them if it is as good."""
        added, cost = _NOTHING, candidate.cost + gap
        if not self._is_plain:
            extra = self._question.added(candidate)
            if extra is None:
                return
            added, cost = extra, sum(extra.values(), cost)
        cost = round(cost, 9)
        if cost > self.limit:
            return
        found = self._found
        scored = cost, -candidate.priority, self._seed ^ candidate.salt, candidate.mask, candidate, gap, added
        bisect.insort(found, scored)
        del found[self._most :]
        if len(found) == self._most and not self._question.strategies:  # These may make any seating cheaper.
            self.limit = found[-1][0]

    @property
    def plans(self) -> list[Plan]:
        """The same, the cheapest first."""
        return [
            _unchecked_plan(
                tables=candidate.tables,
                cost=cost,
                parts={**candidate.parts, "gap": gap, **added},
                strategy=candidate.strategy,
            )
            for cost, _, _, _, candidate, gap, added in self._found
        ]


NEAREST_TIMES = 4


def is_past(request: SeatingRequest) -> bool:
    """Whether it is too late to seat the party."""
    return request.not_before is not None and request.turn.start < request.not_before


def impossible(request: SeatingRequest, venue: Venue, choice: Choice) -> Reason | None:
    """Why the party could never be seated as it asks without a person, or None if it could."""
    if is_past(request):
        return Reason.IN_PAST
    if request.at_door:
        return choice.nowhere
    return venue.refusal(request.turn) or choice.never


def turned_away(question: Question, seatings: CandidateSeatings, last: Rule | None = None) -> dict[str, int]:
    """How many tables each rule turned away; each counts for the first that did, what is left for the *last*."""
    booking, choice = question.request.booking, question.choice
    free = ~question.busy
    rules = [
        *seatings.wishes(question.request),
        (_ACCESSIBLE, choice.wanted | seatings.accessible if booking.accessible else -1),
        (_SIZE, choice.wanted),
        (_TAKEN, free),
        (_PARTNER_TAKEN, choice.reachable(~free, choice.wanted & free)),
    ]
    if last is not None:
        rules.append((last.value, 0))
    left = seatings.everything
    counts = {}
    for rule, allowed in rules:
        away = left & ~allowed
        if away:
            counts[rule] = away.bit_count()
            left ^= away
    return counts


def nearest(question: Question, seatings: CandidateSeatings) -> tuple[dt.datetime, ...]:
    """
    The nearest times at which the party would fit as the floor stands, nearest first.

    Raises:
        StrategyFaultError: A strategy raised, or answered what is no cost.
    """
    request, calendar = question.request, question.floor.venue.calendar
    found: list[dt.datetime] = []
    for start in calendar.other_starts(request.booking.start_at):
        late = request.not_before is not None and start < request.not_before
        if not late and _fits(question, start, seatings):
            found.append(start)
            if len(found) == NEAREST_TIMES:
                break
    return tuple(found)


def _fits(question: Question, start: dt.datetime, seatings: CandidateSeatings) -> bool:
    booking, venue = question.request.booking, question.floor.venue
    policy = venue.policy
    stay = venue.calendar.stay(booking.party_size, start) if booking.end_at is None else question.request.turn.duration
    first, minutes = minute(start), stay // MINUTE
    busy = question.floor.occupancy.taken(
        first - policy.pre_buffer_minutes, first + minutes + policy.post_buffer_minutes
    )
    turn = TimeWindow(start, start + stay)
    request, choice = question.request, question.choice
    if venue.floor.holds or question.strategies:
        request = attrs.evolve(request, turn=turn, blocked=venue.blocked(turn))
        choice = question.choice_at(request, seatings)
    if not choice.fits(busy):  # The calendar is asked second: it takes longer.
        return False
    if venue.refusal(turn) is not None:
        return False
    pace = question.floor.pace
    if pace is not None and pace.refuses(attrs.evolve(booking, start_at=start, end_at=None)):
        return False
    if not question.strategies:
        return True
    return bool(Question(request, question.floor, choice, question.strategies, question.reach).best(1))
