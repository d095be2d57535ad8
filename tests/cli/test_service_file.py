"""SERVICE.json: what it takes, and what it says about everything else."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline.adapters.as_json import policy_of, policy_text
from assignment_pipeline.cli.day.service_file import read_service, service_document
from assignment_pipeline.cli.failures import BadInputError
from assignment_pipeline.domain.booking import SeatingPreference
from assignment_pipeline.domain.combination import Combination
from assignment_pipeline.domain.policy import AdjacencyMode, Arrivals, ServicePeriod, TurnBand, VenuePolicy, Weights

MISSING = object()


def put(document, place, value):
    """Put *value* into *document*, or take away what is there."""
    *way, last = place
    for step in way:
        document = document[step]
    if value is MISSING:
        del document[last]
    else:
        document[last] = value


def complaint(path):
    """What is said about a file, without its name."""
    with pytest.raises(BadInputError) as caught:
        read_service(path)
    name, _, rest = str(caught.value).partition(": ")
    assert name == str(path)
    return rest


def test_everything_in_it_is_read(small, day_file):
    """Each key of the format arrives in the domain's values."""
    small["policy"] |= {
        "service_periods": [{"name": "late", "start": "17:00", "end": "01:00", "days": ["fri", "sat"]}],
        "turn_bands": [{"up_to": 2, "minutes": 75}, {"up_to": 9, "minutes": 100}],
        "pre_buffer_minutes": 5,
        "max_overage": 2,
        "adjacency": "pairwise",
        "retry_cutoff_minutes": 0,
        "weights": {"waste": 2, "gap": 0.5},
    }
    small["bookings"][0] |= {"zone": "Window", "accessible": True}
    service = read_service(day_file(small))
    assert (service.venue.id, service.venue.timezone) == ("corner", "Europe/Berlin")
    assert service.venue.policy == VenuePolicy(
        service_periods=(ServicePeriod("late", dt.time(17), dt.time(1), ("fri", "sat")),),
        turn_bands=(TurnBand(2, 75), TurnBand(9, 100)),
        pre_buffer_minutes=5,
        post_buffer_minutes=15,
        max_tables=2,
        max_overage=2,
        adjacency=AdjacencyMode.PAIRWISE,
        retry_cutoff_minutes=0,
        weights=Weights(waste=2, gap=0.5),
        reseat="off",
    )
    window, _, garden = service.venue.floor.tables
    assert (window.capacity, window.zone, window.accessible, window.seating) == (2, "Window", True, "indoor")
    assert (garden.min_party_size, garden.max_party_size, garden.seating, garden.zone) == (2, 3, "outdoor", None)
    assert service.venue.floor.adjacent == {frozenset({"W1", "W2"})}
    ada, bob, _, dan, eve = service.bookings
    assert (ada.zone, ada.accessible, ada.restaurant_id, ada.status) == ("Window", True, "corner", "pending")
    assert bob.seating is SeatingPreference.INDOOR
    assert dan.start_at == dt.datetime(2031, 5, 17, 17, tzinfo=dt.UTC)
    assert dan.end_at == dt.datetime(2031, 5, 17, 18, tzinfo=dt.UTC)
    assert eve.status == "cancelled"


def test_named_combinations_are_read_and_written(small, day_file):
    """With limits and a priority of their own, or without."""
    small["combinations"] = [
        {"id": "long table", "tables": ["W2", "W1"], "capacity": 5},
        {
            "id": "bench",
            "tables": ["W1", "G1"],
            "capacity": 7,
            "min_party_size": 4,
            "max_party_size": 6,
            "priority": -1,
        },
    ]
    service = read_service(day_file(small))
    assert service.venue.floor.combinations == (
        Combination("long table", ("W1", "W2"), 5),
        Combination("bench", ("G1", "W1"), 7, min_party_size=4, max_party_size=6, priority=-1),
    )
    assert read_service(day_file(service_document(service))) == service


def test_tables_out_of_service_are_read_and_written(small, day_file):
    """Each with its time and, if there is one, a reason; the same span is one block, the same in every run."""
    morning = {"start_at": "2031-05-17T09:00+02:00", "end_at": "2031-05-17T12:00+02:00", "reason": "maintenance"}
    evening = {"start_at": "2031-05-17T17:00Z", "end_at": "2031-05-17T18:00Z", "reason": None}
    small["tables"][1] |= {"out_of_service": [morning, evening, evening], "priority": 3}
    service = read_service(day_file(small))
    assert service.venue.floor.tables[1].priority == 3
    assert [(block.table_id, block.reason, block.window.duration) for block in service.blocks] == [
        ("W2", "maintenance", dt.timedelta(hours=3)),
        ("W2", None, dt.timedelta(hours=1)),
    ]
    assert read_service(day_file(service_document(service))) == service


