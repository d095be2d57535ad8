"""
Assignments per second on PostgreSQL, next to the bare floor: the same commit function, called with prepared documents.

    python -m benchmarks.postgres --workers 1 4 16
    python -m benchmarks.postgres --db postgresql://... --rounds 10
    python -m benchmarks.postgres --flush 2
    python -m benchmarks.postgres --fight 100

The floor plans nothing, loads nothing and decides nothing: it is what an assignment costs if all that the library does
is left out. Both write the same rows, at restaurants and in bookings of their own, in slices of the same run that take
turns, with a flush for each commit. Without ``--db``, a server is found or started as for the tests. On a virtual disk
that only says that it has flushed, ``--flush`` has each flush take as long as on a real one.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime as dt
import itertools
import multiprocessing
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import psycopg

from assignment_pipeline import Coordinator, Mode, Outcome
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost, init
from assignment_pipeline.adapters.postgres.codec import commit_facts, document
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import FloorPlan, Table
from assignment_pipeline.domain.policy import VenuePolicy
from assignment_pipeline.domain.record import AssignmentChange, in_order
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.rollout.flags import FixedFlags
from tests.servers.postgres import EMBEDDED, database, embedded, server

FLOOR, PIPELINE = "floor", "pipeline"
COMMIT = "SELECT assignment_pipeline.commit(%s)"
RESTAURANTS = 40
"""Of each worker, for each of the two: nobody waits for anybody's lock."""

WARM = 50
MOST = 4_000
"""Documents for so many a second, of all workers: more than any machine so far has come to."""

DAYS = 30
CAPACITIES = (2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 6, 6, 6, 8, 8, 10)


def venue(name: str) -> Venue:
    """A restaurant with twenty tables, some of which can be joined."""
    tables = tuple(Table(f"T{number}", seats) for number, seats in enumerate(CAPACITIES, 1))
    adjacent = frozenset(frozenset((f"T{number}", f"T{number + 1}")) for number in range(1, 20, 2))
    return Venue(name, "Europe/Lisbon", FloorPlan(tables, adjacent), VenuePolicy(post_buffer_minutes=15))


def bookings(kind: str, worker: int, number: int) -> list[Booking]:
    """The bookings of a worker: a dozen for each evening, at one restaurant after the other."""
    draw = random.Random(worker)  # noqa: S311 - evenings, not secrets
    evening = dt.datetime.now(dt.UTC).replace(hour=18, minute=0, second=0, microsecond=0) + dt.timedelta(days=2)
    made = []
    for index in range(number):
        day = index // RESTAURANTS % DAYS
        start = evening + dt.timedelta(days=day, minutes=15 * draw.randrange(16))
        size = draw.choice((1, 2, 2, 2, 2, 3, 4, 4, 4, 5, 6))
        place = f"{kind}-{worker}-{index % RESTAURANTS}"
        made.append(Booking(f"{kind}-{worker}-{index}", place, size, start))
    return made


class Recorder(MemoryStore):
    """Keeps what is committed, as the document that PostgreSQL would get."""

    documents: list[str]

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        """Apply all of *changes*, one a booking, in one transaction, or none. See `AssignmentStore.commit`."""
        super().commit(changes)
        ordered = in_order(changes)
        facts = commit_facts(ordered)
        statuses = {change.record.booking_id: change.guest_status for change in ordered}
        facts |= {"now": None, "standalone": True}
        facts["guest_status"] = {key: status for key, status in statuses.items() if status is not None}
        self.documents.append(document(facts))


def prepared(worker: int, number: int) -> Iterator[str]:
    """The documents of the floor: what the pipeline commits for such bookings, in memory, as they are asked for."""
    venues = [venue(f"{FLOOR}-{worker}-{index}") for index in range(RESTAURANTS)]
    clock = SystemClock()
    store = Recorder(MemoryHost(*venues), clock=clock)
    store.documents = []
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
        for booking in bookings(FLOOR, worker, number):
            coordinator.assign(booking)
            yield from store.documents
            store.documents.clear()


