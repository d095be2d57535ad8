"""``host check`` and the contracts made of it: each mistake of a host is found by a check, and nothing stays behind."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import re
import sqlite3
import textwrap
import uuid
from zoneinfo import ZoneInfo

import attrs
import pytest

from assignment_pipeline import Booking, FloorPlan, Occupied, ServicePeriod, Table, TimeWindow, Venue, VenuePolicy
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.adapters.sqlite import SQLiteStore
from assignment_pipeline.cli.app import run
from assignment_pipeline.domain.shadow import ShadowBundle, ShadowVerdict
from assignment_pipeline.host_check import Say, acheck, check
from assignment_pipeline.testing import AsyncHostContract, HostContract
from tests.contract.rows import AT, HOUSE, ForgetsWaiting, RowHost, book
from tests.contract.test_hosts import (  # noqa: F401 - the fixture
    TWO_HOURS,
    VENUE,
    AsyncPostgresRig,
    PostgresRig,
    SQLiteRig,
    StaleVersion,
    rig,
)

FLOOR = FloorPlan([Table("T1", 4)])


class Unstable(RowHost):
    """Gives a booking that changes with the clock."""

    count = itertools.count()

    def booking(self, connection, booking_id):
        found = super().booking(connection, booking_id)
        return found and attrs.evolve(found, party_size=1 + next(self.count) % 2)


class RaisesOnUnknown(RowHost):
    """Raises for an id that is none of its own."""

    def booking(self, connection, booking_id):
        if not booking_id.startswith("b-"):
            msg = "badly formed hexadecimal UUID string"
            raise ValueError(msg)
        return super().booking(connection, booking_id)


class RestlessVersion(RowHost):
    """Makes another version each time."""

    count = itertools.count()

    def venue(self, connection, restaurant_id, known_version):
        return attrs.evolve(super().venue(connection, restaurant_id, None), version=f"v{next(self.count)}")


class NeverNew(RowHost):
    """Answers that nothing has changed, whatever is known."""

    def venue(self, connection, restaurant_id, known_version):
        return None if known_version else super().venue(connection, restaurant_id, None)


class AnyRestaurant(RowHost):
    """Has a venue for every id."""

    def venue(self, connection, restaurant_id, known_version):
        found = super().venue(connection, HOUSE, None)
        return attrs.evolve(found, id=restaurant_id)


class OtherNames(RowHost):
    """Names tables as the old planner does."""

    def occupied(self, connection, restaurant_id, window):
        return [
            attrs.evolve(seat, table_id=seat.table_id.lower())
            for seat in super().occupied(connection, restaurant_id, window)
        ]


class StartsWithin(RowHost):
    """Shows only what starts in the window."""

    def occupied(self, connection, restaurant_id, window):
        found = super().occupied(connection, restaurant_id, TimeWindow(window.start - TWO_HOURS * 12, window.end))
        return [seat for seat in found if window.start <= seat.window.start < window.end]


class Unordered(RowHost):
    """Gives what waits the latest first."""

    def unassigned(self, connection, since, limit):
        return super().unassigned(connection, since, limit)[::-1]


class NoLimit(RowHost):
    """Gives all that waits."""

    def unassigned(self, connection, since, limit):
        return super().unassigned(connection, since, 1_000)


class NoSince(RowHost):
    """Gives what has begun as well."""

    def unassigned(self, connection, since, limit):
        return super().unassigned(connection, dt.datetime(1999, 1, 1, tzinfo=dt.UTC), limit)


class GivesSettled(RowHost):
    """Gives bookings that do not wait any more."""

    def unassigned(self, connection, since, limit):
        rows = self.rows(connection, "SELECT id, house, covers, starts, state FROM @reservations ORDER BY starts, id")
        return [one for one in map(self.booking_of, rows) if one.start_at > since][:limit]


class MissesTheRow(RowHost):
    """Writes to no row."""

    def write(self, connection, record):
        self.rows(connection, "UPDATE @reservations SET state = 'booked' WHERE id = ?", f"x{record.booking_id}")


class WritesAll(RowHost):
    """Writes to every row."""

    def write(self, connection, record):
        self.rows(connection, "UPDATE @reservations SET state = ?", self.words.word(record))


class OddWord(RowHost):
    """Reads its own word for a review as settled."""

    def booking_of(self, row):
        found = super().booking_of(row)
        return attrs.evolve(found, status="asked") if row[-1] == "asked" else found


class CopiesSeats(RowHost):
    """Copies tables into the old planner's, for nobody."""

    def write(self, connection, record):
        super().write(connection, record)
        for table_id in record.tables:
            window = record.allocation.blocked
            self.rows(
                connection,
                "INSERT INTO @legacy_seats VALUES (?, ?, ?, ?, NULL)",
                HOUSE,
                table_id,
                window.start.isoformat(),
                window.end.isoformat(),
            )


