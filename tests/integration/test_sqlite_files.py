"""The SQLite file: making it, and refusing what is not ours."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

from assignment_pipeline.adapters.schema_parts import PIPELINE, Part
from assignment_pipeline.adapters.sqlite import (
    SQLiteLockManager,
    SQLiteStore,
    StandaloneHost,
    check,
    init,
    opening,
)
from assignment_pipeline.adapters.sqlite.schema import PAGE, PARTS, STANDALONE_VERSION
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import LockManagerUnavailableError, SchemaMismatchError, StoreUnavailableError
from assignment_pipeline.ports import LoadQuery, RecordQuery, Wanted
from assignment_pipeline.testing.store_harness import CONFIRM, DINNER, make_booking, make_change, make_venue

CALLS = [
    lambda store: store.load(LoadQuery(restaurant_id="r-1")),
    lambda store: store.commit([make_change(make_booking(), *CONFIRM, tables=("T1",))]),
    lambda store: store.knows(make_change(make_booking(), *CONFIRM, tables=("T1",))),
    lambda store: store.due(1),
    lambda store: store.records(RecordQuery()),
    lambda store: store.history("b-1"),
    lambda store: store.booking("b-1"),
    lambda store: store.unassigned(DINNER, 1),
    lambda store: store.check_schema(),
    lambda store: store.flush(),
]


def tables(path):
    with sqlite3.connect(path) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return found


def execute(path, statement):
    connection = sqlite3.connect(path, isolation_level=None)
    answer = connection.execute(statement).fetchall()
    connection.close()
    return answer


# -- What is refused ----------------------------------------------------------------------------------------------


def not_a_database(folder):
    (folder / "x.db").write_bytes(b"restaurant,table\n" * 100)
    return folder / "x.db"


def five_bytes(folder):
    (folder / "x.db").write_bytes(b"hello")
    return folder / "x.db"


def empty_file(folder):
    (folder / "x.db").touch()
    return folder / "x.db"


def directory(folder):
    (folder / "x.db").mkdir()
    return folder / "x.db"


def no_file(folder):
    return folder / "x.db"


def no_folder(folder):
    return folder / "missing" / "x.db"


def below_a_file(folder):
    (folder / "file").touch()
    return folder / "file" / "x.db"


def fifo(folder):
    os.mkfifo(folder / "x.db")
    return folder / "x.db"


def read_only(folder):
    init(folder / "x.db", standalone=True)
    (folder / "x.db").chmod(stat.S_IRUSR | stat.S_IRGRP)
    return folder / "x.db"


def someone_elses(folder):
    execute(folder / "x.db", "CREATE TABLE guests (name TEXT)")
    return folder / "x.db"


def someone_elses_with_wal(folder):
    execute(folder / "x.db", "PRAGMA journal_mode = WAL")
    execute(folder / "x.db", "CREATE TABLE guests (name TEXT)")
    return folder / "x.db"


def without_standalone_tables(folder):
    init(folder / "x.db")
    return folder / "x.db"


def from_the_future(folder):
    init(folder / "x.db", standalone=True)
    execute(folder / "x.db", "UPDATE assignment_schema SET version = 99 WHERE part = 'pipeline'")
    return folder / "x.db"


def picture(folder):
    return {
        str(found): (found.stat().st_mode, found.read_bytes() if found.is_file() else b"")
        for found in folder.rglob("*")
    }


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (not_a_database, SchemaMismatchError),
        (five_bytes, SchemaMismatchError),
        (empty_file, SchemaMismatchError),
        (no_file, SchemaMismatchError),
        (someone_elses, SchemaMismatchError),
        (someone_elses_with_wal, SchemaMismatchError),
        (without_standalone_tables, SchemaMismatchError),
        (from_the_future, SchemaMismatchError),
        (directory, StoreUnavailableError),
        (no_folder, StoreUnavailableError),
        (below_a_file, StoreUnavailableError),
        (fifo, StoreUnavailableError),
        (read_only, StoreUnavailableError),
    ],
)
def test_a_bad_file_is_refused_by_every_method(made, error, tmp_path):
    """Whatever is asked of the store, the answer is one sentence that names the file, and the file is left alone."""
    path = made(tmp_path)
    before = picture(tmp_path)
    with SQLiteStore(path, host=StandaloneHost()) as store:
        for call in CALLS:
            with pytest.raises(error, match=r"^[^\n]+$") as refused:
                call(store)
            assert str(path) in str(refused.value)
    assert picture(tmp_path) == before


def test_a_bad_file_makes_the_locks_unavailable(tmp_path):
    """Locks save work, so a flow goes on without them: there is one error for whatever is wrong with them."""
    with (
        SQLiteLockManager(no_file(tmp_path)) as locks,
        pytest.raises(LockManagerUnavailableError, match=r"x\.db.*no such file"),
    ):
        locks.acquire([Wanted("a")], ttl=dt.timedelta(seconds=1))


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (not_a_database, SchemaMismatchError),
        (five_bytes, SchemaMismatchError),
        (from_the_future, SchemaMismatchError),
        (directory, StoreUnavailableError),
        (no_folder, StoreUnavailableError),
        (read_only, StoreUnavailableError),
    ],
)
def test_init_refuses_a_bad_file(made, error, tmp_path):
    """Nor does init make anything of it."""
    path = made(tmp_path)
    before = picture(tmp_path)
    with pytest.raises(error, match=r"^[^\n]+$") as refused:
        init(path, standalone=True)
    assert str(path) in str(refused.value)
    assert picture(tmp_path) == before


def test_init_does_not_share_a_name(tmp_path):
    """Where a table of someone else's has the name of one of ours, nothing at all is made."""
    path = tmp_path / "x.db"
    execute(path, "CREATE TABLE bookings (id INTEGER)")
    before = picture(tmp_path)
    with pytest.raises(SchemaMismatchError, match="bookings already exists"):
        init(path, standalone=True)
    assert picture(tmp_path) == before
    init(path)
    assert {"bookings", "assignment_records"} <= tables(path)


