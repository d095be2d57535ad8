"""``backtest``: past days, as the pipeline would have had them."""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from assignment_pipeline.cli.assign import REPLAY, put, workplace
from assignment_pipeline.cli.day.run import assign_day, look_at
from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.cli.output import bare_table, print_json, progress, stdout
from assignment_pipeline.cli.shadow.past import PastService, past_of, read_past
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption, RestaurantOption, opened
from assignment_pipeline.domain.result import Outcome
from assignment_pipeline.domain.shadow import ShadowVerdict
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.planning.base import Engine
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.rollout.shadow.backtest import PastDay, Side
from assignment_pipeline.rollout.shadow.backtest import backtest as hold_against


def backtest(
    service_file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SERVICE.json]", help="A file of days whose bookings have the legacy planner's tables."
        ),
    ] = None,
    restaurant: RestaurantOption = None,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Compare the pipeline with the legacy planner on past days.

    Two comparisons: each booking on the floor that the legacy planner had left, for the
    agreement; and each day from its first booking on, for the guests. Nothing is written.
    The days come from a file, or from the legacy planner's bookings in a database.
    """
    if service_file is not None and db is not None:
        refuse("SERVICE.json or --db", "one of them", "both")
    if service_file is not None:
        engine: Engine = TableEngine()
        if app is not None:
            with opened(app, None) as coordinator:
                engine = coordinator.engine
        days = [(found.service.venue.id, _days(found, engine)) for found in (read_past(service_file),)]
    else:
        with opened(app, db) as coordinator:
            found = past_of(coordinator.store, restaurant)
            days = [(one.service.venue.id, _days(one, coordinator.engine)) for one in found]
    total = functools.reduce(operator.add, (day for _, several in days for day in several), PastDay(date=None))
    if as_json:
        print_json({"days": [_document(day, name) for name, several in days for day in several], **_total(total)})
    else:
        _print(days, total)


def _days(found: PastService, engine: Engine) -> tuple[PastDay, ...]:
    with progress(2 * len(found.past)) as advance:
        days = hold_against(
            found.service.venue, found.past, engine, REPLAY, blocks=found.service.blocks, tell=lambda _: advance()
        )
        return tuple(attrs.evolve(day, pipeline=_by_itself(found, day.date, advance)) for day in days)


def _by_itself(found: PastService, date: dt.date | None, advance: Any) -> Side:
    """The day as the pipeline has it, from its first booking on."""
    of_day = tuple(one.booking for one in found.past if one.date == date)
    service = attrs.evolve(found.service, bookings=of_day)
    with workplace(None) as (coordinator, store, host):
        put(store, host, service, "backtest")
        assign_day(coordinator, store, service, tell=lambda _: advance())
        day = look_at(store, service)
        moves = sum(step.trigger is Trigger.MOVE for booking in of_day for step in coordinator.history(booking.id))
    return Side(seated=day.count(Outcome.CONFIRMED), covers=day.covers, moves=moves)


def _document(day: PastDay, restaurant_id: str | None) -> dict[str, Any]:
    return {
        "restaurant_id": restaurant_id,
        "date": day.date.isoformat() if day.date else None,
        "bookings": day.bookings,
        "compared": day.compared,
        "agreement": round(day.agreement, 6) if day.agreement is not None else None,
        "verdicts": {verdict.value: day.verdicts.get(verdict.value, 0) for verdict in ShadowVerdict},
        "cost_difference": day.cost_difference,
        "legacy": {"seated": day.legacy.seated, "covers": day.legacy.covers},
        "pipeline": {"seated": day.pipeline.seated, "covers": day.pipeline.covers, "moves": day.pipeline.moves},
    }


def _total(total: PastDay) -> dict[str, Any]:
    found = _document(total, None)
    del found["restaurant_id"], found["date"]
    return found


def _print(days: Sequence[tuple[str, tuple[PastDay, ...]]], total: PastDay) -> None:
    table = bare_table()
    if len(days) > 1:
        table.add_column("Restaurant", overflow="fold")
    table.add_column("Day", no_wrap=True)
    for name in ("Bookings", "Agree", "Seated", "by us", "Covers", "by us", "Moves", "Cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, several in days:
        for day in several:
            table.add_row(*([name] if len(days) > 1 else []), str(day.date), *_cells(day))
    if sum(len(several) for _, several in days) > 1:
        table.add_row(*([""] if len(days) > 1 else []), "all", *_cells(total), style="bold")
    console = stdout()
    console.print(table)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(total.verdicts.items()) if count)
    console.print(f"\nBooking by booking on legacy's floor: {counts}.")
    console.print("Cost: what our tables waste beyond legacy's, in seats, where both found some; below zero, less.")


def _cells(day: PastDay) -> tuple[str, ...]:
    legacy, ours = day.legacy, day.pipeline
    return (
        str(day.bookings),
        "" if day.agreement is None else f"{100 * day.agreement:.1f} %",
        str(legacy.seated),
        f"{ours.seated} ({ours.seated - legacy.seated:+d})",
        str(legacy.covers),
        f"{ours.covers} ({ours.covers - legacy.covers:+d})",
        str(ours.moves),
        f"{day.cost_difference:+.1f}",
    )
