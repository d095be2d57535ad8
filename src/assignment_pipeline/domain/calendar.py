"""When a restaurant is open, by its own clock, who may arrive then, and how long they sit."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator, Sequence
from functools import cached_property

import attrs

from assignment_pipeline.domain.booking import MAX_TURN, Booking
from assignment_pipeline.domain.pacing import PacingCap, PacingRule
from assignment_pipeline.domain.periods import DAY, EndRule, PeriodTurn, ServicePeriod, hours_on, minutes_of
from assignment_pipeline.domain.policy import VenuePolicy
from assignment_pipeline.domain.reasons import Reason
from assignment_pipeline.domain.windows import MINUTE, TimeWindow, minute_of
from assignment_pipeline.plain import Printed

MAX_KNOWN_DAYS = 1_000
STEP = dt.timedelta(minutes=15)
"""How far apart the times are that are offered where a period does not name its arrivals."""

_ALL_DAY = ServicePeriod("all day", dt.time(), dt.time())


@attrs.frozen(eq=False, repr=False)
class Opening(Printed):
    """
    A service period on a date.

    Attributes:
        date: The local date on which it starts.

        period: The period.

        span: From its start to its end. A local time that a change of the clock skips counts as that much later; of
            one that comes twice, the first opens and the second closes.
    """

    date: dt.date
    period: ServicePeriod
    span: TimeWindow


@attrs.frozen(eq=False, repr=False)
class Calendar(Printed):
    """
    The openings of a restaurant.

    Attributes:
        policy: Its rules.

        zone: Its timezone.
    """

    policy: VenuePolicy
    zone: zoneinfo.ZoneInfo

    def services(self, window: TimeWindow) -> tuple[TimeWindow, ...]:
        """When it serves, in order, as far as that overlaps *window*. Periods that touch are one."""
        return tuple(span for span in _merged(self.openings(window)) if span.overlaps(window))

    def serves(self, turn: TimeWindow) -> bool:
        """Whether a party may sit for that time, whatever times the period names for arrivals."""
        if not self.policy.has_hours:
            return True
        openings = self.openings(turn)
        return _may_stay([one for one in openings if _holds(one.span, turn.start)], openings, turn)

    def refusal(self, turn: TimeWindow) -> Reason | None:
        """Why no party arrives and sits then, or None if one may."""
        return self._refusal(turn, self.openings(turn)) if self.policy.has_hours else None

    def turn(self, booking: Booking, start: dt.datetime) -> TimeWindow:
        """When the party of *booking* would sit if it arrived at *start*."""
        if booking.end_at is not None:
            return TimeWindow(start, start + (booking.end_at - booking.start_at))
        return TimeWindow(start, start + self.stay(booking.party_size, start))

    def stay(self, party_size: int, start: dt.datetime) -> dt.timedelta:
        """How long a party sits that arrives at *start* and does not say."""
        policy = self.policy
        if not policy.turns_vary:
            return policy.turn(party_size)
        opening = self._opening_at(start)
        if opening is None:
            return policy.turn(party_size)
        if opening.period.turn is PeriodTurn.TO_END:
            return min(opening.span.end - start, MAX_TURN)
        return dt.timedelta(minutes=minutes_of(opening.period.turn_bands or policy.turn_bands, party_size))

    def sits_to_end(self, start: dt.datetime) -> bool:
        """Whether who arrives at *start* and does not say how long it stays sits until the period ends."""
        opening = self._opening_at(start) if self.policy.turns_vary else None
        return opening is not None and opening.period.turn is PeriodTurn.TO_END

    def period_name(self, start: dt.datetime) -> str:
        """The name of the service period in which who comes at *start* arrives; empty outside of all."""
        opening = self._opening_at(start) if self.policy.has_hours else None
        return opening.period.name if opening is not None else ""

    def offers(self, booking: Booking) -> Iterator[TimeWindow]:
        """
        The other times at which the party may arrive, each with when it would sit, nearest first.

        The quarters of an hour from its own time on, and the arrivals that periods name, as far as `offer_within` of
        the policy; and all arrivals of the period in which its own time lies.
        """
        for start in self.other_starts(booking.start_at):
            turn = self.turn(booking, start)
            if self.refusal(turn) is None:
                yield turn

    def other_starts(self, asked: dt.datetime) -> list[dt.datetime]:
        """The times at which `offers` looks, nearest first, whether or not the restaurant serves then."""
        policy = self.policy
        steps = range(1, policy.offer_within // STEP + 1)
        starts = {asked + sign * number * STEP for number in steps for sign in (-1, 1)}
        if policy.names_arrivals:
            for opening in self.openings(TimeWindow(asked - policy.reach, asked + policy.reach + STEP)):
                if opening.period.arrivals is not None:
                    within = policy.reach if _holds(opening.span, asked) else policy.offer_within
                    starts.update(start for start in self.arrivals(opening) if abs(start - asked) <= within)
            starts.discard(asked)
        return sorted(starts, key=lambda start: (abs(start - asked), start))

    def last_leaves(self, start: dt.datetime) -> Reason | dt.datetime | None:
        """Until when who arrives at *start* may sit: None for as long as they like; or why nobody arrives then."""
        if not self.policy.has_hours:
            return None
        openings = self.openings(TimeWindow(start, start + MAX_TURN))
        here = [opening for opening in openings if _holds(opening.span, start)]
        if not here:
            return Reason.OUTSIDE_SERVICE
        taking = [opening for opening in here if self._takes(opening, start)]
        return _leaves_by(taking, openings, start) if taking else Reason.NOT_AN_ARRIVAL

    def open_until(self, start: dt.datetime) -> Reason | dt.datetime | None:
        """The same of a party that is there at *start*, whatever times the period names for arrivals."""
        if not self.policy.has_hours:
            return None
        openings = self.openings(TimeWindow(start, start + MAX_TURN))
        return _leaves_by([one for one in openings if _holds(one.span, start)], openings, start)

    def arrivals(self, opening: Opening) -> tuple[dt.datetime, ...]:
        """
        When parties arrive in a period, in order: at each quarter of an hour where it does not name its arrivals.

        A local time that comes twice is two arrivals; one that is skipped is none.
        """
        known = self._known_arrivals.get(id(opening))
        if known is None or known[0] is not opening:
            if len(self._known_arrivals) > MAX_KNOWN_DAYS:
                self._known_arrivals.clear()
            known = self._known_arrivals[id(opening)] = (opening, self._arrivals(opening))
        return known[1]

    @cached_property
    def _known_arrivals(self) -> dict[int, tuple[Opening, tuple[dt.datetime, ...]]]:
        return {}

    def _arrivals(self, opening: Opening) -> tuple[dt.datetime, ...]:
        span, named = opening.span, opening.period.arrival_times
        if named is None:
            return tuple(span.start + number * STEP for number in range(-(-span.duration // STEP)))
        found = set()
        for date in (opening.date, opening.date + DAY):
            for time in named:
                for start in self.instants(date, time):
                    if _holds(span, start) and self._local_time(start) == time:
                        found.add(start)
        return tuple(sorted(found))

    def arrivals_on(self, date: dt.date) -> tuple[dt.datetime, ...]:
        """When parties may arrive in the periods that start on a date, in order."""
        if not self.policy.has_hours:
            opens, closes = (self.instants(day, dt.time())[0] for day in (date, date + DAY))
            return self.arrivals(Opening(date, _ALL_DAY, TimeWindow(opens, closes)))
        found = [self.arrivals(opening) for opening in self.openings_on(date)]
        return found[0] if len(found) == 1 else tuple(sorted({start for starts in found for start in starts}))

    def caps(self, start: dt.datetime, channel: str | None) -> tuple[PacingCap, ...]:
        """What the policy's pacing allows in the slots of who arrives at *start*, having booked by *channel*."""
        key = (start, channel)
        known = self._known_caps.get(key)
        if known is None:
            if len(self._known_caps) > MAX_KNOWN_DAYS:
                self._known_caps.clear()
            known = self._known_caps[key] = tuple(self._caps(start, channel))
        return known

    @cached_property
    def _known_caps(self) -> dict[tuple[dt.datetime, str | None], tuple[PacingCap, ...]]:
        return {}

    def _caps(self, start: dt.datetime, channel: str | None) -> Iterator[PacingCap]:
        opening = self._opening_at(start)
        for rule in self.policy.pacing:
            holds = not rule.periods or (opening is not None and opening.period.name in rule.periods)
            if holds and rule.channel in (None, channel):
                spans = self._counted(rule, self.slot(start, rule.minutes))
                yield PacingCap(spans=spans, covers=rule.covers, parties=rule.parties, channel=rule.channel)

    def _counted(self, rule: PacingRule, slot: TimeWindow) -> tuple[TimeWindow, ...]:
        """The slot, as far as the rule holds in it."""
        if not rule.periods:
            return (slot,)
        spans = [one.span for one in self.openings(slot) if one.period.name in rule.periods and one.span.overlaps(slot)]
        return tuple(TimeWindow(max(span.start, slot.start), min(span.end, slot.end)) for span in spans)

    def slot(self, start: dt.datetime, minutes: int) -> TimeWindow:
        """
        The time around *start* in which arrivals are counted together, by the clock from local midnight on.

        A change of the clock ends a slot, and so does midnight.
        """
        local = start.astimezone(self.zone)
        date = local.date()
        opens, closes = (self.instants(day, dt.time())[0] for day in (date, date + DAY))
        if closes - opens == DAY:
            begins = opens + (start - opens) // (minutes * MINUTE) * minutes * MINUTE
            return TimeWindow(begins, min(begins + minutes * MINUTE, closes))
        # The clock changes on this date, which is rare: step through the minutes that the clock shows.
        begins, ends = start, start + MINUTE
        while self._slot_of(begins - MINUTE, minutes) == self._slot_of(start, minutes):
            begins -= MINUTE
        while self._slot_of(ends, minutes) == self._slot_of(start, minutes):
            ends += MINUTE
        return TimeWindow(begins, ends)

    def _slot_of(self, instant: dt.datetime, minutes: int) -> tuple[dt.date, dt.timedelta | None, int]:
        local = instant.astimezone(self.zone)
        return local.date(), local.utcoffset(), (local.hour * 60 + local.minute) // minutes

    def service_date(self, instant: dt.datetime) -> dt.date:
        """The date to which an instant counts: that on which its service period began."""
        start = minute_of(instant.astimezone(dt.UTC))
        for opening in self._openings_at(start):
            return opening.date
        return instant.astimezone(self.zone).date()

    def service_day(self, date: dt.date) -> TimeWindow:
        """The calendar day *date*, up to the end of the services that began on it."""
        midnights = (self.instants(day, dt.time())[0] for day in (date, date + DAY))
        return TimeWindow.around([TimeWindow(*midnights), *(one.span for one in self.openings_on(date))])

    def instants(self, date: dt.date, time: dt.time) -> tuple[dt.datetime, dt.datetime]:
        """Both readings of a local time; they differ only where a change of the clock repeats or skips it."""
        first, second = (dt.datetime.combine(date, time.replace(fold=fold), self.zone) for fold in (0, 1))
        return first.astimezone(dt.UTC), second.astimezone(dt.UTC)

    def openings(self, window: TimeWindow) -> list[Opening]:
        """All openings that overlap *window*, and others near it, by their start."""
        date = window.start.astimezone(self.zone).date() - DAY - DAY
        last = window.end.astimezone(self.zone).date() + DAY
        found: list[Opening] = []
        while date <= last:
            found += self.openings_on(date)
            date += DAY
        return sorted(found, key=lambda opening: opening.span.start)

    def openings_on(self, date: dt.date) -> tuple[Opening, ...]:
        """The openings that start on a local date, by the order of the policy."""
        known = self._known_days.get(date)
        if known is None:
            if len(self._known_days) > MAX_KNOWN_DAYS:
                self._known_days.clear()
            known = self._known_days[date] = tuple(self._openings_on(date))
        return known

    @cached_property
    def _known_days(self) -> dict[dt.date, tuple[Opening, ...]]:
        return {}

    def _openings_on(self, date: dt.date) -> Iterator[Opening]:
        for period in self._periods_on(date):
            closing = date + DAY if period.past_midnight else date
            start = self.instants(date, period.start)[0]
            end = max(self.instants(closing, period.end))
            if start < end:
                yield Opening(date, period, TimeWindow(start, end))

    def _periods_on(self, date: dt.date) -> Sequence[ServicePeriod]:
        policy = self.policy
        if policy.has_hours and not policy.service_periods and not any(day.covers(date) for day in policy.special_days):
            return (_ALL_DAY,)  # It serves at all times but on its special days.
        return hours_on(date, policy.service_periods, policy.special_days)

    def _openings_at(self, start: dt.datetime) -> list[Opening]:
        local = start.astimezone(self.zone).date()
        near = (opening for days in (-2, -1, 0, 1) for opening in self.openings_on(local + days * DAY))
        return sorted((one for one in near if _holds(one.span, start)), key=lambda opening: opening.span.start)

    def _opening_at(self, start: dt.datetime) -> Opening | None:
        """The opening whose rules hold for who arrives at *start*; two only share time where the clock is set back."""
        openings = self._openings_at(start)
        taking = [opening for opening in openings if self._takes(opening, start)]
        return next(iter(taking or openings), None)

    def _refusal(self, turn: TimeWindow, openings: Sequence[Opening]) -> Reason | None:
        here = [opening for opening in openings if _holds(opening.span, turn.start)]
        if not here:
            return Reason.OUTSIDE_SERVICE
        taking = [opening for opening in here if self._takes(opening, turn.start)]
        if not taking:
            return Reason.NOT_AN_ARRIVAL
        return None if _may_stay(taking, openings, turn) else Reason.OUTSIDE_SERVICE

    def _takes(self, opening: Opening, start: dt.datetime) -> bool:
        times = opening.period.arrives_at
        return times is None or self._local_time(start) in times

    def _local_time(self, instant: dt.datetime) -> dt.time:
        return instant.astimezone(self.zone).time().replace(fold=0)


def _holds(span: TimeWindow, instant: dt.datetime) -> bool:
    return span.start <= instant < span.end


def _leaves_by(
    taking: Sequence[Opening], openings: Sequence[Opening], start: dt.datetime
) -> Reason | dt.datetime | None:
    """Until when a party may sit that is there at *start* and that the openings *taking* would take."""
    if not taking:
        return Reason.OUTSIDE_SERVICE
    if any(opening.period.end_rule is EndRule.ARRIVE_BY for opening in taking):
        return None
    return next(span.end for span in _merged(openings) if _holds(span, start))


def _merged(openings: Sequence[Opening]) -> list[TimeWindow]:
    merged: list[TimeWindow] = []
    for opening in openings:
        span = opening.span
        if merged and span.start <= merged[-1].end:
            merged[-1] = TimeWindow(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _may_stay(here: Sequence[Opening], openings: Sequence[Opening], turn: TimeWindow) -> bool:
    """Whether who arrived in one of the openings *here* may sit for all of the turn."""
    if any(opening.period.end_rule is EndRule.ARRIVE_BY for opening in here):
        return True
    return bool(here) and any(span.covers(turn) for span in _merged(openings))