def test_a_null_is_as_good_as_a_missing_key(small, day_file):
    """Optional keys may be null, everywhere."""
    plain = read_service(day_file(small | {"policy": {}, "adjacent": []}))
    small |= {"policy": None, "adjacent": None}
    for table in small["tables"][:2]:
        table |= {
            "out_of_service": None,
            "priority": None,
            "seating": None,
            "active": None,
            "min_party_size": None,
            "max_party_size": None,
        }
    small["bookings"][0] |= dict.fromkeys(("end_at", "seating_preference", "zone", "accessible", "status"))
    assert read_service(day_file(small)) == plain
    assert plain.venue.policy == VenuePolicy()


def test_a_byte_order_mark_does_no_harm(small, day_file):
    """Some editors write one."""
    assert read_service(day_file(b"\xef\xbb\xbf" + json.dumps(small).encode())).venue.id == "corner"


LUNCH = {"name": "lunch", "start": "12:00", "end": "15:30"}

WRONG = [
    # What is there to be told apart: whole numbers, numbers, truth values, texts.
    (["bookings", 3, "party_size"], 0, "bookings[3].party_size: expected a whole number from 1 to 500, got 0"),
    (["bookings", 3, "party_size"], True, "bookings[3].party_size: expected a whole number from 1 to 500, got true"),
    (["bookings", 3, "party_size"], 4.0, "bookings[3].party_size: expected a whole number from 1 to 500, got 4.0"),
    (["bookings", 3, "party_size"], "4", 'bookings[3].party_size: expected a whole number from 1 to 500, got "4"'),
    (["bookings", 3, "party_size"], None, "bookings[3].party_size: expected a whole number from 1 to 500, got null"),
    (["bookings", 3, "party_size"], MISSING, "got nothing"),
    (["bookings", 3, "party_size"], float("nan"), "got NaN"),
    (["bookings", 3, "party_size"], 10**60, "bookings[3].party_size: expected a whole number from 1 to 500, got 1000"),
    (["bookings", 3, "party_size"], [4], "got [4]"),
    (["bookings", 3, "accessible"], 1, "bookings[3].accessible: expected true or false, got 1"),
    (["bookings", 3, "id"], 7, "bookings[3].id: expected a non-empty text"),
    (["bookings", 3, "id"], "", "bookings[3].id: expected a non-empty text"),
    (
        ["bookings", 3, "id"],
        "a\nb",
        r'bookings[3].id: expected a non-empty text of at most 200 printable characters, got "a\nb"',
    ),
    (["bookings", 3, "id"], "\ud800", r'got "\ud800"'),
    (["bookings", 3, "id"], "x" * 999, 'got "' + "x" * 59 + "..."),
    (["bookings", 3, "id"], "ada", 'bookings[3].id: expected each id once, got "ada" as in bookings[0]'),
    (["tables", 2, "id"], "W2", 'tables[2].id: expected each id once, got "W2" as in tables[1]'),
    # Times.
    (["bookings", 1, "start_at"], "2031-05-17T19:00", "bookings[1].start_at: expected a time with an offset from UTC"),
    (["bookings", 1, "start_at"], "2031-05-17T19:00:30Z", "bookings[1].start_at: expected a whole minute"),
    (["bookings", 1, "start_at"], "tonight", "bookings[1].start_at: expected an ISO 8601 time with an offset"),
    (["bookings", 1, "start_at"], "2031-02-30T19:00Z", "bookings[1].start_at: expected an ISO 8601 time"),
    (["bookings", 1, "start_at"], "2031-05-17x19:00Z", "bookings[1].start_at: expected an ISO 8601 time"),
    (["bookings", 1, "start_at"], 1937415600, "bookings[1].start_at: expected an ISO 8601 time"),
    (["bookings", 1, "start_at"], "0001-01-01T00:00+14:00", "bookings[1].start_at: expected a time in the years 1973"),
    (["bookings", 1, "start_at"], "9999-12-31T23:59Z", "bookings[1].start_at: expected a time in the years 1973"),
    (["bookings", 1, "start_at"], MISSING, "bookings[1].start_at: expected an ISO 8601 time"),
    (["bookings", 1, "end_at"], "2031-05-17T21:00+02:00", "bookings[1].end_at: expected a time after start_at, "),
    (["bookings", 1, "end_at"], "2031-05-19T21:00+02:00", "bookings[1].end_at: expected a time after start_at, "),
    (["restaurant", "timezone"], "Mars/Olympus", "restaurant.timezone: expected an IANA name such as Europe/London"),
    (["restaurant", "timezone"], "../etc/passwd", "restaurant.timezone: expected an IANA name"),
    (["restaurant", "timezone"], MISSING, "restaurant.timezone: expected an IANA name such as Europe/London, got not"),
    (["restaurant", "id"], None, "restaurant.id: expected a non-empty text"),
    # Words.
    (["bookings", 1, "seating_preference"], "roof", 'expected any, indoor, outdoor or bar, got "roof"'),
    (["bookings", 1, "seating_preference"], [], "expected any, indoor, outdoor or bar, got []"),
    (["tables", 0, "seating"], "any", 'tables[0].seating: expected indoor, outdoor or bar, got "any"'),
    (["policy", "adjacency"], "near", 'policy.adjacency: expected connected, neighbours or pairwise, got "near"'),
    # Pacing.
    (
        ["policy", "pacing"],
        [{"minutes": 15, "covers": 0}],
        "policy.pacing[0].covers: expected a whole number from 1",
    ),
    (
        ["policy", "pacing"],
        [{"minutes": 0, "covers": 9}],
        "policy.pacing[0].minutes: expected a whole number from 1",
    ),
    (["policy", "pacing"], [{"minutes": 15}], "policy.pacing[0].parties: expected a cap on covers or on parties, got "),
    (
        ["policy", "pacing"],
        [{"covers": 9}],
        "policy.pacing[0].minutes: expected a whole number from 1 to 1440",
    ),
    (["policy", "pacing"], [{"minutes": 15, "guests": 9}], "policy.pacing[0].guests: expected a key among minutes, "),
    (
        ["policy", "pacing"],
        [{"minutes": 15, "covers": 9, "periods": ["brunch"]}],
        "policy.pacing: expected ",
    ),
    (
        ["policy", "pacing"],
        [{"minutes": 15, "covers": 9, "periods": "dinner"}],
        'policy.pacing[0].periods: expected a list, got "dinner"',
    ),
    (
        ["bookings", 1, "channel"],
        "",
        "bookings[1].channel: expected a non-empty text of at most 200 printable",
    ),
    # Tables and how they fit together.
    (["tables", 2, "min_party_size"], 5, "tables[2].min_party_size: expected a whole number from 1 to 4, got 5"),
    (["tables", 2, "max_party_size"], 1, "tables[2].max_party_size: expected a whole number from 2 to 500, got 1"),
    (["tables", 2, "capacity"], 501, "tables[2].capacity: expected a whole number from 1 to 500, got 501"),
    (["tables", 1, "out_of_service"], "tonight", 'tables[1].out_of_service: expected a list, got "tonight"'),
    (["tables", 1, "out_of_service"], [{}], "tables[1].out_of_service[0].start_at: expected an ISO 8601 time with an"),
    (
        ["tables", 1, "out_of_service"],
        [{"start_at": "2031-05-17T19:00Z", "end_at": "2031-05-17T19:00Z"}],
        "tables[1].out_of_service[0].end_at: expected a time after the start, 2031-05-17 19:00:00+00:00, got",
    ),
    (
        ["tables", 1, "out_of_service"],
        [{"start_at": "2031-05-17T19:00Z", "end_at": "2031-05-17T20:00Z", "reason": "It broke"}],
        'tables[1].out_of_service[0].reason: expected a short code such as maintenance or guest_withdrew, got "It',
    ),
    (["adjacent", 0, 1], "W9", 'adjacent[0][1]: expected the id of a table, got "W9"'),
    (["adjacent", 0, 1], "W1", 'adjacent[0]: expected two different tables, got ["W1", "W1"]'),
    (["adjacent", 0], ["W1"], 'adjacent[0]: expected two different tables, got ["W1"]'),
    (["adjacent", 0], "W1", 'adjacent[0]: expected a list, got "W1"'),
    (["adjacent"], {"W1": "W2"}, "adjacent: expected a list, got an object"),
    (["combinations"], "W1", 'combinations: expected a list, got "W1"'),
    (["combinations"], [{"id": "x", "tables": ["W1", "W9"], "capacity": 3}], "combinations[0].tables[1]: expected the"),
    (["combinations"], [{"id": "x", "tables": ["W1"], "capacity": 3}], "combinations[0].tables: expected two tables"),
    (["combinations"], [{"id": "x", "tables": ["W1", "W2"]}], "combinations[0].capacity: expected a whole number from"),
    (["combinations"], [{"id": "x", "capacity": 3}], "combinations[0].tables: expected two tables or more, each once"),
    (["combinations"], [{"tables": ["W1", "W2"], "capacity": 3}], "combinations[0].id: expected a non-empty text"),
    (
        ["combinations"],
        [{"id": "x", "tables": ["W1", "W2"], "capacity": 3}, {"id": "y", "tables": ["W2", "W1"], "capacity": 4}],
        "combinations: expected each set of tables once, got it as 'x' and 'y'",
    ),
    # The policy.
    (["policy"], [], "policy: expected an object, got []"),
    (["policy", "max_tables"], 9, "policy.max_tables: expected a whole number from 1 to 8, got 9"),
    (["policy", "max_overage"], -1, "policy.max_overage: expected a whole number from 0 to 500, got -1"),
    (["policy", "turn_bands"], [], "policy.turn_bands: expected bands for ever larger parties"),
    (["policy", "turn_bands"], [{"up_to": 4}], "policy.turn_bands[0].minutes: expected a whole number from 15 to 1440"),
    (["policy", "weights"], {"gap": -1}, "policy.weights.gap: expected a number from 0 to 1000, got -1"),
    (
        ["policy", "weights"],
        {"gap": float("inf")},
        "policy.weights.gap: expected a number from 0 to 1000, got Infinity",
    ),
    (["policy", "weights"], {"glee": 1}, "policy.weights.glee: expected a key among waste, join, scarcity, gap"),
    (
        ["policy", "service_periods"],
        [{"name": "x", "start": "25:00", "end": "01:00"}],
        'policy.service_periods[0].start: expected a local time of day such as 17:30, got "25:00"',
    ),
    (
        ["policy", "service_periods"],
        [{"name": "x", "start": "17:00", "end": "01:00", "days": ["sat", "sat"]}],
        "policy.service_periods[0].days: expected days among mon, tue",
    ),
    (
        ["policy", "service_periods"],
        [{"name": "x", "start": "17:00", "end": "01:00", "days": ["Sat"]}],
        'policy.service_periods[0].days[0]: expected mon, tue, wed, thu, fri, sat or sun, got "Sat"',
    ),
    (["tables", 0], {"counter": "B"}, "tables[0].seats: expected a whole number from 1 to 60, got nothing"),
    (["tables", 0], {"counter": "B", "seats": 0}, "tables[0].seats: expected a whole number from 1 to 60, got 0"),
    (["tables", 0], {"counter": "B", "seats": 61}, "tables[0].seats: expected a whole number from 1 to 60, got 61"),
    (["tables", 0], {"counter": "B" * 198, "seats": 4}, "tables[0].counter: expected at most 190 characters"),
    (["tables", 0], {"counter": "", "seats": 4}, "tables[0].counter: expected"),
    (["tables", 0], {"communal": "C", "seats": 4, "capacity": 2}, "tables[0].capacity: expected a key among communal"),
    (["tables", 0], {"communal": "C", "seats": 4, "offer": "no"}, "tables[0].offer: expected always, on_request, last"),
    (
        ["tables", 0],
        {"counter": "G", "seats": 1, "seating": "any"},
        "tables[0].seating: expected indoor, outdoor or bar",
    ),
    (["tables", 0, "counter"], "B", "tables[0].capacity: expected 1 at a seat of 'B', got 2"),
    (["groups"], [{"name": "wall"}], "groups[0].tables: expected"),
    (["groups"], [{"name": "wall", "tables": ["W1", "X"]}], 'groups[0].tables[1]: expected the id of a table, got "X"'),
    (["groups"], [{"name": "wall", "tables": ["W1"]}], "groups[0].tables: expected two tables or more, each once"),
    (
        ["groups"],
        [{"name": "W1", "tables": ["W1", "W2"]}],
        "groups: expected each name once, and none that is a table's",
    ),
    (["never_joined"], [["W1"]], "never_joined[0]: expected two different groups or tables"),
    (["never_joined"], [["W1", "wall"]], "never_joined: expected pairs of two groups or tables of the floor, got"),
    (["zones"], [{"name": "attic"}], 'zones[0].name: expected the zone of a table, got "attic"'),
    (["zones"], [{"name": "Window"}, {"name": "Window"}], "zones: expected each zone once, got 'Window' twice"),
    (["zones"], [{"name": "Window", "offer": "never"}], "zones[0].offer: expected always, on_request, last or staff"),
    (
        ["zones"],
        [{"name": "Window", "held_until_minutes": -1}],
        "zones[0].held_until_minutes: expected a whole number from 0 to 86400, got -1",
    ),
    (
        ["zones"],
        [{"name": "Window", "held_until_minutes": 60}],
        "zones[0].held_until_minutes: expected an offer that holds it back beside it, got 60",
    ),
    (
        ["tables", 0, "held_until_minutes"],
        60,
        "tables[0].held_until_minutes: expected an offer that holds it back beside it, got 60",
    ),
    (["tables", 0, "held_until_minutes"], 1.5, "tables[0].held_until_minutes: expected a whole number from 0 to 86400"),
    (["tables", 0, "offer"], "never", 'tables[0].offer: expected always, on_request, last or staff, got "never"'),
    (["zones"], [{"name": ["Window"]}], "zones[0].name: expected the zone of a table, got "),
    (["zones"], [{"name": {}}], "zones[0].name: expected the zone of a table, got an object"),
    (["zones"], [{"name": None}], "zones[0].name: expected the zone of a table, got null"),
    (["tables", 0], {"counter": "C", "seats": 3, "zone": 5}, "tables[0].zone: expected a non-empty text"),
    (["tables", 0], {"communal": "C", "seats": 3, "zone": "a\nb"}, "tables[0].zone: expected a non-empty text"),
    (["tables", 0], {"counter": "C", "seats": 3, "zone": ""}, "tables[0].zone: expected a non-empty text"),
    (["tables", 0], {"counter": "C", "seats": 3, "held_until_minutes": -1}, "tables[0].held_until_minutes: expected"),
    (["tables", 0, "tags"], ["a\ud800"], "tables[0].tags[0]: expected a tag such as window, of at most 200 printable"),
    (["tables", 0, "tags"], ["quiet", "a\nb"], "tables[0].tags[1]: expected a tag such as window"),
    (["tables", 0, "tags"], ["\u202e"], "tables[0].tags[0]: expected a tag such as window"),
    (["tables", 0, "tags"], [201 * "x"], "tables[0].tags[0]: expected a tag such as window"),
    (
        ["tables", 0, "tags"],
        ["quiet", 7],
        "printable characters, got 7",
    ),
    # The calendar.
    (
        ["policy", "service_periods"],
        [LUNCH | {"valid_from": "1 April"}],
        'policy.service_periods[0].valid_from: expected a date such as 2031-12-25, got "1 April"',
    ),
    (
        ["policy", "service_periods"],
        [LUNCH | {"valid_from": "2031-04-01", "valid_until": "2031-03-31"}],
        "policy.service_periods[0].valid_until: expected a date not before valid_from, 2031-04-01, got",
    ),
    (
        ["policy", "service_periods"],
        [LUNCH, LUNCH | {"name": "brunch", "days": ["sat"]}],
        "policy.service_periods: expected periods that do not overlap on a day, got lunch 12:00-15:30 and brunch",
    ),
    (
        ["policy", "service_periods"],
        [LUNCH | {"arrivals": {"every": 15, "last": "16:00"}}],
        "policy.service_periods[0].arrivals: expected times from 12:00 on and before 15:30, got 16:00",
    ),
    (
        ["policy", "service_periods"],
        [LUNCH | {"arrivals": ["11:45"]}],
        "policy.service_periods[0].arrivals: expected times from 12:00 on and before 15:30, got 11:45",
    ),
    (
        ["policy", "service_periods"],
        [LUNCH | {"arrivals": {"first": "12:00"}}],
        "policy.service_periods[0].arrivals.every: expected a whole number from 1 to 1440, got nothing",
    ),
    (
        ["policy", "service_periods"],
        [LUNCH | {"arrivals": 15}],
        "policy.service_periods[0].arrivals: expected a list of local times, or a rule",
    ),
    (
        ["policy", "service_periods"],
        [LUNCH | {"end_rule": "never"}],
        'policy.service_periods[0].end_rule: expected leave_by or arrive_by, got "never"',
    ),
    (["policy", "service_periods"], [LUNCH | {"turn": 90}], "policy.service_periods[0].turn: expected to_end, got 90"),
    (
        ["policy"],
        {
            "service_periods": [LUNCH],
            "special_days": [{"date": "2031-12-31", "service_periods": [LUNCH | {"start": "19:00", "end": "13:00"}]}],
        },
        "policy.special_days: expected periods that do not overlap on a day, got lunch 19:00-13:00 on 2031-12-31 and",
    ),
    (
        ["policy", "special_days"],
        [{"date": "2031-12-25", "closed": True}, {"from": "2031-12-20", "until": "2031-12-31", "closed": True}],
        "policy.special_days: expected each date in one entry, got 2031-12-25 in two",
    ),
    (
        ["policy", "special_days"],
        [{"from": "2031-12-20", "closed": True}],
        "policy.special_days[0].until: expected a date beside from, got none",
    ),
    (
        ["policy", "special_days"],
        [{"until": "2031-12-20", "closed": True}],
        "policy.special_days[0].from: expected a date beside until, got none",
    ),
    (
        ["policy", "special_days"],
        [{"date": "2031-12-20"}],
        "policy.special_days[0].closed: expected true, or service_periods in its place, got neither",
    ),
    (
        ["policy", "special_days"],
        [{"date": "2031-05-04", "closed": True, "service_periods": [{"name": "x", "start": "12:00", "end": "15:00"}]}],
        "policy.special_days[0].service_periods: expected none on a day that is closed, got 1",
    ),
    # Keys and shapes.
    (["bookings", 1, "guest"], "Ada", "bookings[1].guest: expected a key among id, party_size, start_at, end_at"),
    (["bookings", 1, "no such"], 1, 'bookings[1]["no such"]: expected a key among'),
    (["extra"], 1, "extra: expected a key among restaurant, tables, bookings, policy, zones, adjacent, groups"),
    (["bookings", 1], "bob", 'bookings[1]: expected an object, got "bob"'),
    (["bookings"], {}, "bookings: expected a list, got an object"),
    (["bookings"], None, "bookings: expected a list of bookings, which may be empty, got null"),
    (["bookings"], MISSING, "bookings: expected a list of bookings, which may be empty, got nothing"),
    (["tables"], [], "tables: expected one table or more, got none"),
    (["tables"], MISSING, "tables: expected one table or more, got nothing"),
    (["restaurant"], MISSING, "restaurant: expected an object, got nothing"),
]


