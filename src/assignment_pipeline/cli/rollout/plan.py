"""``rollout plan``: how long the phases take at a traffic, before anything has begun."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.cli.output import bare_table, print_json, stdout
from assignment_pipeline.cli.rollout.numbers import counted
from assignment_pipeline.cli.rollout.plan_picture import picture, write
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption
from assignment_pipeline.domain.wording import count
from assignment_pipeline.rollout.control.forecast import (
    PhaseForecast,
    bookings_for_one_look,
    bookings_to_compare,
    forecast,
)
from assignment_pipeline.rollout.control.traffic import traffic_of

MARGINS = (0.01, 0.02, 0.03, 0.05, 0.10)

_RATE = 0.95
_BAR = 12


def plan(
    restaurants: Annotated[
        int | None, typer.Option("--restaurants", metavar="N", min=1, help="The number of restaurants.")
    ] = None,
    bookings_per_day: Annotated[
        float | None,
        typer.Option("--bookings-per-day", metavar="N", min=1, help="The bookings per day, of all restaurants."),
    ] = None,
    confirmed: Annotated[
        float, typer.Option("--confirmed", min=0.5, max=1, help="The expected share of confirmed bookings.")
    ] = 0.98,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Also draw the days of each phase, as SVG.")
    ] = None,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show how long each phase takes until its gates can pass, and which margin the traffic allows.

    Without `--restaurants` or `--bookings-per-day`, it counts the last four weeks in the database.
    """
    counted_over = None
    if app is None and db is None and (restaurants is None) != (bookings_per_day is None):
        missing = "--restaurants" if restaurants is None else "--bookings-per-day"
        refuse(missing, "a number, or a database that has it, --db or --app", "none")
    if restaurants is None or bookings_per_day is None:
        with counted(app, db) as store:
            found = traffic_of(store)
        if found is None or not found.bookings_a_day:
            refuse("the database", "bookings of the last four weeks, or --restaurants and --bookings-per-day", "none")
        counted_over = found.days
        restaurants, bookings_per_day = restaurants or found.restaurants, bookings_per_day or found.bookings_a_day
    phases = forecast(restaurants, bookings_per_day, confirmed=confirmed)
    margins = [_margin(margin, bookings_per_day) for margin in MARGINS]
    if svg is not None:
        write(svg, picture(phases))
    if as_json:
        traffic = {"restaurants": restaurants, "bookings_a_day": bookings_per_day}
        print_json({**traffic, "phases": [_document(each) for each in phases], "margins": margins})
        return
    console = stdout()
    if counted_over is not None:
        console.print(
            f"Counted over {_days(counted_over)}: {bookings_per_day:g} bookings a day at {restaurants:,} restaurants.",
            end="\n\n",
            highlight=False,
        )
    console.print(_phases(phases))
    console.print(_LEGEND, style="dim", highlight=False, soft_wrap=True)
    few = [each.phase.name for each in phases if each.lacks_restaurants]
    if few:
        console.print(_TOO_FEW.format(phases=" and ".join(few)), highlight=False, soft_wrap=True)
    console.print(f"\n{_all_of_production(phases, confirmed)}\n", highlight=False, soft_wrap=True)
    console.print(
        f"Two equal planners that confirm {_RATE:.0%}, each with {bookings_per_day:g} bookings a day. To show that one"
        " is not worse by a margin takes:",
        highlight=False,
        soft_wrap=True,
    )
    for each in margins:
        console.print(Text(f"  {_sentence(each)}"), soft_wrap=True)


_LEGEND = """\
At: restaurants of the phase. A day: their bookings. Takes: bookings until all gates pass, in four of five cases.
Decided by: the criterion that takes longest. Below, a side: the bookings that each planner needs."""


_TOO_FEW = """
Fewer than two restaurants on a side in {phases}: nothing is compared. Those that `rollout list --always`
names do not count, for somebody has picked them. With so few, name those that begin, judge by the shadow and the
closed loop, and go on with `rollout advance --force --reason`."""


def _all_of_production(phases: Sequence[PhaseForecast], confirmed: float) -> str:
    production = [each for each in phases if each.phase.name.startswith("production")]
    never = [each.phase.name for each in production if each.days is None]
    if never:
        whose = f"the gates of {', '.join(never)}"
        return f"Production takes for ever if {confirmed:.0%} are confirmed: {whose} never pass."
    days = sum(each.days for each in production if each.days is not None)
    return f"All of production takes {_days(days)} if {confirmed:.0%} are confirmed."


def _phases(phases: tuple[PhaseForecast, ...]) -> Table:
    table = bare_table()
    for name in ("Phase", "At", "A day", "Takes", "Days", "", "Decided by"):
        table.add_column(name, justify="left" if name in {"Phase", "Decided by", ""} else "right", no_wrap=True)
    longest = max((each.days or 0.0 for each in phases), default=1.0)
    for each in phases:
        bar = "#" * max(1, round(_BAR * each.days / longest)) if each.days else ""
        table.add_row(
            each.phase.name,
            f"{each.restaurants:g}",
            f"{each.bookings_a_day:g}",
            "never" if each.bookings is None else f"{each.bookings:,}",
            "" if each.days is None else f"{math.ceil(each.days):,}",
            bar,
            each.decided_by,
        )
    return table


def _margin(margin: float, a_day: float) -> dict[str, Any]:
    once, ever = bookings_for_one_look(margin, _RATE), bookings_to_compare(margin, _RATE)
    return {
        "margin": margin,
        "one_look": once,
        "one_look_days": math.ceil(once / a_day),
        "any_look": ever,
        "any_look_days": None if ever is None else math.ceil(ever / a_day),
    }


def _sentence(found: dict[str, Any]) -> str:
    points = f"{100 * found['margin']:g} point{'' if found['margin'] == min(MARGINS) else 's'}"
    once = f"{found['one_look']:,} a side: {_days(found['one_look_days'])} for one look"
    return f"{points:>9}: {once}, {found['any_look']:,}: {_days(found['any_look_days'])} for looking at any time"


def _days(days: float) -> str:
    return count(math.ceil(days), "day")


def _document(found: PhaseForecast) -> dict[str, Any]:
    return {
        "phase": found.phase.name,
        "restaurants": found.restaurants,
        "bookings_a_day": found.bookings_a_day,
        "bookings": found.bookings,
        "decided_by": found.decided_by,
        "days": found.days,
    }
