"""Makes up days: ``python days.py SEED TABLES BOOKINGS > SERVICE.json``."""

from __future__ import annotations

import datetime as dt
import json
import random
import sys

ZONES = ("Hall", "Gallery", "Garden", None)


def made_up(seed, tables=20, bookings=40):
    """A day's document: with rules and wishes of every kind, and more guests than it can seat."""
    chance = random.Random(seed)
    zone = chance.choice(["Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC"])
    document = {
        "restaurant": {"id": f"house-{seed}", "timezone": zone},
        "tables": [_table(chance, number) for number in range(tables)],
        "adjacent": _adjacent(chance, tables),
        "bookings": [_booking(chance, number) for number in range(bookings)],
    }
    if chance.random() < 0.7:
        document["policy"] = _policy(chance)
    return document


def _some(chance, **choices):
    """Some of the optional keys; now and then as null, which is as good as none."""
    given = {key: value for key, value in choices.items() if chance.random() < 0.4}
    return {key: None if chance.random() < 0.1 else value for key, value in given.items()}


def _table(chance, number):
    capacity = chance.choice([2, 2, 2, 4, 4, 4, 6, 8])
    return {
        "id": f"T{number}",
        "capacity": capacity,
        **_some(
            chance,
            zone=chance.choice(ZONES),
            seating=chance.choice(["indoor", "indoor", "outdoor", "bar"]),
            accessible=chance.random() < 0.5,
            active=chance.random() < 0.9,
            min_party_size=chance.randint(1, max(1, capacity - 2)),
            max_party_size=chance.randint(max(1, capacity - 1), capacity),
        ),
    }


def _adjacent(chance, tables):
    """Rows of eight; neighbours in a row, and some across."""
    pairs = [[f"T{n}", f"T{n + 1}"] for n in range(tables - 1) if n % 8 != 7 and chance.random() < 0.8]
    return pairs + [[f"T{n + 8}", f"T{n}"] for n in range(tables - 8) if chance.random() < 0.2]


def _booking(chance, number):
    quarters = min(max(round(chance.gauss(8, 5)), -2), 22)
    start = dt.datetime(2031, 5, 17, 15, 0, tzinfo=dt.UTC) + quarters * dt.timedelta(minutes=15)
    zone = dt.timezone(dt.timedelta(hours=chance.choice([0, 2, -4])))
    local = start.astimezone(zone)
    return {
        "id": f"B{number:04}",
        "party_size": chance.choice([1, 2, 2, 2, 2, 2, 3, 3, 4, 4, 4, 5, 6, 7, 8, 10, 12, 40]),
        "start_at": local.isoformat().replace("+00:00", "Z") if chance.random() < 0.8 else local.isoformat(" "),
        **_some(
            chance,
            end_at=(local + dt.timedelta(minutes=chance.choice([45, 75, 95, 180]))).isoformat(),
            seating_preference=chance.choice(["any", "any", "any", "indoor", "outdoor", "bar"]),
            zone=chance.choice([None, None, None, *ZONES, "Nowhere"]),
            accessible=chance.random() < 0.2,
            status=chance.choice(["pending", "pending", "pending", "cancelled", "seated"]),
        ),
    }


def _policy(chance):
    periods = [{"name": "day", "start": "07:00", "end": "16:30"}, {"name": "night", "start": "16:30", "end": "03:00"}]
    return _some(
        chance,
        service_periods=periods[: chance.randint(0, 2)] or [{"name": "sat", "start": "00:00", "end": "00:00"}],
        turn_bands=[{"up_to": 2, "minutes": 60}, {"up_to": 8, "minutes": 110}],
        pre_buffer_minutes=chance.choice([0, 5, 20]),
        post_buffer_minutes=chance.choice([0, 10, 15]),
        max_tables=chance.randint(1, 4),
        max_overage=chance.choice([None, 0, 2, 6]),
        adjacency=chance.choice(["connected", "neighbours", "pairwise"]),
        retry_cutoff_minutes=chance.choice([0, 60]),
        weights=_some(chance, waste=2, join=0.25, scarcity=0, gap=0.1),
    )


if __name__ == "__main__":
    json.dump(made_up(*map(int, sys.argv[1:])), sys.stdout, indent=1)
