"""``review cases``: the review queue with what can be done about each booking."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from assignment_pipeline.cli import review, words
from assignment_pipeline.cli.output import print_json, say
from assignment_pipeline.cli.wiring import JsonOption, RestaurantOption, command
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.review import ReviewCase
from assignment_pipeline.domain.room import WayOut

app = review.app
"""This command is one of ``review``."""


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
    if as_json:
        conflicts = [_document(case) for case in page.conflicts]
        print_json({"cases": [_document(case) for case in page.cases], "conflicts": conflicts, "next": page.next})
        return
    if not page.cases and not page.conflicts:
        say("Nothing waits for a person.")
    for case in page.conflicts:
        say(f"{case.record.booking_id}: {case.sentence}.")
        for way in case.ways_out:
            say(f"  {way.sentence}  {_command(way)}".rstrip())
    for case in page.cases:
        since = f", waits for {words.age(page.now - case.since)}" if case.since else ""
        say(f"{case.record.booking_id}: {case.sentence}{since}, {words.count(len(case.tried), 'attempt')}.")
        for way in case.ways_out:
            say(f"  {way.sentence}  {_command(way)}".rstrip())
    if page.next is not None:
        say(f"There are more: --after {page.next!r} shows them.")


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


def _command(way: WayOut) -> str:
    """The command that does it; none where the booking changes at the host first, or others move."""
    booking_id = shlex.quote(way.arguments["booking_id"])
    if way.method == "left":
        return f"service left {booking_id} --actor NAME"
    if way.method == "reject":
        return f"review reject {booking_id} --reason {way.arguments['reason']} --actor NAME"
    if way.method == "place" and "moves" in way.arguments:
        return f"review suggest {booking_id} --apply --actor NAME"
    if way.method == "place":
        allow = "".join(f" --allow {rule}" for rule in way.arguments.get("allow", ()))
        return f"review place {booking_id} {' '.join(map(shlex.quote, way.arguments['tables']))}{allow} --actor NAME"
    return ""
