"""The store inside a transaction of the host's."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.errors import SchemaMismatchError, StaleRecordError, TableConflictError
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.ports import LoadQuery, RecordQuery
from assignment_pipeline.testing.contracts.sinks import event
from assignment_pipeline.testing.store_harness import CONFIRM, DINNER, QUEUE, make_booking, make_change


class Rows(sqlite3.Row):
    """What a host may have its rows come as."""


@pytest.fixture(params=["plain", "rows", "dicts"])
def connection(request, path):
    """The host's connection, as the host likes it."""
    factory = {
        "plain": None,
        "rows": Rows,
        "dicts": lambda cursor, row: {column[0]: value for column, value in zip(cursor.description, row, strict=True)},
    }[request.param]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.row_factory = factory
        yield connection


def enqueue(booking_id="b-1"):
    return make_change(make_booking(booking_id), *QUEUE, next_attempt_at=DINNER)


def ids(store):
    return [record.booking_id for record in store.records(RecordQuery()).records]


def test_what_is_joined_lands_with_the_host(store, connection):
    """Until the host commits nobody sees it; it sees itself."""
    connection.execute("BEGIN IMMEDIATE")
    joined = store.joined(connection)
    joined.commit([enqueue()])
    joined.emit([event("e-1")])
    assert ids(joined) == ["b-1"]
    assert ids(store) == []
    connection.execute("COMMIT")
    assert ids(store) == ["b-1"]
    assert store.booking("b-1") == make_booking()


def test_what_is_joined_goes_with_the_host(store, connection):
    """When the host rolls back, it never was."""
    connection.execute("BEGIN IMMEDIATE")
    store.joined(connection).commit([enqueue()])
    connection.execute("ROLLBACK")
    assert ids(store) == []


def test_every_question_can_be_asked(store, connection):
    """It answers as the store does, from inside the transaction."""
    store.commit([make_change(make_booking(), *CONFIRM, tables=("T1",))])
    connection.execute("BEGIN IMMEDIATE")
    joined = store.joined(connection)
    joined.check_schema()
    change = enqueue("b-2")
    joined.commit([change])
    context = joined.load(LoadQuery(restaurant_id="r-1", booking_ids=("b-1", "b-2")))
    assert set(context.records) == set(context.bookings) == {"b-1", "b-2"}
    assert [taken.table_id for taken in context.taken] == ["T1"]
    assert joined.knows(change)
    assert joined.booking("b-2") == make_booking("b-2")
    assert [step.trigger for step in joined.history("b-2")] == list(QUEUE)
    assert joined.unassigned(DINNER, 10) == joined.due(10) == ()
    connection.execute("COMMIT")


def test_what_is_refused_leaves_the_host_its_transaction(store, connection):
    """The host's own writes survive a refusal, and the refused change leaves nothing."""
    store.commit([make_change(make_booking(), *CONFIRM, tables=("T1",))])
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE bookings SET zone = 'window'")
    joined = store.joined(connection)
    with pytest.raises(TableConflictError):
        joined.commit([make_change(make_booking("b-2"), *CONFIRM, tables=("T1",))])
    with pytest.raises(StaleRecordError):
        joined.commit([enqueue()])
    assert connection.in_transaction
    connection.execute("COMMIT")
    assert ids(store) == ["b-1"]
    assert store.booking("b-1").zone == "window"


def test_cancelling_inside_frees_the_tables(store, connection):
    """A guest's cancellation and the tables it frees are one transaction."""
    before = make_change(make_booking(), *CONFIRM, tables=("T1",))
    store.commit([before])
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE bookings SET status = 'cancelled'")
    store.joined(connection).commit([make_change(make_booking(), Trigger.CANCEL, before=before.record)])
    connection.execute("COMMIT")
    (record,) = store.records(RecordQuery()).records
    assert (record.state, record.allocation) == (AssignmentState.CANCELLED, None)


def test_the_host_must_have_begun(store, connection):
    """Without a transaction of the host's there is nothing to join; one of our own would end with the call."""
    with pytest.raises(ValueError, match="expected one with a transaction open"):
        store.joined(connection).commit([enqueue()])
    assert ids(store) == []


def test_pythons_own_transactions_will_do(path, store):
    """The transaction that the sqlite3 module begins by itself is the host's, too."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE restaurants SET timezone = 'Europe/Paris'")
        store.joined(connection).commit([enqueue()])
    assert ids(store) == ["b-1"]


def test_a_hook_is_called_inside(opened, connection):
    """What the host's hook raises undoes the joined change, not the transaction."""

    def refuse(connection, changes):
        raise LookupError

    connection.execute("BEGIN IMMEDIATE")
    store = opened(on_commit=refuse)
    with pytest.raises(LookupError):
        store.joined(connection).commit([enqueue()])
    assert connection.in_transaction
    connection.execute("COMMIT")
    assert ids(store) == []


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_hook_that_ends_the_transaction_is_told_so(opened, connection, end):
    """Nor may a hook end what is the host's."""
    connection.execute("BEGIN IMMEDIATE")
    store = opened(on_commit=lambda connection, changes: connection.execute(end))
    with pytest.raises(RuntimeError, match="must not commit it or roll it back"):
        store.joined(connection).commit([enqueue()])


def test_a_schema_that_does_not_fit_is_refused(tmp_path, store):
    """The connection's file is looked at, not the store's."""
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db", isolation_level=None)) as connection:
        connection.execute("BEGIN")
        with pytest.raises(SchemaMismatchError):
            store.joined(connection).records(RecordQuery())


def test_tables_of_the_hosts_own_may_be_in_the_file(tmp_path):
    """An embedding host has its bookings where it likes, and sees its own rows inside our commits."""

    class Own(StandaloneHost):
        check_schema = None

        def booking(self, connection, booking_id):
            row = connection.execute("SELECT guests FROM reservations WHERE id = ?", (booking_id,)).fetchone()
            return make_booking(booking_id, party_size=row[0]) if row else None

        def on_commit(self, connection, changes):
            rows = [(change.record.state.value, change.record.booking_id) for change in changes]
            connection.executemany("UPDATE reservations SET state = ? WHERE id = ?", rows)

    path = tmp_path / "host.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE reservations (id TEXT, guests INTEGER, state TEXT)")
        connection.execute("INSERT INTO reservations VALUES ('b-1', 3, NULL)")
        init(path)
        with SQLiteStore(path, host=Own()) as store:
            assert store.booking("b-1").party_size == 3
            store.commit([make_change(make_booking(), *CONFIRM, tables=("T1",))])
        assert connection.execute("SELECT state FROM reservations").fetchall() == [("confirmed",)]
