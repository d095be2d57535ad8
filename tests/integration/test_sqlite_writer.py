"""The writer: many callers share a transaction, and none of them notices the others."""

from __future__ import annotations

import contextlib
import contextvars
import datetime as dt
import sqlite3
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, writer
from assignment_pipeline.adapters.sqlite.connections import Kind
from assignment_pipeline.errors import CommitUnknownError, StoreUnavailableError, TableConflictError
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.testing.contracts.sinks import event
from assignment_pipeline.testing.store_harness import CONFIRM, DINNER, HOUR, make_booking, make_change

SOON = dt.timedelta(seconds=0.3)
ADD = "INSERT INTO table_blocks VALUES (?, 'r-1', 'T1', '2031', '2032', NULL, NULL, '2031')"
COUNT = "SELECT count(*) FROM table_blocks"


def add(name):
    """Work that leaves a row behind."""
    return lambda connection: connection.execute(ADD, (name,)).rowcount


def confirm(number, **how):
    """A change that seats booking *number*, each on an evening of its own."""
    booking = make_booking(f"b-{number}", at=DINNER + number * dt.timedelta(days=1))
    return make_change(booking, *CONFIRM, **{"tables": ("T1",), **how})


@pytest.fixture
def rows(path):
    """Counts the rows that `add` has left."""

    def count():
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return connection.execute(COUNT).fetchone()[0]

    return count


