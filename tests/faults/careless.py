"""A run on a store that does not guard its tables: ``python -m tests.faults.careless`` ends with 1, and says so."""

from __future__ import annotations

import json
import sys

import psycopg

from tests.torture import town
from tests.torture.options import Options
from tests.torture.run import Run

SEATS = "assignment_pipeline.booking_table_assignments"
GUARDS = "IF contested IS NOT NULL THEN"


class Careless(Run):
    """Its commits trust that nobody else is faster."""

    def _plan(self):
        with psycopg.connect(self._place.at) as connection:
            found = connection.execute("SELECT pg_get_functiondef('assignment_pipeline.commit(jsonb)'::regprocedure)")
            [(function,)] = found.fetchall()
            assert GUARDS in function
            connection.execute(function.replace(GUARDS, "PERFORM pg_sleep(0.1); IF false THEN"))
            connection.execute(f"ALTER TABLE {SEATS} DROP CONSTRAINT booking_table_assignments_once")
        super()._plan()


if __name__ == "__main__":
    town.AN_EVENING = 60
    report = Careless(Options(seconds=6.0, bookings=60, restaurants=1, faults=frozenset()))()
    json.dump(report.broken, sys.stdout)
    sys.exit(bool(report.broken))