class KeepsSeats(CopiesSeats):
    """Copies tables with the booking's id, and leaves them when it gives them up."""

    def write(self, connection, record):
        super().write(connection, record)
        self.rows(connection, "UPDATE @legacy_seats SET reservation = ? WHERE reservation IS NULL", record.booking_id)


class CopiesSeatsByName(KeepsSeats):
    """Copies tables with the booking's id, and clears them when it gives them up."""

    def write(self, connection, record):
        self.rows(connection, "DELETE FROM @legacy_seats WHERE reservation = ?", record.booking_id)
        super().write(connection, record)


class Commits(RowHost):
    """Ends the transaction that is the store's."""

    def on_commit(self, connection, changes):
        super().on_commit(connection, changes)
        if connection is not None and hasattr(connection, "commit"):
            connection.commit()


class ShiftsTheTime(RowHost):
    """Writes what it should leave alone."""

    def write(self, connection, record):
        super().write(connection, record)
        self.rows(connection, "UPDATE @reservations SET covers = covers + 1 WHERE id = ?", record.booking_id)


class KeepsTheRequest(RowHost):
    """Writes how a booking stands, and not what it asks for now."""

    def write_request(self, connection, booking):
        pass


class KeepsTheTime(RowHost):
    """Writes another party, and not another time."""

    def write_request(self, connection, booking):
        self.rows(connection, "UPDATE @reservations SET covers = ? WHERE id = ?", booking.party_size, booking.id)


class ForgetsAnEnd(RowHost):
    """Has no word for a booking that ends in this state: the row stays as it was."""

    end = ""

    def write(self, connection, record):
        if record.state != self.end:
            super().write(connection, record)


class ForgetsFailed(ForgetsAnEnd):
    """A failed booking goes on looking as if it waited."""

    end = "failed"


class ForgetsCancelled(ForgetsAnEnd):
    """A cancelled booking goes on looking as if it were confirmed."""

    end = "cancelled"


class OnlyTheFirst(RowHost):
    """Writes the first change of a commit, and forgets that others moved with it."""

    def on_commit(self, connection, changes):
        super().on_commit(connection, changes[:1])


class WritesAlike(RowHost):
    """Writes the rows that start at the same time, and not that of the id."""

    def write(self, connection, record):
        self.rows(
            connection,
            "UPDATE @reservations SET state = ? WHERE starts = (SELECT starts FROM @reservations WHERE id = ?)",
            self.words.word(record),
            record.booking_id,
        )


class KeepsWhatWasTaken(RowHost):
    """Asks for the old planner's seats once, and never again."""

    def __init__(self):
        self.kept = {}

    def occupied(self, connection, restaurant_id, window):
        if restaurant_id not in self.kept:
            everything = TimeWindow(AT - TWO_HOURS * 100, AT + TWO_HOURS * 1_000)
            self.kept[restaurant_id] = list(super().occupied(connection, restaurant_id, everything))
        return [seat for seat in self.kept[restaurant_id] if seat.window.overlaps(window)]


class AnHourLate(RowHost):
    """Shows the old planner's seats at another time."""

    def occupied(self, connection, restaurant_id, window):
        hour = TWO_HOURS / 2
        earlier = TimeWindow(window.start - hour, window.end)
        for seat in super().occupied(connection, restaurant_id, earlier):
            yield attrs.evolve(seat, window=TimeWindow(seat.window.start + hour, seat.window.end + hour))


class ShowsNobody(RowHost):
    """Leaves out all that the old planner has seated."""

    def occupied(self, connection, restaurant_id, window):
        return ()


class WithoutOnCommit(RowHost):
    """Has forgotten to write what was decided."""

    def __getattribute__(self, name):
        if name == "on_commit":
            raise AttributeError(name)
        return super().__getattribute__(name)


class ListsConfirmed(RowHost):
    """Gives the confirmed bookings of the pipeline's as well."""

    def unassigned(self, connection, since, limit):
        rows = self.rows(
            connection,
            "SELECT id, house, covers, starts, state FROM @reservations"
            " WHERE (state = 'open' OR sits_at IS NOT NULL) AND starts > ? ORDER BY starts, id LIMIT ?",
            since.isoformat(),
            limit,
        )
        return [self.booking_of(row) for row in rows]


class EndsItInSQL(RowHost):
    """Ends the transaction that is the store's with a statement, which no driver looks at."""

    def on_commit(self, connection, changes):
        super().on_commit(connection, changes)
        self.rows(connection, "COMMIT")


