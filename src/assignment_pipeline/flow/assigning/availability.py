"""Which times can still be had: one look at a day, and one pass over its arrivals."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable
from typing import Any

import attrs

from assignment_pipeline.domain.availability import TAKEN, Availability, DayAvailability, Slot
from assignment_pipeline.domain.booking import Booking, SeatingPreference
from assignment_pipeline.domain.checks import require_date, word_of
from assignment_pipeline.domain.periods import DAY
from assignment_pipeline.domain.policy import Reseat
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.errors import BookingNotFoundError, InvalidValueError
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.assigning.reseating import snapshot
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Flow, LoadContext, NewId, SurveyTimes
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.availability import TimesAsked
from assignment_pipeline.ports import LoadQuery

MOST_DAYS = 400


def availability(
    restaurant_id: str,
    date: dt.date,
    party_sizes: Iterable[int],
    settings: Settings,
    *,
    seating: SeatingPreference | str = SeatingPreference.ANY,
    zone: str | None = None,
    accessible: bool = False,
    channel: str | None = None,
    until: dt.date | None = None,
) -> Flow[Availability]:
    """
    What can be had at a restaurant, for each arrival of a date or several and each size of party.

    Raises:
        InvalidValueError: A size, a date or a wish is none.
        VenueNotFoundError: The host has no such restaurant.
    """
    last = date if until is None else until
    for name, given in (("date", date), ("until", last)):
        require_date(name, given)
    if not date <= last < date + MOST_DAYS * DAY:
        raise InvalidValueError("until", f"a date from {date} on, fewer than {MOST_DAYS} days later", f"{last}")
    if not isinstance(party_sizes, Iterable):
        raise InvalidValueError("party_sizes", "several sizes, such as [2, 4]", repr(party_sizes))
    sizes = tuple(dict.fromkeys(party_sizes))
    call = yield from Call.begin(("", restaurant_id), "availability")
    probe = yield from NewId()
    anywhen = dt.datetime.combine(date, dt.time(), dt.UTC)
    wish = word_of("seating", SeatingPreference, seating)
    wishes: dict[str, Any] = {"seating": wish, "zone": zone, "accessible": accessible, "channel": channel}
    parties = tuple(Booking(probe, restaurant_id, size, anywhen, **wishes) for size in sizes)
    if not parties:
        raise InvalidValueError("party_sizes", "one size or more", "none")
    loaded = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id))
    if loaded is None:  # Only a store that was asked for a booking may say so.
        raise BookingNotFoundError(restaurant_id)
    slots: list[Slot] = []
    days: list[DayAvailability] = []
    for number in range((last - date).days + 1):
        day = date + number * DAY
        found = yield from _on(call, loaded.venue, day, parties, settings)
        slots += found
        # By arrival, and then in the order of the sizes.
        days += [DayAvailability.of(day, size, found[place :: len(sizes)]) for place, size in enumerate(sizes)]
    return Availability(restaurant_id, loaded.venue.timezone, date, last, tuple(slots), tuple(days))


def month(
    restaurant_id: str, month: dt.date, party_sizes: Iterable[int], settings: Settings, **wishes: Any
) -> Flow[Availability]:
    """
    The same for all days of the month that *month* is in.

    Raises:
        InvalidValueError: A size, a date or a wish is none.
        VenueNotFoundError: The host has no such restaurant.
    """
    require_date("month", month)
    days = calendar.monthrange(month.year, month.month)[1]
    first, last = month.replace(day=1), month.replace(day=days)
    return availability(restaurant_id, first, party_sizes, settings, **wishes, until=last)


def _on(
    call: Call, venue: Venue, date: dt.date, parties: tuple[Booking, ...], settings: Settings
) -> Flow[tuple[Slot, ...]]:
    starts = venue.arrivals(date)
    if not starts:
        return ()
    ends = enumerate((starts[0], starts[-1]))  # All times between these are loaded.
    around = tuple(Booking(f"{parties[0].id}-{number}", venue.id, 1, start) for number, start in ends)
    query = LoadQuery(restaurant_id=venue.id, bookings=around)
    context = yield from _look(call, query, settings)
    asked = TimesAsked(
        starts=starts,
        bookings=parties,
        not_before=context.not_before,
        budget=settings.budget_in_call,
        total=settings.availability_budget,
    )
    first = context.floor(None)
    slots = yield from SurveyTimes(asked, first)
    if venue.policy.reseat is Reseat.OFF or all(slot.reason != TAKEN for slot in slots):
        return slots
    # Only where something is taken does it matter who sits there, and could be moved.
    wider = yield from _look(call, attrs.evolve(query, day=venue.service_day(date)), settings)
    floor = snapshot(wider)
    if floor.occupancy.rows == first.occupancy.rows:  # What was computed of them is not computed again.
        floor = attrs.evolve(floor, occupancy=first.occupancy)
    if wider.venue.version != context.venue.version:
        slots = yield from SurveyTimes(asked, floor)
    return (yield from SurveyTimes(attrs.evolve(asked, slots=slots), floor))


def _look(call: Call, query: LoadQuery, settings: Settings) -> Flow[DecisionContext]:
    loaded = yield from LoadContext(query)
    if loaded is None:
        raise BookingNotFoundError(query.restaurant_id)
    call.now = loaded.now
    return DecisionContext(call=call, settings=settings, loaded=loaded, booking=None)
