"""``review cases`` and ``retime``: the review queue with what can be done about each booking."""

from __future__ import annotations

from typing import Annotated, Any

import attrs
import typer

from assignment_pipeline.cli import review, ways, words
from assignment_pipeline.cli.failures import RefusedError, refuse_value
from assignment_pipeline.cli.labels import tables_of
from assignment_pipeline.cli.moments import local, read_time, zone_of
from assignment_pipeline.cli.output import print_json, print_result, say
from assignment_pipeline.cli.wiring import JsonOption, RestaurantOption, command, require_restaurant
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.result import Outcome
from assignment_pipeline.domain.review import ReviewCase
from assignment_pipeline.errors import InvalidValueError

app = review.app
"""These commands are some of ``review``."""


@command(app, "cases")
def cases(
    coordinator: Coordinator,
    restaurant: RestaurantOption = None,
    after: Annotated[str | None, typer.Option("--after", metavar="PLACE", help="Where the page before ended.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="The largest number of entries.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the bookings in manual review, the soonest arrival first, with what was tried and the best ways out."""
    review.require_place_in_queue(after)
    page = coordinator.review_cases(restaurant, after=after, limit=limit)
    require_restaurant(coordinator.store, restaurant, found=bool(page.cases or page.conflicts))
    if as_json:
        conflicts = [_document(case) for case in page.conflicts]
        print_json({"cases": [_document(case) for case in page.cases], "conflicts": conflicts, "next": page.next})
        return
    if not page.cases and not page.conflicts:
        say("Nothing waits for a person.")
    for case in page.conflicts:
        say(f"{case.record.booking_id}: {case.sentence}.")
        for line in ways.lines(coordinator, case.record.restaurant_id, case.ways_out):
            say(line)
    for case in page.cases:
        since = f", waits for {words.age(page.now - case.since)}" if case.since else ""
        say(f"{case.record.booking_id}: {case.sentence}{since}, {words.count(len(case.tried), 'attempt')}.")
        for line in ways.lines(coordinator, case.record.restaurant_id, case.ways_out):
            say(line)
    if page.next is not None:
        say(f"There are more: --after {page.next!r} shows them.")


@command(app, "retime")
def retime(
    coordinator: Coordinator,
    booking: review.BookingArgument,
    start: Annotated[str, typer.Argument(metavar="TIME", help="A time such as 2031-05-17T20:15+02:00.")],
    actor: review.ActorOption,
    as_json: JsonOption = False,
) -> None:
    """
    Have a booking come at another time, on which you have agreed with the guest.

    It is assigned anew. If there are no tables at that time, a booking that has tables keeps its time and them; one
    without goes on waiting, for the new time. Your application's own row of the booking is yours to correct; a database
    made by `db init --standalone` or `assign` follows.
    """
    wanted = review.booking_of(coordinator, booking)
    by = read_time("TIME", start) - wanted.start_at
    try:
        later = attrs.evolve(wanted, start_at=wanted.start_at + by, end_at=wanted.end_at and wanted.end_at + by)
    except InvalidValueError as error:
        refuse_value(error, start_at="TIME", end_at="TIME")
    result = coordinator.reassign(later, actor=actor)
    when = local(later.start_at, zone_of(coordinator, later.restaurant_id))
    waits = result.outcome in {Outcome.MANUAL_REVIEW, Outcome.RETRY}
    if waits and result.record is not None and result.record.asks_for(later):
        why = words.reason(result.reason)
        raise RefusedError(f"Booking {booking!r} is to come at {when} now, and waits for tables: {why}.")
    if result.outcome not in {Outcome.CONFIRMED, Outcome.ASSIGNED}:
        raise review.nothing_done(result)
    told = f"Booking {booking!r} comes at {when}, and has {tables_of(coordinator, result)}."
    print_result(result, told, as_json=as_json)


def _document(case: ReviewCase) -> dict[str, Any]:
    return {
        "booking_id": case.record.booking_id,
        "restaurant_id": case.record.restaurant_id,
        "reason": case.record.reason,
        "sentence": case.sentence,
        "since": case.since.isoformat(timespec="seconds") if case.since else None,
        "tried": [{"number": one.number, "reason": one.reason, "metadata": dict(one.metadata)} for one in case.tried],
        "ways_out": [
            {"sentence": way.sentence, "method": way.method, "arguments": dict(way.arguments)} for way in case.ways_out
        ],
    }
