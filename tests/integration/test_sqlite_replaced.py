"""The database file is replaced, moved or deleted while it is in use: nothing is confirmed that nobody will find."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import random
import shutil
import sqlite3

import pytest

from assignment_pipeline import Coordinator, Mode
from assignment_pipeline.adapters.sqlite import SQLiteLockManager, SQLiteStore, StandaloneHost, connections, files, init
from assignment_pipeline.errors import (
    CommitUnknownError,
    LockManagerUnavailableError,
    SchemaMismatchError,
    StoreUnavailableError,
)
from assignment_pipeline.ports import RecordQuery, Wanted
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing.store_harness import CONFIRM, DINNER, HOUR, make_booking, make_change

numbers = itertools.count()


def confirm(store):
    """Seat one more booking; its id."""
    number = next(numbers)
    booking = make_booking(f"b-{number}", at=DINNER + number * 24 * HOUR)
    store.commit([make_change(booking, *CONFIRM, tables=("T1",))])
    return booking.id


CALLS = {
    "commit": confirm,
    "records": lambda store: store.records(RecordQuery()),
    "history": lambda store: store.history("b-1"),
    "due": lambda store: store.due(1),
    "knows": lambda store: store.knows(make_change(make_booking(), *CONFIRM, tables=("T1",))),
    "flush": lambda store: store.flush(),
}


def found(path):
    """Who is seated, by the file that has the name now."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT booking_id FROM booking_table_assignments")}


@pytest.fixture
def backup(path, tmp_path):
    """Makes files that can be moved over the database, as a restore does; each has nobody seated."""
    names = itertools.count()

    def make():
        return shutil.copy(path.parent / "empty.db", tmp_path / f"backup-{next(names)}.db")

    shutil.copy(path, path.parent / "empty.db")
    return make


def test_after_a_restore_the_new_file_is_written_to(store, path, backup):
    """What is confirmed from then on is there, and nothing of the old file comes into the new one."""
    old = confirm(store)
    assert found(path) == {old}
    backup().replace(path)
    new = confirm(store)
    assert found(path) == {new}
    store.close()
    assert found(path) == {new}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_after_a_restore_the_new_file_is_read(store, path, backup):
    """A read knows no more of what the old one held."""
    confirm(store)
    assert len(store.records(RecordQuery()).records) == 1
    backup().replace(path)
    assert store.records(RecordQuery()).records == ()


def test_the_old_files_log_is_set_aside(store, path, backup):
    """It is kept, under another name: what was confirmed last may be nowhere else."""
    confirm(store)
    backup().replace(path)
    assert store.records(RecordQuery()).records == ()
    assert (path.parent / (path.name + files.ORPHANED)).stat().st_size > 0


def test_a_restore_in_the_middle_of_a_commit_undoes_it(opened, path, backup):
    """Before the commit: the caller hears that nothing was written, in a sentence that says why."""
    restored = []

    def restore(connection, changes):
        if not restored:
            restored.append(backup().replace(path))

    store = opened(on_commit=restore)
    with pytest.raises(StoreUnavailableError, match="the file was replaced by another while it was in use"):
        confirm(store)
    assert found(path) == set()
    new = confirm(store)
    assert found(path) == {new}


def test_a_restore_before_the_answer_makes_it_unknown(store, path, backup, monkeypatch):
    """After the commit: the caller does not know, and finds out that it is not there."""
    confirm(store)
    looks = itertools.count()
    require = files.Files.require

    def late(self, where):
        if next(looks) == 1:
            backup().replace(path)
        require(self, where)

    monkeypatch.setattr(files.Files, "require", late)
    booking = make_booking("b-late", at=DINNER - 24 * HOUR)
    change = make_change(booking, *CONFIRM, tables=("T1",))
    with pytest.raises(CommitUnknownError, match="the file was replaced by another"):
        store.commit([change])
    assert not store.knows(change)


@pytest.mark.parametrize("call", CALLS)
def test_a_file_that_is_gone_is_refused_until_it_is_back(store, path, tmp_path, call):
    """Every call says so, and makes none; with the file put back all is as before."""
    before = confirm(store)
    path.rename(tmp_path / "away.db")
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="deleted or moved away while it was in use; put it back"):
            CALLS[call](store)
    assert not path.exists()
    (tmp_path / "away.db").rename(path)
    CALLS[call](store)
    after = confirm(store)
    assert {before, after} <= found(path)