BROKEN = {
    "booking": Unstable,
    "unknown-booking": RaisesOnUnknown,
    "venue": RestlessVersion,
    "venue: never new": NeverNew,
    "unknown-venue": AnyRestaurant,
    "occupied": OtherNames,
    "occupied: what starts": StartsWithin,
    "occupied: kept": KeepsWhatWasTaken,
    "unassigned": Unordered,
    "unassigned: all": NoLimit,
    "unassigned: begun": NoSince,
    "unassigned: settled": GivesSettled,
    "states": ForgetsWaiting,
    "states: no row": MissesTheRow,
    "states: a word": OddWord,
    "states: covers": ShiftsTheTime,
    "states: no word for failed": ForgetsFailed,
    "states: no word for cancelled": ForgetsCancelled,
    "states: confirmed ones listed": ListsConfirmed,
    "states: COMMIT": EndsItInSQL,
    "request": KeepsTheRequest,
    "request: time": KeepsTheTime,
    "one-row": WritesAll,
    "one-row: the first alone": OnlyTheFirst,
    "one-row: all that start then": WritesAlike,
    "given-back": CopiesSeats,
    "given-back: kept": KeepsSeats,
}


def filled(rig, kind=RowHost):  # noqa: F811 - the fixture's value
    """A host of that kind with three bookings that wait, two that are settled, and the old planner's seat."""
    host = rig.host(kind)
    for number in range(3):
        book(host, rig.connection, f"b-{number}", starts=AT + number * dt.timedelta(minutes=30))
    book(host, rig.connection, "b-9", state="booked", starts=AT + 4 * TWO_HOURS)
    book(host, rig.connection, "b-8", state="booked")
    times = (AT.isoformat(), (AT + TWO_HOURS).isoformat())
    host.rows(rig.connection, "INSERT INTO @legacy_seats VALUES ('tasca', 'B1', ?, ?, 'b-8')", *times)
    return host


def answers(rig, host, only=None):  # noqa: F811
    """What is said of the host, by check."""
    store = rig.coordinator(host).store
    if isinstance(rig, AsyncPostgresRig):
        found = rig.runner.run(acheck(store, HOUSE, only=only))
    else:
        found = list(check(store, HOUSE, only=only))
    return {one.check: one for one in found}


def rows(rig, host):  # noqa: F811
    """All that the host has."""
    tables = ("reservations", "legacy_seats", "dining_tables")
    return [sorted(map(repr, host.rows(rig.connection, f"SELECT * FROM @{name}"))) for name in tables]


def test_a_host_that_keeps_its_promises_passes(rig):  # noqa: F811
    """Every check is made, none finds anything, and no row stays behind."""
    host = filled(rig)
    before = rows(rig, host)
    found = answers(rig, host)
    assert {one.check: one.text for one in found.values() if one.says is not Say.OK} == {}
    assert len(found) == 15
    assert rows(rig, host) == before
    assert rig.coordinator(host).record("b-0") is None


@pytest.mark.parametrize("mistake", BROKEN)
def test_each_mistake_is_found(rig, mistake):  # noqa: F811
    """The check that it belongs to says what is wrong, behind all others or alone, and no row stays behind."""
    host = filled(rig, BROKEN[mistake])
    before = rows(rig, host)
    name = mistake.partition(":")[0]
    answer = answers(rig, host, only=name if isinstance(rig, PostgresRig) else None)[name]
    assert answer.says is Say.WRONG, answer
    assert "\n" not in answer.text
    assert rows(rig, host) == before


def test_a_host_that_ends_the_transaction_leaves_nothing(rig):  # noqa: F811
    """Its commit is refused, and what it wrote is undone."""
    host = filled(rig, Commits)
    before = rows(rig, host)
    found = answers(rig, host)
    if not isinstance(rig, AsyncPostgresRig):  # There, the test's host has no connection at hand.
        assert found["states"].says is Say.WRONG
    assert rows(rig, host) == before


def test_an_id_that_looks_like_the_hosts_own_is_asked_for(rig):  # noqa: F811
    """A host with uuid keys that raises for one that it does not have is found, too."""

    class Uuids(RowHost):
        def booking(self, connection, booking_id):
            found = super().booking(connection, booking_id)
            if found is None and booking_id.count("-") == 4:
                raise ValueError(booking_id)
            return found

    host = rig.host(Uuids)
    book(host, rig.connection, str(uuid.uuid4()))
    assert answers(rig, host)["unknown-booking"].says is Say.WRONG