@pytest.fixture
def other(path):
    """Another writer's connection to the file."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        yield connection


def together(store, *work):
    """Have the store do all of *work* in one transaction; what each returned or raised."""
    begun, queued = threading.Event(), threading.Event()

    def hold(connection):
        begun.set()
        queued.wait()

    def ask(one):
        try:
            return store.write(one)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            return error

    with ThreadPoolExecutor(len(work) + 1) as pool:
        first = pool.submit(ask, hold)
        begun.wait()
        answers = []
        for number, one in enumerate(work, 1):
            answers.append(pool.submit(ask, one))
            while store._writer._inbox.qsize() < number:
                time.sleep(0.001)
        queued.set()
        first.result()
        return [answer.result() for answer in answers]


# -- Groups -------------------------------------------------------------------------------------------------------


def test_who_waits_shares_a_commit(store, other, rows):
    """However many are waiting, there is one commit, and one flush of the disk."""
    store.write(add("first"))
    seen = []
    store.write(lambda connection: connection.set_trace_callback(seen.append))
    assert together(store, *(add(f"a-{number}") for number in range(20))) == [1] * 20
    assert rows() == 21
    # The tracing was switched on before its own commit.
    assert seen.count(writer.COMMIT) == 2


def test_a_failing_job_is_undone_alone(store, rows):
    """What one caller raises is his; the others in the same transaction never learn of it."""

    def fail(connection):
        add("bad")(connection)
        raise LookupError("mine")

    def clash(connection):
        add("worse")(connection)
        return add("good-1")(connection)

    first, second, third, fourth = together(store, add("good-1"), fail, clash, add("good-2"))
    assert (first, fourth) == (1, 1)
    assert (type(second), second.args) == (LookupError, ("mine",))
    assert isinstance(third, sqlite3.IntegrityError)
    assert rows() == 2


def test_who_comes_later_sees_what_came_before(store):
    """Two who want one table in the same transaction do not both get it."""
    first, second = (make_change(make_booking(booking_id), *CONFIRM, tables=("T1",)) for booking_id in ("b-1", "b-2"))
    answers = together(
        store,
        *(lambda connection, change=change: store._commits.commit(connection, [change]) for change in (first, second)),
    )
    assert answers[0] is None
    assert isinstance(answers[1], TableConflictError)


def test_a_group_is_bounded(store, monkeypatch, rows):
    """However long the queue, a transaction ends."""
    monkeypatch.setattr(writer, "GROUP", 3)
    assert together(store, *(add(f"a-{number}") for number in range(8))) == [1] * 8
    assert rows() == 8


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_work_that_ends_the_transaction_is_told_so(store, end):
    """Code that commits by itself is named; whom it may have taken along learns that it is unknown."""

    def meddle(connection):
        connection.execute(end)

    before, culprit, after = together(store, add("before"), meddle, add("after"))
    assert isinstance(culprit, RuntimeError)
    assert "must not commit it or roll it back" in str(culprit)
    assert isinstance(before, CommitUnknownError)
    assert after == 1
    assert store.write(lambda connection: connection.execute(COUNT).fetchone()[0]) == (2 if end == "COMMIT" else 1)


def test_work_that_begins_another_transaction_is_told_so(store):
    """Nor can it hide that."""
    with pytest.raises(RuntimeError, match="must not commit"):
        store.write(lambda connection: [connection.execute(statement) for statement in ("COMMIT", "BEGIN")])
    assert store.write(add("next")) == 1


def test_the_first_of_a_group_that_begins_another_transaction_is_told_so(store, rows):
    """It is found out at the end of the group: nothing of what came behind it is kept, or said to be."""
    begun, queued = threading.Event(), threading.Event()

    def meddle(connection):
        for statement in ("COMMIT", "BEGIN"):
            connection.execute(statement)
        begun.set()
        queued.wait()

    with ThreadPoolExecutor(2) as pool:
        culprit = pool.submit(store.write, meddle)
        begun.wait()
        other = pool.submit(store.write, add("other"))
        while not store._writer._inbox.qsize():
            time.sleep(0.001)
        queued.set()
        with pytest.raises(RuntimeError, match="must not commit"):
            culprit.result()
        with pytest.raises(CommitUnknownError):
            other.result()
    assert rows() == 0


def test_a_full_disk_undoes_the_group(store, rows):
    """When SQLite gives the transaction up, everyone in it hears that nothing was written."""

    def fill(connection):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        try:
            connection.executemany(ADD, [(f"x-{number}" * 500,) for number in range(1000)])
        finally:
            connection.execute("PRAGMA max_page_count = 1000000")

    before, culprit, after = together(store, add("before"), fill, add("after"))
    assert isinstance(culprit, StoreUnavailableError)
    assert "full" in str(culprit)
    assert isinstance(before, StoreUnavailableError) or before == 1  # SQLite may have undone the one statement only.
    assert after == 1
    assert rows() == 1 + (before == 1)


def test_work_cannot_ask_for_more_work(store):
    """Inside a transaction, waiting for another one would be waiting for oneself."""
    with pytest.raises(RuntimeError, match="use the connection that it was given"):
        store.write(lambda connection: store.write(add("inner")))


def test_host_code_finds_the_callers_context(store):
    """Context variables are those of the thread that asked, although another one works."""
    request = contextvars.ContextVar("request", default=None)
    request.set("r-17")
    assert store.write(lambda connection: request.get()) == "r-17"


def test_any_exception_is_the_callers(store):
    """Even one that would have ended the thread."""
    for error in (SystemExit(3), KeyboardInterrupt(), TimeoutError("its own"), GeneratorExit()):

        def leave(connection, error=error):
            raise error

        with pytest.raises(type(error)) as raised:
            store.write(leave)
        assert raised.value is error
    assert store.write(add("next")) == 1


# -- Waiting ------------------------------------------------------------------------------------------------------


def test_a_locked_file_is_unavailable(opened, other, rows):
    """Who does not get the lock in time hears that nothing was written, and nothing is, later on either."""
    store = opened(busy_timeout=SOON)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match=r"assignments\.db: others kept it locked for 0\.3 s"):
        store.commit([confirm(1)])
    other.execute("ROLLBACK")
    assert store.write(add("next")) == 1
    assert store.records(RecordQuery()).records == ()


def test_reading_goes_on_while_the_file_is_locked(store, other):
    """Planning does not wait for anybody's commit."""
    store.commit([confirm(1)])
    other.execute("BEGIN IMMEDIATE")
    assert len(store.records(RecordQuery()).records) == 1
    assert store.due(10) == ()
    other.execute("ROLLBACK")


def test_work_that_takes_too_long_is_unknown(opened, rows):
    """Who gives up on work that was begun cannot know; afterwards, `knows` tells."""
    release = threading.Event()
    store = opened(busy_timeout=SOON, on_commit=lambda connection, changes: release.wait())
    change = confirm(1)
    with pytest.raises(CommitUnknownError, match=r"no answer within 0\.3 s"):
        store.commit([change])
    with pytest.raises(StoreUnavailableError):
        store.knows(change)
    release.set()
    assert store.knows(change)
    assert not store.knows(confirm(1))


