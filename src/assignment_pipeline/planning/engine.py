"""The engine: tier after tier, until one of them finds tables, and why none did."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from assignment_pipeline.domain.booking import SeatingPreference
from assignment_pipeline.domain.floor import Seating
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.policy import Reseat
from assignment_pipeline.domain.result import Decision, Plan, Reason
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.on_use import module_on_use
from assignment_pipeline.planning.base import BUDGET, Budget, Evaluation, FloorSnapshot, Rule, SeatingRequest, Strategy
from assignment_pipeline.planning.candidate_seatings import Candidate, CandidateSeatings, RememberedVenues, joinable
from assignment_pipeline.planning.costs import StrategyFaultError, orphans, weigh
from assignment_pipeline.planning.offers import Offers
from assignment_pipeline.planning.question import Gaps, Question, impossible, is_past, nearest, turned_away

if TYPE_CHECKING:
    from assignment_pipeline.domain.availability import Slot
    from assignment_pipeline.planning import availability, moving, searches, tiers
    from assignment_pipeline.planning import rearrange as rearranging
    from assignment_pipeline.planning.rearrange import Rearrangement
else:
    availability = module_on_use("planning.availability")
    moving = module_on_use("planning.moving")
    rearranging = module_on_use("planning.rearrange")
    searches = module_on_use("planning.searches")
    tiers = module_on_use("planning.tiers")

_unchecked_decision = maker(Decision)

MANUAL = "manual"
RUNNERS_UP = 3
_TIME_RULES = {
    Reason.OUTSIDE_SERVICE: Rule.OUTSIDE_SERVICE,
    Reason.NOT_AN_ARRIVAL: Rule.NOT_AN_ARRIVAL,
    Reason.IN_PAST: Rule.IN_PAST,
    Reason.PACING: Rule.PACING,
}


class TableEngine:
    """
    Gap-aware best fit, then moves that make room, with a say for the host's strategies.

    The cost of a seating, in wasted seats, is the sum of ``waste`` (seats that stay empty), ``join`` (tables beyond
    the first), ``scarcity`` (combinations that need its tables), ``gap`` (see `Gaps`) and what each strategy adds, the
    first four times their weights in the policy. The cheapest free seating wins; equal costs are decided by
    the operator's priority, then by a hash of the booking's id.

    Args:
        strategies: The host's, asked about every seating that is free.

        monotonic: The clock that budgets are measured with, in seconds.
    """

    def __init__(self, strategies: Sequence[Strategy] = (), monotonic: Callable[[], float] = time.monotonic) -> None:
        self._strategies = tuple(strategies)
        self._monotonic = monotonic
        self._remembered = RememberedVenues()

    def plan(self, request: SeatingRequest, floor: FloorSnapshot, budget: Budget = BUDGET) -> Decision:
        """The best tables for *request*, or why there are none."""
        strategies = self._strategies
        faults: list[str] = []
        began = self._monotonic()
        while True:
            try:
                decision = self._plan(request, floor, strategies, began, budget)
            except StrategyFaultError as fault:
                strategies = tuple(strategy for strategy in strategies if strategy is not fault.strategy)
                faults.append(fault.strategy.name)
            else:
                return attrs.evolve(decision, faults=tuple(faults)) if faults else decision

    def survey(self, asked: availability.TimesAsked, floor: FloorSnapshot) -> tuple[Slot, ...]:
        """What can be had of the times asked for."""
        seatings = None if self._strategies else self._remembered.of(floor.venue)
        known = None if seatings is None else self._searches_of(floor.venue)
        return availability.survey(
            asked, floor, self.plan, seatings=seatings, searches=known, monotonic=self._monotonic
        )

    def evaluate(self, request: SeatingRequest, table_ids: Iterable[str], floor: FloorSnapshot) -> Evaluation:
        """What *table_ids* would cost, and which rules they would break. Strategies that raise are passed over."""
        seating = floor.venue.floor.seating(tuple(table_ids))
        if seating is None:
            return Evaluation(None, (Rule.UNKNOWN_TABLE,))
        booking, seatings = request.booking, self._remembered.of(floor.venue)
        candidate = Candidate.of(request, floor.venue, seating, MANUAL)
        parts = dict(candidate.parts, gap=Gaps(request, floor, seatings.reach).cost(candidate.places))
        if seating.row is not None:
            parts["orphan"] = orphans(seating.row, seating.mask, floor.occupancy.busy(request.blocked))
        forbidden = False
        for strategy in self._strategies:
            try:
                extra = weigh(strategy, request, seating, floor)
            except StrategyFaultError:
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
            Rule.NOT_JOINABLE: not joinable(floor.venue, seating),
            Rule.TAKEN: bool(seating.mask & floor.occupancy.busy(request.blocked)),
            Rule.FORBIDDEN: forbidden,
            Rule.OUTSIDE_SERVICE: not floor.venue.serves(request.turn),
            Rule.PACING: floor.pace is not None and floor.pace.refuses(booking),
            Rule.IN_PAST: is_past(request),
        }
        plan = Plan(seating.table_ids, round(sum(parts.values()), 9), parts, MANUAL)
        return Evaluation(plan, tuple(rule for rule, breaks in broken.items() if breaks))

    def rearrange(self, floor: FloorSnapshot, waiting: Sequence[SeatingRequest], budget: dt.timedelta) -> Rearrangement:
        """
        A better day for everybody on the floor, and for those *waiting*. Strategies that raise are passed over.

        Raises:
            MissingExtraError: The extra ``optimize`` is not installed.
        """
        strategies = self._strategies
        while True:
            offers = Offers(self._remembered.of(floor.venue), floor, strategies)
            try:
                return rearranging.rearrange(floor, waiting, offers, seconds=budget.total_seconds())
            except StrategyFaultError as fault:
                strategies = tuple(strategy for strategy in strategies if strategy is not fault.strategy)

    def _plan(
        self,
        request: SeatingRequest,
        floor: FloorSnapshot,
        strategies: tuple[Strategy, ...],
        began: float,
        budget: Budget,
    ) -> Decision:
        seatings = self._remembered.of(floor.venue)
        question = Question(request, floor, seatings.gather(request, floor, strategies), strategies, seatings.reach)
        refusal = impossible(request, floor.venue, question.choice)
        if refusal is None and floor.pace is not None and floor.pace.refuses(request.booking):
            refusal = Reason.PACING
        if refusal is Reason.LARGE_PARTY:
            suggestion = next(iter(question.best(1)), None)
            others = () if suggestion else nearest(question, seatings)
            counts = turned_away(question, seatings)
            return Decision(refusal=refusal, suggestion=suggestion, turned_away=counts, nearest=others)
        if refusal is not None:
            rule = _TIME_RULES.get(refusal, Rule.FORBIDDEN)
            return Decision(
                refusal=refusal, turned_away=turned_away(question, seatings, rule), nearest=nearest(question, seatings)
            )
        plans = question.best(1 + RUNNERS_UP)
        if plans:
            return _unchecked_decision(
                plan=plans[0], runners_up=tuple(plans[1:]), turned_away=turned_away(question, seatings)
            )
        room = self._make_room(question, seatings, budget, began)
        plan = None if room.arrangement is None else moving.plan_of(question, room.arrangement, room.strategy)
        if plan is not None and floor.venue.policy.reseat is Reseat.AUTO:
            return Decision(plan=plan, turned_away=turned_away(question, seatings))
        proved = room.proved or not question.choice.fits(floor.occupancy.immovable(request.blocked))
        return Decision(
            refusal=Reason.INFEASIBLE if proved else Reason.NO_FIT,
            suggestion=plan,
            turned_away=turned_away(question, seatings, Rule.FORBIDDEN),
            nearest=nearest(question, seatings),
        )

    def _searches_of(self, venue: Venue) -> searches.Searches:
        seatings = self._remembered.of(venue)
        known = seatings.searches
        if not isinstance(known, searches.Searches):
            known = seatings.searches = searches.Searches(seatings, self._monotonic)
        return known

    def _make_room(self, question: Question, seatings: CandidateSeatings, budget: Budget, began: float) -> tiers.Room:
        """Room by moving others. A search that found none is not made again, and nor is one that asks for more."""
        request, floor, strategies = question.request, question.floor, question.strategies
        offers = Offers(seatings, floor, strategies)
        if strategies or floor.shown or not floor.sitting:  # What strategies say may be another thing each time.
            return tiers.make_room(request, floor, offers, budget, began=began, monotonic=self._monotonic)
        known = self._searches_of(floor.venue)
        search = known.of(request, floor, budget.total)
        room = known.answer(search, floor)
        if room is None:
            budget = known.share(budget)
            room = tiers.make_room(request, floor, offers, budget, began=began, monotonic=self._monotonic)
            known.remember(search, room, budget, began)
        if room.arrangement is None and not room.proved:  # What `survey` said is there is there.
            return known.found.room(request, search.choice, floor, offers) or room
        return room


def _takes(venue: Venue, seating: Seating, party_size: int) -> bool:
    """Whether the party is neither too large for the tables nor so small that the engine would not seat it there."""
    known = venue.seatings_by_mask.get(seating.mask)
    if known is None:
        return party_size <= seating.max_party
    return known in venue.candidates(party_size)
