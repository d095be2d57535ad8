"""A run: bookings come, things go wrong, and in the end everything has to be right."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.lifecycle import SETTLED, AssignmentState
from assignment_pipeline.testing.checker import Tables, check, read
from tests.torture.agenda import Agenda
from tests.torture.driver import Driver
from tests.torture.fleet import Fleet, Member
from tests.torture.leaks import leaks
from tests.torture.ledger import MODE_EVENT, Answers, out_of_turn
from tests.torture.options import Options
from tests.torture.outages import Outages
from tests.torture.place import TAKEN
from tests.torture.report import Report
from tests.torture.worker import LOCK_TTL, Orders

EVERY = {
    "kill": 1.0,
    "stop": 3.0,
    "terminate": 1.2,
    "restart": 25.0,
    "broker": 10.0,
    "flush": 3.0,
    "pause": 11.0,
    "redis": 17.0,
    "away": 3.0,
    "restore": 2.0,
    "flags": 4.0,
    "blocks": 1.5,
    "staff": 1.0,
}
"""Seconds from one to the next, on average."""

CANCELLED, CHANGED = 0.12, 0.15
"""How many of the bookings are cancelled, and changed."""

OFTEN = 12
"""Checks in a run, besides the last."""

SETTLING = 60.0
"""Seconds in which fewer bookings have to be waiting than before, until none is."""

MODE_EVENTS = (
    "SELECT event_type, restaurant_id, booking_id, context FROM assignment_pipeline.observability_events"
    " WHERE event_type IN (%s, 'booking.assignment_state_transition') ORDER BY "
)


class Run:
    """
    One run.

    Args:
        options: What it is told.

        say: What is called with a line now and then.
    """

    def __init__(self, options: Options, say: Callable[[str], None] = lambda _: None) -> None:
        self._options = options
        self._say = say
        self._chance = random.Random(options.seed)
        self._report = Report()
        self._timers: list[threading.Timer] = []
        self._came = 0

    def __call__(self) -> Report:
        """
        Run, and leave nothing behind.

        Raises:
            LookupError: A server or a package is missing.

            MissingExtraError: A package of an extra is.
        """
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
            self._servers = Outages(self._options, stack, folder, self._chance, self._report.counts)
            self._place = self._servers.place
            self._place.prepare()
            self._driver = Driver(self._place, self._options.restaurants, self._options.bookings, self._chance)
            stack.callback(self._driver.close)
            if "flags" in self._options.faults:
                self._driver.move_rollout({})
            self._log = folder / "answers"
            sender = stack.enter_context(contextlib.closing(self._place.open_sender()))
            self._fleet = Fleet(self._orders, self._options.workers, sender)
            stack.callback(self._fleet.close)
            self._plan()
            self._go_on()
            self._come_to_rest()
            self._judge()
        self._report.seconds = time.monotonic() - started
        return self._report

    def _orders(self, number: int) -> Orders:
        options = self._options
        return Orders(
            number=number,
            place=self._place,
            restaurants=options.restaurants,
            threads=options.threads,
            ahead=self._chance.uniform(-300, 300) if "clocks" in options.faults else 0.0,
            flags="flags" in options.faults,
            seed=self._chance.randrange(2**32),
            log=str(self._log),
        )

    # -- The agendas ----------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Who waits for a commit of somebody who is stopped must not keep others from being killed: three agendas."""
        options = self._options
        self._guests, self._demons, self._outages = (Agenda(random.Random(self._chance.random())) for _ in range(3))
        self._guests.often(min(1.0, options.seconds / 10), self._take)
        self._guests.often(max(2.0, options.seconds / OFTEN), self._check)
        self._demons.often(1.0, self._look_after_workers)
        actions = {
            self._guests: {"flags": self._flip, "blocks": self._block, "staff": self._walk_in},
            self._demons: {"kill": self._kill, "stop": self._stop, "terminate": self._servers.terminate},
            self._outages: {
                "restart": self._servers.restart,
                "broker": self._servers.restart_broker,
                "flush": self._servers.flush,
                "pause": self._servers.pause,
                "redis": self._servers.restart_redis,
                "away": self._servers.move_file_away,
                "restore": self._servers.restore_file,
            },
        }
        for agenda, named in actions.items():
            for name in named.keys() & options.faults:
                agenda.often(min(EVERY[name], options.seconds / 4), named[name])

    def _go_on(self) -> None:
        """Do all of it, until it is time."""
        seconds = self._options.seconds
        self._ends_at = time.monotonic() + seconds
        self._begins_at = self._ends_at - 1.1 * seconds  # A tenth of the bookings come while all is still well.
        self._take()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            others = [pool.submit(agenda.run, self._ends_at) for agenda in (self._demons, self._outages)]
            try:
                self._guests.run(self._ends_at)
            finally:
                self._demons.stop()
                self._outages.stop()
            for other in others:
                other.result()

    # -- What happens ---------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """As many bookings as should have come by now, which then all want their tables at once."""
        options, passed, came = self._options, time.monotonic() - self._begins_at, []
        while self._came < min(options.bookings, options.bookings * passed / (options.seconds * 0.95)):
            if time.monotonic() > self._ends_at:
                break
            came.append(self._driver.take())
            self._came += 1
        soon = min(5.0, options.seconds / 4)
        for booking in came:
            self._send("assign", booking)
            if "change" in options.faults and self._chance.random() < CHANGED:
                self._guests.later(self._chance.uniform(0, soon), functools.partial(self._change, booking))
            if "cancel" in options.faults and self._chance.random() < CANCELLED:
                self._guests.later(self._chance.uniform(0, soon), functools.partial(self._cancel, booking))

    def _send(self, kind: str, booking: Booking) -> None:
        holds = booking.restaurant_id == "r-1"
        message: dict[str, Any] = {"kind": kind, "booking": booking.id, "restaurant": booking.restaurant_id}

        def deliver() -> None:
            self._report.counts["deliveries"] += 1
            self._fleet.send(self._fleet.anyone(self._chance), **message, holds=holds)

        deliver()
        if "twice" in self._options.faults:
            self._guests.later(self._chance.choice((0.0, self._chance.uniform(0, 2))), deliver)

    def _change(self, booking: Booking) -> None:
        if self._driver.change(booking.id):
            self._report.counts["changes"] += 1
            self._send("reassign", booking)

    def _cancel(self, booking: Booking) -> None:
        self._report.counts["cancellations"] += 1
        if not self._driver.cancel(booking.id, booking.restaurant_id):
            self._send("cancel", booking)

    def _someone(self) -> Member:
        """Any worker; half of the time one that is committing just now."""
        session = self._servers.who_commits() if self._chance.random() < 0.5 else None
        found = self._fleet.called(session) if session is not None else None
        return found or self._fleet.anyone(self._chance)

    def _kill(self) -> None:
        self._report.counts["kills"] += self._fleet.kill(self._someone())

    def _stop(self) -> None:
        member = self._someone()
        if not member.stopped and self._fleet.stop(member):
            self._report.counts["stops"] += 1
            span = LOCK_TTL.total_seconds() * self._chance.uniform(1.2, 2.5)
            timer = threading.Timer(span, functools.partial(self._fleet.resume, member))
            timer.start()  # Whatever the agendas wait for: it may be for that.
            self._timers.append(timer)

    def _look_after_workers(self) -> None:
        self._report.add("workers_end_when_they_are_told", self._fleet.dead())

    def _flip(self) -> None:
        self._driver.move_rollout(self._driver.some_modes())
        self._report.counts["flips"] += 1

    def _block(self) -> None:
        self._driver.block()
        self._report.counts["blocks"] += 1
        self._guests.later(self._chance.uniform(2, 8), self._driver.unblock)

    def _walk_in(self) -> None:
        self._report.counts["walk-ins"] += self._driver.walk_in()

    # -- The end --------------------------------------------------------------------------------------------------

    def _come_to_rest(self) -> None:
        """No more faults: what the workers were sent they do, and the sweep does the rest."""
        for timer in self._timers:
            timer.join()
        self._servers.end()
        if "flags" in self._options.faults:
            self._driver.move_rollout({})
        self._report.add("workers_end_when_they_are_asked", self._fleet.dismiss())
        self._driver.cancel_again()
        self._report.add("sweeps_raise_nothing", self._driver.sweep())
        self._check()
        self._settle()

    def _settle(self) -> None:
        """Let minutes pass, and sweep, until nothing is due any more; it has to get on with that."""
        fewest, deadline = sys.maxsize, time.monotonic() + SETTLING
        while waiting := self._driver.hurry():
            self._say(f"       {waiting:,} bookings are not at rest")
            if waiting < fewest:
                fewest, deadline = waiting, time.monotonic() + SETTLING
            if time.monotonic() > deadline:
                self._report.add("everything_comes_to_rest", [f"{waiting} bookings do not"])
                return
            self._report.add("sweeps_raise_nothing", self._driver.sweep())

    def _look(self) -> Tables:
        return read(self._place.at, taken=TAKEN)

    def _check(self) -> None:
        """Look at the tables as they are."""
        with contextlib.suppress(ValueError):  # The server is away.
            tables = self._look()
            for name, lines in check(tables).items():
                self._report.add(name, lines)
            self._report.counts["checks"] += 1
            passed = self._options.seconds - self._ends_at + time.monotonic()
            self._say(f"{passed:5.0f} s: {len(tables.records):,} records, {len(self._report.broken)} broken")

    def _judge(self) -> None:
        """Look at everything, once it is at rest."""
        report, ledger = self._report, self._driver.ledger
        self._check()
        tables = self._look()
        report.answers = Answers.read(self._log)
        report.add("no_booking_is_lost", list(ledger.lost(tables)))
        report.add("who_is_cancelled_stays_so", list(ledger.revived(tables)))
        report.add("answers_are_true", list(report.answers.untrue(tables)))
        report.add("nothing_unexpected_is_raised", report.answers.surprises)
        report.add("nothing_is_leaked", leaks(self._place))
        report.add("the_store_is_used_soon_after_it_is_back", self._servers.late)
        if "flags" in self._options.faults:
            report.add("only_who_is_in_charge_seats", list(out_of_turn(self._mode_events())))
        self._count(tables)

    def _mode_events(self) -> list[dict[str, Any]]:
        order = "position" if self._place.is_postgres else "rowid"
        names = ("event_type", "restaurant_id", "booking_id", "context")
        rows = self._driver.rows(MODE_EVENTS + order, MODE_EVENT)
        found = [dict(zip(names, row, strict=True)) for row in rows]
        for event in found:
            if isinstance(event["context"], str):
                event["context"] = json.loads(event["context"])
        return found

    def _count(self, tables: Tables) -> None:
        counts = self._report.counts
        counts["bookings"] = len(self._driver.ledger.submitted)
        states = Counter(record["state"] for record in tables.records)
        counts.update({state.value: states[state] for state in AssignmentState if state in SETTLED})
        counts["legacy"] = len({row["booking_id"] for row in tables.taken if row["booking_id"]})
        counts["commits"] = len({row["change_id"] for row in tables.history})
        counts["messages lost"] = self._fleet.lost_messages