def work(conninfo: str, worker: int, *, rounds: int, seconds: float, barrier: Any, results: Any) -> None:
    """One worker: a slice of the floor and a slice of the pipeline, round after round, all workers in step."""
    most = max(WARM, int(seconds * MOST / barrier.parties))
    number = WARM + rounds * most
    source = prepared(worker, number)
    documents = collections.deque(itertools.islice(source, WARM))
    waiting = iter(bookings(PIPELINE, worker, number))
    counted: collections.Counter[str] = collections.Counter()
    with (
        psycopg.connect(conninfo, autocommit=True, prepare_threshold=None) as connection,
        PostgresStore(conninfo, host=StandaloneHost(), pool_size=1) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        cursor = connection.cursor()

        def commit() -> None:
            answer = cursor.execute(COMMIT, (documents.popleft(),)).fetchone()
            assert answer == (None,), answer

        def assign() -> None:
            result = coordinator.assign(next(waiting))
            counted[result.outcome] += 1
            assert result.outcome is not Outcome.RETRY or result.reason == "no_fit", result

        for _ in range(WARM):  # What is done once is not counted.
            commit()
            assign()
        for turn in range(rounds):
            slices = [(FLOOR, commit), (PIPELINE, assign)]
            documents.extend(itertools.islice(source, most - len(documents)))
            for kind, do in slices if turn % 2 else reversed(slices):
                barrier.wait()
                times = []
                began = time.perf_counter()
                while (now := time.perf_counter()) - began < seconds:
                    do()
                    times.append(time.perf_counter() - now)
                results.put((turn, kind, len(times) / (time.perf_counter() - began), times))
    results.put((None, None, 0.0, [dict(counted)]))


@attrs.frozen
class Measured:
    """
    What some workers came to.

    Attributes:
        rates: Commits of the floor and assignments of the pipeline a second, by slice.

        times: The seconds of each.

        seated: The share of the bookings that got tables.
    """

    rates: Mapping[str, Sequence[float]]
    times: Mapping[str, Sequence[float]]
    seated: float

    @property
    def shares(self) -> list[float]:
        """What the pipeline came to, of the floor, slice by slice."""
        return [ours / floor for ours, floor in zip(self.rates[PIPELINE], self.rates[FLOOR], strict=True)]

    def rate(self, kind: str) -> float:
        """The median of a side, a second."""
        return statistics.median(self.rates[kind])

    def p99(self, kind: str) -> float:
        """The 99th percentile of a side, in milliseconds."""
        return sorted(self.times[kind])[int(len(self.times[kind]) * 0.99)] * 1e3


def show(workers: int, found: Measured) -> None:
    """Print a line of the table."""
    shares = found.shares
    print(
        f"{workers:7d} {found.rate(FLOOR):9.0f} /s {found.rate(PIPELINE):9.0f} /s {statistics.median(shares):7.0%}"
        f"  {min(shares):.0%}..{max(shares):.0%} {found.p99(FLOOR):8.1f} ms {found.p99(PIPELINE):8.1f} ms"
        f" {found.seated:8.1%}",
        flush=True,
    )


def measure(conninfo: str, workers: int, rounds: int, seconds: float) -> Measured:
    """Run that many workers."""
    init(conninfo, standalone=True)
    host = StandaloneHost()
    places = itertools.product((FLOOR, PIPELINE), range(workers), range(RESTAURANTS))
    venues = [venue(f"{kind}-{worker}-{index}") for kind, worker, index in places]
    with PostgresStore(conninfo, host=host) as store:
        store.write(lambda connection: [host.put_venue(connection, made) for made in venues])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.postgres"])  # What a worker imports is imported once.
    barrier, results = context.Barrier(workers), context.Queue()
    shared = {"rounds": rounds, "seconds": seconds, "barrier": barrier, "results": results}
    started = [context.Process(target=work, args=(conninfo, worker), kwargs=shared) for worker in range(workers)]
    for process in started:
        process.start()
    rates: dict[tuple[int, str], float] = collections.defaultdict(float)
    times: dict[str, list[float]] = collections.defaultdict(list)
    outcomes: collections.Counter[str] = collections.Counter()
    for _ in range(workers * (2 * rounds + 1)):
        turn, kind, rate, spent = results.get(timeout=300)
        if turn is None:
            outcomes.update(spent[0])
        else:
            rates[turn, kind] += rate
            times[kind] += spent
    for process in started:
        process.join()
        assert process.exitcode == 0
    sides = {kind: [rates[turn, kind] for turn in range(rounds)] for kind in (FLOOR, PIPELINE)}
    return Measured(sides, times, outcomes[Outcome.CONFIRMED] / outcomes.total())


def fight(conninfo: str, fighters: int, slots: int) -> None:
    """So many processes at once for one table, again and again, and how long they wait."""
    init(conninfo, standalone=True)
    host = StandaloneHost()
    one = Venue("one", "Europe/Lisbon", FloorPlan((Table("T1", 4),), frozenset()), VenuePolicy())
    with PostgresStore(conninfo, host=host) as store:
        store.write(lambda connection: host.put_venue(connection, one))
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(fighters), context.Queue()
    shared = {"slots": slots, "barrier": barrier, "results": results}
    started = [context.Process(target=take, args=(conninfo, number), kwargs=shared) for number in range(fighters)]
    for process in started:
        process.start()
    found = [results.get(timeout=300) for _ in started]
    for process in started:
        process.join()
        assert process.exitcode == 0
    times = sorted(took for spent, _ in found for took in spent)
    outcomes = sum((collections.Counter(told) for _, told in found), collections.Counter())
    assert outcomes[Outcome.CONFIRMED] == slots, outcomes
    with psycopg.connect(conninfo) as connection:
        statement = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        deadlocks = connection.execute(statement).fetchone()
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(
        f"{fighters} processes for one table, {slots} times: {told}; {deadlocks[0] if deadlocks else '?'} deadlocks;"
        f" median {statistics.median(times) * 1e3:.1f} ms, p99 {times[int(len(times) * 0.99)] * 1e3:.1f} ms"
    )


def take(conninfo: str, number: int, *, slots: int, barrier: Any, results: Any) -> None:
    """One of those."""
    start = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0) + dt.timedelta(days=2)
    times, told = [], []
    with (
        PostgresStore(conninfo, host=StandaloneHost(), pool_size=1) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE, max_parallel=20), sinks=()) as coordinator,
    ):
        coordinator.preview(Booking(f"look-{number}", "one", 2, start))
        for slot in range(slots):
            booking = Booking(f"{slot}-{number}", "one", 2, start + slot * dt.timedelta(hours=12))
            barrier.wait()
            began = time.perf_counter()
            told.append(coordinator.assign(booking).outcome)
            times.append(time.perf_counter() - began)
    results.put((times, told))


