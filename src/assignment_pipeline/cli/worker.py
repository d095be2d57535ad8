"""``worker``: what is due, for as long as it runs."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import Annotated

import typer

from assignment_pipeline.cli.database import Database
from assignment_pipeline.cli.failures import BAD_INPUT, GOOD, NO, raised
from assignment_pipeline.cli.output import print_line
from assignment_pipeline.cli.supervisor import Stop, Supervisor
from assignment_pipeline.cli.sweep import document, sentences
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption, opened
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.errors import STORE_DOWN, SchemaMismatchError, StoreUnavailableError
from assignment_pipeline.redaction import printable, redacted
from assignment_pipeline.rollout.shadow import Runs

DAYS_EVERY = 600.0
"""Seconds between two looks for service days that are over."""


def worker(
    processes: Annotated[int, typer.Option("--processes", min=1, max=256, help="The number of processes.")] = 1,
    interval: Annotated[
        float, typer.Option("--interval", min=0.01, max=3600, help="Seconds between two sweeps while nothing is due.")
    ] = 2.0,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="The largest number of bookings in one sweep.")
    ] = 20,
    once: Annotated[bool, typer.Option("--once", help="Stop when nothing is due.")] = False,
    grace: Annotated[
        float, typer.Option("--grace", min=0, help="Seconds that a stopped worker gets to finish its bookings.")
    ] = 30.0,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Process due bookings from the database until stopped. Runs `sweep` in a loop.

    The first SIGTERM or Ctrl-C lets the worker finish its bookings. The second one stops it at once. A process that
    dies is replaced, and its bookings are due again in a minute. With --once, exits with 1 if a booking raised.
    """
    if once:
        raise typer.Exit(_once(app, db, limit, grace, as_json=as_json))
    # Here too, where the processes only start then: what is wrong is said once. A database that is away, they wait for.
    with opened(app, db) as coordinator, contextlib.suppress(StoreUnavailableError):
        coordinator.store.check_schema()
    supervisor = Supervisor(_work, (app, db, interval, limit, as_json), _say, grace)
    raise typer.Exit(supervisor.run(processes))


def _work(app: str | None, db: Database | None, interval: float, limit: int, as_json: bool) -> None:
    """One of the processes."""
    try:
        _work_on(app, db, interval, limit, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - an application's code may raise anything, and quote a guest
        _say(raised(error))
        sys.exit(NO)


def _work_on(app: str | None, db: Database | None, interval: float, limit: int, *, as_json: bool) -> None:
    stop = Stop()
    with opened(app, db) as coordinator:
        looks = _Looks(coordinator, limit, as_json=as_json)
        while not stop:
            try:
                busy = looks.again()
            except StoreUnavailableError as error:
                busy = False
                _say(redacted(error))
            except SchemaMismatchError as error:  # Another process would find the same.
                _say(redacted(error))
                sys.exit(BAD_INPUT)
            if not busy:
                stop.wait(interval)


def _once(app: str | None, db: Database | None, limit: int, grace: float, *, as_json: bool) -> int:
    """All that is due, in this process; the exit code."""
    with Stop() as stop, stop.at_the_latest(grace, _give_up), opened(app, db) as coordinator:
        looks = _Looks(coordinator, limit, as_json=as_json)
        while not stop and looks.again():
            pass
        return NO if looks.failed else GOOD


class _Looks:
    """
    One look after another at what is due.

    Attributes:
        failed: Whether a booking has made one of them raise.
    """

    def __init__(self, coordinator: Coordinator, limit: int, *, as_json: bool) -> None:
        self.failed = False
        self._coordinator = coordinator
        self._limit = limit
        self._as_json = as_json
        self._raised: frozenset[tuple[str, str]] = frozenset()
        self._days_at = time.monotonic()

    def again(self) -> bool:
        """Look once, and say what was done; whether there may be more at once."""
        done = self._coordinator.sweep(limit=self._limit)
        if done.results or done.enqueued or done.errors:
            for line in [document(done)] if self._as_json else sentences(done):
                print_line(line)
        before, self._raised = self._raised, frozenset(done.errors)
        self.failed = self.failed or bool(done.errors)
        # A booking that cannot be enqueued is found again at once, and fails again.
        compared = self._compare()
        self._compare_days()
        return bool(done.results or compared or self._raised - before)

    def _compare(self) -> int:
        """Run some of the shadow cases that wait for a worker; returns how many."""
        shadow = self._coordinator.shadow
        return shadow.work(self._limit) if shadow is not None and shadow.settings.runs is Runs.WORKER else 0

    def _compare_days(self) -> None:
        """Compare the service days of the shadow that are over, every ten minutes: the gates count them."""
        shadow = self._coordinator.shadow
        if shadow is not None and hasattr(self._coordinator.store, "events_of") and time.monotonic() >= self._days_at:
            self._days_at = time.monotonic() + DAYS_EVERY
            try:
                shadow.compare_days()
            except STORE_DOWN:
                raise
            except Exception as error:  # noqa: BLE001 - nobody waits longer for a table because a day cannot be compared
                _say(f"service days are not compared: {raised(error)}")


def _give_up() -> None:
    """End this process in the middle of its work, which is due again in a minute."""
    _say("still at work: ended")
    os._exit(NO)


def _say(line: str) -> None:
    print(f"worker {os.getpid()}: {printable(line)}", file=sys.stderr, flush=True)