def test_one_who_gave_up_is_skipped(opened, rows):
    """Work whose caller is gone is not done behind his back."""
    release = threading.Event()
    store = opened(busy_timeout=SOON)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(store.write, lambda connection: release.wait(0.5))
        with pytest.raises(StoreUnavailableError):
            store.write(add("too late"))
        release.set()
        held.result()
    assert store.write(add("next")) == 1
    assert rows() == 1


def test_no_thread_starves(store):
    """Of 16 threads that write as fast as they can, the slowest gets its share."""
    counts = [0] * 16
    end = time.monotonic() + 1.0

    def write(thread):
        while time.monotonic() < end:
            store.write(lambda connection: connection.execute("UPDATE assignment_rollout SET updated_at = 1").rowcount)
            counts[thread] += 1

    with ThreadPoolExecutor(len(counts)) as pool:
        list(pool.map(write, range(len(counts))))
    assert min(counts) >= statistics.median(counts) / 10


def test_a_closed_store_refuses(store):
    """After close every call says so, and closing again is fine."""
    store.commit([confirm(1)])
    store.close()
    store.close()
    for call in (lambda: store.commit([confirm(2)]), lambda: store.records(RecordQuery()), store.flush):
        with pytest.raises(StoreUnavailableError, match="has been closed"):
            call()
    store.emit([event("e-1")])
    assert store.lost == 1


def test_closing_lets_go_of_everything(path, store):
    """After close there is one file, with all in it."""
    store.commit([confirm(1)])
    store.records(RecordQuery())
    store.close()
    folder = path.parent
    assert [found.name for found in folder.iterdir()] == [path.name]


def test_the_writers_thread_ends_when_idle(path, monkeypatch):
    """A store that is not used costs no thread, and goes on when it is used again."""
    monkeypatch.setattr(writer, "IDLE", 0.05)
    with SQLiteStore(path, host=StandaloneHost()) as store:
        store.write(add("a"))
        give_up = time.monotonic() + 5
        while store._writer._seat.locked() and time.monotonic() < give_up:
            time.sleep(0.01)
        assert not store._writer._seat.locked()
        assert store.write(add("b")) == 1


# -- Connections --------------------------------------------------------------------------------------------------


def test_a_connection_in_a_transaction_is_not_kept(store):
    """The next borrower gets one that is in none, and sees what has been written since."""
    with store._connections.lend(Kind.READ) as first:
        first.execute("BEGIN")
        assert first.execute(COUNT).fetchone() == (0,)
    store.write(add("later"))
    with store._connections.lend(Kind.READ) as second:
        assert not second.in_transaction
        assert second.execute(COUNT).fetchone() == (1,)


def test_a_connection_that_is_idle_is_lent_again(store):
    """Opening one costs more than most reads."""
    with store._connections.lend(Kind.READ) as first:
        pass
    with store._connections.lend(Kind.READ) as second:
        assert second is first


@pytest.mark.parametrize("call", [lambda store: store.records(RecordQuery()), lambda store: store.write(add("a"))])
def test_nothing_is_lent_while_the_process_forks(store, call):
    """A connection that is open at a fork would be the child's as well; who asks for one waits until it is over."""
    call(store)
    connections = store._connections
    connections.before_fork(time.monotonic() + 5)
    assert not any(connections._idle.values())
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(call, store)
        time.sleep(0.1)
        assert not asked.done()
        assert not any(loan.connection for loan in [*connections._out.values()])
        connections.after_fork()
        with contextlib.suppress(sqlite3.IntegrityError):  # The row is there already.
            asked.result(5)


def test_a_fork_does_not_wait_for_a_writer_that_waits_for_others(opened, other):
    """It returns its connection, and begins again after the fork."""
    store = opened(busy_timeout=dt.timedelta(minutes=1))
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(store.write, add("a"))
        while not any(loan.connection for loan in [*store._connections._out.values()]):
            time.sleep(0.001)
        store._connections.before_fork(time.monotonic() + 60)
        assert not any(loan.connection for loan in [*store._connections._out.values()])
        store._connections.after_fork()
        other.execute("ROLLBACK")
        assert asked.result(30) == 1


# -- Events -------------------------------------------------------------------------------------------------------


