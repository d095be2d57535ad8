"""The numbers that `benchmarks.all` takes of one build, each probe in a process of its own: a name in, JSON out."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import json
import math
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EVENING = dt.datetime(2031, 6, 6, 17, tzinfo=dt.UTC)


def imports() -> dict[str, float]:
    """Processor time beyond what the package stands on: attrs, transitions, asyncio and logging."""
    import logging  # noqa: F401, PLC0415 - what comes before is not counted

    import attrs  # noqa: F401, PLC0415
    import transitions  # noqa: F401, PLC0415

    began = time.process_time()
    import assignment_pipeline  # noqa: PLC0415

    alone = time.process_time() - began
    assignment_pipeline.Coordinator  # noqa: B018 - it is looked up, and so imported
    coordinator = time.process_time() - began
    state, trigger = assignment_pipeline.AssignmentState.CREATED, assignment_pipeline.Trigger.VERIFY
    assignment_pipeline.step(state, trigger)
    began = time.process_time()
    for _ in range(20_000):
        assignment_pipeline.step(state, trigger)
    step = (time.process_time() - began) / 20_000
    return {"import": alone * 1e3, "import_coordinator": coordinator * 1e3, "step": step * 1e6}


def restaurant(tables: int):  # noqa: ANN201 - the package is imported by who asks
    """Rows of five tables that join."""
    from assignment_pipeline import FloorPlan, Table, Venue  # noqa: PLC0415 - not before `imports` has counted it

    names = [f"T{number:03}" for number in range(tables)]
    joined = [(one, other) for number, (one, other) in enumerate(itertools.pairwise(names)) if number % 5 != 4]
    floor = FloorPlan([Table(name, (2, 2, 4, 4, 6)[number % 5]) for number, name in enumerate(names)], adjacent=joined)
    return Venue("r-1", "Europe/Paris", floor)


def evening(number: int, name: str) -> list:  # type: ignore[type-arg]
    """So many bookings, drawn by their name."""
    from assignment_pipeline import Booking  # noqa: PLC0415

    draw = random.Random(name)  # noqa: S311 - parties, not secrets
    sizes = (2, 2, 2, 3, 4, 4, 5, 6)
    return [
        Booking(f"{name}-{each}", "r-1", draw.choice(sizes), EVENING + dt.timedelta(minutes=15 * draw.randrange(17)))
        for each in range(number)
    ]


def memory() -> dict[str, float]:
    """An assignment in memory; each is cancelled again, so that the evening stays half full."""
    from assignment_pipeline import Coordinator  # noqa: PLC0415

    coordinator = Coordinator.in_memory(restaurant(60), sinks=())
    for booking in evening(40, "before"):
        coordinator.assign(booking)
    times = []
    for booking in evening(200, "timed"):
        began = time.thread_time()
        coordinator.assign(booking)
        times.append(time.thread_time() - began)
        coordinator.cancel(booking.id)
    (counted,) = evening(1, "counted")
    return {"calls": entered(lambda: coordinator.assign(counted)), "memory": statistics.median(times) * 1e6}


def entered(work: Callable[[], object]) -> int:
    """How many Python functions *work* enters; a generator counts each time that it goes on."""
    calls = 0

    def profile(_frame: object, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(profile)
    work()
    sys.setprofile(None)
    return calls


def for_asyncio() -> dict[str, float]:
    """The same for asyncio, over the same store, whose calls run in a worker thread."""
    from assignment_pipeline import AsyncCoordinator  # noqa: PLC0415

    async def run() -> list[float]:
        coordinator = AsyncCoordinator.in_memory(restaurant(60), sinks=())
        for booking in evening(40, "before"):
            await coordinator.assign(booking)
        times = []
        for booking in evening(200, "timed"):
            began = time.process_time()
            await coordinator.assign(booking)
            times.append(time.process_time() - began)
            await coordinator.cancel(booking.id)
        return times

    return {"asyncio": statistics.median(asyncio.run(run())) * 1e6}


def large() -> dict[str, float]:
    """330 bookings at 200 tables, with what is installed."""
    from assignment_pipeline import Coordinator  # noqa: PLC0415

    coordinator = Coordinator.in_memory(restaurant(200), sinks=())
    times = []
    for booking in evening(330, "large"):
        began = time.thread_time()
        coordinator.assign(booking)
        times.append((time.thread_time() - began) * 1e3)
    times.sort()
    return {"median_200": times[165], "p99_200": times[int(330 * 0.99)], "max_200": times[-1]}


def sqlite() -> dict[str, float]:
    """A day of 200 bookings on a file, each alone, in turns with a bare insert; and another day all together."""
    from assignment_pipeline import Coordinator, FixedFlags, Mode  # noqa: PLC0415
    from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init  # noqa: PLC0415

    clock, bare, alone = time.perf_counter, [], []
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder, "bare"), isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE bare (id TEXT PRIMARY KEY)")
        path, host = Path(folder, "days"), StandaloneHost()
        init(path, standalone=True)
        with SQLiteStore(path, host=host) as store:
            store.write(lambda connection: host.put_venue(connection, restaurant(120)))
            coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=())
            coordinator.preview(evening(1, "warm")[0])
            for number, booking in enumerate(evening(200, "alone")):
                began = clock()
                connection.execute("INSERT INTO bare VALUES (?)", (str(number),))
                then = clock()
                coordinator.assign(booking)
                bare.append(then - began)
                alone.append(clock() - then)
            tomorrow = [
                type(booking)(booking.id, booking.restaurant_id, booking.party_size, booking.start_at + dt.timedelta(1))
                for booking in evening(200, "together")
            ]
            began = clock()
            coordinator.assign_many(tomorrow)
            together = clock() - began
        connection.close()
    medians = {"bare": statistics.median(bare) * 1e3, "sqlite": statistics.median(alone) * 1e3}
    return {**medians, "one_by_one": sum(alone), "assign_many": together}


ARRIVALS = [EVENING + dt.timedelta(minutes=10 * number) for number in range(40)]
SIZES = range(1, 13)

EVENINGS = 8
TURNS = 5
"""How many evenings are drawn at each size, and how often the times of each are asked for."""


TIMES = ("", "_assign", "_first", "_preview", "_all")
"""What is appended to a name for each number of `times`."""


def availability() -> dict[str, float]:
    """An evening's times on a half-full floor, in turns with the decisions that it answers; at three sizes."""
    from assignment_pipeline import Coordinator  # noqa: PLC0415

    found = {}
    for tables in (20, 60, 200):
        for name, reseat in ((f"times_{tables}", "off"), (f"moves_{tables}", "auto")):
            numbers = times(tables, reseat) if hasattr(Coordinator, "availability") else [math.nan] * len(TIMES)
            found |= {f"{name}{key}": number for key, number in zip(TIMES, numbers, strict=True)}
    return found