@contextlib.contextmanager
def somewhere(given: str | None, flush: float = 0.0) -> Iterator[str]:
    """A new database, on the server that was named or on any, whose commits are flushed, *flush* milliseconds late."""
    with contextlib.ExitStack() as stack:
        if given == EMBEDDED:
            given = stack.enter_context(embedded(fsync="on", shared_buffers="256MB"))
        at = given or stack.enter_context(server())
        conninfo = stack.enter_context(database(at))
        with psycopg.connect(conninfo, autocommit=True) as connection:
            name = connection.info.dbname
            settings = {"synchronous_commit": "on", "commit_delay": round(flush * 1000), "commit_siblings": 0}
            for setting, value in settings.items():
                connection.execute(f'ALTER DATABASE "{name}" SET {setting} = {value}')
        yield conninfo


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.postgres", description=__doc__.split("\n\n")[0])
    parser.add_argument("--db", help="a server, as libpq takes it; or embedded, for one of its own")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each slice")
    parser.add_argument("--flush", type=float, default=0.0, metavar="MS", help="that each flush takes longer")
    parser.add_argument("--fight", type=int, metavar="SLOTS", help="processes for one table, so many times")
    parser.add_argument("--fighters", type=int, default=8, help="how many processes fight")
    arguments = parser.parse_args()
    if arguments.fight:
        with somewhere(arguments.db, arguments.flush) as conninfo:
            fight(conninfo, arguments.fighters, arguments.fight)
        return
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores; workers are processes with a connection each")
    print("workers       floor     pipeline   ratio   worst..best  p99 floor p99 pipeline  seated")
    for workers in arguments.workers:
        with somewhere(arguments.db, arguments.flush) as conninfo:
            show(workers, measure(conninfo, workers, arguments.rounds, arguments.seconds))


if __name__ == "__main__":
    main()
