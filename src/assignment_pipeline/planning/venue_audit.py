"""The bookings that are ahead, held against a restaurant as it is now."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import attrs

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import as_tuple
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.pacing import ArrivingParty, PacingCap
from assignment_pipeline.domain.reasons import Reason
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.planning.base import FloorSnapshot, Rule, SeatingRequest
from assignment_pipeline.planning.engine import MANUAL, TableEngine

_TIMES = {Reason.OUTSIDE_SERVICE: Rule.OUTSIDE_SERVICE, Reason.NOT_AN_ARRIVAL: Rule.NOT_AN_ARRIVAL}
_OF_THE_TIME = frozenset({Rule.OUTSIDE_SERVICE, Rule.NOT_AN_ARRIVAL, Rule.PACING})
_DAY = dt.timedelta(days=1)
_EVER = dt.datetime.min.replace(tzinfo=dt.UTC)


@attrs.frozen(kw_only=True)
class AuditFinding:
    """
    A booking that breaks rules of its restaurant as it is now.

    Attributes:
        booking_id: The booking.

        start_at: When its party arrives, in UTC.

        party_size: Its guests.

        tables: The ids of its tables.

        rules: The rules that it breaks, each once.

        strategy: What found its tables: ``manual`` for a person, who may have overruled a rule on purpose.

        has_come: Whether its party has come: then a person has let it in, and decides until when it stays.
    """

    booking_id: str
    start_at: dt.datetime
    party_size: int
    tables: tuple[str, ...]
    rules: tuple[Rule, ...] = attrs.field(converter=as_tuple)
    strategy: str | None = None
    has_come: bool = False

    @property
    def is_by_hand(self) -> bool:
        """
        Whether a person may have overruled all the rules that it breaks.

        Who gave it its tables may have overruled any, but that they are free. Who let its party in, those of its time.
        """
        if self.has_come and _OF_THE_TIME.issuperset(self.rules):
            return True
        return self.strategy == MANUAL and not {Rule.TAKEN, Rule.UNKNOWN_TABLE}.intersection(self.rules)


@attrs.frozen(kw_only=True)
class VenueAudit:
    """
    The bookings with tables at a restaurant, held against the restaurant as it is now.

    Attributes:
        restaurant_id: The restaurant.

        timezone: The IANA name of its timezone.

        since: Only bookings that arrive from this moment on were looked at.

        checked: How many were looked at.

        findings: Those that break a rule, by their arrival.
    """

    restaurant_id: str
    timezone: str
    since: dt.datetime
    checked: int
    findings: tuple[AuditFinding, ...] = attrs.field(converter=as_tuple)


def audited(
    venue: Venue,
    records: Iterable[AssignmentRecord],
    taken: Iterable[Occupied],
    arrivals: Iterable[ArrivingParty],
    since: dt.datetime,
    *,
    made: Mapping[str, dt.datetime] | None = None,
) -> VenueAudit:
    """
    Hold bookings against their restaurant as it is now.

    Where more arrive in a slot than a cap allows, those are named that were made last and go beyond it.

    Args:
        venue: The restaurant.

        records: The records of bookings there. Those without tables, and of earlier arrivals, are left out.

        taken: What is taken in that time.

        arrivals: Who arrives in that time, where the policy has pacing.

        since: The first arrival to look at.

        made: When bookings were made, by their ids. Others count as made before them, by their ids.
    """
    rows, slots, engine = _by_day(taken), _Slots(arrivals, made or {}), TableEngine()
    checked, findings = 0, []
    for record in records:
        held, booking = record.allocation, record.booking
        if held is None or booking is None or held.turn.start < since:
            continue
        checked += 1
        request = SeatingRequest(booking=booking, turn=held.turn, blocked=held.blocked)
        near = dict.fromkeys(row for date in _dates(held.blocked) for row in rows.get(date, ()))
        floor = FloorSnapshot.of(venue, near, without={record.booking_id})
        broken = [*engine.evaluate(request, held.tables, floor).broken, *_times(venue, record, held)]
        caps = venue.calendar.caps(booking.start_at, booking.channel)
        if any(booking.id in slots.beyond(cap) for cap in caps):
            broken.append(Rule.PACING)
        if held.utc_offset_minutes not in (None, venue.utc_offset_minutes(held.turn.start)):
            broken.append(Rule.TIMEZONE)
        if broken:
            findings.append(_finding(booking, record, held, tuple(dict.fromkeys(broken))))
    findings.sort(key=lambda finding: (finding.start_at, finding.booking_id))
    return VenueAudit(restaurant_id=venue.id, timezone=venue.timezone, since=since, checked=checked, findings=findings)


def in_full_slots(venue: Venue, arrivals: Iterable[ArrivingParty]) -> tuple[str, ...]:
    """The bookings in slots in which more arrive than a cap allows, sorted: of these it matters when they were made."""
    parties = tuple(arrivals)
    slots = _Slots(parties, {})
    found: set[str] = set()
    for party in parties:
        for cap in venue.calendar.caps(party.start_at, party.channel):
            if slots.beyond(cap):
                found.update(other.booking_id for other in slots.of(cap))
    return tuple(sorted(found))


class _Slots:
    """Who arrives in which slot, in the order in which they booked."""

    def __init__(self, arrivals: Iterable[ArrivingParty], made: Mapping[str, dt.datetime]) -> None:
        self._made = made
        self._days: defaultdict[dt.date, list[ArrivingParty]] = defaultdict(list)
        for party in arrivals:
            self._days[party.start_at.date()].append(party)
        self._known: dict[PacingCap, frozenset[str]] = {}

    def of(self, cap: PacingCap) -> list[ArrivingParty]:
        """The parties that count towards the cap, those that were made first in front."""
        dates = dict.fromkeys(date for span in cap.spans for date in _dates(span))
        found = [party for date in dates for party in self._days.get(date, ()) if cap.counts(party)]
        return sorted(found, key=lambda party: (self._made.get(party.booking_id, _EVER), party.booking_id))

    def beyond(self, cap: PacingCap) -> frozenset[str]:
        """The bookings that go beyond the cap."""
        known = self._known.get(cap)
        if known is None:
            within: list[ArrivingParty] = []
            over = []
            for party in self.of(cap):
                if cap.holds([*within, party]):
                    within.append(party)
                else:
                    over.append(party.booking_id)
            known = self._known[cap] = frozenset(over)
        return known


def _times(venue: Venue, record: AssignmentRecord, held: Allocation) -> Iterator[Rule]:
    refused = venue.refusal(held.turn)
    if refused is Reason.NOT_AN_ARRIVAL and (record.strategy == MANUAL or held.seated_at is not None):
        return  # People place parties, and let them in, at any minute.
    if refused is not None:
        yield _TIMES[refused]


def _finding(booking: Booking, record: AssignmentRecord, held: Allocation, rules: tuple[Rule, ...]) -> AuditFinding:
    return AuditFinding(
        booking_id=record.booking_id,
        start_at=held.turn.start,
        party_size=booking.party_size,
        tables=held.tables,
        rules=rules,
        strategy=record.strategy,
        has_come=held.seated_at is not None,
    )


def _by_day(taken: Iterable[Occupied]) -> dict[dt.date, list[Occupied]]:
    """What is taken, by the dates in UTC that it touches."""
    found: defaultdict[dt.date, list[Occupied]] = defaultdict(list)
    for row in taken:
        for date in _dates(row.window):
            found[date].append(row)
    return found


def _dates(window: TimeWindow) -> Iterator[dt.date]:
    date = window.start.date()
    while date <= window.end.date():
        yield date
        date += _DAY
