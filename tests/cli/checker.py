"""
Looks over what ``assign --json`` printed for a day: ``python checker.py SERVICE.json RESULT.json``.

It shares no code with the library, and knows the rules from the file's format alone.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import sys
import zoneinfo
from pathlib import Path

TURNS = [{"up_to": 2, "minutes": 90}, {"up_to": 4, "minutes": 105}, {"up_to": 6, "minutes": 120}]
LAST_TURN = {"up_to": 500, "minutes": 150}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OUTCOMES = ("confirmed", "manual_review", "retry", "failed", "noop")


def instant(text):
    """A time of the file, in UTC."""
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def seats(entry):
    """The tables that an entry of the file stands for: a counter is its seats."""
    if "id" in entry:
        return [entry]
    name = entry["counter"]
    return [{**entry, "id": f"{name}-{number}", "capacity": 1} for number in range(1, entry["seats"] + 1)]


class Day:
    """The rules of a day, read from its file."""

    def __init__(self, service):
        self.policy = service.get("policy") or {}
        self.tables = {table["id"]: table for entry in service["tables"] for table in seats(entry)}
        self.bookings = {booking["id"]: booking for booking in service["bookings"]}
        self.pairs = {frozenset(pair) for pair in service.get("adjacent") or ()}
        self.zone = zoneinfo.ZoneInfo(service["restaurant"]["timezone"])

    def turn(self, booking):
        """When a party sits."""
        start = instant(booking["start_at"])
        if booking.get("end_at"):
            return start, instant(booking["end_at"])
        bands = self.policy.get("turn_bands") or [*TURNS, LAST_TURN]
        band = next((band for band in bands if booking["party_size"] <= band["up_to"]), bands[-1])
        return start, start + dt.timedelta(minutes=band["minutes"])

    def blocked(self, booking):
        """For how long its tables are kept from others."""
        start, end = self.turn(booking)
        before, after = (self.policy.get(key) or 0 for key in ("pre_buffer_minutes", "post_buffer_minutes"))
        return start - dt.timedelta(minutes=before), end + dt.timedelta(minutes=after)

    def joinable(self, ids):
        """Whether tables may be joined."""

        def beside(one, other):
            return frozenset((one, other)) in self.pairs

        if any("counter" in self.tables[one] for one in ids):
            names, numbers = zip(*(one.rsplit("-", 1) for one in ids), strict=True)
            places = sorted(map(int, numbers))
            return len(set(names)) == 1 and places == [*range(places[0], places[0] + len(ids))]

        mode = self.policy.get("adjacency") or "connected"
        if mode == "pairwise":
            return all(beside(*pair) for pair in itertools.combinations(ids, 2))
        if mode == "neighbours":
            return any(all(beside(hub, other) for other in ids if other != hub) for hub in ids)
        reached, waiting = set(), {next(iter(ids))}
        while waiting:
            one = waiting.pop()
            reached.add(one)
            waiting |= {other for other in ids if other not in reached and beside(one, other)}
        return reached == set(ids)

    def holds(self, ids, party):
        """Whether joinable tables are enough for a party."""
        if len(ids) == 1:
            table = self.tables[ids[0]]
            most = table.get("max_party_size")
            return party <= (table["capacity"] if most is None else most)
        return self.joinable(ids) and party <= sum(self.tables[one]["capacity"] for one in ids)

    def served(self, booking):
        """Whether it sits within the hours of service."""
        periods = self.policy.get("service_periods")
        if not periods:
            return True
        start, end = (time.astimezone(self.zone).replace(tzinfo=None) for time in self.turn(booking))
        spans = []
        for back in (-1, 0, 1):
            date = start.date() + dt.timedelta(days=back)
            for period in periods:
                if DAYS[date.weekday()] in (period.get("days") or DAYS):
                    opens, closes = (dt.time.fromisoformat(period[key]) for key in ("start", "end"))
                    last = date + dt.timedelta(days=closes <= opens)
                    spans.append((dt.datetime.combine(date, opens), dt.datetime.combine(last, closes)))
        reach = start
        for opens, closes in sorted(spans):
            if opens <= reach < closes:
                reach = closes
        return end <= reach and any(opens <= start for opens, _ in spans)

    def seat_problems(self, booking, ids):
        """What is wrong with a party's tables, apart from who else sits there."""
        tables = [self.tables[one] for one in ids]
        party, wish = booking["party_size"], booking.get("seating_preference") or "any"
        seats = sum(table["capacity"] for table in tables)
        alone = tables[0] if len(tables) == 1 else None
        overage = self.policy.get("max_overage")
        checks = {
            "too many tables": len(ids) > (self.policy.get("max_tables") or 3) and "counter" not in tables[0],
            "a table twice": len(set(ids)) != len(ids),
            "a table out of use": any(table.get("active") is False for table in tables),
            "not enough seats": not self.holds(ids, party),
            "not joinable": not self.joinable(ids),
            "too small a party": alone is not None and party < (alone.get("min_party_size") or 1),
            "too many empty seats": alone is None and overage is not None and seats - party > overage,
            "not where it wants to sit": any(wish not in ("any", table.get("seating") or "indoor") for table in tables),
            "in another zone": bool(booking.get("zone"))
            and any(table.get("zone") != booking["zone"] for table in tables),
            "not accessible": bool(booking.get("accessible")) and not any(table.get("accessible") for table in tables),
            "outside the hours": not self.served(booking),
            "a table too many": any(
                self.holds(rest, party)
                for size in range(1, len(ids))
                for rest in itertools.combinations(ids, size)
                if len(rest) == 1 or self.joinable(rest)
            ),
        }
        return [problem for problem, is_there in checks.items() if is_there]