def test_what_a_table_is_for_is_read_and_written(small, day_file):
    """Its offer and its tags arrive, and come out as they were."""
    small["tables"][0] |= {"offer": "last", "tags": ["quiet", "window"], "label": "Nook"}
    service = read_service(day_file(small))
    table = service.venue.floor.tables[0]
    assert (table.offer, table.tags, table.label) == ("last", {"quiet", "window"}, "Nook")
    assert service_document(service)["tables"][0] | small["tables"][0] == service_document(service)["tables"][0]


def test_the_calendar_is_read_and_written(small, day_file, tmp_path):
    """Periods with rules of their own and special days arrive, and come out as they were."""
    small["policy"] |= {
        "offer_within_minutes": 60,
        "service_periods": [
            LUNCH
            | {
                "days": ["tue", "wed"],
                "valid_from": "2031-04-01",
                "valid_until": "2031-09-30",
                "arrivals": {"every": 15, "first": "12:00", "last": "14:00"},
                "end_rule": "arrive_by",
                "turn_bands": [{"up_to": 4, "minutes": 75}],
            },
            {"name": "dinner", "start": "18:00", "end": "23:00", "arrivals": ["18:00", "20:30"], "turn": "to_end"},
        ],
        "special_days": [
            {"date": "2031-12-25", "closed": True, "note": "Christmas"},
            {"from": "2031-07-01", "until": "2031-07-14", "closed": True},
            {
                "date": "2031-12-31",
                "service_periods": [
                    {"name": "gala", "start": "19:00", "end": "02:00", "arrivals": ["19:00"], "turn": "to_end"}
                ],
            },
        ],
    }
    service = read_service(day_file(small))
    lunch, dinner = service.venue.policy.service_periods
    assert lunch == ServicePeriod(
        "lunch",
        dt.time(12),
        dt.time(15, 30),
        ("tue", "wed"),
        valid_from=dt.date(2031, 4, 1),
        valid_until=dt.date(2031, 9, 30),
        arrivals=Arrivals(every=15, first=dt.time(12), last=dt.time(14)),
        end_rule="arrive_by",
        turn_bands=(TurnBand(4, 75),),
    )
    assert (dinner.arrivals, dinner.turn) == ((dt.time(18), dt.time(20, 30)), "to_end")
    christmas, holidays, eve = service.venue.policy.special_days
    assert (christmas.date, christmas.closed, christmas.note) == (dt.date(2031, 12, 25), True, "Christmas")
    assert (holidays.from_, holidays.until) == (dt.date(2031, 7, 1), dt.date(2031, 7, 14))
    assert [period.name for period in eve.service_periods] == ["gala"]
    assert service_document(service)["policy"] | small["policy"] == service_document(service)["policy"]
    assert policy_of(policy_text(service.venue.policy)) == service.venue.policy


