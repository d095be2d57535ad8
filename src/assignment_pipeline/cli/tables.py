"""``tables``: tables out of service."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from assignment_pipeline.cli import words
from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.cli.labels import joined, labels_of
from assignment_pipeline.cli.moments import local, read_time, zone_of
from assignment_pipeline.cli.output import bare_table, print_json, say, stdout
from assignment_pipeline.cli.review import ActorOption
from assignment_pipeline.cli.wiring import JsonOption, command, read_only
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.windows import TimeWindow

app = typer.Typer(help="Take tables out of service and put them back.", no_args_is_help=True)

RestaurantArgument = Annotated[str, typer.Argument(metavar="RESTAURANT", help="The id of a restaurant.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="CODE", help="A short code such as maintenance. Never a guest's words.")
]


@command(app, "list", opened=read_only)
def show(coordinator: Coordinator, restaurant: RestaurantArgument, as_json: JsonOption = False) -> None:
    """List the tables that are or will be out of service, with the reason and the actor."""
    blocks = coordinator.blocks(restaurant)
    if as_json:
        print_json({"blocks": [_document(block) for block in blocks]})
        return
    if not blocks:
        stdout().print("Every table is in service.")
        return
    zone, labels = zone_of(coordinator, restaurant), labels_of(coordinator, restaurant)
    table = bare_table()
    for heading in ("Table", "From", "Until", "Why", "By", "Block"):
        table.add_column(heading, overflow="fold")
    for block in blocks:
        times = (local(time, zone) for time in (block.window.start, block.window.end))
        table.add_row(joined([block.table_id], labels), *times, words.reason(block.reason), block.actor or "", block.id)
    stdout().print(table)


@command(app)
def block(
    coordinator: Coordinator,
    restaurant: RestaurantArgument,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The id of a table.")],
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="A time such as 2031-05-17T17:00+02:00.")],
    end: Annotated[str, typer.Option("--until", metavar="TIME", help="A later time.")],
    actor: ActorOption,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """
    Take a table out of service for a while.

    Bookings at the table keep it, and the command lists them: move them with review place.
    """
    times = (read_time("--from", start), read_time("--until", end))
    try:
        window = TimeWindow(*times)
    except ValueError:
        refuse("--until", "a time after --from, both in the years 1970 to 9998", repr(end))
    try:
        result = coordinator.block(restaurant, table, window, actor=actor, reason=reason)
    except ValueError:
        refuse("--reason", "a short code such as maintenance", repr(reason))
    if as_json:
        print_json({**_document(result.block), "bookings": list(result.bookings)})
        return
    name = joined([table], labels_of(coordinator, restaurant))
    say(f"Table {name!r} is out of service: {result.block.id}")
    if result.bookings:
        say(f"Still there: {', '.join(result.bookings)}.")


@command(app)
def unblock(
    coordinator: Coordinator,
    restaurant: RestaurantArgument,
    block: Annotated[str, typer.Argument(metavar="BLOCK", help="The id of a block, as tables list shows it.")],
    actor: ActorOption,
    as_json: JsonOption = False,
) -> None:
    """Put a table back into service. The next sweep plans the bookings that wait for tables."""
    ended = coordinator.unblock(restaurant, block, actor=actor)
    if as_json:
        print_json(_document(ended))
    else:
        name = joined([ended.table_id], labels_of(coordinator, restaurant))
        say(f"Table {name!r} is back in service.")


def _document(block: TableBlock) -> dict[str, Any]:
    return {
        "id": block.id,
        "restaurant_id": block.restaurant_id,
        "table_id": block.table_id,
        "start_at": block.window.start.isoformat(timespec="minutes"),
        "end_at": block.window.end.isoformat(timespec="minutes"),
        "reason": block.reason,
        "actor": block.actor,
    }