def test_the_schema_comes_first(tmp_path):
    """Without the tables, nothing else is tried, and the line says what to do."""
    path = tmp_path / "backend.db"
    path.touch()
    with SQLiteStore(path, host=RowHost()) as store:
        (answer,) = check(store)
    assert (answer.check, answer.says) == ("schema", Say.WRONG)
    assert "db init" in answer.text


def test_a_host_without_bookings_says_what_to_do(tmp_path):
    """Where nobody waits, it is said, and no check guesses."""
    rig = SQLiteRig(tmp_path / "backend.db")  # noqa: F811
    with contextlib.closing(rig):
        host = rig.host(RowHost)
        store = rig.coordinator(host).store
        *_, last = check(store)
        assert last.says is Say.WRONG
        assert "--restaurant" in last.text
        found = {one.check: one.says for one in check(store, HOUSE)}
    assert found["states"] is Say.SKIPPED
    assert found["occupied"] is Say.SKIPPED
    assert found["unassigned"] is Say.WRONG


class NoText(RowHost):
    """Forgets ``str()`` around a table's key."""

    def occupied(self, connection, restaurant_id, window):
        return [Occupied(table_id=uuid.UUID(int=1), window=window)]


class NoWindow(RowHost):
    """Gives two times for a window."""

    def occupied(self, connection, restaurant_id, window):
        return [Occupied(table_id="B1", window=(window.start, window.end))]


class HalfAParty(RowHost):
    """Gives a number that is none of guests."""

    def booking_of(self, row):
        return Booking(row[0], row[1], float(row[2]), dt.datetime.fromisoformat(row[3]), status="pending")


class NaiveTimes(RowHost):
    """Gives times without their zone."""

    def booking_of(self, row):
        return super().booking_of((*row[:3], row[3].partition("+")[0], row[4]))


class NoWordForReview(RowHost):
    """Has words in a dict, and too few of them."""

    def write(self, connection, record):
        {"confirmed": 1, "cancelled": 1, "failed": 1, "assignment_pending": 1}[record.state]
        super().write(connection, record)


class GoesOnAfterAnError(RowHost):
    """Passes over what the database refuses."""

    def write(self, connection, record):
        with contextlib.suppress(Exception):
            self.rows(connection, "INSERT INTO nowhere VALUES (1)")
        super().write(connection, record)


class UnknownVenue(RowHost):
    """Raises what its own look-up raises."""

    def venue(self, connection, restaurant_id, known_version):
        return super().venue(connection, {HOUSE: HOUSE}[restaurant_id], known_version)


TOLD = {
    "a key": (NoText, "occupied", r"^table_id: expected .* in occupied\(\), test_host_check.py, line .* Write str\(\)"),
    "two times": (NoWindow, "occupied", r"^window: expected a TimeWindow, got a tuple in .* Write TimeWindow\("),
    "a float": (HalfAParty, "unassigned", r"^party_size: expected a whole .* in booking_of\(\), .* Write int\(\)"),
    "naive": (NaiveTimes, "unassigned", r"^start_at: expected a time with an offset .* in booking_of\(\), .* zone"),
    "request": (KeepsTheTime, "request", r"does not write start_at: .* Write start_at of record.booking$"),
    "no word": (
        NoWordForReview,
        "states",
        r"a person \(manual_review\): the host raised KeyError in write\(\), .*, line \d+. Write a word",
    ),
    "id": (
        RaisesOnUnknown,
        "unknown-booking",
        r"^booking\('.*'\): the host raised ValueError in booking\(\).*\. Answer None",
    ),
    "house": (
        UnknownVenue,
        "unknown-venue",
        r"^for a restaurant .* raised KeyError in venue\(\).* VenueNotFoundError\(",
    ),
    "commits": (Commits, "states", r"the transaction is the store's: on_commit\(\) must not commit it"),
    "COMMIT": (EndsItInSQL, "states", r"the transaction is the store's: on_commit\(\) must not commit it"),
}


@pytest.mark.parametrize("mistake", TOLD)
def test_a_line_says_where_and_what_to_do(rig, mistake):  # noqa: F811
    """One line: the host's own line of code, what was expected, and the way out."""
    kind, check_name, said = TOLD[mistake]
    if kind is Commits and isinstance(rig, AsyncPostgresRig):
        pytest.skip("the test's async host has no connection at hand")
    text = answers(rig, filled(rig, kind), only=check_name)[check_name].text
    assert re.search(said, text)
    assert "\n" not in text


