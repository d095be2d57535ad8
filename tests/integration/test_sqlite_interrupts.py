"""Ctrl-C: an interrupt at any step of a caller leaves nothing locked, and the database whole."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import secrets
import signal
import sqlite3
import sys
import threading
import time

import pytest

from assignment_pipeline import Coordinator, FixedFlags, Mode
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, writer
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.testing.contracts.sinks import event
from assignment_pipeline.testing.store_harness import CONFIRM, DINNER, HOUR, make_booking, make_change

STEPPED = ("adapters/sqlite/", "contextlib.py", "processes.py")
"""Where the interrupts come: in our own code, and in the standard library's that a caller goes through."""

numbers = itertools.count()


class Interrupt:
    """Raises `KeyboardInterrupt` at the *at*-th instruction inside the block, or *line* of code, in this thread."""

    def __init__(self, at, where=STEPPED, *, lines=False):
        self.left = at
        self.where = where
        self.steps = "line" if lines else "opcode"
        self.struck = False

    def __enter__(self):
        sys.settrace(self.enter)
        return self

    def __exit__(self, kind, error, trace):
        sys.settrace(None)
        return kind is KeyboardInterrupt

    def enter(self, frame, what, argument):
        if not any(name in frame.f_code.co_filename for name in self.where):
            return None
        frame.f_trace_opcodes = self.steps == "opcode"
        frame.f_trace_lines = self.steps == "line"
        return self.step

    def step(self, frame, what, argument):
        if what == self.steps:
            self.left -= 1
            if self.left < 0 and not self.struck:
                self.struck = True
                raise KeyboardInterrupt
        return self.step


def confirm(store):
    number = next(numbers)
    booking = make_booking(f"b-{number:05}", at=DINNER + number * 24 * HOUR)
    store.commit([make_change(booking, *CONFIRM, tables=("T1",))])
    return booking.id


def read(store):
    return store.records(RecordQuery(limit=1)).records


def tell(store):
    store.emit([event(f"told-{next(numbers)}")])
    store.flush()


@pytest.fixture(autouse=True)
def interruptible():
    """As in a terminal: what a shell starts in the background has Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def fast(path):
    """Opens stores that do not wait for the disk; the test closes them."""
    return lambda: SQLiteStore(path, host=StandaloneHost(), synchronous="OFF")


def found(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {row[0] for row in connection.execute("SELECT booking_id FROM assignment_records")}


@pytest.mark.parametrize("act", [confirm, read, tell])
@pytest.mark.parametrize("fresh", [False, True], ids=["open", "first"])
def test_an_interrupt_at_any_step_of_a_call_leaves_the_store_at_work(fast, path, act, fresh):
    """The next call is answered, what was answered is there, and the store closes. Opening goes by lines."""
    answered = set()
    store = fast()
    for at in itertools.count():
        if fresh:
            store.close()
            store = fast()
        with Interrupt(at, lines=fresh) as interrupt:
            act(store)
        answered.add(confirm(store))
        read(store)
        tell(store)
        if not interrupt.struck:
            break
    store.close()
    assert at > (20 if fresh else 100)
    assert store.lost == 0
    assert answered <= found(path)


def test_an_interrupt_at_any_step_of_an_assignment_leaves_the_process_at_work(fast, path):
    """Whatever it was at, in the flow, the locks, the circuit breaker or the store: the next assignment confirms."""
    store = fast()
    start_at = dt.datetime(2041, 5, 1, 12, tzinfo=dt.UTC)
    seated = set()
    for at in itertools.count(secrets.randbelow(26), step=26):  # Other steps in each run.
        start_at += 24 * HOUR
        coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(store,), shadow=None)
        with Interrupt(at, ("assignment_pipeline/",)) as interrupt:
            coordinator.assign(make_booking(f"i-{at}", at=start_at))
        result = coordinator.assign(make_booking(f"n-{at}", at=start_at + 3 * HOUR))
        assert (result.outcome, interrupt.left < 0) == ("confirmed", interrupt.struck)
        seated.add(result.booking_id)
        coordinator.close()
        if not interrupt.struck:
            break
    store.close()
    assert at > 1000
    assert seated <= found(path)


def test_an_interrupt_at_any_step_of_closing_can_be_followed_by_another_close(fast, path):
    """Closing again closes, and what was told before is there."""
    for at in itertools.count():
        store = fast()
        confirm(store)
        store.emit([event(f"told-{next(numbers)}")])
        with Interrupt(at) as interrupt:
            store.close()
        store.close()
        assert not store._writer._seat.locked()
        if not interrupt.struck:
            break
    assert at > 100
    with contextlib.closing(sqlite3.connect(path)) as connection:
        told = connection.execute("SELECT count(*) FROM observability_events WHERE id LIKE 'told-%'").fetchone()
    assert told == (at + 1,)


def test_an_interrupted_caller_waits_for_what_has_begun(opened, path):
    """Its locks are released after the commit has ended, not in the middle of it."""
    ended = []

    def on_commit(connection, changes):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.2)
        ended.append(changes[0].record.booking_id)

    store = opened(on_commit=on_commit)
    with pytest.raises(KeyboardInterrupt):
        confirm(store)
    assert len(ended) == 1
    store.close()
    assert found(path) == {*ended}


@pytest.mark.parametrize("reaches", [threading.main_thread, threading.current_thread], ids=["main", "other"])
@pytest.mark.parametrize(("interrupts", "patience"), [(2, 60), (1, writer.INTERRUPTED)], ids=["second", "first"])
def test_host_code_that_does_not_come_back_is_not_waited_for(opened, monkeypatch, interrupts, patience, reaches):
    """
    A second interrupt ends the wait at once; after a first one, a moment does.

    Also where the system hands the signal to another thread, so that the main one goes on waiting.
    """
    monkeypatch.setattr(writer, "INTERRUPTED", patience)
    main, release, noticed, ended = threading.main_thread().ident, threading.Event(), [], []

    def notice(number, frame):
        noticed.append(number)
        raise KeyboardInterrupt

    def on_commit(connection, changes):
        for number in range(interrupts):
            signal.pthread_kill(reaches().ident, signal.SIGINT)
            while len(noticed) <= number or sys._current_frames()[main].f_code is notice.__code__:
                time.sleep(0.001)  # Two that come before the first is noticed are one.
        ended.append(release.wait(30))

    store = opened(on_commit=on_commit, busy_timeout=dt.timedelta(minutes=1))
    before = signal.signal(signal.SIGINT, notice)
    try:
        with pytest.raises(KeyboardInterrupt):
            confirm(store)
        assert ended == []
    finally:
        release.set()
        signal.signal(signal.SIGINT, before)
    assert len(noticed) == interrupts


def test_closing_does_not_wait_for_those_who_gave_up(opened, path):
    """What an interrupted caller wanted holds up nobody, although somebody else keeps the file locked."""
    store = opened(busy_timeout=dt.timedelta(minutes=10))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.2, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            confirm(store)
        store.close()
        other.execute("ROLLBACK")
    assert found(path) == set()
