"""
What else one might build on: a DBOS workflow of three steps on PostgreSQL, and Celery, next to ours in the same run.

    pip install dbos celery redis
    python -m benchmarks.peers --workers 1 4 --redis redis://127.0.0.1:6379/5

An assignment, a workflow that adds three numbers and a task that does nothing take turns, in slices of the same run:
the first two from threads of one process on one database with a flush for each commit, and the last, next to the task
`assign_booking`, in four processes of one Celery worker. The workflow and the empty task are durable, and have yet to
look at a table plan.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from assignment_pipeline import Coordinator, Mode
from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost, init
from assignment_pipeline.rollout.flags import FixedFlags
from benchmarks.postgres import RESTAURANTS, bookings, somewhere, venue

OURS = "ours"
MOST = 14_000
"""Bookings that the restaurants have room for."""

TASKS = 100
"""Of each kind, in a slice of Celery's."""

PROCESSES = 4
MEETINGS = 4
"""How often a process meets a restaurant before anything counts, on average: by then it knows nearly all of them."""


def interleaved(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each side comes to a second, round after round, the order turned round each time."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name in sides if turn % 2 else reversed(sides):
            rates[name].append(sides[name]())
    return rates


def report(title: str, rates: Mapping[str, list[float]]) -> None:
    """A line: the medians, and the median of the ratios."""
    told = ", ".join(f"{name} {statistics.median(found):.0f} /s" for name, found in rates.items())
    (first, one), (_, other) = rates.items()
    ratios = [mine / its for mine, its in zip(one, other, strict=True)]
    spread = f"{min(ratios):.1f}..{max(ratios):.1f}"
    print(f"{title}: {told}; {first} {statistics.median(ratios):.1f} times ({spread})", flush=True)


# -- Threads of one process ---------------------------------------------------------------------------------------


def rate(do: Callable[[], object], workers: int, seconds: float) -> float:
    """How often a second so many threads do it."""
    end = time.perf_counter() + seconds

    def go(_: int) -> int:
        done = 0
        while time.perf_counter() < end:
            do()
            done += 1
        return done

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(go, range(workers))) / seconds


@contextlib.contextmanager
def dbos(conninfo: str) -> Iterator[Callable[[], object]]:
    """A workflow of three steps."""
    from dbos import DBOS, DBOSConfig  # noqa: PLC0415 - only this needs it
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    facts = conninfo_to_dict(conninfo)
    login = ":".join(str(facts[key]) for key in ("user", "password") if facts.get(key))
    url = f"postgresql://{login}@{facts['host']}:{facts.get('port', 5432)}/{facts['dbname']}"
    DBOS(config=DBOSConfig(name="peer", system_database_url=url, log_level="ERROR", run_admin_server=False))

    @DBOS.step()
    def step(number: int) -> int:
        return number + 1

    @DBOS.workflow()
    def workflow(number: int) -> int:
        return step(step(step(number)))

    DBOS.launch()
    try:
        yield lambda: workflow(1)
    finally:
        DBOS.destroy()


@contextlib.contextmanager
def ours(conninfo: str) -> Iterator[Callable[[], object]]:
    """An assignment."""
    with open_store(conninfo) as store:
        prepare(conninfo, store)
        waiting = iter(bookings(OURS, 0, MOST))
        with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
            yield lambda: coordinator.assign(next(waiting))


def threads(workers: int, rounds: int, seconds: float) -> None:
    """Print assignments next to workflows."""
    report(f"{workers} at a time", thread_rates(workers, rounds, seconds))


def thread_rates(workers: int, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Assignments next to workflows."""
    with somewhere(None) as conninfo, ours(conninfo) as assignment, dbos(conninfo) as workflow:
        both = {"assignments": assignment, "DBOS workflows of three steps": workflow}
        for do in both.values():
            rate(do, workers, 0.5)
        sides = {name: (lambda do=do: rate(do, workers, seconds)) for name, do in both.items()}
        return interleaved(sides, rounds)


# -- Celery -------------------------------------------------------------------------------------------------------


def celery(redis: str, rounds: int) -> None:
    """Print tasks that assign next to tasks that do nothing."""
    report("Celery, 4 processes", celery_rates(redis, rounds))


def celery_rates(redis: str, rounds: int) -> dict[str, list[float]]:
    """Tasks that assign next to tasks that do nothing, with a worker that is there already."""
    with somewhere(None) as conninfo:
        with open_store(conninfo) as store:
            prepare(conninfo, store)
            warm = PROCESSES * RESTAURANTS * MEETINGS
            taken = bookings(OURS, 0, TASKS * rounds + warm)
            host = StandaloneHost()
            store.write(lambda connection: [host.put_booking(connection, booking) for booking in taken])
        os.environ.update(PEERS_REDIS=redis, PEERS_DB=conninfo)
        tasks = celery_app()
        noop, assign = tasks.signature("peers.noop"), tasks.signature("assignment_pipeline.assign_booking")
        waiting = iter(taken)

        def slice_of(send: Callable[[], Any], number: int = TASKS) -> float:
            began = time.perf_counter()
            for answer in [send() for _ in range(number)]:
                answer.get(timeout=60)
            return number / (time.perf_counter() - began)

        def send() -> Any:
            booking = next(waiting)
            return assign.clone(args=(booking.id, booking.restaurant_id)).apply_async()

        words = ["-m", "celery", "-A", "benchmarks.peers", "worker", "-c", str(PROCESSES), "-l", "error"]
        worker = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
        try:
            slice_of(noop.apply_async, 20)
            slice_of(send, warm)
            sides = {
                "assign_booking": lambda: slice_of(send),
                "a task that does nothing": lambda: slice_of(noop.apply_async),
            }
            return interleaved(sides, rounds)
        finally:
            worker.terminate()
            worker.wait()


def celery_app() -> Any:
    """The app of both ends."""
    from celery import Celery  # noqa: PLC0415 - only this needs it

    from assignment_pipeline.adapters.celery import register  # noqa: PLC0415

    def factory() -> Coordinator:
        return Coordinator(open_store(os.environ["PEERS_DB"]), flags=FixedFlags(Mode.ACTIVE), sinks=())

    app = Celery("peers", broker=os.environ["PEERS_REDIS"], backend=os.environ["PEERS_REDIS"])

    @app.task(name="peers.noop")
    def noop() -> None:
        """Do nothing."""

    register(app, factory, sweep_every=None)
    return app


# -- What both need -----------------------------------------------------------------------------------------------


def open_store(conninfo: str) -> PostgresStore:
    """A store on that database."""
    return PostgresStore(conninfo, host=StandaloneHost())


def prepare(conninfo: str, store: PostgresStore) -> None:
    """Make the tables, and have the restaurants."""
    init(conninfo, standalone=True)
    host, venues = StandaloneHost(), [venue(f"{OURS}-0-{index}") for index in range(RESTAURANTS)]
    store.write(lambda connection: [host.put_venue(connection, made) for made in venues])


app = celery_app() if "PEERS_REDIS" in os.environ else None
"""What the worker process runs."""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.split("\n\n")[0])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each slice")
    parser.add_argument("--redis", help="a database of its own for Celery: what is in it is lost")
    arguments = parser.parse_args()
    for workers in arguments.workers:
        threads(workers, arguments.rounds, arguments.seconds)
    if arguments.redis:
        celery(arguments.redis, arguments.rounds)


if __name__ == "__main__":
    main()
