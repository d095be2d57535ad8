"""A restaurant as the planner sees it: floor, policy and local time."""

from __future__ import annotations

import datetime as dt
import hashlib
import zoneinfo
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.calendar import Calendar
from assignment_pipeline.domain.checks import identifier, kind
from assignment_pipeline.domain.floor import FloorPlan, Seating
from assignment_pipeline.domain.policy import VenuePolicy
from assignment_pipeline.domain.reasons import Reason
from assignment_pipeline.domain.windows import MINUTE, TimeWindow
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.plain import Printed


def _timezone(_: object, attribute: Any, value: str) -> None:
    try:
        zoneinfo.ZoneInfo(value)
    except (KeyError, ValueError, OSError, TypeError, AttributeError):
        raise InvalidValueError(attribute.name, "an IANA name such as Europe/London", repr(value)) from None


@attrs.frozen(repr=False)
class Venue(Printed):
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
        zones = sorted(self.floor.zones, key=lambda zone: zone.name)
        joined = sorted(self.floor.groups, key=lambda group: group.name), sorted(map(sorted, self.floor.never_joined))
        content = repr((self.id, self.timezone, tables, tags, pairs, combinations, zones, *joined, self.policy))
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
            if len(seating.tables) > 1 and seating.row is None:
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

    @cached_property
    def calendar(self) -> Calendar:
        """When it is open."""
        return Calendar(self.policy, self.zone)

    def utc_offset_minutes(self, instant: dt.datetime) -> int:
        """How far its local time is ahead of UTC at that instant, by the time zone database of this process."""
        offset = instant.astimezone(self.zone).utcoffset()
        assert offset is not None  # noqa: S101 - it has a timezone
        return offset // MINUTE

    def turn(self, booking: Booking) -> TimeWindow:
        """When the party sits: as it said, or else as long as its period or the policy has parties of its size sit."""
        if booking.end_at is not None:
            return TimeWindow(booking.start_at, booking.end_at)
        stay = self._stays.get(booking.party_size)
        if stay is None:
            stay = self.calendar.stay(booking.party_size, booking.start_at)
            if not self.policy.turns_vary:
                self._stays[booking.party_size] = stay
        return TimeWindow(booking.start_at, booking.start_at + stay)

    @cached_property
    def _stays(self) -> dict[int, dt.timedelta]:
        return {}

    def blocked(self, turn: TimeWindow) -> TimeWindow:
        """For how long that turn keeps its tables from others: the turn with its buffers."""
        return turn.widened(self.policy.pre_buffer, self.policy.post_buffer)

    def wanted(self, booking: Booking) -> TimeWindow:
        """
        For how long the booking may keep tables from others: tables that are freed then are news to it.

        Where periods have turns of their own, that is the longest, so that a database can tell it from the policy.
        Where arrivals are capped, it is also the slots around it: a party that gives up tables no longer arrives.
        """
        policy = self.policy
        if booking.end_at is not None or not policy.turns_vary:
            turn = self.turn(booking)
        else:
            turn = TimeWindow(booking.start_at, booking.start_at + policy.longest_turn)
        blocked = self.blocked(turn)
        return blocked.widened(policy.longest_slot, policy.longest_slot) if policy.pacing else blocked

    def planning_window(self, booking: Booking) -> TimeWindow:
        """All the time that planning for the booking looks at: every time on offer, with what may lie next to it."""
        margin = self.policy.planning_margin
        return self.wanted(booking).widened(margin, margin)

    def services(self, window: TimeWindow) -> tuple[TimeWindow, ...]:
        """
        When it serves, in order, as far as that overlaps *window*. Periods that touch are one.

        A local time that a change of the clock skips counts as that much later; of one that comes twice, the
        first opens and the second closes.
        """
        return self.calendar.services(window)

    def serves(self, turn: TimeWindow) -> bool:
        """
        Whether a party may sit for that time: always, or from within a service period to within it.

        Where the period's end rule is ``arrive_by``, only the arrival has to lie within it.
        """
        return self.calendar.serves(turn)

    def refusal(self, turn: TimeWindow) -> Reason | None:
        """Why no party is given that time, by the calendar alone; None where one is."""
        return self.calendar.refusal(turn) if self.policy.has_hours else None

    def arrivals(self, date: dt.date) -> tuple[dt.datetime, ...]:
        """
        When parties may arrive on a date, in order, in the periods that start on it.

        Where a period does not name its arrivals, each quarter of an hour from its start on; where the restaurant is
        open at all times, each of the calendar day.
        """
        return self.calendar.arrivals_on(date)

    def offers(self, booking: Booking) -> Iterator[TimeWindow]:
        """The other times at which the party may arrive, each with when it would sit, nearest first."""
        return self.calendar.offers(booking)

    def service_date(self, instant: dt.datetime) -> dt.date:
        """The day to which the restaurant counts an instant: that on which its service period began."""
        return self.calendar.service_date(instant)

    def service_day(self, date: dt.date) -> TimeWindow:
        """The calendar day *date*, up to the end of the services that began on it."""
        return self.calendar.service_day(date)