def test_a_file_that_goes_while_it_is_opened_once_more_is_gone_as_well(store, path, tmp_path, monkeypatch):
    """It is no database that was never made."""
    confirm(store)
    connect = connections.connect

    def late(where, **how):
        path.rename(tmp_path / "away.db")
        return connect(where, **how)

    monkeypatch.setattr(connections, "connect", late)
    with pytest.raises(StoreUnavailableError, match="deleted or moved away while it was in use; put it back"):
        CALLS["records"](store)
    monkeypatch.undo()
    (tmp_path / "away.db").rename(path)
    CALLS["records"](store)


def test_a_deleted_file_may_be_made_anew(store, path, backup):
    """By a restore that deletes first, or by init."""
    for make in (lambda: backup().replace(path), lambda: init(path, standalone=True)):
        confirm(store)
        path.unlink()
        with pytest.raises(StoreUnavailableError, match="deleted or moved away"):
            confirm(store)
        make()
        new = confirm(store)
        assert found(path) == {new}


def test_a_file_without_our_tables_is_refused(store, path, tmp_path, backup):
    """As it would be at the start; a sound one after it is taken."""
    confirm(store)
    other = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE guests (name TEXT)")
    other.replace(path)
    for call in CALLS.values():
        with pytest.raises(SchemaMismatchError):
            call(store)
    backup().replace(path)
    new = confirm(store)
    assert found(path) == {new}


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_deleted_log_is_found_before_an_answer(store, path, suffix):
    """Those confirmed before are there as well as those after it."""
    before = [confirm(store), confirm(store)]
    (path.parent / (path.name + suffix)).unlink()
    after = confirm(store)
    assert found(path) == {*before, after}


def test_a_log_deleted_in_the_middle_of_a_commit(opened, path):
    """The commit is undone: nobody else would find it."""
    deleted = []

    def delete(connection, changes):
        if not deleted:
            deleted.append((path.parent / (path.name + "-wal")).unlink())

    store = opened(on_commit=delete)
    with pytest.raises(StoreUnavailableError, match="its -wal or -shm file was deleted"):
        confirm(store)
    new = confirm(store)
    assert found(path) == {new}


def test_leases_are_refused_as_well(path, tmp_path):
    """The lock manager's file is looked at like the store's."""
    with SQLiteLockManager(path) as locks:
        locks.acquire([Wanted("a")], ttl=dt.timedelta(minutes=1))
        path.rename(tmp_path / "away.db")
        with pytest.raises(LockManagerUnavailableError, match="deleted or moved away"):
            locks.acquire([Wanted("b")], ttl=dt.timedelta(minutes=1))


def test_a_booking_waits_until_the_file_is_back(store, path, tmp_path):
    """A call answers that it is to be tried again, and then confirms."""
    coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None)
    first, second = (
        make_booking(name, at=dt.datetime(2041, 5, day, 18, tzinfo=dt.UTC)) for name, day in (("x", 1), ("y", 2))
    )
    assert coordinator.assign(first).outcome == "confirmed"
    path.rename(tmp_path / "away.db")
    refused = coordinator.assign(second)
    assert (refused.outcome, refused.reason) == ("retry", "store_unavailable")
    (tmp_path / "away.db").rename(path)
    assert coordinator.assign(second).outcome == "confirmed"
    assert found(path) == {"x", "y"}


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_done_to_the_files_what_is_answered_is_found(path, backup, seed, tmp_path):
    """Two stores, and someone who restores, deletes, moves and makes files anew between their calls."""
    chance = random.Random(seed)
    away = tmp_path / "away.db"

    def name(suffix):
        return path.parent / (path.name + suffix)

    acts = {
        "restore": lambda: backup().replace(path),
        "delete": lambda: path.unlink(missing_ok=True),
        "move away": lambda: path.exists() and path.rename(away),
        "put back": lambda: away.exists() and not path.exists() and away.rename(path),
        "no log": lambda: name("-wal").unlink(missing_ok=True),
        "no shared memory": lambda: name("-shm").unlink(missing_ok=True),
    }
    with contextlib.ExitStack() as stack:
        stores = [
            stack.enter_context(
                SQLiteStore(path, host=StandaloneHost(), synchronous="OFF", busy_timeout=dt.timedelta(seconds=1))
            )
            for _ in range(2)
        ]
        for _ in range(40):
            if chance.random() < 0.3:
                acts[chance.choice([*acts, "restore", "put back"])]()
            try:
                booking_id = confirm(chance.choice(stores))
            except (StoreUnavailableError, CommitUnknownError, SchemaMismatchError):
                continue
            assert booking_id in found(path)
        backup().replace(path)
        for suffix in ("-wal", "-shm"):
            name(suffix).unlink(missing_ok=True)
        for store in stores * 2:
            with contextlib.suppress(StoreUnavailableError):
                confirm(store)
        final = {confirm(store) for store in stores}
        assert final <= found(path)