def test_an_error_that_was_passed_over_is_told_from_a_broken_statement(postgres_database):
    """PostgreSQL refuses everything after it, the statement that is right, too."""
    rig = PostgresRig(postgres_database)  # noqa: F811
    with contextlib.closing(rig):
        found = answers(rig, filled(rig, GoesOnAfterAnError))["states"]
    assert "(25P02)" in found.text
    assert "put what may fail into a savepoint" in found.text


def test_a_connection_of_its_own_is_in_the_way(tmp_path):
    """SQLite has one writer: a host that opens another connection waits for itself, and is told so."""
    path = tmp_path / "backend.db"

    class OpensAnother(RowHost):
        def write(self, connection, record):
            with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as another:
                super().write(another, record)

    rig = SQLiteRig(path)  # noqa: F811
    with contextlib.closing(rig):
        text = answers(rig, filled(rig, OpensAnother))["states"].text
    assert "(SQLITE_BUSY)" in text
    assert "on_commit() has to write on the one that it is given" in text


def test_what_the_list_raises_is_said_once(tmp_path):
    """Whether a restaurant is named or not."""
    rig = SQLiteRig(tmp_path / "backend.db")  # noqa: F811
    with contextlib.closing(rig):
        store = rig.coordinator(filled(rig, NaiveTimes)).store
        for restaurant_id in (None, HOUSE):
            names = [one.check for one in check(store, restaurant_id)]
            assert names.count("unassigned") == 1


DINNER = (ServicePeriod("dinner", dt.time(19), dt.time(20, 45)),)
OFFSETS = {
    "local as UTC": ("Europe/Madrid", dt.timedelta(hours=2), "120 minutes earlier: booking() gives local times as if"),
    "local as UTC, in the west": (
        "America/New_York",
        dt.timedelta(hours=-4),
        "240 minutes later: booking() gives local",
    ),
    "UTC as local": ("America/New_York", dt.timedelta(hours=4), "240 minutes earlier: booking() gives times in UTC"),
}


def opened_at(zone, shift, periods=DINNER):
    """Where two bookings of 19:30 and 20:00 in summer come with that mistake in them."""
    host = MemoryHost(Venue("v", zone, FLOOR, VenuePolicy(service_periods=periods)))
    for number, at in enumerate((dt.time(19, 30), dt.time(20))):
        start = dt.datetime.combine(dt.date(2031, 7, 1), at, ZoneInfo(zone)).astimezone(dt.UTC) + shift
        host.put_booking(Booking(f"b-{number}", "v", 2, start))
    return {one.check: one for one in check(MemoryStore(host), "v")}


@pytest.mark.parametrize("mistake", OFFSETS)
def test_times_that_are_off_by_the_offset_are_found(mistake):
    """Where opening hours are known, and every booking is outside of them until its offset is taken off."""
    zone, shift, sentence = OFFSETS[mistake]
    found = opened_at(zone, shift)["times"]
    assert found.says is Say.WRONG
    assert sentence in found.text


def test_what_a_check_cannot_see_is_shown_to_a_person():
    """The local time of a booking, and a policy that allows all because nobody wrote one."""
    found = opened_at("Europe/Madrid", dt.timedelta(0))
    assert found["times"].text.startswith("2 of 2 start within service_periods; 'b-0' starts at 19:30 in Europe/Madrid")
    assert "no service_periods" not in found["policy"].text
    found = opened_at("Europe/Madrid", dt.timedelta(hours=2), ())
    assert found["times"].says is Say.OK
    assert "'b-0' starts at 21:30 in Europe/Madrid: see that it is what the guest was told" in found["times"].text
    assert "no service_periods, so it is open always; no buffers, so" in found["policy"].text
    found = opened_at("Europe/Madrid", dt.timedelta(hours=7))
    assert found["times"].text.startswith("all 2 start outside service_periods, so that each goes to a person")


def test_nobody_shown_is_not_taken_for_nobody_there(tmp_path):
    """A host that leaves out the old planner's seats looks like a restaurant without any: nothing says it is right."""
    rig = SQLiteRig(tmp_path / "backend.db")  # noqa: F811
    with contextlib.closing(rig):
        found = answers(rig, filled(rig, ShowsNobody))["occupied"]
    assert found.says is Say.SKIPPED
    assert found.text.startswith("it shows nobody in the next 30 days")


class NobodyWaits(RowHost):
    """Never finds a booking that waits."""

    def unassigned(self, connection, since, limit):
        return []


def test_a_list_that_is_always_empty_is_found(rig):  # noqa: F811
    """With the restaurant named, too: bookings wait there, and nobody would ever seat them."""
    found = answers(rig, filled(rig, NobodyWaits))["unassigned"]
    assert (found.says, "gives no booking that waits" in found.text) == (Say.WRONG, True)