def dinner_at(tables: int, reseat: str):  # noqa: ANN201 - the package is imported by who asks
    """That restaurant, where parties arrive every ten minutes for half the night."""
    from assignment_pipeline import ServicePeriod, Venue, VenuePolicy  # noqa: PLC0415

    local = [(start + dt.timedelta(hours=2)).time() for start in ARRIVALS]
    dinner = ServicePeriod("dinner", dt.time(19), dt.time(1, 40), arrivals=local, end_rule="arrive_by")
    policy = VenuePolicy(service_periods=[dinner], reseat=reseat)
    return Venue("r-1", "Europe/Paris", restaurant(tables).floor, policy)


def half_fill(coordinator: Any, tables: int, evening: int = 0) -> random.Random:
    """Seat parties until half of the tables are taken all evening; what drew them goes on drawing."""
    from assignment_pipeline import Booking  # noqa: PLC0415

    draw = random.Random(f"half full {evening}")  # noqa: S311 - parties, not secrets
    sizes, seated, number = (2, 2, 2, 3, 4, 4, 5, 6), dt.timedelta(), 0
    while seated < tables * (ARRIVALS[-1] - ARRIVALS[0]) / 2:
        record = coordinator.assign(Booking(f"b-{number}", "r-1", draw.choice(sizes), draw.choice(ARRIVALS))).record
        if record is not None and record.allocation is not None:
            seated += record.allocation.turn.duration * len(record.allocation.tables)
        number += 1
    return draw


def one_more(draw: random.Random, slots: Any, turn: int) -> Any:
    """A party at one of the times at which a table is free."""
    from assignment_pipeline import Booking  # noqa: PLC0415

    free = draw.choice([slot for slot in slots if slot.status == "available" and slot.party_size < 7])
    return Booking(f"more-{turn}", "r-1", free.party_size, free.start_at)


def times(tables: int, reseat: str) -> list[float]:
    """
    What one availability of 40 arrivals and 12 sizes takes on half-full floors, which get fuller by one party a turn.

    Returns:
        Milliseconds; how many times one `assign` that is, and how many the first of an evening, about which nothing is
        known; how many times one `preview` at a free table; and how many times one availability the 480 previews are
        that it answers.
    """
    from assignment_pipeline import Booking, Coordinator  # noqa: PLC0415

    clock, asked, first = time.thread_time, list[float](), list[float]()
    assigned, previewed, answered = list[float](), list[float](), 0.0
    for evening in range(EVENINGS):
        coordinator = Coordinator.in_memory(dinner_at(tables, reseat), sinks=())
        draw = half_fill(coordinator, tables, evening)
        for turn in range(TURNS):
            began = clock()
            slots = coordinator.availability("r-1", EVENING.date(), SIZES).slots
            (asked if turn else first).append(clock() - began)
            took = []
            for place, slot in () if turn else enumerate(slots):
                if evening and (slot.status != "available" or place % 8):
                    continue  # All of them once: where others would have to move, one may take as long as all the rest.
                booking = Booking(f"new-{place}", "r-1", slot.party_size, slot.start_at)
                began = clock()
                coordinator.preview(booking)
                took.append(clock() - began)
                if slot.status == "available":
                    previewed.append(took[-1])
            answered = answered or sum(took)
            booking = one_more(draw, slots, turn)
            began = clock()
            coordinator.assign(booking)
            assigned.append(clock() - began)
    one, assign = statistics.median(asked), statistics.median(assigned)
    shares = (one / assign, statistics.median(first) / assign, one / statistics.median(previewed))
    return [one * 1e3, *shares, answered / one]


PROBES = {
    "imports": imports,
    "memory": memory,
    "asyncio": for_asyncio,
    "large": large,
    "availability": availability,
    "sqlite": sqlite,
}

if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]]()))
