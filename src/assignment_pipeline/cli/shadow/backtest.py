"""``backtest``: past days, as the pipeline would have had them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from assignment_pipeline.cli.assign import REPLAY
from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.cli.output import bare_table, print_json, progress, stdout
from assignment_pipeline.cli.shadow.past import PastService, past_of, read_past
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption, RestaurantOption, opened
from assignment_pipeline.domain.days import ComparedDay
from assignment_pipeline.domain.shadow import ShadowVerdict
from assignment_pipeline.planning.base import Engine
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.rollout.shadow.backtest import PastDay
from assignment_pipeline.rollout.shadow.backtest import backtest as hold_against
from assignment_pipeline.rollout.shadow.closed_loop import compared_day, keep_days, play


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
    record: Annotated[
        bool, typer.Option("--record", help="Count the days for the gates of the rollout. Needs --db or --app.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """
    Compare the pipeline with the legacy planner on past days.

    Two comparisons: each booking on the floor that the legacy planner had left, for the
    agreement; and each day from its first booking on, for the guests. Without --record, nothing
    is written. The days come from a file, or from the legacy planner's bookings in a database.
    """
    if service_file is not None and db is not None:
        refuse("SERVICE.json or --db", "one of them", "both")
    if record and service_file is not None and app is None:
        refuse("--record", "--db or --app, whose rollout counts the days", "neither")
    if service_file is not None:
        past = read_past(service_file)
        if restaurant is not None and restaurant != past.service.venue.id:
            refuse("--restaurant", f"the one of the file, {past.service.venue.id}", repr(restaurant))
        found: Sequence[PastService] = (past,)
        if app is None:
            _report(found, TableEngine(), as_json=as_json)
            return
    with opened(app, db) as coordinator:
        if service_file is None:
            found = past_of(coordinator.store, restaurant)
        days = _report(found, coordinator.engine, as_json=as_json)
        if record:
            keep_days(coordinator.store, days, _generation(coordinator.store))


def _generation(store: Any) -> int:
    if not hasattr(store, "rollout") or not hasattr(store, "events_of"):
        refuse("--record", "a store that counts and keeps a rollout, such as SQLiteStore", type(store).__name__)
    generation: int = store.rollout().generation
    return generation


def _report(found: Sequence[PastService], engine: Engine, *, as_json: bool) -> list[ComparedDay]:
    """Print the days of each restaurant; what the gates count of them."""
    days, compared = [], []
    for one in found:
        several, alone = _days(one, engine)
        days.append((one.service.venue.id, several))
        compared += alone
    total = functools.reduce(operator.add, (day for _, several in days for day in several), PastDay(date=None))
    if as_json:
        print_json({"days": [_document(day, name) for name, several in days for day in several], **_total(total)})
    else:
        _print(days, total)
    return compared


def _days(found: PastService, engine: Engine) -> tuple[tuple[PastDay, ...], list[ComparedDay]]:
    venue, blocks = found.service.venue, found.service.blocks
    with progress(2 * len(found.past)) as advance:
        days = hold_against(venue, found.past, engine, REPLAY, blocks=blocks, tell=lambda _: advance())
        alone = [_by_itself(found, day, engine, advance) for day in days]
    whole = (attrs.evolve(day, pipeline=one.pipeline) for day, one in zip(days, alone, strict=True))
    return tuple(whole), alone


def _by_itself(found: PastService, day: PastDay, engine: Engine, advance: Callable[[], object]) -> ComparedDay:
    """The day as the pipeline has it, from its first booking on."""
    assert day.date is not None  # noqa: S101 - it is one day
    venue, of_day = found.service.venue, [one.booking for one in found.past if one.date == day.date]
    blocked = [block.occupied for block in found.service.blocks]
    seated, moves = play(venue, of_day, engine, REPLAY, taken=blocked, tell=lambda _: advance())
    return compared_day(
        venue.id, day.date, of_day, by_legacy=day.by_legacy, broken=day.broken, seated=seated, moves=moves
    )


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