def shadowed(rig, host, *tables):  # noqa: F811
    """Keep what the shadow saw of ``b-9``, the booked one: the old planner answered those tables."""
    store = rig.coordinator(host).store
    bundle = ShadowBundle(
        id="shadow-1",
        captured_at=AT,
        restaurant_id=HOUSE,
        booking_id="b-9",
        verdict=ShadowVerdict.MISMATCH,
        document={"case": {"legacy": {"tables": list(tables)}}},
    )
    kept = store.keep_bundle(bundle, most=10, since=AT - TWO_HOURS)
    if isinstance(rig, AsyncPostgresRig) and kept is not None:
        rig.runner.run(kept)


def test_a_seat_of_the_old_planner_that_is_left_out_is_found(rig):  # noqa: F811
    """The shadow has seen where the old planner seated a booking; ``occupied`` has to show it."""
    host = filled(rig, ShowsNobody)
    shadowed(rig, host, "B2")
    found = answers(rig, host)["occupied"]
    assert found.says is Say.WRONG
    assert found.text.startswith("occupied() leaves out 1 of the old planner's seats, such as 'b-9' at 'B2'")


def test_a_seat_of_the_old_planner_that_is_shown_is_right(rig):  # noqa: F811
    """At the tables that it answered, or at others with the booking's id; and a cancelled booking has none."""
    host = filled(rig)
    shadowed(rig, host, "B2")
    assert answers(rig, host)["occupied"].says is Say.WRONG
    times = ((AT + 4 * TWO_HOURS).isoformat(), (AT + 5 * TWO_HOURS).isoformat())
    host.rows(rig.connection, "INSERT INTO @legacy_seats VALUES ('tasca', 'B2', ?, ?, NULL)", *times)
    assert answers(rig, host)["occupied"].says is Say.OK
    host.rows(rig.connection, "UPDATE @legacy_seats SET label = 'B1', reservation = 'b-9' WHERE reservation IS NULL")
    assert answers(rig, host)["occupied"].says is Say.OK
    host.rows(rig.connection, "DELETE FROM @legacy_seats WHERE reservation = 'b-9'")
    host.rows(rig.connection, "UPDATE @reservations SET state = 'cancelled' WHERE id = 'b-9'")
    assert answers(rig, host)["occupied"].says is Say.OK


SEATS = {
    "local as UTC": ("Asia/Tokyo", [9, 9], "occupied() gives local times as if they were UTC"),
    "UTC as local": ("Asia/Tokyo", [-9, -9], "occupied() gives times in UTC as if they were local"),
    "a single one": ("Asia/Tokyo", [9], "occupied() gives local times as if they were UTC"),
    "by less than a stay": ("Africa/Lagos", [-1, -1], "occupied() gives times in UTC as if they were local"),
    "all somewhere else": ("Asia/Tokyo", [5, 7], "none of 2 is there when its booking starts"),
}


def seated_at(zone, hours):
    """What is said of seats that begin so many hours after their bookings."""
    host = MemoryHost(Venue("v", zone, FLOOR))
    for number, late in enumerate(hours):
        start = AT + number * 2 * TWO_HOURS
        host.put_booking(Booking(f"b-{number}", "v", 2, start, status="confirmed"))
        begins = start + dt.timedelta(hours=late)
        window = TimeWindow(begins, begins + TWO_HOURS)
        host.occupy("v", Occupied(table_id="T1", window=window, booking_id=f"b-{number}"))
    return {one.check: one for one in check(MemoryStore(host), "v")}["occupied"]


@pytest.mark.parametrize("mistake", SEATS)
def test_seats_at_another_time_than_their_bookings_are_found(mistake):
    """The table would be given away at the time at which the old planner's guests sit there."""
    zone, hours, sentence = SEATS[mistake]
    found = seated_at(zone, hours)
    assert found.says is Say.WRONG
    assert sentence in found.text


@pytest.mark.parametrize("hours", [[0, 0], [-1], [0, 5]])
def test_a_party_that_sits_early_or_late_is_no_mistake(hours):
    """It is shown to a person where it does not sit when its booking starts."""
    found = seated_at("Africa/Lagos", hours)
    assert found.says is Say.OK
    assert ("1 of 2 at another time than their booking" in found.text) is (5 in hours)