def test_what_is_no_file_name_is_refused():
    """A database in memory would be another one for each connection."""
    for path in (":memory:", "", "file:x.db?mode=memory"):
        with pytest.raises(ValueError, match="expected the name of a file"):
            SQLiteStore(path, host=StandaloneHost())


@pytest.mark.parametrize(
    "given",
    [
        "sslmode=require host=localhost password=hush",
        "postgresql://ann:hush@localhost/x",
        "x.db password=hush",
        "host = localhost",
        "a\nb.db",
    ],
)
def test_an_address_is_taken_for_no_file_name(given, tmp_path, monkeypatch):
    """It is not repeated, and no file is made of it."""
    monkeypatch.chdir(tmp_path)
    for call in (init, check, lambda name: SQLiteStore(name, host=StandaloneHost())):
        with pytest.raises(ValueError, match="got the address of a database, not shown") as refused:
            call(given)
        assert "hush" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_an_old_sqlite_is_refused(path, monkeypatch):
    """A library that cannot run our statements is named before it stumbles over one."""
    monkeypatch.setattr(opening, "OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(StoreUnavailableError, match=r"SQLite 99\.0\.0 or newer is needed"):
        check(path)


def test_an_unknown_setting_is_refused(path):
    """What SQLite would silently ignore is said."""
    with pytest.raises(ValueError, match="synchronous: expected OFF, NORMAL, FULL, EXTRA"):
        SQLiteStore(path, host=StandaloneHost(), synchronous="yes")


# -- What is made -------------------------------------------------------------------------------------------------


def test_init_may_run_again(path, store):
    """A second init changes nothing, and loses nothing."""
    store.commit([make_change(make_booking(), *CONFIRM, tables=("T1",))])
    before = execute(path, "SELECT sql FROM sqlite_master")
    init(path, standalone=True)
    check(path, standalone=True)
    assert execute(path, "SELECT sql FROM sqlite_master") == before
    assert len(store.records(RecordQuery()).records) == 1


def contents(path):
    """What is in the file: its tables with their columns, in whatever order, and its indexes."""
    found = {}
    for kind, name, text in execute(path, "SELECT type, name, sql FROM sqlite_master"):
        columns = sorted(column[1:] for column in execute(path, f"PRAGMA table_info({name})"))
        found[name] = columns if kind == "table" else text
    return found


def earlier(folder, part, *lines):
    """*part* as an earlier release may have had it, without those lines."""
    text = part.tables.read_text("utf-8")
    for line in lines:
        assert line in text
        text = text.replace(line, "")
    file = folder / "earlier.sql"
    file.write_text(text, encoding="utf-8")
    return Part(file)


def test_only_a_new_file_gets_pages_of_our_size(tmp_path):
    """Small ones, for a commit writes them whole; a host's own file keeps those that it has."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    execute(theirs, "CREATE TABLE orders (id)")
    before = execute(theirs, "PRAGMA page_size")
    for path in (ours, theirs):
        init(path)
    assert execute(ours, "PRAGMA page_size") == [(PAGE,)]
    assert execute(theirs, "PRAGMA page_size") == before != [(PAGE,)]


def test_an_earlier_release_becomes_this_one(tmp_path, monkeypatch):
    """Its tables are migrated, with what is in them."""
    path, fresh = tmp_path / "old.db", tmp_path / "fresh.db"
    now = PARTS[PIPELINE]
    index = "CREATE INDEX table_blocks_span ON table_blocks (restaurant_id, end_at);\n"
    monkeypatch.setitem(PARTS, PIPELINE, earlier(tmp_path, now, index, "    phase TEXT,\n"))
    init(path, standalone=True)
    host = StandaloneHost()
    with SQLiteStore(path, host=host) as store:
        store.write(lambda connection: host.put_venue(connection, make_venue()))
    changes = [tmp_path / "pipeline_2.sql", tmp_path / "pipeline_3.sql"]
    changes[0].write_text("-- Phases; they have names.\nALTER TABLE assignment_rollout ADD COLUMN phase TEXT;\n")
    changes[1].write_text(f"ALTER TABLE assignment_rollout_history ADD COLUMN phase TEXT;\n{index}")
    monkeypatch.setitem(PARTS, PIPELINE, attrs.evolve(now, migrations=changes))
    with pytest.raises(SchemaMismatchError, match="expected version 3 of the pipeline schema, found version 1: bring"):
        check(path, standalone=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: init(path), range(3)))
    check(path, standalone=True)
    assert execute(path, "SELECT part, version FROM assignment_schema") == [("pipeline", 3), ("standalone", 1)]
    monkeypatch.setitem(PARTS, PIPELINE, now)
    init(fresh, standalone=True)
    assert contents(path) == contents(fresh)
    execute(path, "UPDATE assignment_schema SET version = 1")
    with SQLiteStore(path, host=host) as store:
        assert store.load(LoadQuery(restaurant_id="r-1")).venue == make_venue()
        assert store.revise(RolloutRevision(generation=1, phase="local")) == store.rollout()


@pytest.mark.parametrize(
    ("part", "name"),
    [(part, name) for part in PARTS for name in PARTS[part].table_names if name != "assignment_schema"],
)
def test_each_table_that_is_gone_is_named(path, part, name):
    """By the check, by the store and by `init`, which makes none in its place: it held data."""
    init(path, standalone=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"DROP TABLE {name}")
    check(path, standalone=True, whole=False)
    with SQLiteStore(path, host=StandaloneHost()) as opened:
        for call in (lambda: check(path, standalone=True), lambda: init(path), opened.check_schema):
            with pytest.raises(SchemaMismatchError, match=f"{part} schema, found no {name}: restore the tables from"):
                call()


def test_a_migration_that_fails_changes_nothing(path, tmp_path, monkeypatch):
    """All of an update is there, or nothing."""
    before = contents(path)
    change = tmp_path / "pipeline_2.sql"
    change.write_text("DROP INDEX table_blocks_span;\nALTER TABLE table_blocks ADD COLUMN id TEXT;\n")
    monkeypatch.setitem(PARTS, PIPELINE, attrs.evolve(PARTS[PIPELINE], migrations=[change]))
    with pytest.raises(sqlite3.OperationalError):
        init(path)
    assert contents(path) == before
    assert execute(path, "SELECT version FROM assignment_schema") == [(1,), (1,)]


def test_a_file_of_an_unreleased_build_is_left_alone(tmp_path):
    """It is named as what it is, with what to do about it; nothing is made or changed."""
    path = tmp_path / "old.db"
    execute(path, "CREATE TABLE assignment_schema (part TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL)")
    execute(path, "INSERT INTO assignment_schema VALUES ('pipeline', 1)")
    before = path.read_bytes()
    with SQLiteStore(path, host=StandaloneHost()) as store:
        uses = (
            lambda: init(path, standalone=True),
            lambda: check(path),
            store.check_schema,
            lambda: store.records(RecordQuery()),
        )
        for use in uses:
            with pytest.raises(SchemaMismatchError) as told:
                use()
            assert str(told.value) == (
                f"{path}: expected version 1 of the pipeline schema, found that of a build before the first release: "
                "delete the file or, where an application keeps tables in it too, drop the pipeline's, and run "
                "`assignment-pipeline db init`; its data is not carried over."
            )
    assert path.read_bytes() == before


def test_the_standalone_tables_may_come_later(tmp_path):
    """They are a part of their own."""
    path = tmp_path / "x.db"
    init(path)
    with pytest.raises(SchemaMismatchError, match=f"version {STANDALONE_VERSION} of the standalone schema, found none"):
        check(path, standalone=True)
    init(path, standalone=True)
    check(path, standalone=True)


def test_a_store_heals_once_its_file_is_made(tmp_path):
    """A store that was refused works as soon as somebody has run init; nobody needs to restart."""
    path = tmp_path / "x.db"
    host = StandaloneHost()
    with SQLiteStore(path, host=host) as store:
        with pytest.raises(SchemaMismatchError):
            store.check_schema()
        init(path, standalone=True)
        store.check_schema()
        store.write(lambda connection: host.put_venue(connection, make_venue()))
        assert store.load(LoadQuery(restaurant_id="r-1")).generation == 0


def test_any_file_name_will_do(tmp_path):
    """What means something in a URI, or another script, is part of a name like any other."""
    path = tmp_path / "a b#c%20?mode=ro&é.db"
    init(path)
    check(path)
    assert path.exists()


def test_processes_may_init_together(python, tmp_path):
    """However many do it at once, all succeed and one database comes of it."""
    path = tmp_path / "new.db"
    script = """
from assignment_pipeline.adapters.sqlite import check, init
input()
init(sys.argv[2], standalone=True)
check(sys.argv[2], standalone=True)
"""
    workers = [python(script, path) for _ in range(4)]
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate()
    assert [worker.returncode for worker in workers] == [0] * len(workers)
    assert execute(path, "PRAGMA journal_mode") == [("wal",)]
    assert execute(path, "SELECT generation FROM assignment_rollout") == [(0,)]


def test_times_and_json_are_sqlites_own(path, store):
    """The guide's queries run as they are: times compare with datetime(), and JSON can be looked into."""
    store.commit([make_change(make_booking(), *CONFIRM, tables=("T1",))])
    counted = execute(
        path,
        """
        SELECT strftime('%Y-%m-%d %H:00', created_at), event_type, context ->> 'attempts' FROM observability_events
        WHERE source LIKE 'assignment.%' AND created_at > datetime('2031-05-01 10:00:00', '-1 hour', '-1 second')
        """,
    )
    assert counted == [("2031-05-01 09:00", "coordinator.confirmed", 0)]
    (booking,) = execute(path, "SELECT status, assignment_state, assignment_state_version, start_at FROM bookings")
    assert booking == ("confirmed", "confirmed", 5, "2031-05-01 19:00:00")


def test_a_commit_is_flushed_to_the_disk(store):
    """Commits survive a power cut unless the host has asked for less."""
    pragmas = ("journal_mode", "synchronous", "query_only")
    found = store.write(lambda connection: [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas])
    assert found == ["wal", 2, 0]


def test_host_code_cannot_write_while_reading(opened):
    """Whatever a host's methods do with the connection that they get for reading, they cannot change anything."""

    class Writing(StandaloneHost):
        def booking(self, connection, booking_id):
            connection.execute("DELETE FROM bookings")

    with pytest.raises(StoreUnavailableError, match="readonly"):
        opened(Writing()).booking("b-1")
