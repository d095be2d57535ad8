"""``assign``: a real day, from a file."""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from assignment_pipeline.cli.database import Database, OwnHost, OwnStore
from assignment_pipeline.cli.day import report
from assignment_pipeline.cli.day.json_file import shown
from assignment_pipeline.cli.day.run import Day, assign_day, document, look_at
from assignment_pipeline.cli.day.service_file import FROM_FILE, Service, read_service
from assignment_pipeline.cli.failures import GOOD, NO, refuse
from assignment_pipeline.cli.output import print_json, progress, stdout
from assignment_pipeline.cli.sqlite_file import SQLiteFile
from assignment_pipeline.cli.wiring import JsonOption, KeepingOption, OwnCoordinator, Workplace, standalone
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.exact import EXTRA, PACKAGE, available

EXACT = Settings(replay=True, max_retries=0)
"""Nothing comes free between two attempts, so one is enough."""

REPLAY = attrs.evolve(EXACT, repack_budget=EXACT.reseat_budget)
"""A few moves at most: a full day has hundreds of refusals, and proving each takes its time."""
EVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def assign(
    service_file: Annotated[
        Path, typer.Argument(metavar="SERVICE.json", help="A restaurant, its tables and the bookings of a day.")
    ],
    db: KeepingOption = None,
    timeline: Annotated[bool, typer.Option("--timeline", help="Also show the seating plan over time.")] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Search for an exact solution. Needs the extra optimize.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """
    Assign a day's bookings, in the file's order.

    The clock is ignored: bookings in the past are assigned too. A second run over the
    same database continues where the first one stopped, and changes nothing on a
    finished day. Without --db, nothing is stored.

    Exits with 0 if every booking is settled. A booking in manual review is settled.
    """
    if exact and not available():
        refuse("--exact", f"the extra {EXTRA}", f"{PACKAGE} is not installed")
    service = read_service(service_file)
    started = time.monotonic()
    with workplace(db, EXACT if exact else REPLAY) as (coordinator, store, host):
        put(store, host, service, str(service_file))
        day = run(coordinator, store, service)
        took = dt.timedelta(seconds=time.monotonic() - started)
        if as_json:
            print_json(document(day, took))
        else:
            report.show_day(stdout(), coordinator, day, took, timeline=timeline)
    raise typer.Exit(GOOD if day.is_done else NO)


@contextlib.contextmanager
def workplace(db: Database | None, settings: Settings = REPLAY) -> Iterator[Workplace]:
    """A coordinator on the database that was named, or on one for the length of the block."""
    if db is not None:
        db.prepare()
        with standalone(db, settings) as wired:
            yield wired
    else:
        with tempfile.TemporaryDirectory(prefix="assignment-pipeline-") as folder:
            day = SQLiteFile(Path(folder, "day.sqlite3"))
            day.prepare()
            with standalone(day, settings, synchronous="OFF") as wired:
                yield wired


def put(store: OwnStore, host: OwnHost, service: Service, source: str) -> None:
    """
    Have the host know the day, in one transaction. How bookings stand that it knows already is left alone.

    Raises:
        BadInputError: A booking's id belongs to another restaurant there.
    """

    def write(connection: Any) -> None:
        host.put_venue(connection, service.venue)
        for index, booking in enumerate(service.bookings):
            known = host.booking(connection, booking.id)
            if known is not None and known.restaurant_id != booking.restaurant_id:
                where = f"{source}: bookings[{index}].id"
                got = f"{shown(booking.id)}, which is a booking of {shown(known.restaurant_id)} there"
                refuse(where, "an id that is free in the database", got)
            host.put_booking(connection, booking)

    store.write(write)
    _close_tables(store, service)


def _close_tables(store: OwnStore, service: Service) -> None:
    """Have those tables out of service that the file says are; what people have blocked is left alone."""
    wanted = {block.id for block in service.blocks}
    known = store.blocked(service.venue.id, EVER)
    ended = [block for block in known if block.actor == FROM_FILE and block.id not in wanted]
    if ended:
        store.unblock(ended, ())
    if service.blocks:
        store.block(service.blocks, ())


def run(coordinator: OwnCoordinator, store: OwnStore, service: Service) -> Day:
    """Assign a day that the store knows, with a progress bar, and look at it."""
    with progress(len(service.bookings)) as advance:
        assign_day(coordinator, store, service, tell=lambda _: advance())
    return look_at(store, service)