@pytest.mark.parametrize(
    ("minutes", "buffer", "says"),
    [
        (
            [120, 120],
            0,
            "2 of 2 for another time than the pipeline plans: occupied() has 'b-0' at its table for 120 minutes",
        ),
        (
            [120, 120],
            0,
            "and the policy says 90 for 2. If guests stay as long with either planner, give Venue(policy=...)",
        ),
        ([60, 60, 90], 0, "2 of 3 for another time than the pipeline plans"),
        ([90, 90], 0, None),
        ([90, 120], 0, None),
        ([90, 100], 15, None),
        ([110, 110], 15, "2 of 2 for another time"),
    ],
)
def test_seats_that_last_as_long_as_no_turn_are_shown(minutes, buffer, says):
    """A policy that was forgotten makes the pipeline look better than it is: it seats guests for a shorter time."""
    policy = VenuePolicy(post_buffer_minutes=buffer)
    host = MemoryHost(Venue("v", "UTC", FLOOR, policy))
    for number, stay in enumerate(minutes):
        start = AT + number * 2 * TWO_HOURS
        host.put_booking(Booking(f"b-{number}", "v", 2, start, status="confirmed"))
        window = TimeWindow(start, start + dt.timedelta(minutes=stay))
        host.occupy("v", Occupied(table_id="T1", window=window, booking_id=f"b-{number}"))
    found = {one.check: one for one in check(MemoryStore(host), "v")}["occupied"]
    assert found.says is Say.OK
    assert says in found.text if says else "the pipeline plans" not in found.text


def test_a_host_without_code_for_commits_is_found(tmp_path):
    """Its rows would go on saying that everybody waits; the line says how to say that this is meant."""
    rig = SQLiteRig(tmp_path / "backend.db")  # noqa: F811
    with contextlib.closing(rig):
        found = answers(rig, filled(rig, WithoutOnCommit))
    assert found["states"].says is Say.WRONG
    assert "`on_commit = None`" in found["states"].text


def test_the_words_of_those_who_are_settled_are_shown(tmp_path):
    """A word that the map does not know looks like the host's own: a person reads it."""
    rig = SQLiteRig(tmp_path / "backend.db")  # noqa: F811
    with contextlib.closing(rig):
        found = answers(rig, filled(rig))
    assert found["given-back"].text == "a table that the pipeline gives up is free"
    text = found["states"].text
    words = "who is confirmed as 'confirmed', who is cancelled as 'cancelled', who has failed as 'failed'"
    assert text.endswith(f"who waits reads back as 'pending', {words}")


def test_copies_that_name_their_booking_are_said_to_fix_it(tmp_path):
    """Nobody is seated twice, but what others have given away is never moved."""
    rig = SQLiteRig(tmp_path / "backend.db")  # noqa: F811
    with contextlib.closing(rig):
        copied = answers(rig, filled(rig, CopiesSeatsByName))["given-back"]
    assert copied.says is Say.OK
    assert copied.text.endswith("leave it out, or no party is ever moved to make room for another")


def test_a_host_that_says_it_has_no_code_for_commits_is_told_what_that_means(tmp_path):
    """Its rows do not follow: no check of what it writes can be made."""
    rig = SQLiteRig(tmp_path / "backend.db")  # noqa: F811
    with contextlib.closing(rig):
        host = filled(rig)
        host.on_commit = None
        found = answers(rig, host)
    for name in ("states", "one-row", "given-back"):
        assert found[name].says is Say.SKIPPED
        assert "its rows go on saying that a booking waits when it has tables" in found[name].text


def test_a_store_in_memory_is_checked_as_far_as_it_goes():
    """The reference host passes, and what a store in memory cannot undo is not tried on others."""
    host = MemoryHost(VENUE)
    for number in range(2):
        host.put_booking(attrs.evolve(_booking(), id=f"b-{number}"))
    found = {one.check: one for one in check(MemoryStore(host), "v")}
    assert {one.check: one.text for one in found.values() if one.says is Say.WRONG} == {}
    assert host.booking(None, "b-0").status == "pending"


def _booking():
    return Booking("b", "v", 2, AT)


# -- The command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def backend(tmp_path, monkeypatch):
    """A module that makes a coordinator of a host of that kind."""
    monkeypatch.chdir(tmp_path)

    def write(kind, name):
        made = SQLiteRig(tmp_path / f"{name}.db")
        filled(made, kind)
        made.close()
        (tmp_path / f"{name}.py").write_text(
            textwrap.dedent(f"""
            from assignment_pipeline import Coordinator, FixedFlags, Mode
            from assignment_pipeline.adapters.sqlite import SQLiteStore
            from tests.contract.rows import *
            from tests.contract.test_host_check import *

            def coordinator():
                store = SQLiteStore({str(made.path)!r}, host={kind.__name__}())
                return Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=())
            """)
        )
        return f"{name}:coordinator"

    return write