def problems(service, result):
    """Everything that is wrong with a result; nothing, when all is well."""
    day = Day(service)
    rows = result["assignments"]
    taken = {}
    for row in rows:
        for table_id in row["tables"]:
            taken.setdefault(table_id, []).append((*day.blocked(day.bookings[row["booking_id"]]), row["booking_id"]))
    found = [*miscounted(day, result), *overlaps(taken)]
    for row in rows:
        found += [f"{row['booking_id']}: {problem}" for problem in row_problems(day, row)]
    if not any(row["strategy"] in ("reseating", "repack") for row in rows):
        found += idle(day, rows, taken)
    return found


def miscounted(day, result):
    """Numbers that do not fit the assignments."""
    rows = result["assignments"]
    covers = sum(day.bookings[row["booking_id"]]["party_size"] for row in rows if row["outcome"] == "confirmed")
    checks = {
        "the assignments are not the file's bookings in their order": [row["booking_id"] for row in rows]
        != list(day.bookings),
        "the counts do not add up": not result["bookings"] == len(rows) == sum(result[name] for name in OUTCOMES),
        "an outcome is miscounted": any(
            result[name] != sum(row["outcome"] == name for row in rows) for name in OUTCOMES
        ),
        "the covers are miscounted": covers != result["covers"],
    }
    return [problem for problem, is_there in checks.items() if is_there]


def overlaps(taken):
    """Two parties at one table at one time."""
    for table_id, windows in taken.items():
        for (_, free_at, first), (start, _, second) in itertools.pairwise(sorted(windows)):
            if start < free_at:
                yield f"{table_id}: {first} and {second} at one time"


def row_problems(day, row):
    """What is wrong with what became of a booking."""
    booking = day.bookings[row["booking_id"]]
    facts = (bool(row["tables"]), row["strategy"] is not None, row["reason"] is None)
    confirmed = row["outcome"] == "confirmed"
    if (instant(row["start_at"]), instant(row["end_at"])) != day.turn(booking):
        yield "sits at another time"
    if facts != (confirmed, confirmed, confirmed):
        yield f"{row['outcome']} does not go with its tables, strategy and reason"
    if confirmed and (booking.get("status") or "pending") != "pending":
        yield f"seated, but {booking['status']}"
    if row["tables"]:
        yield from day.seat_problems(booking, row["tables"])


def idle(day, rows, taken):
    """Tables that a party in review could have had alone; where nobody is moved, there are none at the end."""
    for row in rows:
        booking = day.bookings[row["booking_id"]]
        if row["outcome"] != "manual_review":
            continue
        start, end = day.blocked(booking)
        for table_id in day.tables:
            free = all(end <= other[0] or other[1] <= start for other in taken.get(table_id, ()))
            if free and not day.seat_problems(booking, [table_id]):
                yield f"{booking['id']}: {row['reason']}, while {table_id} would do"


if __name__ == "__main__":
    wrong = problems(*(json.loads(Path(name).read_text()) for name in sys.argv[1:]))
    sys.stdout.write("".join(f"{line}\n" for line in wrong) or "All is well.\n")
    sys.exit(bool(wrong))
