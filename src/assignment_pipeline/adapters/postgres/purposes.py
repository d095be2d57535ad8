"""What roles of the server are for, and which rights each purpose takes."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence


class Purpose(enum.StrEnum):
    """What a role is for."""

    WEB = "web"
    """An application that takes bookings: enqueues, assigns, cancels, and does what staff do."""

    WORKER = "worker"
    """A process that sweeps what is due, and works on shadow cases."""

    OPERATOR = "operator"
    """A person who steers the rollout, decides on reviews, and clears away old events."""

    READER = "reader"
    """A dashboard: it reads what happened, and neither bundles nor leases."""


LETTERS = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}
VIEW = frozenset({"SELECT"})

# For each table and view, in the order of `Purpose`. Events and history are only inserted.
TABLES = {
    "assignment_schema": ("S", "S", "S", "S"),
    "assignment_records": ("SIU", "SIU", "SIU", "S"),
    "record_documents": ("S", "S", "S", "S"),
    "booking_table_assignments": ("SID", "SID", "SID", "S"),
    "booking_assignment_state_history": ("SI", "SI", "SI", "S"),
    "assignment_stepless_changes": ("SI", "SI", "SI", "S"),
    "booking_assignment_attempts": ("SI", "SI", "SI", "S"),
    "observability_events": ("SI", "SI", "SID", "S"),
    "table_blocks": ("SID", "SID", "SID", "S"),
    "assignment_leases": ("SIUD", "SIUD", "SIUD", ""),
    "assignment_rollout": ("S", "S", "SU", "S"),
    "assignment_rollout_history": ("S", "S", "SI", "S"),
    "rollout_in_force": ("S", "S", "S", "S"),
    "assignment_shadow_bundles": ("SIUD", "SIUD", "SIUD", ""),
    "assignment_shadow_cases": ("SI", "SIUD", "SIUD", ""),
    # Of a standalone host; `bookings` may also be a view over the host's own table.
    "restaurants": ("SIU", "S", "SIU", "S"),
    "table_inventory": ("SID", "S", "SID", "S"),
    "table_adjacencies": ("SID", "S", "SID", "S"),
    "table_combinations": ("SID", "S", "SID", "S"),
    "bookings": ("SIU", "SIU", "SIU", "S"),
    "booking_documents": ("S", "S", "S", "S"),
    "venue_documents": ("S", "S", "S", "S"),
}

_WRITERS = (Purpose.WEB, Purpose.WORKER, Purpose.OPERATOR)

# Functions run with the rights of their caller, and call each other.
FUNCTIONS: Mapping[str, Sequence[Purpose]] = {
    **dict.fromkeys(("take_restaurants", "lock_restaurants", "guard", "begin_commit", "commit"), _WRITERS),
    **dict.fromkeys(("is_name", "enqueue"), _WRITERS),
    **dict.fromkeys(("blocked_span", "occupied", "wake", "tell", "block", "unblock", "acquire", "release"), _WRITERS),
    **dict.fromkeys(("load", "look", "page", "knows", "taken", "arrivals", "turn_minutes"), _WRITERS),
    **dict.fromkeys(("due", "put_back"), (Purpose.WORKER, Purpose.OPERATOR)),
    **dict.fromkeys(("revise", "await_commits"), (Purpose.OPERATOR,)),
    **dict.fromkeys(("as_uuid", "as_bigint", "time_bucket"), tuple(Purpose)),
}

STEERS = {
    "revise": "EXECUTE",
    "await_commits": "EXECUTE",
    "assignment_rollout": "UPDATE",
    "assignment_rollout_history": "INSERT",
}
"""What moving the rollout takes, beside `TELLS`."""

TELLS = {"tell": "EXECUTE", "observability_events": "INSERT"}
"""What keeping an event takes."""


def remedy_for(name: str) -> str | None:
    """What gives a role a right on that table, view or function; None if any purpose has one."""
    letters = TABLES.get(name)
    purposes = (
        FUNCTIONS.get(name, ()) if letters is None else [one for one, own in zip(Purpose, letters, strict=True) if own]
    )
    if not purposes or len(purposes) == len(Purpose):
        return None
    return (
        f"grant it what `assignment-pipeline db grants` prints with {' or '.join(f'`--as {one}`' for one in purposes)}"
    )
