"""The bookings that are ahead, held against a restaurant as it is now."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator

import attrs

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import as_tuple
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.pacing import ArrivingParty
from assignment_pipeline.domain.reasons import Reason
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.planning.base import FloorSnapshot, Rule, SeatingRequest
from assignment_pipeline.planning.engine import MANUAL, TableEngine

_TIMES = {Reason.OUTSIDE_SERVICE: Rule.OUTSIDE_SERVICE, Reason.NOT_AN_ARRIVAL: Rule.NOT_AN_ARRIVAL}
_DAY = dt.timedelta(days=1)


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
    """

    booking_id: str
    start_at: dt.datetime
    party_size: int
    tables: tuple[str, ...]
    rules: tuple[Rule, ...] = attrs.field(converter=as_tuple)
    strategy: str | None = None

    @property
    def is_by_hand(self) -> bool:
        """Whether a person gave it its tables, and may have overruled all the rules that it breaks."""
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
) -> VenueAudit:
    """
    Hold bookings against their restaurant as it is now.

    Args:
        venue: The restaurant.

        records: The records of bookings there. Those without tables, and of earlier arrivals, are left out.

        taken: What is taken in that time.

        arrivals: Who arrives in that time, where the policy has pacing.

        since: The first arrival to look at.
    """
    rows, parties, engine = _by_day(taken), tuple(arrivals), TableEngine()
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
        if not all(cap.holds(parties) for cap in venue.calendar.caps(booking.start_at, booking.channel)):
            broken.append(Rule.PACING)
        if held.utc_offset_minutes not in (None, venue.utc_offset_minutes(held.turn.start)):
            broken.append(Rule.TIMEZONE)
        if broken:
            findings.append(_finding(booking, record, held, tuple(dict.fromkeys(broken))))
    findings.sort(key=lambda finding: (finding.start_at, finding.booking_id))
    return VenueAudit(restaurant_id=venue.id, timezone=venue.timezone, since=since, checked=checked, findings=findings)


def _times(venue: Venue, record: AssignmentRecord, held: Allocation) -> Iterator[Rule]:
    refused = venue.refusal(held.turn)
    if refused is Reason.NOT_AN_ARRIVAL and record.strategy == MANUAL:
        return  # People place parties at any minute.
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
