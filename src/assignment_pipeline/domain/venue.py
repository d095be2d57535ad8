"""A restaurant as the planner sees it: floor, policy and local time."""

from __future__ import annotations

import datetime as dt
import hashlib
import zoneinfo
from functools import cached_property
from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import identifier, kind
from assignment_pipeline.domain.floor import FloorPlan, Seating
from assignment_pipeline.domain.policy import WEEKDAYS, VenuePolicy
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import InvalidValueError

NEAREST_RANGE = dt.timedelta(hours=2)
DAY = dt.timedelta(days=1)
MAX_KNOWN_DAYS = 1_000


def _timezone(_: object, attribute: Any, value: str) -> None:
    try:
        zoneinfo.ZoneInfo(value)
    except (KeyError, ValueError, OSError, TypeError, AttributeError):
        raise InvalidValueError(attribute.name, "an IANA name such as Europe/London", repr(value)) from None


@attrs.frozen
class Venue:
    """
    A restaurant's floor, policy and timezone.

    Attributes:
        id: The restaurant's id.

        timezone: The IANA name of its timezone.

        floor: Its tables.

        policy: What it allows and prefers.

        version: Changes whenever the rest does. A digest of the rest unless told otherwise.
    """

    id: str = attrs.field(validator=identifier)
    timezone: str = attrs.field(validator=_timezone)
    floor: FloorPlan = attrs.field(validator=kind(FloorPlan))
    policy: VenuePolicy = attrs.field(default=VenuePolicy(), validator=kind(VenuePolicy))
    version: str = attrs.field(validator=identifier, kw_only=True)

    @version.default
    def _digest(self) -> str:
        floor: Any = self.floor
        if not isinstance(floor, FloorPlan):
            return "none"  # The validators, which come later, refuse it.
        pairs = sorted(sorted(pair) for pair in self.floor.adjacent)
        tables = [attrs.evolve(table, tags=frozenset()) for table in self.floor.tables]
        tags = [sorted(table.tags) for table in self.floor.tables]
        combinations = sorted(self.floor.combinations, key=lambda combination: combination.id)
        content = repr((self.id, self.timezone, tables, tags, pairs, combinations, self.policy))
        return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()

    @cached_property
    def has_own_version(self) -> bool:
        """Whether the host has made its version, and no digest of the rest."""
        return self.version != self._digest()

    @cached_property
    def zone(self) -> zoneinfo.ZoneInfo:
        """Its timezone."""
        return zoneinfo.ZoneInfo(self.timezone)

    @cached_property
    def seatings(self) -> tuple[Seating, ...]:
        """Every table, every combination that the policy allows and every one that the floor names, by capacity."""
        return self.floor.seatings(self.policy.max_tables, self.policy.adjacency)

    @cached_property
    def seatings_by_mask(self) -> dict[int, Seating]:
        """The same, found by their tables."""
        return {seating.mask: seating for seating in self.seatings}

    @cached_property
    def demand(self) -> tuple[int, ...]:
        """For each table of the floor, how many combinations need it."""
        counts = [0] * len(self.floor.tables)
        for seating in self.seatings:
            if len(seating.tables) > 1:
                for table in seating.tables:
                    counts[self.floor.positions[table.id]] += 1
        return tuple(counts)

    @cached_property
    def _candidates(self) -> dict[int, tuple[Seating, ...]]:
        return {}

    def candidates(self, party_size: int) -> tuple[Seating, ...]:
        """The seatings that take a party of that size, by capacity."""
        known = self._candidates.get(party_size)
        if known is None:
            overage = self.policy.max_overage
            known = self._candidates[party_size] = tuple(
                seating
                for seating in self.seatings
                if seating.min_party <= party_size <= seating.max_party
                and (len(seating.tables) == 1 or overage is None or seating.capacity - party_size <= overage)
            )
        return known

    def turn(self, booking: Booking) -> TimeWindow:
        """When the party sits: as it said, or else as long as the policy has parties of its size sit."""
        end = booking.end_at or booking.start_at + self.policy.turn(booking.party_size)
        return TimeWindow(booking.start_at, end)

    def blocked(self, turn: TimeWindow) -> TimeWindow:
        """For how long that turn keeps its tables from others: the turn with its buffers."""
        return turn.widened(self.policy.pre_buffer, self.policy.post_buffer)

    def planning_window(self, booking: Booking) -> TimeWindow:
        """All the time that planning for the booking looks at: every nearby time, with what may lie next to it."""
        policy = self.policy
        margin = NEAREST_RANGE + policy.pre_buffer + policy.longest_turn + policy.post_buffer
        return self.blocked(self.turn(booking)).widened(margin, margin)

    def services(self, window: TimeWindow) -> tuple[TimeWindow, ...]:
        """
        When it serves, in order, as far as that overlaps *window*. Periods that touch are one.

        A local time that a change of the clock skips counts as that much later; of one that comes twice, the
        first opens and the second closes.
        """
        merged: list[TimeWindow] = []
        for _, span in self._periods(window):
            if merged and span.start <= merged[-1].end:
                merged[-1] = TimeWindow(merged[-1].start, max(merged[-1].end, span.end))
            else:
                merged.append(span)
        return tuple(span for span in merged if span.overlaps(window))

    def serves(self, turn: TimeWindow) -> bool:
        """Whether a party may sit for that time: always, or from within a service period to within it."""
        return not self.policy.service_periods or any(span.covers(turn) for span in self.services(turn))

    def service_date(self, instant: dt.datetime) -> dt.date:
        """The day to which the restaurant counts an instant: that on which its service period began."""
        minute = dt.timedelta(minutes=1)
        start = instant.astimezone(dt.UTC).replace(second=0, microsecond=0)
        for date, span in self._periods(TimeWindow(start, start + minute)):
            if span.start <= start < span.end:
                return date
        return instant.astimezone(self.zone).date()

    def service_day(self, date: dt.date) -> TimeWindow:
        """The calendar day *date*, up to the end of the services that began on it."""
        midnights = (self._instants(day, dt.time())[0] for day in (date, date + DAY))
        return TimeWindow.around([TimeWindow(*midnights), *self._periods_of(date)])

    def _instants(self, date: dt.date, time: dt.time) -> tuple[dt.datetime, dt.datetime]:
        """Both readings of a local time; they differ only where a change of the clock repeats or skips it."""
        first, second = (dt.datetime.combine(date, time.replace(fold=fold), self.zone) for fold in (0, 1))
        return first.astimezone(dt.UTC), second.astimezone(dt.UTC)

    def _periods(self, window: TimeWindow) -> list[tuple[dt.date, TimeWindow]]:
        date = window.start.astimezone(self.zone).date() - DAY - DAY
        last = window.end.astimezone(self.zone).date() + DAY
        found = []
        while date <= last:
            found += [(date, span) for span in self._periods_of(date)]
            date += DAY
        return sorted(found, key=lambda item: item[1].start)

    @cached_property
    def _known_days(self) -> dict[dt.date, tuple[TimeWindow, ...]]:
        return {}

    def _periods_of(self, date: dt.date) -> tuple[TimeWindow, ...]:
        known = self._known_days.get(date)
        if known is None:
            found = []
            for period in self.policy.service_periods:
                if WEEKDAYS[date.weekday()] in period.days:
                    closing = date + DAY if period.past_midnight else date
                    start = self._instants(date, period.start)[0]
                    end = max(self._instants(closing, period.end))
                    if start < end:
                        found.append(TimeWindow(start, end))
            if len(self._known_days) > MAX_KNOWN_DAYS:
                self._known_days.clear()
            known = self._known_days[date] = tuple(found)
        return known