def test_telling_never_waits(opened, other, rows):
    """While the file is locked events wait, up to a bound; what is beyond it is counted."""
    store = opened(busy_timeout=SOON)
    store.emit([event("e-0")])
    store.flush()
    other.execute("BEGIN IMMEDIATE")
    for number in range(1, 12):
        store.emit([event(f"e-{number}-{part}") for part in range(1000)])
    assert store.lost == 1000
    with pytest.raises(StoreUnavailableError):
        store.flush()
    other.execute("ROLLBACK")
    while other.execute("SELECT count(*) FROM observability_events").fetchone() != (10_001,):
        with contextlib.suppress(StoreUnavailableError):  # A busy machine may take longer to write them all.
            store.flush()


def test_closing_counts_what_it_could_not_write(opened, other):
    """Events that are still waiting for a locked file are lost in the end, and counted."""
    store = opened(busy_timeout=SOON)
    other.execute("BEGIN IMMEDIATE")
    store.emit([event("e-1"), event("e-2")])
    store.close()
    other.execute("ROLLBACK")
    assert store.lost == 2


def test_closing_writes_what_is_waiting(store, path):
    """What was told before close is there after it."""
    store.emit([event(f"e-{number}") for number in range(100)])
    store.close()
    assert store.lost == 0
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM observability_events").fetchone() == (100,)


def test_numbers_that_json_does_not_have_are_text(store, other):
    """An infinite cost breaks neither the event nor the query that looks into it."""
    store.emit([event("e-1", context={"cost": float("inf"), "tables": ("T1",), "reason": None})])
    store.flush()
    query = "SELECT json_extract(context, '$.cost', '$.tables[0]') FROM observability_events"
    assert other.execute(query).fetchone() == ('["inf","T1"]',)


# -- Hooks --------------------------------------------------------------------------------------------------------


def test_the_hook_is_part_of_the_commit(opened, rows):
    """What the host writes in its hook lands with the commit."""
    store = opened(on_commit=lambda connection, changes: add(changes[0].record.booking_id)(connection))
    store.commit([confirm(1)])
    assert rows() == 1


@pytest.mark.parametrize("error", [LookupError("mine"), sqlite3.OperationalError("disk I/O error"), SystemExit(2)])
def test_what_the_hook_raises_reaches_the_caller(opened, rows, error):
    """The very exception, even one that looks like SQLite's, and nothing of the commit is left."""

    def refuse(connection, changes):
        add("hook")(connection)
        raise error

    store = opened(on_commit=refuse)
    with pytest.raises(type(error)) as raised:
        store.commit([confirm(1)])
    assert raised.value is error
    assert rows() == 0
    assert store.records(RecordQuery()).records == ()


def test_a_hook_that_commits_is_told_so(opened):
    """Half a commit is not a commit: the hook must leave the transaction alone."""
    store = opened(on_commit=lambda connection, changes: connection.commit())
    with pytest.raises(RuntimeError, match="must not commit it or roll it back"):
        store.commit([confirm(1)])


def test_a_hook_that_closes_the_connection_is_told_so(opened, path):
    """Whoever was in the same transaction learns that it is unknown; the next call works."""
    spoiled = []

    def close(connection, changes):
        if not spoiled:
            spoiled.append(connection.close())

    store = opened(on_commit=close)
    touch = lambda connection: connection.execute("UPDATE assignment_rollout SET updated_at = updated_at").rowcount  # noqa: E731
    before, culprit = together(store, touch, lambda connection: store._commits.commit(connection, [confirm(1)]))
    assert isinstance(before, CommitUnknownError)
    assert isinstance(culprit, RuntimeError)
    assert "must not close the connection" in str(culprit)
    store.commit([confirm(2)])
    assert [record.booking_id for record in store.records(RecordQuery()).records] == ["b-2"]
    store.close()
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_the_hosts_own_hook_comes_first(opened):
    """Hooks find the standalone bookings as the commit leaves them."""

    def look(connection, changes):
        seen.extend(connection.execute("SELECT id, status FROM bookings"))

    seen = []
    opened(on_commit=look).commit([confirm(1)])
    assert seen == [("b-1", "confirmed")]


def test_a_window_too_long_to_be_found_is_refused(store):
    """A booking that blocks its tables for longer than overlaps are looked for would be seated over."""
    change = confirm(1)
    too_long = change.record.allocation.blocked.widened(36 * HOUR, 0 * HOUR)
    object.__setattr__(change.record.allocation, "blocked", too_long)
    with pytest.raises(ValueError, match="at most 1 day, 12:00:00"):
        store.commit([change])
