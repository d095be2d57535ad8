"""``demo``: an evening that never was, from the first booking to the last table."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import Annotated

import typer

from assignment_pipeline.cli.assign import put, run, workplace
from assignment_pipeline.cli.day import report
from assignment_pipeline.cli.day.evening import BOOKINGS, evening, upcoming_saturday
from assignment_pipeline.cli.day.service_file import service_document
from assignment_pipeline.cli.failures import GOOD, NO, refuse
from assignment_pipeline.cli.moments import read_date
from assignment_pipeline.cli.output import stdout
from assignment_pipeline.cli.wiring import KeepingOption

FIRST_YEAR, LAST_YEAR = 1973, 9997


def demo(
    db: KeepingOption = None,
    seed: Annotated[int, typer.Option("--seed", help="The seed of the random generator.")] = 1,
    bookings: Annotated[int, typer.Option("--bookings", min=1, max=2000, help="The number of bookings.")] = BOOKINGS,
    date: Annotated[
        str | None,
        typer.Option("--date", metavar="YYYY-MM-DD", help="The date of the evening. The default is the next Saturday."),
    ] = None,
    service_file: Annotated[
        bool, typer.Option("--service-file", help="Print the evening as a SERVICE.json file and exit.")
    ] = False,
) -> None:
    """
    Seat an invented evening and show the seating plan.

    A restaurant with 36 tables and a counter on a busy Saturday, with some bookings that cannot be
    seated. The same seed makes the same evening.
    """
    day_of = read_date("--date", date) if date else upcoming_saturday(dt.datetime.now().astimezone().date())
    if not FIRST_YEAR <= day_of.year <= LAST_YEAR:
        refuse("--date", f"a date in the years {FIRST_YEAR} to {LAST_YEAR}", str(day_of))
    service = evening(day_of, seed=seed, bookings=bookings)
    if service_file:
        print(json.dumps(service_document(service), indent=2))
        return
    started = time.monotonic()
    with workplace(db) as (coordinator, store, host):
        put(store, host, service, "demo")
        day = run(coordinator, store, service)
        took = dt.timedelta(seconds=time.monotonic() - started)
        report.show_day(stdout(), coordinator, day, took, timeline=True)
    raise typer.Exit(GOOD if day.is_done else NO)
