"""What the pipeline would have done on past days, booking by booking, on the floor as legacy had left it."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import PENDING, Booking
from assignment_pipeline.domain.checks import as_dict
from assignment_pipeline.domain.days import Side
from assignment_pipeline.domain.result import LegacyResult
from assignment_pipeline.domain.shadow import Incomparable, ShadowCase, ShadowVerdict
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.base import Engine
from assignment_pipeline.ports import AssignmentContext, LoadQuery, Occupied
from assignment_pipeline.rollout.shadow.candidate import rehearse
from assignment_pipeline.rollout.shadow.closed_loop import is_unfair
from assignment_pipeline.rollout.shadow.judging import Judgement, judge

A_DAY = dt.timedelta(days=1)
REACH = 2 * A_DAY
"""A turn of 24 hours between two buffers of 6: how long before a time a party that has a table may have arrived."""

AGREED = (ShadowVerdict.MATCH, ShadowVerdict.EQUIVALENT)
COMPARED = (*AGREED, ShadowVerdict.MISMATCH, ShadowVerdict.PIPELINE_ERROR)


@attrs.frozen(kw_only=True)
class Past:
    """
    A booking of a past day, and what legacy did with it.

    Attributes:
        booking: The booking.

        legacy: What legacy answered.

        date: The day to which the restaurant counts it.
    """

    booking: Booking
    legacy: LegacyResult
    date: dt.date


@attrs.frozen(kw_only=True)
class PastDay:
    """
    A day, or several together.

    Attributes:
        date: The day; None for several.

        bookings: The bookings that legacy was asked about.

        verdicts: How the pipeline's answers compare, each on the floor as legacy had left it.

        cost_difference: What its tables cost more than legacy's where they are others, in wasted seats, in all: below
            zero, they are better.

        legacy: The day as legacy had it.

        pipeline: The day as the pipeline has it by itself.

        by_legacy: The ids of the bookings that legacy seated.

        broken: Those of them at tables that break a rule.
    """

    date: dt.date | None
    bookings: int = 0
    verdicts: Mapping[str, int] = attrs.field(factory=dict, converter=as_dict, hash=False)
    cost_difference: float = 0.0
    legacy: Side = Side()
    pipeline: Side = Side()
    by_legacy: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()

    @property
    def compared(self) -> int:
        """How many answers could be compared."""
        return sum(self.verdicts.get(verdict, 0) for verdict in COMPARED)

    @property
    def agreement(self) -> float | None:
        """The share of those that agree, from 0 to 1; None where none could be compared."""
        agreed = sum(self.verdicts.get(verdict, 0) for verdict in AGREED)
        return agreed / self.compared if self.compared else None

    def __add__(self, other: PastDay) -> PastDay:
        return PastDay(
            date=self.date if self.date == other.date else None,
            bookings=self.bookings + other.bookings,
            verdicts=collections.Counter(self.verdicts) + collections.Counter(other.verdicts),
            cost_difference=round(self.cost_difference + other.cost_difference, 9),
            legacy=self.legacy + other.legacy,
            pipeline=self.pipeline + other.pipeline,
            by_legacy=self.by_legacy | other.by_legacy,
            broken=self.broken | other.broken,
        )


def backtest(
    venue: Venue,
    past: Sequence[Past],
    engine: Engine,
    settings: Settings,
    *,
    blocks: Iterable[TableBlock] = (),
    tell: Callable[[Booking], None] = lambda _: None,
) -> tuple[PastDay, ...]:
    """
    Hold the pipeline against legacy, for each of *past* in their order; a day each, without what it has by itself.

    Args:
        venue: The restaurant, as it was.

        past: Its bookings, in the order in which legacy was asked about them.

        engine: The candidate's.

        settings: How the flow behaves; the clock does not count.

        blocks: Tables that were out of service.

        tell: Called with each booking when it is done.
    """
    replayed = attrs.evolve(settings, replay=True)
    floor = _Floor(venue, blocks)
    days: dict[dt.date, PastDay] = {}
    for number, one in enumerate(past):
        case = ShadowCase(
            id=f"past-{number}",
            captured_at=one.booking.start_at - A_DAY,
            booking=attrs.evolve(one.booking, status=PENDING),
            legacy=one.legacy,
        )
        judgement = _judged(case, floor, engine, replayed)
        floor.seat(one)
        sits = Side(seated=1, covers=one.booking.party_size) if one.legacy.tables else Side()
        day = PastDay(
            date=one.date,
            bookings=1,
            verdicts={judgement.verdict.value: 1},
            cost_difference=judgement.cost_difference or 0.0,
            legacy=sits,
            by_legacy=frozenset([one.booking.id]) if one.legacy.tables else frozenset(),
            broken=frozenset([one.booking.id]) if _is_broken(judgement) else frozenset(),
        )
        days[one.date] = days[one.date] + day if one.date in days else day
        tell(one.booking)
    return tuple(days[date] for date in sorted(days))


def _is_broken(judgement: Judgement) -> bool:
    return is_unfair(judgement.legacy_broken) or judgement.kind == Incomparable.LEGACY_TABLES_TAKEN


class _Floor:
    """A restaurant as legacy has it so far; what is far in time is not looked at."""

    def __init__(self, venue: Venue, blocks: Iterable[TableBlock]) -> None:
        self._venue = venue
        self._blocked = [block.occupied for block in blocks]
        self._seats: collections.defaultdict[dt.date, list[Occupied]] = collections.defaultdict(list)

    def seat(self, one: Past) -> None:
        """Have the booking's tables taken."""
        window = self._venue.blocked(self._venue.turn(one.booking))
        for name in one.legacy.tables:
            self._seats[window.start.date()].append(Occupied(table_id=name, window=window, booking_id=one.booking.id))

    def context(self, query: LoadQuery, now: dt.datetime) -> AssignmentContext:
        """What planning would look at."""
        window = query.window(self._venue, {}, {})
        assert window is not None  # noqa: S101 - the booking is at hand
        date, near = window.start.date() - REACH, list(self._blocked)
        while date <= window.end.date():
            near += self._seats.get(date, ())
            date += A_DAY
        taken = tuple(row for row in near if row.window.overlaps(window))
        return AssignmentContext(now=now, generation=0, venue=self._venue, records={}, bookings={}, taken=taken)


def _judged(case: ShadowCase, floor: _Floor, engine: Engine, settings: Settings) -> Judgement:
    now = case.captured_at
    trial = rehearse(case, lambda query: floor.context(query, now), engine, settings, now)
    return judge(case, trial, engine, settings)
