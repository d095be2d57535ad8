"""
What the shadow costs the caller: the hand-over, beside the package laboratory, and the interpreter's share.

Run it with ``python -m benchmarks.shadow``. Everything is interleaved: each round calls each of the contenders once, in
an order drawn anew, so that whatever else the machine is doing happens to all of them alike.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import laboratory

from assignment_pipeline import (
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    LegacyResult,
    Mode,
    Table,
    Venue,
)
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.domain.shadow import ShadowCase
from assignment_pipeline.rollout.shadow import Shadow

TABLES = 60
SEATED = 150
PAUSE = 0.004
"""Seconds between two calls: some 250 bookings a second, for one process."""

COLD = 0.008
BURST = 5
"""Rounds between two times at which the shadow's thread looks."""

names = itertools.count()
start = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0) + dt.timedelta(days=1)


def venue() -> Venue:
    """A floor of 60 tables in rows of six."""
    ids = [f"T{number}" for number in range(TABLES)]
    pairs = [pair for pair in itertools.pairwise(ids) if int(pair[1][1:]) % 6]
    return Venue("R1", "UTC", FloorPlan([Table(name, 2 + number % 5) for number, name in enumerate(ids)], pairs))


def booking() -> Booking:
    """A party of two to six, some time tomorrow."""
    number = next(names)
    return Booking(f"B{number}", "R1", 2 + number % 5, start + dt.timedelta(minutes=15 * (number % 48)))


def house(folder: Path, name: str) -> SQLiteStore:
    """A store with a busy day on it."""
    path = folder / name
    init(path, standalone=True)
    host = StandaloneHost()
    store = SQLiteStore(path, host=host, synchronous="OFF")
    store.write(lambda connection: host.put_venue(connection, venue()))
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
        coordinator.assign_many([booking() for _ in range(SEATED)])
    return store


def busy(milliseconds: float) -> Callable[[Booking], LegacyResult]:
    """A legacy planner that computes for so long."""

    def legacy(_: Booking) -> LegacyResult:
        until = time.thread_time() + milliseconds / 1e3
        while time.thread_time() < until:
            pass
        return LegacyResult(("T1",))

    return legacy


def interleaved(
    contenders: dict[str, Callable[[Booking], object]], rounds: int, pause: float
) -> dict[str, list[float]]:
    """The times of each, in microseconds, with a pause before each call, if there is to be one."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            one, call = booking(), contenders[name]
            if pause:
                time.sleep(pause)
            began = time.perf_counter()
            call(one)
            times[name].append((time.perf_counter() - began) * 1e6)
    return times


def percentile(times: list[float], share: float) -> float:
    """The time that so many did not exceed."""
    return sorted(times)[min(int(len(times) * share), len(times) - 1)]


def handing_over(store: SQLiteStore, rounds: int) -> None:
    """What a case costs its caller, beside an experiment of laboratory's around the same candidate."""
    options = {"legacy": lambda _: LegacyResult(("T1",)), "sinks": ()}
    off = Coordinator(store, flags=FixedFlags(Mode.OFF), **options)
    on = Coordinator(store, flags=FixedFlags(Mode.SHADOW), **options)
    none = Coordinator(store, flags=FixedFlags(Mode.OFF), sinks=())

    def experiment(one: Booking, candidate: Callable[[Booking], object]) -> object:
        trial = laboratory.Experiment()
        trial.control(lambda: LegacyResult(("T1",)))
        trial.candidate(lambda: candidate(one))
        return trial.conduct()

    def offer(one: Booking) -> None:
        on.shadow.offer(ShadowCase(id=one.id, captured_at=start, booking=one, legacy=LegacyResult(("T1",))))

    contenders = {
        "off": off.assign,
        "shadow": on.assign,
        "offer": offer,
        "laboratory": lambda one: experiment(one, lambda _: LegacyResult(("T1",))),
        "laboratory+": lambda one: experiment(one, none.preview),
    }
    cold = interleaved(contenders, rounds // 5, COLD)
    hot: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds // BURST):
        on.shadow.flush(30)
        for name, found in interleaved(contenders, BURST, 0).items():
            hot[name] += found
    on.shadow.flush(30)
    print("handing a case over (medians, µs)            one after another   after a pause")
    medians = [{name: statistics.median(found) for name, found in times.items()} for times in (hot, cold)]
    rows = {
        "assign, flags off": "off",
        "assign, flags shadow": "shadow",
        "so the hand-over costs": "",
        "of which the queue": "offer",
        "laboratory, a candidate of nothing": "laboratory",
        "laboratory, the same candidate": "laboratory+",
    }
    for title, name in rows.items():
        values = [median[name] if name else median["shadow"] - median["off"] for median in medians]
        print(f"  {title:<38}{values[0]:16.1f}{values[1]:16.1f}")
    counts = on.shadow.counts
    print(f"  ({counts.offered} cases, {counts.dropped} dropped, {sum(counts.verdicts.values())} judged)")
    for coordinator in (off, on, none):
        coordinator.close()


def share(folder: Path, rounds: int, milliseconds: float) -> None:
    """How much later callers get their answer because a thread of the shadow computes beside them."""
    legacy = busy(milliseconds)
    kinds = {
        "alone": (Mode.OFF, None),
        "thread": (Mode.SHADOW, Shadow()),
        "worker": (Mode.SHADOW, Shadow(runs="worker", backlog=1_000_000)),
    }
    coordinators = {
        name: Coordinator(house(folder, name), flags=FixedFlags(mode), legacy=legacy, sinks=(), shadow=shadow)
        for name, (mode, shadow) in kinds.items()
    }
    # Blocks, and not calls: each shadow is to compute beside its own callers.
    times: dict[str, list[float]] = {name: [] for name in kinds}
    order = list(kinds)
    for _ in range(rounds // 50):
        random.shuffle(order)
        for name in order:
            found = interleaved({name: coordinators[name].assign}, 50, PAUSE)
            times[name] += found[name]
            if coordinators[name].shadow is not None:
                coordinators[name].shadow.flush(10)
    print(f"a legacy call of {milliseconds:g} ms of computing, {1 / (PAUSE + milliseconds / 1e3):.0f} a second")
    for name, found in times.items():
        line = f"  {name:<8}"
        for share_of in (0.5, 0.95, 0.99):
            here, alone = percentile(found, share_of), percentile(times["alone"], share_of)
            line += f"  p{share_of * 100:g} {here / 1e3:7.2f} ms ({here / alone:4.2f})"
        print(line)
    for coordinator in coordinators.values():
        coordinator.close()
        coordinator.store.close()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--milliseconds", type=float, default=2.0)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = house(folder, "handing")
        handing_over(store, given.rounds)
        store.close()
        share(folder, given.rounds, given.milliseconds)


if __name__ == "__main__":
    main()