def test_the_command_says_ok_line_by_line(backend, capsys):
    """A host without a mistake exits with 0."""
    assert run(["host", "check", "--app", backend(RowHost, "good_backend")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 15
    assert all(line.startswith("ok      ") for line in lines)


def test_the_command_says_what_is_wrong(backend, capsys):
    """A mistake exits with 1, for people and for programs."""
    spec = backend(ForgetsWaiting, "bad_backend")
    assert run(["host", "check", "--app", spec, "--restaurant", HOUSE]) == 1
    assert "wrong   states:" in capsys.readouterr().out
    assert run(["host", "check", "--app", spec, "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert [one["check"] for one in said["checks"] if one["says"] == "wrong"] == ["states"]


def test_a_person_who_requeues_reads_one_line(backend, capsys):
    """Where the host's row would contradict, the command's answer is no, with what has to be written."""
    spec = backend(ForgetsWaiting, "deaf_backend")
    assert run(["review", "place", "b-0", "B2", "--actor", "anna", "--app", spec]) == 0
    capsys.readouterr()
    assert run(["review", "requeue", "b-0", "--actor", "anna", "--app", spec]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "ForgetsWaiting.on_commit has to write" in line


# -- The contracts ----------------------------------------------------------------------------------------------------


class TestAHost(HostContract):
    """The suite as a backend writes it, on SQLite."""

    @pytest.fixture
    def rows(self, tmp_path):
        made = SQLiteRig(tmp_path / "backend.db")
        made.made = filled(made)
        with contextlib.closing(made):
            yield made

    @pytest.fixture
    def store(self, rows):
        return rows.coordinator(rows.made).store

    @pytest.fixture
    def restaurant_id(self):
        return HOUSE

    @pytest.fixture
    def change_floor(self, rows):
        return lambda connection: rows.made.rows(connection, "UPDATE @dining_tables SET seats = seats + 1")

    @pytest.fixture
    def seat_elsewhere(self, rows):
        window = TimeWindow(AT, AT + TWO_HOURS)

        def seat(connection):
            times = (window.start.isoformat(), window.end.isoformat())
            rows.made.rows(connection, "INSERT INTO @legacy_seats VALUES ('tasca', 'A1', ?, ?, NULL)", *times)
            return "A1", window

        return seat


class TestAnAsyncHost(AsyncHostContract):
    """The same, for asyncio, on PostgreSQL."""

    @pytest.fixture
    def rows(self, postgres_database):
        made = AsyncPostgresRig(postgres_database)
        made.made = filled(made)
        with contextlib.closing(made):
            yield made

    @pytest.fixture
    def store(self, rows):
        return rows.coordinator(rows.made).store

    @pytest.fixture
    def run(self, rows):
        return rows.runner.run

    @pytest.fixture
    def restaurant_id(self):
        return HOUSE

    @pytest.fixture
    def change_floor(self, rows):
        async def change(connection):
            await connection.execute(f"UPDATE {rows.prefix}.dining_tables SET seats = seats + 1")

        return change


@pytest.mark.parametrize(
    ("kind", "sentence"), [(KeepsWhatWasTaken, "does not show table"), (AnHourLate, "it shows from")]
)
def test_a_seat_that_is_not_shown_at_its_time_is_found(tmp_path, kind, sentence):
    """The contract bites: the seat has to be shown at once, and for all of its time."""
    rig = SQLiteRig(tmp_path / "backend.db")  # noqa: F811
    with contextlib.closing(rig):
        host = filled(rig, kind)
        store = rig.coordinator(host).store

        def seat(connection):
            times = (AT.isoformat(), (AT + TWO_HOURS).isoformat())
            host.rows(connection, "INSERT INTO @legacy_seats VALUES ('tasca', 'A1', ?, ?, NULL)", *times)
            return "A1", TimeWindow(AT, AT + TWO_HOURS)

        with pytest.raises(AssertionError, match=sentence):
            HostContract().test_seats_of_others_are_shown(store, HOUSE, seat)


def test_a_version_that_does_not_follow_the_floor_is_found(tmp_path):
    """The contract bites: a host that forgot to count its version up fails it."""
    rig = SQLiteRig(tmp_path / "backend.db")  # noqa: F811
    with contextlib.closing(rig):
        host = filled(rig, StaleVersion)
        store = rig.coordinator(host).store

        def change(connection):
            host.rows(connection, "DELETE FROM @dining_tables WHERE label = 'B2'")

        with pytest.raises(AssertionError, match="its version has not"):
            HostContract().test_the_version_follows_the_floor(store, HOUSE, change)
        text = {one.check: one.text for one in check(store, HOUSE)}["venue"]
        assert "version '1' is your own" in text
