"""
The queries of a dashboard's panels, over Grafana's window.

What gates and alerts go by, a panel shows by the same definition: where its file says ``{outcomes}``, the query of that
name in the store's ``metrics.sql`` is put in, with Grafana's macros for its placeholders.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Mapping

from assignment_pipeline.domain.counts import CALL_KINDS, OUTCOME_KINDS
from assignment_pipeline.domain.in_sql import in_sql
from assignment_pipeline.rollout.queries import SCHEMA, postgres

COLUMNS: Mapping[str, str] = {
    "outcomes": ", ".join(("bucket", "owner", "mode", *OUTCOME_KINDS)),
    "calls": ", ".join(("bucket", "owner", "mode", *CALL_KINDS)),
    "strategies": "strategy, bookings",
    "reasons": "reason, bookings",
    "review": "waiting, late",
    "overdue": "stuck, since",
}
"""The definitions that panels may be made of, with names for their columns."""

_DEFINITION = re.compile(r"^-- name: (\w+)\n(.*?);\n", re.MULTILINE | re.DOTALL)
_RESTAURANT = re.compile(r"\(%\(restaurant\)s::text IS NULL OR ((?:\w+\.)?restaurant_id) = %\(restaurant\)s::text\)")

# Stretches begin where Grafana's own begin: else they would shift with each refresh.
_WIDTH = "($__interval_ms / 1000.0)"
_START = f"(floor($__unixEpochFrom() / {_WIDTH}) * {_WIDTH})"
_PLACEHOLDERS = {
    "%(since)s": "$__timeFrom()",
    "%(until)s": "$__timeTo()",
    "%(settling_since)s": "($__timeFrom()::timestamptz - interval '5 minutes')",
    "%(settling_until)s": "($__timeTo()::timestamptz - interval '5 minutes')",
    "%(late_since)s": "($__timeFrom()::timestamptz - interval '15 minutes')",
    "%(late_until)s": "($__timeTo()::timestamptz - interval '15 minutes')",
    "%(overdue)s": "(now() - interval '5 minutes')",
    "%(each)s": "false",
    "%(start)s": _START,
    "%(width)s": _WIDTH,
}


def panel(name: str, *, schema: str = SCHEMA) -> str:
    """The text of ``postgres/panel_NAME.sql``, with what it is made of, on the tables of that schema."""
    text = postgres(f"panel_{name}", schema=schema)
    text = text.replace("{time}", f'{_START} + bucket * {_WIDTH} AS "time"')
    quoted = schema.replace('"', '""')
    for part, columns in COLUMNS.items():
        if f"{{{part}}}" in text:
            definition = _definitions()[part]
            if schema != SCHEMA:
                definition = definition.replace(f"{SCHEMA}.", f'"{quoted}".')
            text = text.replace(f"{{{part}}}", f"(\n{definition}\n) AS {part} ({columns})")
    return text


def said(text: str) -> str:
    """What the comment at a query's head says."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("-- "):
            break
        lines.append(line.removeprefix("-- "))
    return " ".join(lines)


@functools.cache
def _definitions() -> Mapping[str, str]:
    """The definitions by name, with Grafana's macros."""
    # Read, not imported: the package that it lies in wants a driver.
    file = importlib.resources.files("assignment_pipeline") / "adapters" / "postgres" / "sql" / "metrics.sql"
    found = {}
    for name, text in _DEFINITION.findall(in_sql(file.read_text("utf-8"))):
        filled = _RESTAURANT.sub(r"\1 IN (${restaurant:sqlstring})", text)
        for placeholder, macro in _PLACEHOLDERS.items():
            filled = filled.replace(placeholder, macro)
        found[name] = filled
    return found
