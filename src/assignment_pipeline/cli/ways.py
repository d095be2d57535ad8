"""The ways out of a review or a conflict, as commands."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Iterator

from assignment_pipeline.cli.moments import zone_of
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.room import WayOut


def lines(coordinator: Coordinator, restaurant_id: str, ways: tuple[WayOut, ...]) -> Iterator[str]:
    """A line for each way out, with the command that does it."""
    zone = zone_of(coordinator, restaurant_id)
    for way in ways:
        yield f"  {way.sentence}  {_command(way, zone)}"


def _command(way: WayOut, zone: dt.tzinfo) -> str:
    booking_id = shlex.quote(way.arguments["booking_id"])
    if way.method == "reject":
        return f"review reject {booking_id} --reason {way.arguments['reason']} --actor NAME"
    if way.method == "reassign":
        start = dt.datetime.fromisoformat(way.arguments["start_at"]).astimezone(zone)
        return f"review retime {booking_id} {start.isoformat(timespec='minutes')} --actor NAME"
    if way.method != "place":
        return f"service {way.method} {booking_id} --actor NAME"
    if "moves" in way.arguments:
        return f"review suggest {booking_id} --apply --actor NAME"
    allow = "".join(f" --allow {rule}" for rule in way.arguments.get("allow", ()))
    return f"review place {booking_id} {' '.join(map(shlex.quote, way.arguments['tables']))}{allow} --actor NAME"
