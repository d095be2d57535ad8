"""A host with tables and keys of its own in PostgreSQL: read inside the commit, shown as ``bookings``."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import unicodedata
import uuid

import pytest

psycopg = pytest.importorskip("psycopg")

from assignment_pipeline import Booking, Coordinator, FloorPlan, Mode, Occupied, Table, TimeWindow, Venue  # noqa: E402
from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost, bookings_view, init  # noqa: E402
from assignment_pipeline.cli.app import run  # noqa: E402
from assignment_pipeline.domain.policy import VenuePolicy  # noqa: E402
from assignment_pipeline.errors import SchemaMismatchError, VenueNotFoundError  # noqa: E402
from assignment_pipeline.ports import LoadQuery, RecordQuery  # noqa: E402
from assignment_pipeline.rollout.flags import FixedFlags  # noqa: E402
from assignment_pipeline.rollout.queries import operator  # noqa: E402
from assignment_pipeline.testing.store_harness import DINNER, HOUR  # noqa: E402
from tests.servers.postgres_harness import fresh  # noqa: E402

SCHEMA, THEIRS = "embedded", "restaurant"
KINDS = {
    "uuid": ("uuid", lambda number: str(uuid.UUID(int=number))),
    "text": ("text", lambda number: f"r-{number:06}"),
    "varchar": ("varchar(40)", lambda number: f"r-{number:06}"),
    "text in C": ('text COLLATE "C"', lambda number: f"r-{number:06}"),
    "bigint": ("bigint", str),
    "integer": ("integer", str),
}
COLUMNS = {"restaurant_id": "house", "party_size": "covers", "start_at": "starts", "end_at": "ends"}


class ReservationHost:
    """Reads the application's tables, whose keys are uuids, and writes into them how a reservation stands."""

    def booking(self, connection, booking_id):
        row = connection.execute(
            f"SELECT id, house, covers, starts, ends, status FROM {THEIRS}.reservations WHERE id = %s",
            (booking_id,),
        ).fetchone()
        if row is None:
            return None
        key, house, covers, starts, ends, status = row
        return Booking(str(key), str(house), covers, starts, end_at=ends, status=status)

    def venue(self, connection, restaurant_id, known_version):
        rows = connection.execute(
            f"SELECT label, seats FROM {THEIRS}.dining_tables WHERE house = %s ORDER BY label", (restaurant_id,)
        ).fetchall()
        if not rows:
            raise VenueNotFoundError(restaurant_id)
        floor = FloorPlan([Table(label, seats) for label, seats in rows])
        made = Venue(restaurant_id, "Europe/Lisbon", floor, VenuePolicy(reseat="off"))
        return None if made.version == known_version else made

    def occupied(self, connection, restaurant_id, window):
        rows = connection.execute(
            f"SELECT label, starts, ends, reservation FROM {THEIRS}.staff_seats"
            " WHERE house = %s AND starts < %s AND ends > %s",
            (restaurant_id, window.end, window.start),
        ).fetchall()
        return [
            Occupied(table_id=label, window=TimeWindow(starts, ends), booking_id=str(key) if key else None)
            for label, starts, ends, key in rows
        ]

    def unassigned(self, connection, since, limit):
        rows = connection.execute(
            f"SELECT id FROM {THEIRS}.reservations WHERE status = 'pending' AND starts > %s ORDER BY starts LIMIT %s",
            (since, limit),
        ).fetchall()
        return [self.booking(connection, key) for (key,) in rows]

    def on_commit(self, connection, changes):
        for change in changes:
            connection.execute(
                f"UPDATE {THEIRS}.reservations SET sits_at = %s, status = coalesce(%s, status) WHERE id = %s",
                (list(change.record.tables), change.guest_status, change.record.booking_id),
            )