@pytest.mark.parametrize(("place", "value", "expected"), WRONG)
def test_what_is_wrong_is_named(small, day_file, place, value, expected):
    """The place, what was expected there, and what was found."""
    put(small, place, value)
    said = complaint(day_file(small))
    assert expected in said
    assert len(said) < 300


BROKEN = {
    "empty": ("", "line 1, column 1: expected JSON, got the end of the file"),
    "cut short": ('{"restaurant": {', "line 1, column 17: expected JSON, got the end of the file"),
    "a comma": ('{\n  "tables": [1,]\n}', "line 2, column "),
    "two values": ("{} {}", 'line 1, column 4: expected JSON, got "{" (Extra data)'),
    "not UTF-8": (b'{\n "a": "\xff"}', "line 2, column 8: expected UTF-8, got the byte 0xff"),
    "UTF-16": ("{}".encode("utf-16"), "line 1, column 1: expected UTF-8, got the byte 0xff"),
    "a list": ("[1, 2]", "expected an object, got [1, 2]"),
    "too deep": ("[" * 200_000, "expected JSON, got lists or objects nested too deep to read"),
    "a key twice": ('{"tables": [], "tables": []}', "tables: expected each key once, got it twice"),
    "a key twice, deep": (
        '{"restaurant": {"id": "a", "timezone": "UTC"}, "tables": [{"id": "T", "capacity": 2, "id": "T"}]}',
        "tables[0].id: expected each key once, got it twice",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_json_is_told_where(day_file, name):
    """By line and column."""
    content, expected = BROKEN[name]
    assert expected in complaint(day_file(content))


def test_what_is_no_file_is_told_apart(tmp_path):
    """Nothing there, or a directory."""
    assert complaint(tmp_path / "nowhere.json") == "expected a file, got nothing there"
    assert complaint(tmp_path) == "expected a file, got a directory"


def test_a_floor_with_too_many_combinations_is_refused(small, day_file):
    """Before anything is written or planned."""
    size = 18
    small["tables"] = [{"id": f"{x}-{y}", "capacity": 2} for x in range(size) for y in range(size)]
    small["adjacent"] = [[f"{x}-{y}", f"{x}-{y + 1}"] for x in range(size) for y in range(size - 1)]
    small["adjacent"] += [[f"{x}-{y}", f"{x + 1}-{y}"] for x in range(size - 1) for y in range(size)]
    small["policy"] = {"max_tables": 8}
    said = complaint(day_file(small))
    assert said.startswith("policy.max_tables: expected a floor with at most 100,000 combinations, got more")


def test_what_is_written_is_read_back(made_up, tmp_path):
    """Writing a day and reading it again changes nothing."""
    path = tmp_path / "day.json"
    for seed in range(12):
        path.write_text(json.dumps(made_up(seed)))
        service = read_service(path)
        path.write_text(json.dumps(service_document(service)))
        assert read_service(path) == service


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 600),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["indoor", "bar", "W1", "ada", "2031-05-17T19:00Z", "connected", "Europe/Berlin", "pending"]),
    st.just(MISSING),
    st.lists(st.integers(0, 3) | st.just("W1"), max_size=3),
    st.dictionaries(st.sampled_from(["id", "capacity", "minutes", "x"]), st.integers(0, 5), max_size=2),
)


