"""What restaurants say of themselves, written into a day's file as "Describe your restaurant" has it."""

from __future__ import annotations

import pytest

DINNER = {"name": "dinner", "start": "18:00", "end": "23:00"}
TWO = [{"id": "1", "capacity": 2}, {"id": "2", "capacity": 4}]
ONE = [{"id": "1", "capacity": 4}]
SITTINGS = {"arrivals": ["12:00", "14:00", "16:00"], "turn_bands": [{"up_to": 12, "minutes": 120}]}
WINTER = [{"start_at": "2031-01-01T00:00+01:00", "end_at": "2031-04-01T00:00+02:00", "reason": "winter"}]

HOUSES = {
    "closed on Mondays, but for a bank holiday": (
        {
            "service_periods": [{**DINNER, "days": ["tue", "wed", "thu", "fri", "sat", "sun"]}],
            "special_days": [{"date": "2031-05-05", "service_periods": [DINNER]}],
        },
        {"tables": TWO},
        [("2031-05-05T19:00+02:00", 2, "1"), ("2031-05-12T19:00+02:00", 2, "outside_service")],
    ),
    "closed for a fortnight": (
        {"service_periods": [DINNER], "special_days": [{"from": "2031-07-01", "until": "2031-07-14", "closed": True}]},
        {"tables": ONE},
        [("2031-07-14T19:00+02:00", 2, "outside_service"), ("2031-07-15T19:00+02:00", 2, "1")],
    ),
    "lunch and dinner with a break, and a last table for lunch": (
        {
            "service_periods": [
                {"name": "lunch", "start": "12:00", "end": "15:00", "arrivals": {"every": 15, "last": "13:45"}},
                {**DINNER, "arrivals": {"every": 30, "first": "18:30", "last": "21:00"}},
            ],
            "turn_bands": [{"up_to": 12, "minutes": 75}],
        },
        {"tables": ONE},
        [
            ("2031-05-07T13:45+02:00", 2, "1"),
            ("2031-05-07T14:00+02:00", 2, "not_an_arrival"),
            ("2031-05-07T15:30+02:00", 2, "outside_service"),
            ("2031-05-07T18:45+02:00", 2, "not_an_arrival"),
            ("2031-05-07T18:30+02:00", 2, "1"),
        ],
    ),
    "last orders at 21:30, and guests may stay": (
        {"service_periods": [{**DINNER, "end": "21:31", "end_rule": "arrive_by"}]},
        {"tables": TWO},
        [("2031-05-07T21:30+02:00", 2, "1"), ("2031-05-07T21:45+02:00", 4, "outside_service")],
    ),
    "a gala until two, and closed on New Year's Day": (
        {
            "service_periods": [DINNER],
            "special_days": [
                {
                    "date": "2031-12-31",
                    "service_periods": [
                        {**DINNER, "start": "19:00", "end": "02:00", "arrivals": ["19:00"], "turn": "to_end"}
                    ],
                },
                {"date": "2032-01-01", "closed": True},
            ],
        },
        {"tables": ONE},
        [
            ("2031-12-31T20:00+01:00", 2, "not_an_arrival"),
            ("2031-12-31T19:00+01:00", 2, "1"),
            ("2031-12-31T19:00+01:00", 2, "infeasible"),
            ("2032-01-01T19:00+01:00", 2, "outside_service"),
            ("2032-01-02T19:00+01:00", 2, "1"),
        ],
    ),
    "a patio for who asks, and half of it away in winter": (
        {"service_periods": [DINNER]},
        {
            "tables": [
                {"id": "P1", "capacity": 2, "seating": "outdoor", "zone": "patio", "out_of_service": WINTER},
                {"id": "P2", "capacity": 2, "seating": "outdoor", "zone": "patio"},
                {"id": "M1", "capacity": 4},
            ],
            "zones": [{"name": "patio", "offer": "on_request"}],
        },
        [
            ("2031-02-14T19:00+01:00", 2, "M1"),
            ("2031-02-14T19:00+01:00", 2, "infeasible"),
            ("2031-02-14T19:00+01:00", 2, "P2", {"seating_preference": "outdoor"}),
            ("2031-02-14T19:00+01:00", 2, "infeasible", {"seating_preference": "outdoor"}),
        ],
    ),
    "bar stools once the room is full, and no stool alone": (
        {"service_periods": [DINNER], "reseat": "off"},
        {"tables": [{"counter": "B", "seats": 5, "seating": "bar", "offer": "last"}, {"id": "M1", "capacity": 2}]},
        [
            ("2031-02-14T19:00+01:00", 2, "M1"),
            ("2031-02-14T19:00+01:00", 2, None),
            ("2031-02-14T19:00+01:00", 1, None),
            ("2031-02-14T19:00+01:00", 2, None),
            ("2031-02-14T19:00+01:00", 1, "no_fit"),
        ],
    ),
    "a wheelchair gets to one table, and who sits there moves": (
        {"service_periods": [DINNER]},
        {"tables": [{"id": "1", "capacity": 4, "accessible": True}, {"id": "2", "capacity": 4, "priority": -1}]},
        [("2031-02-14T19:00+01:00", 4, "2"), ("2031-02-14T19:00+01:00", 2, "1", {"accessible": True})],
    ),
    "a kitchen that takes eight a quarter of an hour, four of them online": (
        {
            "service_periods": [DINNER],
            "pacing": [{"minutes": 15, "covers": 4, "channel": "online"}, {"minutes": 15, "covers": 8}],
        },
        {"tables": [{"id": str(number), "capacity": 4} for number in range(6)]},
        [
            ("2031-02-14T19:00+01:00", 4, None, {"channel": "online"}),
            ("2031-02-14T19:00+01:00", 2, "pacing", {"channel": "online"}),
            ("2031-02-14T19:05+01:00", 4, None, {"channel": "phone"}),
            ("2031-02-14T19:10+01:00", 1, "pacing"),
            ("2031-02-14T19:15+01:00", 1, None),
        ],
    ),
    "a table that is mended next week": (
        {"service_periods": [DINNER]},
        {
            "tables": [
                {
                    **ONE[0],
                    "out_of_service": [{"start_at": "2031-05-12T00:00+02:00", "end_at": "2031-05-19T00:00+02:00"}],
                }
            ]
        },
        [
            ("2031-05-11T19:00+02:00", 4, "1"),
            ("2031-05-12T19:00+02:00", 4, "infeasible"),
            ("2031-05-19T19:00+02:00", 4, "1"),
        ],
    ),
    "a table for who comes without a booking": (
        {"service_periods": [DINNER]},
        {"tables": [*ONE, {"id": "W", "capacity": 4, "offer": "staff"}]},
        [("2031-05-12T19:00+02:00", 4, "1"), ("2031-05-12T19:00+02:00", 4, "infeasible")],
    ),
    "short turns before the theatre": (
        {
            "service_periods": [
                {
                    "name": "theatre",
                    "start": "17:00",
                    "end": "18:30",
                    "arrivals": ["17:00", "17:15"],
                    "turn_bands": [{"up_to": 6, "minutes": 75}],
                },
                {**DINNER, "start": "18:30"},
            ]
        },
        {"tables": ONE},
        [
            ("2031-05-12T17:30+02:00", 2, "not_an_arrival"),
            ("2031-05-12T17:15+02:00", 2, "1"),
            ("2031-05-12T18:30+02:00", 2, "1"),
        ],
    ),
    "a roast on Sundays, in three sittings": (
        {"service_periods": [{"name": "roast", "start": "12:00", "end": "18:00", "days": ["sun"], **SITTINGS}]},
        {"tables": ONE},
        [
            ("2031-05-11T12:00+02:00", 4, "1"),
            ("2031-05-11T14:00+02:00", 4, "1"),
            ("2031-05-11T16:00+02:00", 4, "1"),
            ("2031-05-11T13:00+02:00", 4, "not_an_arrival"),
            ("2031-05-12T12:00+02:00", 4, "outside_service"),
        ],
    ),
    "no couples at the table for eight, and people see to nine and more": (
        {"service_periods": [DINNER], "review_from_party": 9},
        {"tables": [{"id": "8", "capacity": 8, "min_party_size": 5}]},
        [
            ("2031-05-11T19:00+02:00", 2, "party_too_small"),
            ("2031-05-11T19:00+02:00", 9, "large_party"),
            ("2031-05-11T19:00+02:00", 6, "8"),
        ],
    ),
    "open past midnight, and closed on the next day": (
        {"service_periods": [{**DINNER, "end": "03:00"}], "special_days": [{"date": "2031-05-12", "closed": True}]},
        {"tables": ONE},
        [
            ("2031-05-12T00:30+02:00", 2, "1"),
            ("2031-05-12T21:00+02:00", 2, "outside_service"),
            ("2031-05-13T01:00+02:00", 2, "outside_service"),
        ],
    ),
    "a parquet and a terrace that are never one table": (
        {"service_periods": [DINNER], "reseat": "off"},
        {
            "tables": [{"id": name, "capacity": 4} for name in ("P1", "P2", "T1")],
            "adjacent": [["P1", "P2"], ["P2", "T1"]],
            "groups": [{"name": "parquet", "tables": ["P1", "P2"]}],
            "never_joined": [["parquet", "T1"]],
        },
        [("2031-05-11T19:00+02:00", 8, "P1 P2"), ("2031-05-11T19:00+02:00", 9, "party_too_large")],
    ),
}
"""
A policy, the rest of the file, and who asks: when, how many, at which tables in the end or why not (None: at any), and
with which wishes.
"""


@pytest.mark.parametrize("house", HOUSES)
def test_a_houses_rules_can_be_said(cli, day_file, house):
    """Each booking gets the tables, or the reason, that the people of the restaurant would give it."""
    policy, floor, asked = HOUSES[house]
    bookings = [
        {"id": f"b{number}", "party_size": size, "start_at": start, **(wishes[0] if wishes else {})}
        for number, (start, size, _, *wishes) in enumerate(asked)
    ]
    restaurant = {"id": "house", "timezone": "Europe/Berlin"}
    ended = cli(
        "assign", day_file({"restaurant": restaurant, "policy": policy, **floor, "bookings": bookings}), "--json"
    )
    assert ended.code == 0
    for booking, (_, _, expected, *_) in zip(ended.json["assignments"], asked, strict=True):
        got = " ".join(booking["tables"]) or booking["reason"]
        assert got == expected or (expected is None and booking["tables"]), booking
