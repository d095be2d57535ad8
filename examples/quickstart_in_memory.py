"""
The smallest thing that works: three tables and five bookings, no database.

It shows what `assign` answers (tables, a retry, a case for a person), how to ask why, and that a cancellation gives
its table to a booking that waits for one.

    python examples/quickstart_in_memory.py
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from assignment_pipeline import Booking, Coordinator, FloorPlan, Outcome, Reason, Table, Venue

PARIS = ZoneInfo("Europe/Paris")


def tomorrow_at(hour: int) -> dt.datetime:
    """That hour tomorrow, as clocks in Paris show it."""
    date = dt.datetime.now(PARIS).date() + dt.timedelta(days=1)
    return dt.datetime.combine(date, dt.time(hour), PARIS)


def main() -> None:
    """Seat five parties where four fit."""
    floor = FloorPlan([Table("T1", 2), Table("T2", 2), Table("T3", 4)], adjacent=[("T1", "T2")])
    coordinator = Coordinator.in_memory(Venue("chez-nous", "Europe/Paris", floor))
    sizes = {"anna": 4, "ben": 2, "carla": 2, "dora": 4, "emil": 9}
    bookings = {name: Booking(name, "chez-nous", size, tomorrow_at(20)) for name, size in sizes.items()}

    results = {name: coordinator.assign(booking) for name, booking in bookings.items()}
    for name, result in results.items():
        where = " + ".join(result.tables) or result.reason
        print(f"{name:<6} party of {sizes[name]}: {result.outcome:<14} {where}")

    assert results["anna"].tables == ("T3",)
    assert {results["ben"].tables, results["carla"].tables} == {("T1",), ("T2",)}
    assert (results["dora"].outcome, results["dora"].reason) == (Outcome.MANUAL_REVIEW, Reason.INFEASIBLE)
    assert (results["emil"].outcome, results["emil"].reason) == (Outcome.MANUAL_REVIEW, Reason.PARTY_TOO_LARGE)

    decision = results["dora"].decision
    assert decision is not None
    print(f"\nWhy dora waits: {dict(decision.turned_away)} of the tables.")
    print("She could come at", " or ".join(f"{time.astimezone(PARIS):%H:%M}" for time in decision.nearest))

    # Nothing but the pipeline's own records changes here: telling the guests is up to you.
    coordinator.cancel("anna")
    report = coordinator.sweep()
    (seated,) = report.results
    print(f"\nAnna has cancelled. {seated.booking_id} is {seated.outcome} at {' + '.join(seated.tables)} now.")
    assert (seated.booking_id, seated.outcome, seated.tables) == ("dora", Outcome.CONFIRMED, ("T3",))

    waiting = [record.booking_id for record in coordinator.review_queue("chez-nous").records]
    print("For a person to decide:", ", ".join(waiting))
    assert waiting == ["emil"]


if __name__ == "__main__":
    main()
