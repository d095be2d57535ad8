"""
What else one might build on: a DBOS workflow of three steps on PostgreSQL, and a Celery task that does nothing.

    pip install dbos celery redis
    python -m benchmarks.peers --workers 1 4 --redis redis://127.0.0.1:6379/5

Next to `benchmarks.postgres`: each of them is durable, and has yet to look at a table plan.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.postgres import somewhere

SECONDS = 5.0


def dbos(conninfo: str, workers: int) -> float:
    """Workflows of three steps in a second, from so many threads."""
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

        def go(_: int) -> int:
            done = 0
            while time.perf_counter() < end:
                workflow(done)
                done += 1
            return done

        for number in range(5):
            workflow(number)
        end = time.perf_counter() + SECONDS
        with ThreadPoolExecutor(workers) as pool:
            return sum(pool.map(go, range(workers))) / SECONDS
    finally:
        DBOS.destroy()


def celery(redis: str, tasks: int = 2_000) -> float:
    """Tasks in a second, with a worker process that is there already."""
    from celery import Celery  # noqa: PLC0415

    app = Celery("benchmarks.peers", broker=redis, backend=redis)
    noop = app.signature("benchmarks.peers.noop", ignore_result=False)
    words = ["-m", "celery", "-A", "benchmarks.peers", "worker", "-c", "4", "-l", "error"]
    environment = {**os.environ, "PEERS_REDIS": redis}
    worker = subprocess.Popen([sys.executable, *words], env=environment, stdout=subprocess.DEVNULL)
    try:
        noop.apply_async().get(timeout=60)
        began = time.perf_counter()
        for answer in [noop.apply_async() for _ in range(tasks)]:
            answer.get(timeout=60)
        return tasks / (time.perf_counter() - began)
    finally:
        worker.terminate()
        worker.wait()


with contextlib.suppress(ModuleNotFoundError):
    from celery import Celery as _Celery

    # What the worker process runs.
    app = _Celery("benchmarks.peers", broker=os.environ.get("PEERS_REDIS"), backend=os.environ.get("PEERS_REDIS"))

    @app.task(name="benchmarks.peers.noop")
    def noop() -> None:
        """Do nothing."""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--redis", help="a database of its own: what is in it is lost")
    arguments = parser.parse_args()
    for workers in arguments.workers:
        with somewhere(None) as conninfo:
            print(f"DBOS, a workflow of three steps, {workers} at a time: {dbos(conninfo, workers):.0f} /s", flush=True)
    if arguments.redis:
        print(f"Celery, a task that does nothing, 4 processes: {celery(arguments.redis):.0f} /s")


if __name__ == "__main__":
    main()