@pytest.fixture
def host(postgres_database):
    """The application's schema beside the pipeline's, and a connection to it."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {THEIRS} CASCADE; CREATE SCHEMA {THEIRS}")
        fresh(postgres_database, SCHEMA)
        yield connection


def tables_of(connection, kind="uuid"):
    connection.execute(
        f"""
        CREATE TABLE {THEIRS}.reservations (
            id {kind} PRIMARY KEY, house uuid NOT NULL, covers integer NOT NULL, starts timestamptz NOT NULL,
            ends timestamptz, status text NOT NULL DEFAULT 'pending', sits_at text[],
            created_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE {THEIRS}.dining_tables (house uuid NOT NULL, label text NOT NULL, seats integer NOT NULL);
        CREATE TABLE {THEIRS}.staff_seats (
            house uuid NOT NULL, label text NOT NULL, starts timestamptz NOT NULL, ends timestamptz NOT NULL,
            reservation {kind}
        )
        """
    )


@pytest.fixture
def house(host):
    """A house with two tables, by its key."""
    tables_of(host)
    key = str(uuid.uuid4())
    for label, seats in (("A1", 2), ("A2", 4)):
        host.execute(f"INSERT INTO {THEIRS}.dining_tables VALUES (%s, %s, %s)", (key, label, seats))
    return key


@pytest.fixture
def coordinator(postgres_database):
    """One over the application's host."""
    with (
        PostgresStore(postgres_database, host=ReservationHost(), schema=SCHEMA) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        yield coordinator


def reserve(connection, coordinator, house, covers=2):
    key = str(uuid.uuid4())
    with connection.transaction():
        connection.execute(
            f"INSERT INTO {THEIRS}.reservations (id, house, covers, starts) VALUES (%s, %s, %s, %s)",
            (key, house, covers, DINNER),
        )
        coordinator.joined(connection).enqueue(ReservationHost().booking(connection, key))
    return key


def test_reservations_with_uuid_keys(host, house, coordinator):
    """Enqueued inside, assigned after, read again inside the commit, and told in the application's own row."""
    first, second, third = (reserve(host, coordinator, house) for _ in range(3))
    host.execute(f"INSERT INTO {THEIRS}.staff_seats VALUES (%s, 'A1', %s, %s)", (house, DINNER - HOUR, DINNER + HOUR))
    result = coordinator.assign_id(first, house)
    assert (result.outcome, result.tables) == ("confirmed", ("A2",))
    row = host.execute(f"SELECT status, sits_at FROM {THEIRS}.reservations WHERE id = %s", (first,)).fetchone()
    assert row == ("confirmed", ["A2"])
    assert coordinator.assign_id(second, house).reason == "no_fit"
    assert coordinator.cancel(first, house).outcome == "cancelled"
    assert coordinator.assign_id(third, house).tables == ("A2",)


def test_what_the_staff_did_meanwhile_is_seen_inside_the_commit(host, house, coordinator, monkeypatch):
    """A table that the staff gives away between the look and the commit is not taken."""
    key = reserve(host, coordinator, house)
    store, load = coordinator.store, coordinator.store.load

    def look(query):
        context = load(query)
        monkeypatch.setattr(store, "load", load)  # Once.
        host.execute(f"INSERT INTO {THEIRS}.staff_seats VALUES (%s, 'A1', %s, %s)", (house, DINNER, DINNER + HOUR))
        return context

    monkeypatch.setattr(store, "load", look)
    assert coordinator.assign_id(key, house).tables == ("A2",)


# -- The view -----------------------------------------------------------------------------------------------------


def view(connection, database, **how):
    return bookings_view(database, f"{THEIRS}.reservations", COLUMNS, schema=SCHEMA, **how)


def test_bookings_is_a_view(host, house, coordinator, postgres_database):
    """It has how the guest stands, and how the assignment does; made again, it is the same."""
    for _ in range(2):
        text = view(host, postgres_database, apply=True)
    assert text == view(host, postgres_database)
    key = reserve(host, coordinator, house)
    coordinator.assign_id(key, house)
    unknown = uuid.uuid4()
    host.execute(
        f"INSERT INTO {THEIRS}.reservations (id, house, covers, starts) VALUES (%s, %s, 2, %s)",
        (unknown, house, DINNER),
    )
    rows = host.execute(
        "SELECT id, booking_id, restaurant_id, party_size, start_at, end_at, status, assignment_state,"
        " assignment_state_version, assignment_strategy, seating_preference, zone, accessible"
        f" FROM {SCHEMA}.bookings ORDER BY assignment_state NULLS LAST"
    ).fetchall()
    shared = (uuid.UUID(house), 2, DINNER, None)
    assert rows == [
        (uuid.UUID(key), key, *shared, "confirmed", "confirmed", 5, "optimal_fit", "any", None, False),
        (unknown, str(unknown), *shared, "pending", None, None, None, "any", None, False),
    ]


def test_a_hosts_own_words_count_as_what_they_mean(host, house, postgres_database):
    """The rates of the guide are right for a host that says booked and sat; a word that nobody explained stays."""
    words = {"booked": "confirmed", "sat": "confirmed", "asked": "pending", "it's off": "cancelled"}
    view(host, postgres_database, statuses=words, apply=True)
    for status in ("booked", "sat", "asked", "it's off", "unknown"):
        host.execute(
            f"INSERT INTO {THEIRS}.reservations (id, house, covers, starts, status) VALUES (%s, %s, 2, %s, %s)",
            (uuid.uuid4(), house, DINNER, status),
        )
    found = host.execute(f"SELECT status FROM {SCHEMA}.bookings ORDER BY status").fetchall()
    assert [status for (status,) in found] == ["cancelled", "confirmed", "confirmed", "pending", "unknown"]
    [(_, confirmed, _, total, rate)] = host.execute(operator("daily-summary", "postgres", schema=SCHEMA)).fetchall()
    assert (confirmed, total, rate) == (2, 5, 40)


def scans(connection, statement, *values):
    """How each table is read: by what, in PostgreSQL's plan."""
    [(found,)] = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchall()
    waiting, scans = [found[0]["Plan"]], {}
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        if "Relation Name" in node:
            scans[node["Relation Name"]] = node["Node Type"]
    return scans


@pytest.mark.parametrize("name", KINDS)
def test_no_cast_costs_an_index(host, postgres_database, name):
    """Whatever the key is: a booking by its key, a few records by theirs, and both from our side to the host's."""
    kind, key = KINDS[name]
    tables_of(host, kind)
    view(host, postgres_database, apply=True)
    keys = [key(number) for number in range(1, 3_001)]
    with host.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {THEIRS}.reservations (id, house, covers, starts) VALUES (%s, gen_random_uuid(), 2, now())",
            [(one,) for one in keys],
        )
    host.execute(
        f"INSERT INTO {SCHEMA}.assignment_records SELECT value, 'r', 'pipeline',"
        " CASE WHEN row_number() OVER () %% 500 = 0 THEN 'manual_review' ELSE 'confirmed' END, 1, 'optimal_fit',"
        " 1, 0, 0, 0, NULL, NULL, false, NULL, NULL, NULL, now(), now() FROM jsonb_array_elements_text(%s)",
        (json.dumps(keys),),
    )
    host.execute("ANALYZE")
    by_key = scans(host, f"SELECT * FROM {SCHEMA}.bookings WHERE id = %s", keys[7])
    assert set(by_key) == {"reservations", "assignment_records"}
    assert "Seq Scan" not in by_key.values()
    waiting = scans(
        host,
        f"SELECT * FROM {SCHEMA}.bookings WHERE booking_id IN (SELECT booking_id FROM {SCHEMA}.assignment_records"
        " WHERE restaurant_id = 'r' AND state = 'manual_review') AND assignment_state = 'manual_review'",
    )
    assert waiting["reservations"] != "Seq Scan"
    found = host.execute(
        f"SELECT count(*), count(assignment_state), count(*) FILTER (WHERE assignment_state = 'manual_review')"
        f" FROM {SCHEMA}.bookings"
    ).fetchone()
    assert found == (3_000, 3_000, 6)


def test_the_command_makes_it(host, house, postgres_database, capsys):
    """From the names of columns; or it prints what it would do."""
    address = psycopg.conninfo.conninfo_to_dict(postgres_database)
    login = f"{address.get('user', '')}:{address.get('password', '')}"
    db = f"postgresql://{login}@{address['host']}:{address.get('port', 5432)}/{address['dbname']}"
    columns = [word for name, column in COLUMNS.items() for word in ("--column", f"{name}={column}")]
    command = ["db", "init", "--db", f"{db}?schema={SCHEMA}", "--embedded", "--host-bookings"]
    assert run([*command, f"{THEIRS}.reservations", *columns, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f'CREATE VIEW "{SCHEMA}".bookings AS')
    with pytest.raises(psycopg.errors.UndefinedTable):
        host.execute(f"SELECT count(*) FROM {SCHEMA}.bookings")
    assert run([*command, f"{THEIRS}.reservations", *columns]) == 0
    assert host.execute(f"SELECT count(*) FROM {SCHEMA}.bookings").fetchone() == (0,)
    assert "bookings as a view over restaurant.reservations" in capsys.readouterr().out
    for words, complaint in (
        ([f"{THEIRS}.nothing"], "the host's bookings: expected a table or view, got 'restaurant.nothing'"),
        (["x; DROP TABLE y"], "the host's bookings: expected a table or view"),
        ([f"{THEIRS}.reservations"], "restaurant_id: expected a column of"),
        ([f"{THEIRS}.reservations", *columns, "--column", "colour=x"], "columns: expected id, restaurant_id"),
        ([f"{THEIRS}.reservations", "--column", "covers"], "--column: expected NAME=COLUMN"),
        ([f"{THEIRS}.reservations", *columns, "--column", "id=starts"], "id: expected a column of type text, uuid"),
    ):
        assert run([*command, *words]) == 2
        told = capsys.readouterr()
        assert complaint in told.err
        assert told.err.count("\n") == 1
    assert run(["db", "init", "--db", "a.sqlite3", "--host-bookings", "x"]) == 2
    assert run(["db", "init", "--db", f"{db}?schema={SCHEMA}", "--dry-run"]) == 2


def test_a_standalone_hosts_table_stays(host, house, postgres_database):
    """The table in which our own host keeps its bookings is not replaced."""
    host.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    init(postgres_database, standalone=True, schema=SCHEMA)
    with pytest.raises(SchemaMismatchError, match="is not a view"):
        view(host, postgres_database, apply=True)
    assert host.execute(f"SELECT count(*) FROM {SCHEMA}.bookings").fetchone() == (0,)


def test_a_booking_whose_row_was_deleted_is_loaded_by_its_record(host, house, postgres_database):
    """What is taken around the time that the record has is loaded, as where the row is still there."""
    host.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    init(postgres_database, standalone=True, schema=SCHEMA)
    own, there = StandaloneHost(schema=SCHEMA), FloorPlan([Table("T1", 4)])
    with (
        PostgresStore(postgres_database, host=own, schema=SCHEMA) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        store.put_venue(Venue("r-1", "Europe/Lisbon", there, VenuePolicy()))
        coordinator.assign(Booking("seated", "r-1", 2, DINNER))
        coordinator.enqueue(Booking("waits", "r-1", 2, DINNER, end_at=DINNER + 2 * HOUR))
        query = LoadQuery(restaurant_id="r-1", booking_ids=("waits",))
        before = store.load(query)
        assert [one.booking_id for one in before.taken] == ["seated"]
        host.execute(f"DELETE FROM {SCHEMA}.bookings WHERE id = 'waits'")
        behind = store.load(query)
        assert (behind.bookings, behind.taken) == ({}, before.taken)


# -- Whatever speaks SQL ------------------------------------------------------------------------------------------


def test_a_driver_of_the_hosts_choice_enqueues(host, house, coordinator, postgres_database):
    """Over asyncpg: the row and that it wants a table land together, or neither does; the sweep does the rest."""
    asyncpg = pytest.importorskip("asyncpg")
    import asyncio  # noqa: PLC0415

    facts = psycopg.conninfo.conninfo_to_dict(postgres_database)
    kept, undone = uuid.uuid4(), uuid.uuid4()

    async def reserve(connection, key):
        await connection.execute(
            f"INSERT INTO {THEIRS}.reservations (id, house, covers, starts) VALUES ($1, $2, $3, $4)",
            key, uuid.UUID(house), 2, DINNER,
        )  # fmt: skip
        return await connection.fetchval(
            f"SELECT {SCHEMA}.enqueue($1, $2, $3, $4, after => $5)", str(key), house, 2, DINNER, dt.timedelta()
        )

    async def application():
        connection = await asyncpg.connect(
            host=facts["host"],
            port=facts.get("port"),
            user=facts.get("user"),
            password=facts.get("password"),
            database=facts["dbname"],
        )
        async with connection.transaction():
            assert await reserve(connection, kept)
        again = f"SELECT {SCHEMA}.enqueue($1, $2, $3, $4)"
        assert not await connection.fetchval(again, str(kept), house, 2, DINNER)
        transaction = connection.transaction()
        await transaction.start()
        await reserve(connection, undone)
        await transaction.rollback()
        with pytest.raises(
            asyncpg.InvalidParameterValueError, match="party_size: expected a whole number from 1 to 500"
        ):
            await connection.fetchval(again, "x", house, 0, DINNER)
        await connection.close()

    asyncio.run(application())
    assert coordinator.record(str(undone)) is None
    assert coordinator.record(str(kept)).booking == ReservationHost().booking(host, str(kept))
    swept = coordinator.sweep()
    assert [(result.booking_id, result.tables) for result in swept.results] == [(str(kept), ("A1",))]
    assert [step.to_state for step in coordinator.history(str(kept))][-1] == "confirmed"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("'', 'r', 2, '2031-05-01 18:00Z'", "id"),
        ("'  ', 'r', 2, '2031-05-01 18:00Z'", "id"),
        ("repeat('b', 201), 'r', 2, '2031-05-01 18:00Z'", "id"),
        (r"E'b\n', 'r', 2, '2031-05-01 18:00Z'", "id"),
        ("'b', NULL, 2, '2031-05-01 18:00Z'", "restaurant_id"),
        ("'b', ' ', 2, '2031-05-01 18:00Z'", "restaurant_id"),
        (r"'b', E'r\t', 2, '2031-05-01 18:00Z'", "restaurant_id"),
        ("'b', repeat('r', 201), 2, '2031-05-01 18:00Z'", "restaurant_id"),
        ("'b', 'r', NULL, '2031-05-01 18:00Z'", "party_size"),
        ("'b', 'r', 501, '2031-05-01 18:00Z'", "party_size"),
        ("'b', 'r', 2, NULL", "start_at"),
        ("'b', 'r', 2, 'infinity'", "start_at"),
        ("'b', 'r', 2, '-infinity'", "start_at"),
        ("'b', 'r', 2, '1969-12-31 23:59Z'", "start_at"),
        ("'b', 'r', 2, '9999-01-01 00:00Z'", "start_at"),
        ("'b', 'r', 2, '2031-05-01 18:00:01Z'", "start_at"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', '2031-05-01 18:00Z'", "end_at"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', '2031-05-01 18:00:30Z'", "end_at"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', '2031-05-02 18:01Z'", "end_at"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', 'infinity'", "end_at"),
        ("'b', 'r', 2, '9998-12-31 23:00Z', '9999-01-01 00:00Z'", "end_at"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', seating => 'roof'", "seating"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', zone => ''", "zone"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', zone => ' '", "zone"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', zone => chr(8203)", "zone"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', zone => repeat('z', 201)", "zone"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', accessible => NULL", "accessible"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', status => ''", "status"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', status => ' '", "status"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', status => chr(7)", "status"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', status => repeat('s', 201)", "status"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', after => '-1 s'", "after"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', after => '200000 years'", "after"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', channel => ' '", "channel"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', channel => chr(7)", "channel"),
        ("'b', 'r', 2, '2031-05-01 18:00Z', channel => repeat('c', 201)", "channel"),
    ],
)
def test_what_cannot_be_is_not_enqueued(host, arguments, told):
    """A value that the library could not read is refused where it comes from."""
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=f"^{told}: expected"):
        host.execute(f"SELECT {SCHEMA}.enqueue({arguments})")
    assert host.execute(f"SELECT count(*) FROM {SCHEMA}.assignment_records").fetchone() == (0,)


@pytest.mark.parametrize(
    "booking",
    [
        Booking("b" * 200, "é" * 200, 500, DINNER, zone="z" * 200, status="s" * 200, channel="c" * 200),
        Booking("🍽 b", "r", 1, DINNER, end_at=DINNER + dt.timedelta(hours=24), seating="bar", accessible=True),
        Booking("b", "r", 2, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
        Booking(
            "b",
            "r",
            2,
            dt.datetime(9998, 12, 31, 23, 58, tzinfo=dt.UTC),
            dt.datetime(9998, 12, 31, 23, 59, tzinfo=dt.UTC),
        ),
    ],
    ids=["long", "a day", "first", "last"],
)
def test_what_can_just_be_is_enqueued(host, coordinator, booking):
    """A booking at the limits of what there may be, in a session far from UTC, is read as it was written."""
    host.execute("SET timezone TO 'Pacific/Kiritimati'")
    assert host.execute(
        f"SELECT {SCHEMA}.enqueue(%s, %s, %s, %s, %s, %s, %s, %s, %s, '100 years', %s)",
        (
            booking.id, booking.restaurant_id, booking.party_size, booking.start_at, booking.end_at,
            booking.seating.value, booking.zone, booking.accessible, booking.status, booking.channel,
        ),
    ).fetchone() == (True,)  # fmt: skip
    [record] = coordinator.store.records(RecordQuery()).records
    assert record.booking == booking


def test_every_character_is_taken_that_a_booking_may_have(host):
    """What the library calls printable is, and what it does not is refused: every character, by itself."""
    host.execute(
        f"""
        CREATE FUNCTION pg_temp.told(id text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM {SCHEMA}.enqueue(id, 'r', 0, now());
        EXCEPTION WHEN invalid_parameter_value THEN RETURN split_part(SQLERRM, ':', 1);
        END $$
        """
    )

    def refused(texts):
        query = "SELECT value FROM jsonb_array_elements_text(%s) AS value WHERE pg_temp.told(value) = 'id'"
        return {text for (text,) in host.execute(query, (json.dumps(texts),))}

    characters = [chr(number) for number in range(1, 0x110000) if not 0xD800 <= number < 0xE000]
    runs = [list(run) for _, run in itertools.groupby(characters, str.isprintable)]
    ends = {run[end] for run in runs if not run[0].isprintable() for end in (0, -1)}
    assert ends - refused(sorted(ends)) == set()
    if unicodedata.unidata_version == "14.0.0":  # A newer Python knows more, which an older one could not read.
        known = "".join(run for run in map("".join, runs) if run.isprintable()).replace(" ", "")
        assert refused([known[at : at + 200] for at in range(0, len(known), 200)]) == set()


def test_whatever_collation_the_hosts_columns_have(host, coordinator):
    """Columns with collations of their own, which do not agree, are enqueued from."""
    host.execute(
        f"""
        CREATE TABLE {THEIRS}.parties (id text COLLATE "POSIX", house text COLLATE ucs_basic, zone text);
        INSERT INTO {THEIRS}.parties VALUES ('b-1', 'r', 'é');
        """
    )
    for columns in ("id, 'r'", "'b-2', house", "id || '-3', house"):
        query = f"SELECT {SCHEMA}.enqueue({columns}, 2, '2031-05-01 18:00Z', zone => zone) FROM {THEIRS}.parties"
        assert host.execute(query).fetchone() == (True,)
    assert [record.booking.zone for record in coordinator.store.records(RecordQuery()).records] == ["é"] * 3
