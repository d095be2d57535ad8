"""What the engine thought, in one sentence for the staff."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.result import Decision, Plan
from assignment_pipeline.planning.base import Rule

_NO_LABELS: Mapping[str, str] = MappingProxyType({})

RULES: Mapping[str, str] = {
    Rule.UNKNOWN_TABLE: "unknown",
    Rule.INACTIVE: "out of use",
    Rule.SEATING: "in the wrong place",
    Rule.ZONE: "in another zone",
    Rule.OFFER: "kept for staff or for who asks for them",
    Rule.ACCESSIBLE: "not accessible",
    Rule.SIZE: "of the wrong size",
    Rule.TAKEN: "taken",
    Rule.LAYING_TIME: "still being laid",
    Rule.PARTNER_TAKEN: "next to taken ones",
    Rule.PACING: "free, but too many arrive then",
    Rule.TIMEZONE: "at another local time than was booked",
    Rule.FORBIDDEN: "forbidden by a strategy",
}
"""What turns tables away."""

_NEAREST = 3


def explain(booking: Booking, decision: Decision, zone: dt.tzinfo, labels: Mapping[str, str] = _NO_LABELS) -> str:
    """
    One sentence, or two, of what became of *booking*.

    For example: ``4 guests at 19:15: no free tables were found (30 in another zone, 10 taken). They would fit at
    17:30, 17:45 or 20:45.``

    Args:
        zone: The restaurant's timezone, in which times are told.

        labels: What to call its tables, by id.
    """
    one = booking.party_size == 1
    guests = "1 guest" if one else f"{booking.party_size} guests"
    start = f"{guests} at {_time(booking.start_at, zone)}"
    if decision.plan is not None:
        return f"{start}: {_place(decision.plan, labels)}."
    why = decision.refusal.facts.sentence if decision.refusal else "nothing was looked for"
    counts = turned_away(decision.turned_away)
    told = f"{start}: {why} ({counts})." if counts else f"{start}: {why}."
    they = "The guest" if one else "They"
    if decision.suggestion is not None:
        told += f" {they} would fit at {_place(decision.suggestion, labels)}."
    if decision.nearest:
        times = [_time(moment, zone) for moment in sorted(decision.nearest[:_NEAREST])]
        told += f" {they} would fit at {_listed(times, 'or')}."
    return told


def turned_away(counts: Mapping[str, int]) -> str:
    """How many tables each rule turned away, most first."""
    most_first = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{count} {RULES.get(rule, rule.replace('_', ' '))}" for rule, count in most_first)


def _place(plan: Plan, labels: Mapping[str, str]) -> str:
    def named(table_ids: Sequence[str]) -> list[str]:
        return [labels.get(table_id, table_id) for table_id in table_ids]

    tables = named(plan.tables)
    place = f"table {tables[0]}" if len(tables) == 1 else f"tables {_listed(tables, 'and')}"
    moves = [
        f"{move.booking_id} moves from {'+'.join(named(move.origin))} to {'+'.join(named(move.tables))}"
        for move in plan.moves
    ]
    return f"{place}, once {_listed(moves, 'and')}" if moves else place


def _listed(items: Sequence[str], last: str) -> str:
    return " ".join((", ".join(items[:-1]), last, items[-1])) if len(items) > 1 else items[0]


def _time(moment: dt.datetime, zone: dt.tzinfo) -> str:
    return f"{moment.astimezone(zone):%H:%M}"
