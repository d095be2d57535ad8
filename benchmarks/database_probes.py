"""More numbers for `benchmarks.all`: of PostgreSQL, of Celery, of memory, and of a day that is planned anew."""

from __future__ import annotations

import datetime as dt
import gc
import json
import operator
import resource
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from assignment_pipeline import Booking, Coordinator, FixedFlags, Mode, Settings
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.adapters.sqlite import SQLiteStore
from assignment_pipeline.adapters.sqlite import StandaloneHost as SQLiteHost
from assignment_pipeline.adapters.sqlite import init as init_sqlite
from benchmarks.probes import EVENING, SIZES, TURNS, dinner_at, evening, half_fill, one_more, restaurant

FLUSH = 2.0
"""Milliseconds that a flush takes longer than on this machine's virtual disk: as long as on a real one."""

PLACES, DUE = 40, 100

ASSIGNMENTS, FILLED, A_DAY = 20_000, 17_000, 10
"""
How many in all; after how many most caches are full, though the last one, of 16,384, takes 28,000; and how many a day.
The first of a day is assigned alone, the others together.
"""


def elapsed(work: Callable[[], object]) -> float:
    """The seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def normal() -> dict[str, float]:
    """An assignment on SQLite that may be lost in a power cut, next to one in memory: in turns."""
    with tempfile.TemporaryDirectory() as folder:
        path, host = Path(folder, "normal"), SQLiteHost()
        init_sqlite(path, standalone=True)
        with SQLiteStore(path, host=host, synchronous="NORMAL") as store:
            store.write(lambda connection: host.put_venue(connection, restaurant(60)))
            on_file = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=())
            in_memory = Coordinator.in_memory(restaurant(60), sinks=())
            times: dict[str, list[float]] = {"normal": [], "normal_memory": []}
            for coordinator in (on_file, in_memory):
                for booking in evening(40, "before"):
                    coordinator.assign(booking)
            for booking in evening(200, "timed"):
                for name, coordinator in (("normal", on_file), ("normal_memory", in_memory)):
                    times[name].append(elapsed(lambda made=coordinator, asked=booking: made.assign(asked)))
                    coordinator.cancel(booking.id)
    return {name: statistics.median(taken) * 1e3 for name, taken in times.items()}


# -- PostgreSQL ---------------------------------------------------------------------------------------------------


def postgres() -> dict[str, float]:
    """Two days of 200 bookings and twice a hundred bookings at forty restaurants, one by one and together."""
    from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost, init  # noqa: PLC0415 - an extra
    from benchmarks.postgres import somewhere  # noqa: PLC0415

    settings = Settings(orphan_after=dt.timedelta(microseconds=1))
    with somewhere(None, FLUSH) as conninfo:
        init(conninfo, standalone=True)
        host = StandaloneHost()
        with PostgresStore(conninfo, host=host) as store:
            places = [attrs.evolve(restaurant(20), id=f"r-{number}") for number in range(2, 2 + PLACES)]
            for venue in (restaurant(120), *places):
                store.write(lambda connection, venue=venue: host.put_venue(connection, venue))
            coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), settings=settings)

            def fall_due(bookings: Iterable[Booking]) -> None:
                for booking in bookings:
                    store.write(lambda connection, booking=booking: host.put_booking(connection, booking))
                    coordinator.enqueue(booking)

            # What is done once is not counted.
            for booking in _around("warm", days=3):
                coordinator.assign(booking)
            fall_due(_around("swept", days=4))
            coordinator.sweep(limit=DUE)

            def one_by_one(bookings: Iterable[Booking]) -> float:
                return elapsed(lambda: [coordinator.assign(booking) for booking in bookings])

            day = [attrs.evolve(booking, start_at=booking.start_at + dt.timedelta(days=1)) for booking in _day("many")]
            found = {
                "pg_one_by_one": one_by_one(_day("one")),
                "pg_assign_many": elapsed(lambda: coordinator.assign_many(day)),
                "pg_around": one_by_one(_around("alone", days=1)),
            }
            fall_due(_around("due", days=2))
            found["pg_sweep"] = elapsed(lambda: coordinator.sweep(limit=DUE))
    return found


def _day(name: str) -> list[Booking]:
    return evening(200, name)


def _around(name: str, days: int) -> list[Booking]:
    """A hundred bookings of one evening, at one restaurant after the other."""
    return [
        attrs.evolve(
            booking, restaurant_id=f"r-{2 + number % PLACES}", start_at=booking.start_at + dt.timedelta(days=days)
        )
        for number, booking in enumerate(evening(DUE, name))
    ]


def workers() -> dict[str, float]:
    """What one, four and sixteen workers come to, and how much of the bare commit function that is."""
    from benchmarks.postgres import PIPELINE, measure, somewhere  # noqa: PLC0415 - takes an extra

    found = {}
    for number in (1, 4, 16):
        with somewhere(None) as conninfo:
            measured = measure(conninfo, number, rounds=4, seconds=0.3)
        found[f"share_{number}"] = statistics.median(measured.shares) * 100
        found[f"rate_{number}"] = measured.rate(PIPELINE)
    return found


def availability() -> dict[str, float]:
    """The times of an evening, moves looked for, in assignments at a free table: where each waits for its store."""
    from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost, init  # noqa: PLC0415 - an extra
    from benchmarks.postgres import somewhere  # noqa: PLC0415

    found = {}
    for tables in (20, 60, 200):
        with tempfile.TemporaryDirectory() as folder:
            path, host = Path(folder, "evening"), SQLiteHost()
            init_sqlite(path, standalone=True)
            with SQLiteStore(path, host=host) as store:
                found[f"sqlite_moves_{tables}"] = _times_in_assigns(store, host, tables)
        with somewhere(None) as conninfo:
            init(conninfo, standalone=True)
            standalone = StandaloneHost()
            with PostgresStore(conninfo, host=standalone) as store:
                found[f"pg_moves_{tables}"] = _times_in_assigns(store, standalone, tables)
    return found


def _times_in_assigns(store: Any, host: Any, tables: int) -> float:
    store.write(lambda connection: host.put_venue(connection, dinner_at(tables, "auto")))
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
        draw = half_fill(coordinator, tables)
        asked, assigned = [], []
        for turn in range(TURNS):
            began = time.perf_counter()
            slots = coordinator.availability("r-1", EVENING.date(), SIZES).slots
            asked.append(time.perf_counter() - began)
            booking = one_more(draw, slots, turn)
            assigned.append(elapsed(lambda made=booking: coordinator.assign(made)))
    return statistics.median(asked) / statistics.median(assigned)


# -- Memory -------------------------------------------------------------------------------------------------------


def memory_of_a_worker() -> dict[str, float]:
    """What a process grows by in the last 3,000 of 20,000 assignments, and for a restaurant that it knows."""
    from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost, init  # noqa: PLC0415 - an extra
    from benchmarks.postgres import somewhere  # noqa: PLC0415

    with somewhere(None) as conninfo:
        init(conninfo, standalone=True)
        host = StandaloneHost()
        with PostgresStore(conninfo, host=host) as store:
            store.write(lambda connection: host.put_venue(connection, restaurant(60)))
            coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=())
            sizes = []
            for day in range(ASSIGNMENTS // A_DAY):
                first, *others = _bookings_of(day)
                coordinator.assign(first)
                coordinator.assign_many(others)
                if (day + 1) * A_DAY in {FILLED, ASSIGNMENTS}:
                    gc.collect()
                    sizes.append(_resident())
    return {
        "resident": sizes[1] / 2**20,
        "grown": (sizes[1] - sizes[0]) / 2**20,
        "idle": _bytes_of_a_restaurant() / 2**10,
    }


def _bookings_of(day: int) -> list[Booking]:
    """The bookings of a day."""
    starts = [EVENING + dt.timedelta(days=day, minutes=15 * (number % 17)) for number in range(A_DAY)]
    return [Booking(f"b-{day}-{number}", "r-1", 1 + number % 6, start) for number, start in enumerate(starts)]


def _resident() -> int:
    """The bytes that this process has in memory."""
    if sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _bytes_of_a_restaurant() -> float:
    """What a store keeps of a restaurant with sixty tables at which it has once seated somebody."""
    names = [f"r-{number}" for number in range(20)]
    store = MemoryStore(MemoryHost())
    coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=())
    (booking,) = evening(1, "first")

    def visit(name: str) -> None:
        store.host.put_venue(attrs.evolve(restaurant(60), id=name))
        coordinator.preview(attrs.evolve(booking, id=name, restaurant_id=name))

    visit("warm")
    tracemalloc.start()
    for name in names:
        visit(name)
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return kept / len(names)


def reoptimize() -> dict[str, float]:
    """A day of sixty tables within a second, and the same model for CP-SAT."""
    from benchmarks.anytime import points  # noqa: PLC0415 - takes extras

    names = {"HiGHS": "gap", "CP-SAT": "gap_cp_sat"}
    return {names[point.solver]: point.gap for point in points((180,), (1.0,))}


# -- Peers --------------------------------------------------------------------------------------------------------


def celery() -> dict[str, float]:
    """The task that assigns, next to one that does nothing."""
    from benchmarks.peers import celery_rates  # noqa: PLC0415 - takes extras
    from tests.servers.redis import server  # noqa: PLC0415

    with server() as url:
        assigned, nothing = celery_rates(f"{url.rpartition('/')[0]}/5", rounds=2).values()
    return {"celery": statistics.median(map(operator.truediv, assigned, nothing)) * 100}


def dbos() -> dict[str, float]:
    """Assignments, next to workflows."""
    from benchmarks.peers import thread_rates  # noqa: PLC0415 - takes extras

    assigned, workflows = thread_rates(1, rounds=2, seconds=1.0).values()
    return {"dbos": statistics.median(map(operator.truediv, assigned, workflows))}


PROBES: Mapping[str, Callable[[], dict[str, float]]] = {
    "normal": normal,
    "postgres": postgres,
    "workers": workers,
    "availability": availability,
    "memory_of_a_worker": memory_of_a_worker,
    "reoptimize": reoptimize,
    "celery": celery,
    "dbos": dbos,
}

if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]]()))
