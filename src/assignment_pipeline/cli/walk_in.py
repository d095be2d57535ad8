"""``service walk-in``: a party at the door."""

from __future__ import annotations

from typing import Annotated

import typer

from assignment_pipeline.cli import endings, words
from assignment_pipeline.cli.failures import NO, RefusedError, refuse_value
from assignment_pipeline.cli.labels import joined, labels_of
from assignment_pipeline.cli.moments import local, read_time, zone_of
from assignment_pipeline.cli.output import print_json, print_result, result_document
from assignment_pipeline.cli.review import ActorOption, AllowOption, nothing_done, read_rules
from assignment_pipeline.cli.tables import RestaurantArgument
from assignment_pipeline.cli.wiring import JsonOption, command
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.planning.sentences import turned_away

app = endings.app
"""The command is one of ``service``."""


@command(app, "walk-in")
def walk_in(
    coordinator: Coordinator,
    restaurant: RestaurantArgument,
    guests: Annotated[int, typer.Argument(metavar="GUESTS", help="How many are at the door.")],
    actor: ActorOption,
    booking: Annotated[
        str | None,
        typer.Option("--booking", metavar="ID", help="The id of the party's booking; by default, it gets a new one."),
    ] = None,
    offer: Annotated[bool, typer.Option("--offer", help="Only say which tables, and until when.")] = False,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", metavar="ID", help="A table that you chose, or that was offered. May be repeated."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="When the party leaves, such as 2031-05-17T18:15+02:00."),
    ] = None,
    allow: AllowOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Seat a party that is at the door: which tables, and until when.

    Its stay is shortened only if the policy has shortest_stay_minutes. Without tables, nothing is written.
    """
    end = None if until is None else read_time("--until", until)
    try:
        result = coordinator.walk_in(
            restaurant,
            guests,
            actor=actor,
            booking_id=booking,
            offer=offer,
            tables=table or (),
            until=end,
            allow=read_rules(allow),
        )
    except InvalidValueError as error:
        names = {"party_size": "GUESTS", "until": "--until", "tables": "--table", "id": "--booking"}
        refuse_value(error, **names, booking_id="--booking", restaurant_id="RESTAURANT")
    if result.outcome is Outcome.KEPT:
        if as_json:
            print_json(result_document(result))
            raise typer.Exit(NO)
        raise RefusedError(_refusal(coordinator, restaurant, result))
    if result.until is None or result.outcome not in {Outcome.CONFIRMED, Outcome.NOOP}:
        raise nothing_done(result)
    print_result(result, _sentence(coordinator, restaurant, result), as_json=as_json)


def _sentence(coordinator: Coordinator, restaurant: str, result: AssignmentResult) -> str:
    """Where the party sits, or may sit, and until when."""
    assert result.until is not None  # noqa: S101 - there are tables
    until = local(result.until, zone_of(coordinator, restaurant))
    where = f"{joined(result.tables, labels_of(coordinator, restaurant))} until {until}"
    following = f" Then it is for {', '.join(result.displaced)}." if result.displaced else ""
    moves = result.decision.plan.moves if result.decision and result.decision.plan else ()
    if result.reason is Reason.OFFERED:
        first = "".join(f" {move.booking_id} moves to {' + '.join(move.tables)}." for move in moves)
        return f"Free: {where}.{following}{first}"
    moved = f" {', '.join(result.moved)} moved." if result.moved else ""
    return f"Booking {result.booking_id!r} sits at {where}.{following}{moved}"


def _refusal(coordinator: Coordinator, restaurant: str, result: AssignmentResult) -> str:
    """Why there are no tables."""
    if result.decision is None:
        return f"No table: {words.reason(result.reason)}."
    counts = turned_away(result.decision.turned_away)
    later = words.times(result.decision.nearest, zone_of(coordinator, restaurant))
    return f"No table: {words.reason(result.reason)}{counts and f' ({counts})'}.{later and f' Free at {later}.'}"
