"""``show`` and ``floor``: one booking, and the room at a moment."""

from __future__ import annotations

ANN = ("--actor", "ann")


def test_a_booking_is_shown_whole(cli, db):
    """State, tables, history with actors, attempts with costs, and events."""
    assert cli("review", "pin", "bob", *ANN, "--db", db).code == 0
    shown = cli("show", "bob", "--db", db)
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert lines[:3] == [
        "Booking bob: 4 guests, 2031-05-17 21:00",
        "State: confirmed (version 6, owner pipeline)",
        "Tables: W1 + W2, 21:00 to 22:45, found by adjacency, pinned",
    ]
    (pinned,) = [line for line in lines if line.endswith("(pinned) by ann")]
    assert "    6  move: confirmed at W1 + W2, 21:00 to 22:45" in pinned
    (attempt,) = [line for line in lines if "success by adjacency" in line]
    assert "; cost 1; turned away seating 1; " in attempt
    assert any("coordinator.pinned" in line and "actor=ann" in line for line in lines)
    assert not any("assignment_state_transition" in line for line in lines)


def test_a_program_gets_all_of_it(cli, db):
    """As one object, of what was refused, too."""
    shown = cli("show", "cat", "--db", db, "--json").json
    assert (shown["restaurant_id"], shown["tables"], shown["booking"]["party_size"]) == ("corner", [], 30)
    assert (shown["record"]["state"], shown["record"]["reason"]) == ("manual_review", "party_too_large")
    assert [(step["from"], step["to"]) for step in shown["history"]] == [("created", "manual_review")]
    assert shown["attempts"][0]["reason"] == "party_too_large"
    assert {event["type"] for event in shown["events"]} >= {"coordinator.manual_review"}


KEYS = {
    "booking": "party_size start_at end_at status seating zone accessible",
    "record": "state version owner strategy reason pinned attempts next_attempt_at allocation",
    "allocation": "tables turn_start_at turn_end_at blocked_start_at blocked_end_at seated_at left_at",
    "history": "version at from to trigger reason actor tables turn_start_at turn_end_at "
    "blocked_start_at blocked_end_at seated_at left_at",
    "attempts": "number at result strategy reason metadata",
    "events": "id at type severity context",
}
"""What programs may count on, by the part of the object."""


def test_no_key_is_lost(cli, db):
    """A new column adds one; none that was there goes."""
    shown = cli("show", "ada", "--db", db, "--json").json
    parts = {**shown, "allocation": shown["record"]["allocation"]}
    for name, keys in KEYS.items():
        part = parts[name][0] if isinstance(parts[name], list) else parts[name]
        assert set(keys.split()) <= set(part), name
        assert not {"booking_id", "restaurant_id", "attributes", "created_at", "from_state"} & set(part), name


def test_what_is_unknown_or_elsewhere_is_refused(cli, db):
    """In one line, and with the exit code of bad input."""
    unknown = cli("show", "zoe", "--db", db)
    assert (unknown.code, unknown.complaint) == (2, "Booking 'zoe' is known neither to the host nor to the pipeline.")
    elsewhere = cli("show", "bob", "--restaurant", "other", "--db", db)
    assert elsewhere.code == 2
    assert "'other'" in elsewhere.complaint
    assert cli("floor", "nowhere", "--db", db).code == 2
    assert cli("floor", "corner", "--at", "noon", "--db", db).complaint.startswith("--at: expected an ISO 8601 time")


def test_the_floor_at_a_moment(cli, db):
    """Each table with its party, which nobody calls late yet, and what is free or closed."""
    closing = ("--from", "2031-05-17T18:00+02:00", "--until", "2031-05-17T20:00+02:00", "--reason", "leak")
    assert cli("tables", "block", "corner", "G1", *closing, *ANN, "--db", db).code == 0
    shown = cli("floor", "corner", "--at", "2031-05-17T19:10+02:00", "--db", db)
    assert shown.code == 0
    rows = [line.split() for line in shown.out.splitlines()]
    assert {row[0]: row[4:] for row in rows[1:3]} == {"W1": ["expected"], "W2": ["expected"]}
    assert rows[3] == ["G1", "closed:", "leak"]
    assert shown.out.endswith("2031-05-17 19:10: 0 parties sit (0 guests), 2 expected.\n")
    found = cli("floor", "corner", "--at", "2031-05-17T21:00+02:00", "--db", db, "--json").json
    assert (found["at"], found["timezone"]) == ("2031-05-17T21:00+02:00", "Europe/Berlin")
    assert {table["table_id"]: [party["booking_id"] for party in table["parties"]] for table in found["tables"]} == {
        "W1": ["bob"],
        "W2": ["bob"],
        "G1": [],
    }
