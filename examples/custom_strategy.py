"""
A say in which tables a party gets: regulars sit at the window, couples with something to celebrate at the round table.

It shows `weigh`, which makes seatings dearer or cheaper and can forbid them; `propose`, which names seatings that the
engine would not think of; what both look like in the cost; and that a strategy that raises is left out.

    python examples/custom_strategy.py
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from assignment_pipeline import Booking, Coordinator, FloorPlan, Table, Venue
from assignment_pipeline.domain.floor import Seating
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest

PARIS = ZoneInfo("Europe/Paris")


class RegularsGetTheWindow:
    """Worth two empty seats to a regular; to anybody else, the window costs half a one."""

    name = "regulars_window"

    def weigh(self, request: SeatingRequest, seating: Seating, floor: FloorSnapshot) -> float | None:  # noqa: ARG002
        """Less for a regular at the window, more for others there."""
        if not all("window" in table.tags for table in seating.tables):
            return 0.0
        return -2.0 if request.booking.attributes.get("regular") else 0.5


class RoundTableForCelebrations:
    """The round table takes three to five, but also a couple that celebrates; and nobody else on their own."""

    name = "celebration"

    def weigh(self, request: SeatingRequest, seating: Seating, floor: FloorSnapshot) -> float | None:  # noqa: ARG002
        """What it is worth to them makes up for the seats that stay empty."""
        if "round" not in seating.table_ids:
            return 0.0
        if request.booking.attributes.get("celebrates"):
            return -5.0
        return None if request.booking.party_size < 3 else 0.0

    def propose(self, request: SeatingRequest, floor: FloorSnapshot) -> Iterable[Seating]:
        """The table's own minimum keeps couples from it, so the engine has to be told."""
        seating = floor.seating("round")
        if seating is not None and request.booking.attributes.get("celebrates"):
            yield seating


class Broken:
    """What happens when a strategy has a bug."""

    name = "broken"

    def weigh(self, request: SeatingRequest, seating: Seating, floor: FloorSnapshot) -> float | None:  # noqa: ARG002
        """Always fails."""
        return seating.capacity / 0


def main() -> None:
    """Preview the same party of two with different attributes."""
    tables = [
        Table("T1", 2),
        Table("W1", 2, tags=["window"]),
        Table("round", 5, min_party_size=3),
    ]
    venue = Venue("chez-nous", "Europe/Paris", FloorPlan(tables))
    strategies = [RegularsGetTheWindow(), RoundTableForCelebrations()]
    coordinator = Coordinator.in_memory(venue, strategies=strategies)

    date = dt.datetime.now(PARIS).date() + dt.timedelta(days=1)
    at_eight = dt.datetime.combine(date, dt.time(20), PARIS)
    seated = {}
    for attributes in ({}, {"regular": True}, {"celebrates": "ten years"}):
        booking = Booking("b-1", "chez-nous", 2, at_eight, attributes=attributes)
        plan = coordinator.preview(booking).plan
        assert plan is not None
        parts = ", ".join(f"{name} {part:+g}" for name, part in plan.parts.items() if part) or "costs nothing"
        print(f"{attributes or 'nobody special'}: {plan.tables[0]}, found by {plan.strategy} ({parts})")
        seated[tuple(attributes)] = plan.tables
    assert seated == {(): ("T1",), ("regular",): ("W1",), ("celebrates",): ("round",)}

    coordinator = Coordinator.in_memory(venue, strategies=[*strategies, Broken()], sinks=())
    decision = coordinator.preview(Booking("b-1", "chez-nous", 2, at_eight, attributes={"regular": True}))
    print(f"With a broken one beside them: {decision.plan and decision.plan.tables[0]}, faults: {decision.faults}")
    assert decision.plan is not None
    assert decision.plan.tables == ("W1",)
    assert decision.faults == ("broken",)


if __name__ == "__main__":
    main()
