"""``reoptimize``: a whole day planned anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from assignment_pipeline.cli import words
from assignment_pipeline.cli.failures import GOOD, NO, refuse
from assignment_pipeline.cli.labels import joined, labels_of
from assignment_pipeline.cli.moments import read_date
from assignment_pipeline.cli.output import print_json, say
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption, a_name, opened
from assignment_pipeline.errors import MissingExtraError
from assignment_pipeline.flow.assigning.reoptimize import Reoptimization


def reoptimize(
    restaurant: Annotated[str, typer.Option("--restaurant", metavar="ID", help="The restaurant.")],
    date: Annotated[str, typer.Option("--date", metavar="YYYY-MM-DD", help="The day, such as 2031-05-17.")],
    apply: Annotated[bool, typer.Option("--apply", help="Make the changes, in one commit.")] = False,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="NAME", callback=a_name, help="Your name, for the history.")
    ] = None,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Plan a day again: seat waiting bookings, and move bookings off tables that are out of use.

    Needs the extra optimize. Shows the changes; --apply also makes them.

    Exits with 1 if --apply could not make them.
    """
    day = read_date("--date", date)
    try:
        with opened(app, db) as coordinator:
            found = coordinator.reoptimize(restaurant, day, apply=apply, actor=actor)
            labels = labels_of(coordinator, restaurant)
    except MissingExtraError as error:
        refuse("reoptimize", "the extra optimize", str(error))
    if as_json:
        print_json(_document(found))
    else:
        for line in _lines(found, labels):
            say(line)
    raise typer.Exit(NO if found.reason is not None else GOOD)


def _document(found: Reoptimization) -> dict[str, Any]:
    diff = found.diff
    return {
        "restaurant_id": found.restaurant_id,
        "service_date": found.service_date.isoformat(),
        "applied": found.applied,
        "reason": found.reason.value if found.reason else None,
        "moves": [
            {"booking_id": move.booking_id, "from": list(move.origin), "to": list(move.tables)} for move in diff.moves
        ],
        "seated": [{"booking_id": booking_id, "tables": list(plan.tables)} for booking_id, plan in diff.seated],
        "left_out": list(diff.left_out),
        "stranded": list(found.stranded),
        "covers": {"before": diff.covers_before, "after": diff.covers_after, "bound": diff.bound},
        "waste": {"before": diff.waste_before, "after": diff.waste_after},
        "gap": diff.gap,
        "proved": diff.proved,
    }


def _lines(found: Reoptimization, labels: Mapping[str, str]) -> list[str]:
    diff = found.diff
    lines = [
        f"{move.booking_id} moves from {joined(move.origin, labels, '+')} to {joined(move.tables, labels, '+')}."
        for move in diff.moves
    ]
    lines += [f"{booking_id} gets {joined(plan.tables, labels, '+')}." for booking_id, plan in diff.seated]
    lines += [f"{name} breaks a rule of the restaurant as it is, and has to stay as it is." for name in found.stranded]
    if diff.left_out:
        lines.append(f"{words.count(len(diff.left_out), 'booking')} would still wait.")
    best = "the most there can be" if diff.gap == 0 else f"of {diff.bound} at most"
    lines.append(f"Guests: {diff.covers_before} before, {diff.covers_after} after, {best}.")
    lines.append(f"Empty seats at their tables: {diff.waste_before} before, {diff.waste_after} after.")
    if diff.is_empty:
        lines.append("There is nothing to gain.")
    elif found.applied:
        lines.append("It is done.")
    elif found.reason is not None:
        lines.append(f"Nothing was changed: {words.reason(found.reason)}.")
    else:
        lines.append("Nothing was changed: --apply does it.")
    return lines
