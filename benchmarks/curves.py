"""
What an assignment costs on larger floors, on fuller days and in fuller stores, and what a booking changed often costs.

    python -m benchmarks.curves
    python -m benchmarks.curves --stores memory SQLite --picture docs/concepts/curves.svg

Times are processor time of this process and, where PostgreSQL runs on this machine, of its session. A point is the
lowest tenth of thirty assignments. Each is cancelled before the next. The picture takes the extra ``bench``.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs

from assignment_pipeline import Coordinator, FixedFlags, Mode, Venue
from benchmarks.pictures import panels, plain
from benchmarks.probes import evening, restaurant

TIMED = 30
A_DAY = 50
"""Bookings of each of the other days that fill a store."""

Points = dict[int, float]

COLOURS, MARKERS = ("#1a73e8", "#e08e0b", "#0b7a4b"), "osD"


def lowest_tenth(times: list[float]) -> float:
    """What a machine that others use disturbs less than the median."""
    return statistics.quantiles(times, n=10)[0]


@attrs.frozen
class Opened:
    """
    A store with one restaurant.

    Attributes:
        coordinator: What assigns.

        clock: The processor time that has been spent, in seconds.
    """

    coordinator: Coordinator
    clock: Callable[[], float]

    def assignment(self, name: str) -> float:
        """The milliseconds of one assignment on the first evening."""
        times = []
        for booking in evening(TIMED, name):
            times.append(self.timed(lambda asked=booking: self.coordinator.assign(asked)))
            self.coordinator.cancel(booking.id, booking.restaurant_id)
        return lowest_tenth(times)

    def timed(self, work: Callable[[], object]) -> float:
        """The milliseconds that it takes."""
        began = self.clock()
        work()
        return (self.clock() - began) * 1e3


# -- Stores -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def memory(venue: Venue) -> Iterator[Opened]:
    """In memory."""
    yield Opened(Coordinator.in_memory(venue, sinks=()), time.process_time)


@contextlib.contextmanager
def sqlite(venue: Venue) -> Iterator[Opened]:
    """On a file."""
    from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        path, host = Path(folder, "curves"), StandaloneHost()
        init(path, standalone=True)
        with SQLiteStore(path, host=host, synchronous="NORMAL") as store:
            store.write(lambda connection: host.put_venue(connection, venue))
            yield Opened(Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()), time.process_time)


@contextlib.contextmanager
def postgres(venue: Venue) -> Iterator[Opened]:
    """On a server."""
    from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost, init  # noqa: PLC0415 - an extra
    from benchmarks.postgres import somewhere  # noqa: PLC0415

    with somewhere(None) as conninfo:
        init(conninfo, standalone=True)
        host = StandaloneHost()
        with PostgresStore(conninfo, host=host, pool_size=1) as store:
            store.write(lambda connection: host.put_venue(connection, venue))
            session = store.write(lambda connection: connection.info.backend_pid)
            spent = Path(f"/proc/{session}/schedstat")  # Nanoseconds first. On another machine, there is no such file.

            def clock() -> float:
                on_server = int(spent.read_text().split()[0]) / 1e9 if spent.exists() else 0.0
                return time.process_time() + on_server

            yield Opened(Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()), clock)


STORES = {"memory": memory, "SQLite": sqlite, "PostgreSQL": postgres}
Store = Callable[[Venue], contextlib.AbstractContextManager[Opened]]


# -- Curves -------------------------------------------------------------------------------------------------------


def over_tables(store: Store) -> Points:
    """Floors of ever more tables, each half full."""
    found = {}
    for tables in (20, 60, 120, 250, 500, 1_000):
        with store(restaurant(tables)) as opened:
            opened.coordinator.assign_many(evening(tables * 2 // 3, "before"))
            opened.assignment("warm")
            found[tables] = opened.assignment("timed")
    return found


def over_bookings_of_the_day(store: Store) -> Points:
    """A day of two hundred tables that fills up."""
    found = {}
    before = evening(280, "before")
    with store(restaurant(200)) as opened:
        opened.assignment("warm")
        for number in range(0, 281, 40):
            opened.coordinator.assign_many(before[max(0, number - 40) : number])
            found[number] = opened.assignment(f"timed-{number}")
    return found


def over_bookings_in_the_store(store: Store) -> Points:
    """A half-full evening of a restaurant that has ever more bookings, and their history, on other days."""
    found, kept = {}, 40
    with store(restaurant(60)) as opened:
        opened.coordinator.assign_many(evening(kept, "before"))
        opened.assignment("warm")
        for number in (50, 1_000, 2_500, 5_000, 10_000):
            while kept < number:
                day = dt.timedelta(days=2 + kept // A_DAY)
                others = evening(A_DAY, f"other-{kept}")
                opened.coordinator.assign_many(
                    [attrs.evolve(booking, start_at=booking.start_at + day) for booking in others]
                )
                kept += A_DAY
            found[number] = opened.assignment(f"timed-{number}")
    return found


def over_history(store: Store) -> Points:
    """A booking that is changed again and again: what one more change costs."""
    found: Points = {}
    times: list[float] = []
    with store(restaurant(60)) as opened:
        opened.coordinator.assign_many(evening(40, "before"))
        (booking,) = evening(1, "changed")
        opened.coordinator.assign(booking)
        for number in range(1, 601):
            later = attrs.evolve(booking, start_at=booking.start_at + dt.timedelta(minutes=15 * (number % 2)))
            times.append(opened.timed(lambda asked=later: opened.coordinator.reassign(asked, actor="anna")))
            if number in {40, 100, 200, 400, 600}:
                found[number] = lowest_tenth(times[-TIMED:])
    return found


CURVES: Mapping[str, Callable[[Store], Points]] = {
    "tables, half of them taken": over_tables,
    "bookings of the day, at 200 tables": over_bookings_of_the_day,
    "bookings of the restaurant in the store": over_bookings_in_the_store,
    "changes that the booking went through": over_history,
}


# -- Output -------------------------------------------------------------------------------------------------------


def draw(path: Path, found: Mapping[str, Mapping[str, Points]]) -> None:
    """A panel for each curve, a line for each store."""
    with panels(path, 2, 2, size=(10, 6.4), foot=0.05, entries=3) as places:
        for panel, (name, lines) in zip(places, found.items(), strict=True):
            for (store, points), colour, marker in zip(lines.items(), COLOURS, MARKERS, strict=False):
                panel.plot([*points], [*points.values()], f"{marker}-", color=colour, label=store, markersize=5)
            panel.set_xlabel(name)
            panel.set_ylabel("ms")
            panel.set_xlim(left=0)
            panel.set_ylim(bottom=0)
            plain(panel)


def main() -> None:
    """Measure, print, and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--stores", nargs="+", choices=STORES, default=[*STORES])
    parser.add_argument("--picture", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    found: dict[str, dict[str, Points]] = {name: {} for name in CURVES}
    for name, curve in CURVES.items():
        print(name, flush=True)
        for store in arguments.stores:
            points = found[name][store] = curve(STORES[store])
            told = "".join(f"{number:8,}: {milliseconds:6.2f} ms" for number, milliseconds in points.items())
            print(f"  {store:11}{told}", flush=True)
    if arguments.picture:
        draw(arguments.picture, found)
    print(f"(Python {sys.version.split()[0]})")


if __name__ == "__main__":
    main()
