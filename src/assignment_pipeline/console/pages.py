"""The pages that only show: the floor, a booking, the queue and the service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from starlette.responses import RedirectResponse, Response

from assignment_pipeline.console.acts import ACTS, PARTY_ACTS
from assignment_pipeline.console.board import FREE, GONE, board_of, by_zone
from assignment_pipeline.console.diagram import diagram_of
from assignment_pipeline.console.names import Names
from assignment_pipeline.console.view import View
from assignment_pipeline.console.ways import ways_of
from assignment_pipeline.domain import room
from assignment_pipeline.domain.booking import MAX_PARTY
from assignment_pipeline.domain.day import ServiceDay
from assignment_pipeline.domain.events import Source
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.trail import TableOnFloor
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.ports import waits

ONE_DAY = dt.timedelta(days=1)
NOW = dt.timedelta(minutes=5)
"""So long ago is now, where the slider goes in such steps."""
PAGE = 20
"""Of the queue: what can be done is planned for each booking."""


async def home(view: View) -> Response:
    """Where one begins: the floor of the only restaurant, else a choice."""
    known = view.staff.restaurants
    listed = known if isinstance(known, tuple) else await view.calls.restaurants()
    if len(listed) == 1 and not view.staff.is_everywhere:
        return RedirectResponse("floor", 303)
    return await view.page("home.html", title="Restaurants", listed=listed)


async def floor(view: View) -> Response:
    """The evening's timeline, and what is free when for a party."""
    restaurant, date = view.restaurant(), view.date()
    party = view.whole("party", 1, MAX_PARTY)
    day: ServiceDay = await view.calls("day", restaurant, date)
    slots = ()
    if party is not None:
        found = await view.calls("availability", restaurant, day.date, [party])
        slots = found.slots
    return await view.page("floor.html", **floor_facts(day, slots), party=party)


def floor_facts(day: ServiceDay, slots: Any = ()) -> dict[str, Any]:
    """What the floor's template shows."""
    board = board_of(day, slots)
    return {
        "title": f"Floor of {day.venue.id}",
        "restaurant": day.venue.id,
        "day": day,
        "board": board,
        "before": _other(day.date, -ONE_DAY),
        "after": _other(day.date, ONE_DAY),
        "clock": f"{day.now.astimezone(day.venue.zone):%H:%M}",
        "stamped": None if day.venue.service_date(day.now) == day.date else day.now.astimezone(day.venue.zone).date(),
        "free": FREE.values(),
        "bookings": sum(record.allocation is not None for record in day.records),
        "guests": sum(record.booking.party_size for record in day.records if record.allocation and record.booking),
        "waiting": sum(map(waits, day.records)),
    }


def _other(date: dt.date, by: dt.timedelta) -> dt.date | None:
    try:
        return date + by
    except OverflowError:
        return None


async def booking(view: View) -> Response:
    """All about a booking: what `Coordinator.show` says."""
    trail = await view.trail()
    record = trail.record
    day: ServiceDay = await view.calls("day", trail.restaurant_id)
    return await view.page(
        "booking.html",
        title=f"Booking {view.asked('id')}",
        restaurant=trail.restaurant_id,
        booking_id=view.asked("id"),
        trail=trail,
        record=record,
        booking=trail.booking or (record.booking if record else None),
        diagram=diagram_of(record.state if record else None, trail.history),
        names=Names(day.venue),
        attempts=[(attempt, _facts(attempt.metadata)) for attempt in trail.attempts],
        events=[event for event in trail.events if event.source is not Source.STATE_MACHINE],  # The history has those.
        acts=[act for act in PARTY_ACTS if act.fits(record)] if record else [],
    )


def _facts(metadata: Mapping[str, Any]) -> list[tuple[str, Any]]:
    first = ("cost", "turned_away", "runners_up", "moves", "suggested", "nearest")
    order = {name: place for place, name in enumerate(first)}
    known = ((name, value) for name, value in metadata.items() if value not in ("", None, ()))
    return sorted(known, key=lambda fact: (order.get(fact[0], len(first)), fact[0]))


