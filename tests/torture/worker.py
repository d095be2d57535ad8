"""A worker: a process that gets messages, and sweeps."""

from __future__ import annotations

import datetime as dt
import functools
import json
import logging
import os
import random
import signal
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

import attrs

from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.result import AssignmentResult, Mode, Outcome
from assignment_pipeline.errors import BookingNotFoundError, CommitUnknownError, StoreUnavailableError
from assignment_pipeline.flow.settings import Confirmation, Settings
from assignment_pipeline.rollout.flags import FixedFlags, StoreFlags
from tests.torture.place import WORKERS, Place
from tests.torture.staff import Staff
from tests.torture.town import venues

LOCK_TTL = dt.timedelta(seconds=1)
PARALLEL = 4
REFRESH = 0.3
SWEEP_EVERY = 0.5
SWEEP_MOST = 25
UNAVAILABLE = (StoreUnavailableError.__name__, CommitUnknownError.__name__)
"""What a store may raise while it is away."""

UNCONFIRMED = 0.15
"""How many of the holds nobody confirms."""


def settings(**how: Any) -> Settings:
    """Patience in seconds where a restaurant's is in minutes, so that there is time for everything to happen."""
    second = dt.timedelta(seconds=1)
    return Settings(
        lock_ttl=LOCK_TTL,
        backoff=second / 5,
        max_backoff=second,
        rate_retry=second / 5,
        outage_retry=second / 2,
        hold_ttl=3 * second,
        handover_timeout=5 * second,
        orphan_after=2 * second,
        repack_budget=second / 20,
        max_retries=3,
        **how,
    )


@attrs.frozen(kw_only=True)
class Orders:
    """
    What a worker is started with.

    Attributes:
        number: Which of all it is.

        place: Where everything is.

        restaurants: How many there are.

        threads: How many messages it works on at a time.

        ahead: Seconds that its clock is ahead of the machine's.

        flags: Whether it asks the database what the rollout says; else it is in charge everywhere.

        seed: What it draws by.

        log: The file to which it says what it has answered.
    """

    number: int
    place: Place
    restaurants: int
    threads: int
    ahead: float
    flags: bool
    seed: int
    log: str


class AheadClock:
    """This machine's clock, as somebody has set it who was not careful."""

    def __init__(self, ahead: float) -> None:
        self._ahead = dt.timedelta(seconds=ahead)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self._ahead

    def monotonic(self) -> float:
        return time.monotonic()


class Worker:
    """
    What a worker process does.

    Args:
        orders: What it was started with.

        pipe: What the driver writes to, and closes.
    """

    def __init__(self, orders: Orders, pipe: Connection) -> None:
        self._chance = random.Random(orders.seed)
        self._log = os.open(orders.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        who = f"{WORKERS}-{orders.number}"
        self._inbox = orders.place.open_inbox(who, pipe)
        self._store = orders.place.open_store(who)
        self._locks = orders.place.open_locks(who)
        self._flags = StoreFlags(self._store, refresh=REFRESH) if orders.flags else None
        known = {venue.id: venue for venue in venues(orders.restaurants)}
        ports: dict[str, Any] = {
            "flags": self._flags or FixedFlags(Mode.ACTIVE, max_parallel=PARALLEL),
            "locks": self._locks,
            "limiter": self._locks,
            "sinks": (self._store,),
            "clock": AheadClock(orders.ahead),
            "legacy": Staff(orders.place, self._store, known).seat if orders.place.staff else None,
        }
        self._at_once = Coordinator(self._store, settings=settings(), **ports)
        self._holding = Coordinator(self._store, settings=settings(confirmation=Confirmation.EXTERNAL), **ports)
        self._stopping = threading.Event()
        jobs = [functools.partial(self._guarded, "inbox", self._work)] * orders.threads + [self._sweep]
        self._threads = [threading.Thread(target=job, daemon=True) for job in jobs]

    def run(self) -> None:
        """Work until no more is sent, and what was sent is done."""
        for thread in self._threads:
            thread.start()
        self._inbox.wait()
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if self._flags is not None:
            self._flags.close()
        self._at_once.close()
        self._holding.close()
        self._locks.close()
        self._store.close()

    def _say(self, **facts: Any) -> None:
        os.write(self._log, (json.dumps(facts) + "\n").encode())

    def _work(self) -> None:
        for message in self._inbox.messages():
            self._guarded(message["kind"], functools.partial(self._do, message))

    def _sweep(self) -> None:
        time.sleep(self._chance.uniform(0, SWEEP_EVERY))
        while not self._stopping.wait(SWEEP_EVERY):
            self._guarded("sweep", self._sweep_once)

    def _sweep_once(self) -> None:
        report = self._at_once.sweep(limit=SWEEP_MOST)
        for result in report.results:
            self._answered(result)
        for booking_id, error in report.errors:
            if error.startswith(UNAVAILABLE):
                self._say(missed="sweep of one", why=error.partition(":")[0])
            else:
                self._say(surprise=f"sweep of {booking_id}: {error}")

    def _guarded(self, kind: str, call: Any) -> None:
        try:
            call()
        except (StoreUnavailableError, CommitUnknownError, BookingNotFoundError) as error:
            self._say(missed=kind, why=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever else is raised is what the run looks for
            self._say(surprise=f"{kind}: {type(error).__name__}: {error}", trace=traceback.format_exc())

    def _do(self, message: dict[str, Any]) -> None:
        kind, booking_id, restaurant_id = message["kind"], message["booking"], message["restaurant"]
        coordinator = self._holding if message.get("holds") else self._at_once
        if kind == "cancel":
            self._answered(coordinator.cancel(booking_id, restaurant_id))
        elif kind == "assign" and self._chance.random() < 0.5:
            self._assigned(coordinator, coordinator.assign_id(booking_id, restaurant_id))
        else:
            booking = self._store.booking(booking_id)
            if booking is None:
                raise BookingNotFoundError(booking_id)
            if kind == "assign":
                self._assigned(coordinator, coordinator.assign(booking))
            else:
                self._answered(coordinator.reassign(booking, keep=self._chance.random() < 0.5))

    def _assigned(self, coordinator: Coordinator, result: AssignmentResult) -> None:
        self._answered(result)
        if result.outcome is Outcome.ASSIGNED and self._chance.random() > UNCONFIRMED:
            time.sleep(self._chance.uniform(0, 0.2))
            self._answered(coordinator.confirm(result.booking_id))

    def _answered(self, result: AssignmentResult) -> None:
        record = result.record
        facts: dict[str, Any] = {"outcome": result.outcome, "reason": result.reason, "booking": result.booking_id}
        if record is not None:
            facts.update(state=record.state, version=record.version, tables=record.tables)
        self._say(**facts)


def main(orders: Orders, pipe: Connection) -> None:
    """Be a worker. What a terminal's Ctrl-C means is the driver's to say."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable()  # What the pool has to say of lost connections is no news.
    Worker(orders, pipe).run()