@st.composite
def mutants(draw, document):
    """A document with some places in it changed."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        node, place = changed, []
        while isinstance(node, dict | list) and node and (not place or draw(st.booleans())):
            step = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            place.append(step)
            node = node[step]
        if place:
            put(changed, place, draw(JUNK))
    return changed


@given(data=st.data())
def test_whatever_is_in_it_ends_well(data, small_once, run_once, tmp_path_factory):
    """A day is done or refused with one line: never a traceback, never a database that is half written."""
    folder = tmp_path_factory.mktemp("mutant")
    path, db = folder / "day.json", folder / "day.sqlite3"
    with contextlib.suppress(UnicodeEncodeError):
        path.write_text(json.dumps(data.draw(mutants(small_once))), encoding="utf-8")
    ended = run_once("assign", path, "--db", db, "--json")
    if ended.code == 2:
        assert ended.complaint.startswith(f"{path}: ")
        assert not db.exists()
    else:
        assert ended.code == 0
        assert ended.json["double_booked"] == 0
        assert not ended.err


def test_a_table_with_the_id_of_a_counters_seat_is_refused(small, day_file):
    """Whichever comes first, the second entry is named; so are two counters of one name."""
    row = {"counter": "B", "seats": 4, "zone": "Window"}
    table = {"id": "B-3", "capacity": 2}
    for index, (rows, place) in enumerate(
        [
            ([row, table], 'tables[1].id: expected each id once, got "B-3" as in tables[0]'),
            ([table, row], 'tables[1].counter: expected each id once, got "B-3" as in tables[0]'),
            (
                [row, {"communal": "B", "seats": 2}],
                'tables[1].communal: expected each id once, got "B-1" as in tables[0]',
            ),
        ]
    ):
        document = {**small, "tables": rows, "adjacent": [], "bookings": []}
        assert place in complaint(day_file(document)), index
    for key, value in (
        ("adjacent", [["B-1", "B-2"]]),
        ("groups", [{"name": "wall", "tables": ["B-1", "B-2"]}]),
        ("combinations", [{"id": "c", "tables": ["B-1", "B-2"], "capacity": 2}]),
    ):
        document = {**small, "tables": [row], "adjacent": [], "bookings": [], key: value}
        said = complaint(day_file(document))
        assert f"{key}: expected tables that are no seats of a row, got 'B-1' of 'B'" in said


def test_rows_and_groups_are_read(small, day_file):
    """A counter and a communal table stand for their seats; groups and what is never joined go with the floor."""
    small["tables"] += [
        {"counter": "B", "seats": 3, "zone": "Window", "seating": "bar", "offer": "last", "tags": ["view"]},
        {
            "communal": "C",
            "seats": 2,
            "out_of_service": [{"start_at": "2031-05-17T17:00+02:00", "end_at": "2031-05-17T18:00+02:00"}],
        },
    ]
    small["groups"] = [{"name": "window", "tables": ["W1", "W2"]}]
    small["never_joined"] = [["window", "G1"]]
    service = read_service(day_file(small))
    stools = [table for table in service.venue.floor.tables if table.counter == "B"]
    assert [(table.id, table.capacity, table.zone, table.offer) for table in stools] == [
        (f"B-{number}", 1, "Window", "last") for number in (1, 2, 3)
    ]
    assert {block.table_id for block in service.blocks} == {"C-1", "C-2"}
    assert [group.tables for group in service.venue.floor.groups] == [("W1", "W2")]
    assert service.venue.floor.never_joined == {frozenset({"window", "G1"})}
    written = service_document(service)
    assert {
        "counter": "B",
        "seats": 3,
        "zone": "Window",
        "seating": "bar",
        "offer": "last",
        "tags": ["view"],
    } in written["tables"]
    again = read_service(day_file(written))
    assert (again.venue, set(again.blocks)) == (service.venue, set(service.blocks))


@pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("night", [{"closed": True}, {"service_periods": [LUNCH | {"end": "02:00"}]}])
def test_a_special_day_may_be_the_first_or_the_last_of_the_calendar(small, day_file, date, night):
    """As the validity of a period may begin and end there: it stands for "always"."""
    small["policy"] |= {"special_days": [{"date": date, **night}]}
    (day,) = read_service(day_file(small)).venue.policy.special_days
    assert day.first == day.last == dt.date.fromisoformat(date)
    small["policy"] |= {"special_days": [{"from": "0001-01-01", "until": "9999-12-31", **night}]}
    assert read_service(day_file(small)).venue.policy.special_days
