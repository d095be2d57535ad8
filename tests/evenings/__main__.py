"""``python -m tests.evenings --seed 7``: an evening of 200 bookings on each store, with its counts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.harnesses import MemoryHarness, SQLiteHarness
from tests.evenings.play import play

STORES = ("memory", "sqlite", "postgres")


def opened(store: str, clock: FakeClock) -> Iterator[Any]:
    """A harness on that store, closed behind it."""
    if store != "postgres":
        made: Any = {"memory": MemoryHarness, "sqlite": SQLiteHarness}[store].new(clock)
        yield made
        made.close()
        return
    from tests.servers.postgres import database, server  # noqa: PLC0415 - its packages may be missing
    from tests.servers.postgres_harness import PostgresBackend  # noqa: PLC0415

    with server() as where, database(where) as conninfo:
        backend = PostgresBackend(conninfo)
        yield backend.harness(clock)
        backend.close()


def main() -> int:
    """Play them."""
    parser = argparse.ArgumentParser(prog="python -m tests.evenings", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="What the first evening is drawn from.")
    parser.add_argument("--evenings", type=int, default=1, help="How many, from seeds that follow each other.")
    parser.add_argument("--store", choices=STORES, action="append", help="Only on that store. May be repeated.")
    asked = parser.parse_args()
    wrong = 0
    for seed in range(asked.seed, asked.seed + asked.evenings):
        for store in asked.store or STORES:
            clock = FakeClock()
            for harness in opened(store, clock):
                counts, found = play(harness, clock, seed)
            told = ", ".join(f"{name} {count}" for name, count in counts.items())
            lines = (f"seed {seed}, {store}: {len(found)} violations", told, *found[:20])
            sys.stdout.write("\n  ".join(lines) + "\n")
            sys.stdout.flush()
            wrong += len(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
