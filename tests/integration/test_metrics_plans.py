"""What PostgreSQL does for the metrics: a window is read by its index, and nothing reads all history."""

from __future__ import annotations

import datetime as dt
import json

import pytest

psycopg = pytest.importorskip("psycopg")

from assignment_pipeline.adapters.metrics import MEASURES, queries, values  # noqa: E402
from assignment_pipeline.adapters.postgres import init  # noqa: E402
from assignment_pipeline.adapters.postgres.codec import text_of  # noqa: E402
from assignment_pipeline.adapters.postgres.metrics import SETTINGS  # noqa: E402
from assignment_pipeline.adapters.postgres.schema import named  # noqa: E402
from assignment_pipeline.domain.metrics import MetricsQuery  # noqa: E402

SCHEMA = "metric_plans"
NOW = dt.datetime(2031, 5, 1, 20, tzinfo=dt.UTC)

# Four months of a booking a minute for the history, and of four events each; some of legacy's.
FILL = """
INSERT INTO metric_plans.assignment_records
    (booking_id, restaurant_id, owner, state, version, attempts, retries, deliveries, holds, pinned, created_at,
    updated_at)
SELECT 'b-' || n, 'r-' || n % 50, 'pipeline', 'confirmed', 2, 1, 0, 0, 0, false, at, at
FROM generate_series(1, 40000) AS n,
    LATERAL (SELECT timestamptz '2031-05-01 20:00Z' - n * interval '4 minutes') AS t(at);
INSERT INTO metric_plans.booking_assignment_state_history
    (booking_id, version, restaurant_id, change_id, from_state, to_state, "trigger", tables, created_at)
SELECT booking_id, v, restaurant_id, booking_id || '.' || v, 'created',
    CASE v WHEN 1 THEN 'assigned' ELSE 'confirmed' END, 'seat', '[]', created_at
FROM metric_plans.assignment_records, generate_series(1, 2) AS v;
INSERT INTO metric_plans.booking_assignment_attempts
    (booking_id, attempt_no, restaurant_id, strategy, result, metadata, created_at)
SELECT booking_id, 1, restaurant_id, 'optimal_fit', 'success', '{}', created_at FROM metric_plans.assignment_records;
INSERT INTO metric_plans.observability_events
    (id, created_at, source, event_type, severity, restaurant_id, booking_id, context)
SELECT booking_id || ':' || k, created_at,
    CASE k WHEN 1 THEN 'auto_assign' WHEN 2 THEN 'assignment.coordinator' ELSE 'assignment.state_machine' END,
    CASE k WHEN 1 THEN 'auto_assign.summary' WHEN 2 THEN 'coordinator.confirmed'
        ELSE 'booking.assignment_state_transition' END,
    'info', restaurant_id, booking_id, '{"mode": "active", "outcome": "confirmed", "duration_ms": 3, "to": "assigned"}'
FROM metric_plans.assignment_records, generate_series(1, 4) AS k;
"""


@pytest.fixture(scope="module")
def filled(postgres_database):
    with psycopg.connect(postgres_database, autocommit=True) as found:
        found.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        init(postgres_database, standalone=True, schema=SCHEMA)
        found.execute(FILL)
        yield found


@pytest.fixture(scope="module", params=["without statistics", "with statistics"])
def connection(request, filled):
    """Two times the same tables: before anybody has looked at what is in them, and after."""
    if request.param == "with statistics":
        filled.execute("VACUUM ANALYZE")
    return filled


@pytest.mark.parametrize("name", [*MEASURES, "ran", "seen", "alarms"])
@pytest.mark.parametrize("restaurant", [None, "r-7"])
def test_a_window_is_read_by_its_index(connection, name, restaurant):
    """Of 160,000 events and 80,000 transitions, an hour's 15 bookings are read, and no more than a few rows of each."""
    query = MetricsQuery(since=NOW - dt.timedelta(hours=1), until=NOW, restaurant_id=restaurant)
    text = named(queries("assignment_pipeline.adapters.postgres")[name], SCHEMA)
    with connection.transaction():
        connection.execute(SETTINGS)
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {text}"
        ((plan,),) = connection.execute(explain, values(query, NOW, text_of) if name != "alarms" else {}).fetchall()
    waiting, scans = [(plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]], []
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        if node["Node Type"].endswith("Scan") and "Relation Name" in node:
            read = sum(node.get(rows, 0) for rows in ("Actual Rows", "Rows Removed by Filter")) * node["Actual Loops"]
            scans.append((node["Node Type"], node["Relation Name"], read))
    assert scans
    assert [scan for scan in scans if scan[0] == "Seq Scan"] == []
    assert [scan for scan in scans if scan[2] > 600] == []
