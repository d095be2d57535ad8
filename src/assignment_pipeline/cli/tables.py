"""``tables``: tables out of service."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from assignment_pipeline.cli import words
from assignment_pipeline.cli.failures import refuse, refuse_value
from assignment_pipeline.cli.labels import joined, labels_of
from assignment_pipeline.cli.moments import local, read_time, zone_of
from assignment_pipeline.cli.output import bare_table, print_json, say, stdout
from assignment_pipeline.cli.review import ActorOption
from assignment_pipeline.cli.wiring import JsonOption, command, read_only
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import InvalidValueError

app = typer.Typer(help="Take tables out of service and put them back.", no_args_is_help=True)

RestaurantArgument = Annotated[str, typer.Argument(metavar="RESTAURANT", help="The id of a restaurant.")]
ZoneOption = Annotated[
    str | None, typer.Option("--zone", metavar="ZONE", help="All tables of this zone, in place of one.")
]
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
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="A time such as 2031-05-17T17:00+02:00.")],
    end: Annotated[str, typer.Option("--until", metavar="TIME", help="A later time.")],
    actor: ActorOption,
    reason: ReasonOption,
    table: Annotated[str | None, typer.Argument(metavar="TABLE", help="The id of a table.")] = None,
    zone: ZoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Take a table, or all tables of a zone, out of service for a while. All of them, or none.

    Bookings at the tables keep them, and the command lists them: move them with review place.
    """
    _require_one(table, zone, "TABLE")
    times = (read_time("--from", start), read_time("--until", end))
    try:
        window = TimeWindow(*times)
    except ValueError:
        refuse("--until", "a time after --from, both in the years 1970 to 9998", repr(end))
    try:
        result = coordinator.block(restaurant, table, window, zone=zone, actor=actor, reason=reason)
    except InvalidValueError as error:
        refuse_value(error, reason="--reason", window="--until")
    if as_json:
        found = [_document(one) for one in result.blocks]
        blocks = found[0] if table is not None else {"zone": zone, "blocks": found}
        print_json({**blocks, "bookings": list(result.bookings)})
        return
    labels = labels_of(coordinator, restaurant)
    for one in result.blocks:
        say(f"Table {joined([one.table_id], labels)!r} is out of service: {one.id}")
    if result.bookings:
        say(f"Still there: {', '.join(result.bookings)}.")


@command(app)
def unblock(
    coordinator: Coordinator,
    restaurant: RestaurantArgument,
    actor: ActorOption,
    block: Annotated[
        str | None, typer.Argument(metavar="BLOCK", help="The id of a block, as tables list shows it.")
    ] = None,
    zone: ZoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Put a table, or all tables of a zone, back into service.

    The next sweep plans the bookings that wait for tables.
    """
    _require_one(block, zone, "BLOCK")
    ended: tuple[TableBlock, ...]
    if zone is None:
        ended = (coordinator.unblock(restaurant, block or "", actor=actor),)
    else:
        ended = coordinator.unblock(restaurant, zone=zone, actor=actor)
    if as_json:
        print_json(_document(ended[0]) if zone is None else {"zone": zone, "blocks": [*map(_document, ended)]})
        return
    labels = labels_of(coordinator, restaurant)
    for one in ended:
        say(f"Table {joined([one.table_id], labels)!r} is back in service.")
    if not ended:
        say(f"No table of the zone {zone!r} is out of service.")


def _require_one(named: str | None, zone: str | None, what: str) -> None:
    if (named is None) == (zone is None):
        refuse(what, f"a {what} or --zone", "neither" if zone is None else "both")


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