async def moment(view: View) -> Response:
    """Who sits where at any moment: in the past by the history, later as it is planned now."""
    restaurant = view.restaurant()
    day: ServiceDay = await view.calls("day", restaurant, view.date())
    midnight = dt.datetime.combine(day.date, dt.time(), day.venue.zone)
    minutes = view.whole("m", 0, 36 * 60)
    if minutes is None:
        minutes = max(min((day.now - midnight) // dt.timedelta(minutes=1), 36 * 60), 0) // 5 * 5
    at = midnight.astimezone(dt.UTC) + dt.timedelta(minutes=minutes)
    found = await view.calls("floor", restaurant, at)
    board = board_of(day)
    first = (board.start - midnight) // dt.timedelta(minutes=1)
    last = first + board.steps * 5
    return await view.page(
        "moment.html",
        title=f"{restaurant} at {Names(day.venue).clock(at)}",
        restaurant=restaurant,
        day=day,
        names=Names(day.venue),
        at=at,
        minutes=minutes,
        range=(max(min(first, minutes), 0), max(last, minutes)),
        when="later" if at > day.now else "now" if day.now - at < NOW else "past",
        view=found,
        groups=[(zone or "", list(tables)) for zone, tables in groupby(by_zone(found.tables, _zone_of), key=_zone_of)],
    )


def _zone_of(one: TableOnFloor) -> str | None:
    return one.table.zone if one.table else GONE


async def queue(view: View) -> Response:
    """The bookings that wait for a person, the soonest arrival first, with what can be done about each."""
    restaurant = view.restaurant()
    page = await view.calls("review_cases", restaurant, after=view.asked("after") or None, limit=PAGE)
    names = Names((await view.calls("day", restaurant)).venue)
    acts = [ACTS[name] for name in ("place", "requeue", "reject")]
    return await view.page(
        "queue.html",
        title=f"Queue of {restaurant}",
        restaurant=restaurant,
        entries=[
            (case, ways_of(names, {case.record.booking_id: case.record.version}, case.ways_out)) for case in page.cases
        ],
        conflicts=[
            (case, ways_of(names, {case.record.booking_id: case.record.version}, case.ways_out))
            for case in page.conflicts
        ],
        following=page.next,
        is_first=not view.asked("after"),
        now=page.now,
        acts=acts,
    )


async def service(view: View) -> Response:
    """What goes on in the room, and what staff do about it."""
    restaurant = view.restaurant()
    day: ServiceDay = await view.calls("day", restaurant, view.date())
    parties = [record for record in day.records if record.allocation is not None]
    names, versions = Names(day.venue), {record.booking_id: record.version for record in parties}
    conflicts = await view.calls("conflicts", restaurant)
    return await view.page(
        "service.html",
        title=f"Service at {restaurant}",
        restaurant=restaurant,
        day=day,
        names=names,
        groups=_groups(day.venue, parties, day.now),
        conflicts=[(conflict, ways_of(names, versions, conflict.ways_out)) for conflict in conflicts],
        acts=PARTY_ACTS,
    )


def _groups(venue: Venue, parties: list[AssignmentRecord], now: dt.datetime) -> Mapping[str, list[AssignmentRecord]]:
    """The parties of a day by what is to be done about them, as `Coordinator.due` and `Coordinator.over` tell."""
    due = {one.booking_id for one in room.due(parties, now)}
    over = {one.booking_id for one in room.over(venue, parties, now)}
    groups: dict[str, list[AssignmentRecord]] = {
        name: [] for name in ("Over time", "Due and not here", "Sitting", "Expected", "Gone")
    }
    for record in sorted(parties, key=lambda each: (each.allocation.turn.start, each.booking_id)):  # type: ignore[union-attr]
        held = record.allocation
        assert held is not None  # noqa: S101 - only those with tables are asked about
        if record.booking_id in over:
            name = "Over time"
        elif record.booking_id in due:
            name = "Due and not here"
        elif held.sits:
            name = "Sitting"
        else:
            name = "Expected" if held.left_at is None and now < held.turn.start else "Gone"
        groups[name].append(record)
    return {name: found for name, found in groups.items() if found}
