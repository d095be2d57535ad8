"""``demo``, the evening that it makes up, and how it is drawn."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline.cli.day.evening import evening, upcoming_saturday
from assignment_pipeline.cli.day.service_file import read_service
from assignment_pipeline.cli.day.timeline import ASCII, BLOCKS, LINES, Party, timeline
from assignment_pipeline.domain.floor import FloorPlan, Table
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow

SATURDAY = dt.date(2031, 5, 17)
NOON = dt.datetime(2031, 5, 17, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def test_the_same_seed_makes_the_same_evening():
    """And another one another."""
    assert evening(SATURDAY, seed=3) == evening(SATURDAY, seed=3)
    assert evening(SATURDAY, seed=3) != evening(SATURDAY, seed=4)


def test_an_evening_is_one():
    """36 tables and a counter in four zones, a rush from seven to eight, and nobody's name."""
    service = evening(SATURDAY)
    assert len(service.venue.floor.tables) == 36 + 8  # The seats of the counter.
    assert len({table.zone for table in service.venue.floor.tables}) == 4
    hours = Counter(booking.start_at.astimezone(service.venue.zone).hour for booking in service.bookings)
    assert hours.most_common(1)[0][0] == 19
    assert [booking.id for booking in service.bookings] == [f"Guest {n + 1}" for n in range(len(service.bookings))]
    assert {booking.seating.value for booking in service.bookings} == {"any", "outdoor", "bar"}
    largest = max(seating.capacity for seating in service.venue.seatings)
    assert sum(booking.party_size > largest for booking in service.bookings) == 1
    assert any(not service.venue.serves(service.venue.turn(booking)) for booking in service.bookings)


@pytest.mark.parametrize("today", [dt.date(2031, 5, 11) + dt.timedelta(days=days) for days in range(7)])
def test_the_evening_is_the_next_saturdays(today):
    """Never today's."""
    saturday = upcoming_saturday(today)
    assert saturday.weekday() == 5
    assert dt.timedelta() < saturday - today <= dt.timedelta(days=7)


def test_the_demo_seats_most_and_explains_the_rest(cli, problems, tmp_path):
    """The floor, the numbers, and why each of the others was refused; the same again over its database."""
    db = tmp_path / "demo.sqlite3"
    first = cli("demo", "--db", db, "--date", "2031-05-17")
    assert (first.code, first.err) == (0, "")
    for words in (
        "demo, Saturday 17 May 2031, times in Europe/London",
        "outside the hours of service",
        "too large for any table",
        "No table is taken twice at one time.",
    ):
        assert words in first.out
    again = cli("demo", "--db", db, "--date", "2031-05-17")
    assert again.out.partition("bookings on")[0] == first.out.partition("bookings on")[0]
    document = cli("demo", "--date", "2031-05-17", "--service-file").json
    file = tmp_path / "evening.json"
    file.write_text(json.dumps(document))
    assert read_service(file) == evening(SATURDAY)
    result = cli("assign", file, "--db", db, "--json").json
    assert problems(document, result) == []
    assert result["confirmed"] >= 0.8 * result["bookings"]
    numbers = {booking["id"].removeprefix("Guest "): booking["party_size"] for booking in document["bookings"]}
    for row in result["assignments"]:
        number = row["booking_id"].removeprefix("Guest ")
        assert first.out.count(f"{number}·{numbers[number]}") >= len(row["tables"])


# -- The picture --------------------------------------------------------------------------------------------------

VENUE = Venue(
    "corner",
    "Europe/London",
    FloorPlan(
        (
            Table("A1", 2, zone="Hall"),
            Table("G1", 4, zone="Garden"),
            Table("A2", 12, zone="Hall"),
            Table("the round one", 4),
        ),
        frozenset({frozenset({"A1", "A2"})}),
    ),
)


def party(label, size, start, minutes, *tables):
    """A party that arrives so many minutes after noon, UTC."""
    turn = TimeWindow(NOON + start * MINUTE, NOON + (start + minutes) * MINUTE)
    return Party(label=label, size=size, tables=tables, turn=turn)


PARTIES = [
    party("1", 2, 0, 90, "A1"),
    party("2", 4, 20, 100, "G1"),
    party("3", 9, 105, 120, "A1", "A2"),
    party("4", 3, 225, 15, "A1"),
]


def drawn(glyphs, width=62):
    """The picture as text."""
    return [line.plain for line in timeline(VENUE, PARTIES, width=width, glyphs=glyphs)]


def test_the_floor_over_time():
    """Zones as groups, local hours on top, joined tables with the same label, and the guests below."""
    assert drawn(LINES) == [
        "                 13:00     14:00     15:00     16:00",
        " HALL            ┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌",
        " A1           2  ├1·2──────────┤·  ╞3·9═══════════════╡├┤",
        " A2          12  ┊    ·    ┊    ·  ╞3·9═══════════════╡",
        " GARDEN          ┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌",
        " G1           4  ┊  ├2·4────────────┤┊    ·    ┊    ·",
        "                 ┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌┬╌╌╌╌",
        " the round~   4  ┊    ·    ┊    ·    ┊    ·    ┊    ·",
        " GUESTS          ▂▂▂▄▄▄▄▄▄▄▄▄▄▄▄▃▃▃██▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▂▂",
    ]


def test_ascii_is_enough():
    """Where nothing else can be written."""
    assert all(line.isascii() for line in drawn(ASCII))


def test_colours_change_no_character_that_counts():
    """With and without them, the same labels stand at the same places."""
    lines, blocks = drawn(LINES), drawn(BLOCKS)
    for plain, coloured in zip(lines, blocks, strict=True):
        for label in ("1·2", "2·4", "3·9"):
            assert plain.find(label) == coloured.find(label)


@given(
    parties=st.lists(
        st.builds(
            party,
            st.integers(1, 9999).map(str),
            st.integers(1, 500),
            st.integers(0, 1200),
            st.integers(1, 600),
            st.sampled_from(["A1", "A2", "G1", "the round one"]),
        ),
        max_size=12,
    ),
    width=st.integers(60, 200),
    glyphs=st.sampled_from([LINES, BLOCKS, ASCII]),
)
def test_it_is_never_too_wide(parties, width, glyphs):
    """Whatever is drawn, in a day of 30 hours; and nobody is left out of his table's line."""
    lines = timeline(VENUE, parties, width=width, glyphs=glyphs)
    assert all(line.cell_len <= width for line in lines)
    assert bool(lines) == bool(parties)


@pytest.mark.parametrize("date", ["0001-01-01", "1969-12-31", "9998-12-31", "9999-12-31"])
def test_a_date_at_the_end_of_the_calendar_is_refused(cli, date):
    """In one line."""
    refused = cli("demo", "--date", date)
    assert refused.code == 2
    assert "--date: expected a date in the years" in refused.complaint


def test_what_is_no_date_is_refused(cli, tmp_path):
    """By each command that shows a day, in one sentence, with nothing written."""
    page = tmp_path / "floor.html"
    for command in (("demo",), ("floor", "corner", "--html", page, "--db", tmp_path / "day.db")):
        refused = cli(*command, "--date", "tomorrow")
        assert (refused.code, refused.complaint) == (2, "--date: expected a date such as 2031-05-17, got 'tomorrow'")
    assert not any(tmp_path.iterdir())
