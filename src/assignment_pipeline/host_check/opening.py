"""When a restaurant is open and when its bookings start: what a check can see of it, and what only a person can."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import MINUTE, TimeWindow
from assignment_pipeline.host_check.sample import WrongError

_TURNS = "give Venue(policy=...) the same turn_bands"
_FORGOTTEN = "give Venue(policy=...) what the restaurant has"


def in_words(venue: Venue) -> str:
    """What the venue's policy says of times, in one line."""
    policy = venue.policy
    missing = []
    if not policy.service_periods:
        missing.append("no service_periods, so it is open always")
    if not policy.pre_buffer and not policy.post_buffer:
        missing.append("no buffers, so a table is given away again the minute a party is to leave")
    stays = sorted({band.minutes for band in policy.turn_bands})
    span = f"{stays[0]} minutes" if len(stays) == 1 else f"{stays[0]} to {stays[-1]} minutes"
    said = f"parties that do not say when they leave stay {span}"
    return f"{said}; {'; '.join(missing)}: if that is not so, {_FORGOTTEN}" if missing else said


def starts_in_words(venue: Venue, bookings: Sequence[Booking]) -> str:
    """
    Where the bookings' starts lie, in one line.

    Raises:
        WrongError: All lie outside opening hours, and within them by the venue's offset from UTC.
    """
    first = bookings[0].start_at.astimezone(venue.zone)
    shown = f"{bookings[0].id!r} starts at {first:%H:%M} in {venue.timezone}: see that it is what the guest was told"
    if not venue.policy.service_periods:
        return f"{shown}. Without service_periods nobody can say more"
    outside = [one for one in bookings if not _open(venue, one.start_at)]
    if len(outside) < len(bookings):
        return f"{len(bookings) - len(outside)} of {len(bookings)} start within service_periods; {shown}"
    for sign, mistake in _MISTAKES.items():
        if all(_open(venue, one.start_at + sign * _offset(venue, one.start_at)) for one in bookings):
            shift = sign * _offset(venue, bookings[0].start_at) // MINUTE
            msg = (
                f"all {len(bookings)} that wait start outside service_periods, and within them if they start"
                f" {abs(shift)} minutes {'later' if shift > 0 else 'earlier'}: {mistake}"
            )
            raise WrongError(msg)
    return f"all {len(bookings)} start outside service_periods, so that each goes to a person; {shown}"


def seats_in_words(venue: Venue, known: Sequence[tuple[Occupied, Booking]]) -> str:
    """
    Which seats are at another time than their booking, in one line; nothing where none are.

    Args:
        venue: The restaurant.

        known: A seat of each booking that ``occupied`` names, and that booking.

    Raises:
        WrongError: All are, or all by the venue's offset from UTC.
    """
    beside = [(seat, one) for seat, one in known if not seat.window.start <= one.start_at < seat.window.end]
    told = "; ".join(_beside(venue, seat, one) for seat, one in (beside or known)[:1])
    for sign, mistake in _SEAT_MISTAKES.items():
        gaps = [seat.window.start - one.start_at == sign * _offset(venue, one.start_at) for seat, one in known]
        shifted = any(_offset(venue, one.start_at) for _, one in known) and all(gaps)
        if shifted and (beside or len(known) > 1):  # One alone may be a party that came an hour early.
            msg = f"{told}: {mistake}"
            raise WrongError(msg)
    if len(beside) == len(known) > 1:
        msg = (
            f"none of {len(known)} is there when its booking starts: {told}. Give the time at which the table is taken"
        )
        raise WrongError(msg)
    return (
        f"{len(beside)} of {len(known)} at another time than their booking: {told}: see that it is so" if beside else ""
    )


def stays_in_words(venue: Venue, known: Sequence[tuple[Occupied, Booking]]) -> str:
    """
    Whether seats last as long as the pipeline would plan for their bookings, in one line; nothing where most do.

    Args:
        venue: The restaurant.

        known: A seat of each booking that ``occupied`` names, and that booking.
    """
    planned = [(seat, one, venue.turn(one)) for seat, one in known if one.end_at is None]
    apart = [
        (seat.window.duration, one, turn.duration)
        for seat, one, turn in planned
        if not turn.duration <= seat.window.duration <= venue.blocked(turn).duration
    ]
    if not apart or 2 * len(apart) <= len(planned):
        return ""
    shown, booking, turn = (apart[0][0] // MINUTE, apart[0][1], apart[0][2] // MINUTE)
    return (
        f"{len(apart)} of {len(planned)} for another time than the pipeline plans: occupied() has {booking.id!r} at its"
        f" table for {shown} minutes, and the policy says {turn} for {booking.party_size}. If guests stay as long with"
        f" either planner, {_TURNS}: else a comparison measures the length of stay, too"
    )


def _beside(venue: Venue, seat: Occupied, booking: Booking) -> str:
    start, end, said = (
        f"{at.astimezone(venue.zone):%H:%M}" for at in (seat.window.start, seat.window.end, booking.start_at)
    )
    return f"occupied() has {booking.id!r} at its table from {start} to {end}, and booking() says {said}"


_SEAT_MISTAKES = {
    1: "occupied() gives local times as if they were UTC. Give them the venue's zone: replace(tzinfo=ZoneInfo(...))",
    -1: "occupied() gives times in UTC as if they were local. Give them UTC: replace(tzinfo=UTC)",
}
"""What it means when seats begin that many times the venue's offset from UTC after their bookings."""

_MISTAKES = {
    -1: "booking() gives local times as if they were UTC. Give them the venue's zone: replace(tzinfo=ZoneInfo(...))",
    1: "booking() gives times in UTC as if they were local. Give them UTC: replace(tzinfo=UTC)",
}
"""What it means when bookings would fit with that many times the venue's offset from UTC added."""


def _offset(venue: Venue, at: dt.datetime) -> dt.timedelta:
    return at.astimezone(venue.zone).utcoffset() or dt.timedelta()


def _open(venue: Venue, at: dt.datetime) -> bool:
    return venue.serves(TimeWindow(at, at + MINUTE))
