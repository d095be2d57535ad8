"""A host on SQLAlchemy 2 models: one class for SQLite, PostgreSQL and asyncio, in the store's transaction."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sqlite3
import uuid

import pytest

from assignment_pipeline import (
    AsyncCoordinator,
    Booking,
    Coordinator,
    FloorPlan,
    Mode,
    Occupied,
    StatusMap,
    Table,
    TimeWindow,
    Venue,
    VenueNotFoundError,
)
from assignment_pipeline.adapters.sqlite import SQLiteStore
from assignment_pipeline.adapters.sqlite import init as init_sqlite
from assignment_pipeline.errors import HostError
from assignment_pipeline.host_check import empty
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing import AsyncHostContract, HostContract

sa = pytest.importorskip("sqlalchemy")
orm = pytest.importorskip("sqlalchemy.orm")
adapter = pytest.importorskip("assignment_pipeline.adapters.sqlalchemy", exc_type=ImportError)

AT = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(hour=19, minute=0, second=0, microsecond=0)
HOUR = dt.timedelta(hours=1)
HOUSE = str(uuid.uuid4())
WORDS = StatusMap(waiting="open", review="open", held="open", confirmed="booked", failed="declined", cancelled="void")


class Base(orm.DeclarativeBase):
    pass


class House(Base):
    __tablename__ = "houses"
    id = orm.mapped_column(sa.Uuid, primary_key=True, default=uuid.uuid4)


class Seat(Base):
    """A table of a house."""

    __tablename__ = "seats"
    house_id = orm.mapped_column(sa.ForeignKey("houses.id"), primary_key=True)
    label = orm.mapped_column(sa.String, primary_key=True)
    covers = orm.mapped_column(sa.Integer)


class Reservation(Base):
    """Both planners write `sits_at`; `by` says which of them."""

    __tablename__ = "reservations"
    id = orm.mapped_column(sa.Uuid, primary_key=True, default=uuid.uuid4)
    house_id = orm.mapped_column(sa.ForeignKey("houses.id"))
    covers = orm.mapped_column(sa.Integer)
    starts_at = orm.mapped_column(sa.BigInteger)  # Minutes: SQLite has no times.
    status = orm.mapped_column(sa.String, default="open")
    sits_at = orm.mapped_column(sa.String, nullable=True)
    by = orm.mapped_column(sa.String, nullable=True)


def minutes(time):
    return int(time.timestamp()) // 60


def time_of(minute):
    return dt.datetime.fromtimestamp(minute * 60, dt.UTC)


class ReservationHost:
    """In ORM terms alone."""

    def booking(self, session, booking_id):
        try:
            found = session.get(Reservation, uuid.UUID(booking_id))
        except ValueError:
            return None
        return found and self.booking_of(found)

    def booking_of(self, row):
        status = WORDS.status(row.status)
        return Booking(str(row.id), str(row.house_id), row.covers, time_of(row.starts_at), status=status)

    def venue(self, session, restaurant_id, known_version):
        try:
            seats = session.scalars(sa.select(Seat).filter_by(house_id=uuid.UUID(restaurant_id)).order_by(Seat.label))
        except ValueError:
            raise VenueNotFoundError(restaurant_id) from None
        tables = [Table(seat.label, seat.covers) for seat in seats]
        if not tables:
            raise VenueNotFoundError(restaurant_id)
        venue = Venue(restaurant_id, "Europe/Lisbon", FloorPlan(tables))
        return None if venue.version == known_version else venue

    def occupied(self, session, restaurant_id, window):
        of_legacy = sa.select(Reservation).where(
            Reservation.house_id == uuid.UUID(restaurant_id),
            Reservation.by == "legacy",  # What on_commit copied, the pipeline knows itself.
            Reservation.starts_at < minutes(window.end) + 1,
            Reservation.starts_at > minutes(window.start) - 120,
        )
        for row in session.scalars(of_legacy):
            until = time_of(row.starts_at + 120)
            yield Occupied(
                table_id=row.sits_at, window=TimeWindow(time_of(row.starts_at), until), booking_id=str(row.id)
            )

    def unassigned(self, session, since, limit):
        waiting = sa.select(Reservation).filter_by(status="open").where(Reservation.starts_at > minutes(since))
        rows = session.scalars(waiting.order_by(Reservation.starts_at, Reservation.id).limit(limit))
        return [self.booking_of(row) for row in rows]

    def on_commit(self, session, changes):
        for change in changes:
            row = session.get(Reservation, uuid.UUID(change.record.booking_id))
            row.status = WORDS.word(change.record)
            row.sits_at = ", ".join(change.record.tables) or None
            row.by = "pipeline" if change.record.tables else None
            if asked := change.record.booking:
                row.covers, row.starts_at = asked.party_size, minutes(asked.start_at)


class Rows:
    """A new house of the application's, by its own engine."""

    def __init__(self, engine):
        self.engine = engine
        Base.metadata.create_all(self.engine)
        with orm.Session(self.engine) as session, session.begin():
            house = House()
            session.add(house)
            session.flush()
            session.add_all(Seat(house_id=house.id, label=label, covers=4) for label in ("T1", "T2"))
            self.house = str(house.id)

    def book(self, **facts):
        with orm.Session(self.engine) as session, session.begin():
            row = Reservation(house_id=uuid.UUID(self.house), covers=4, starts_at=minutes(AT), **facts)
            session.add(row)
            session.flush()
            return str(row.id)

    def row(self, booking_id):
        with orm.Session(self.engine) as session:
            row = session.get(Reservation, uuid.UUID(booking_id))
            return row.status, row.sits_at


@pytest.fixture(scope="module")
def database(postgres_database):
    """A database with the pipeline's tables."""
    postgres = pytest.importorskip("assignment_pipeline.adapters.postgres", exc_type=ImportError)
    server = pytest.importorskip("tests.servers.postgres", exc_type=ImportError)
    with server.database(postgres_database) as at:
        postgres.init(at)
        yield at


@pytest.fixture(scope="module")
def engine(database):
    """The application's engine on it."""
    known = pytest.importorskip("psycopg.conninfo").conninfo_to_dict(database)
    url = sa.URL.create(
        "postgresql+psycopg",
        known.get("user"),
        known.get("password"),
        database=known["dbname"],
        query={name: str(known[name]) for name in ("host", "port") if name in known},
    )
    made = sa.create_engine(url)
    yield made
    made.dispose()


@pytest.fixture
def at_postgres(database, engine):
    """The database, and a house of the application's in it."""
    return database, Rows(engine)


def a_store(request, tmp_path, host):
    if request.param == "sqlite":
        rows = Rows(sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}", poolclass=sa.pool.NullPool))
        init_sqlite(tmp_path / "a.db")
        return SQLiteStore(tmp_path / "a.db", host=host), rows
    from assignment_pipeline.adapters.postgres import PostgresStore  # noqa: PLC0415 - it may be missing

    at, rows = request.getfixturevalue("at_postgres")
    return PostgresStore(at, host=host), rows


@pytest.fixture(params=["sqlite", "postgres"])
def wired(request, tmp_path):
    """A store for threads, and the application's rows."""
    store, rows = a_store(request, tmp_path, adapter.SQLAlchemyHost(ReservationHost()))
    with store:
        yield store, rows


class TestHost(HostContract):
    """What every host promises."""

    @pytest.fixture
    def store(self, wired):
        wired[1].book()
        wired[1].book()
        return wired[0]

    @pytest.fixture
    def restaurant_id(self, wired):
        return wired[1].house

    @pytest.fixture
    def change_floor(self):
        return lambda connection: connection.execute("UPDATE seats SET covers = 5 WHERE label = 'T1'")

    @pytest.fixture
    def seat_elsewhere(self, wired):
        def given_away(connection):
            key, house = uuid.uuid4().hex, uuid.UUID(wired[1].house).hex
            connection.execute(
                'INSERT INTO reservations (id, house_id, covers, starts_at, status, sits_at, "by") VALUES'
                f" ('{key}', '{house}', 2, {minutes(AT)}, 'booked', 'T1', 'legacy')"
            )
            return "T1", TimeWindow(AT, AT + dt.timedelta(hours=1))

        return given_away


class TestAsyncHost(AsyncHostContract):
    """The same class, with asyncio."""

    @pytest.fixture
    def run(self):
        with asyncio.Runner() as runner:
            yield runner.run

    @pytest.fixture
    def store(self, run, at_postgres):
        from assignment_pipeline.adapters.postgres import AsyncPostgresStore  # noqa: PLC0415 - it may be missing

        at, rows = at_postgres
        rows.book()
        rows.book()
        store = AsyncPostgresStore(at, host=adapter.AsyncSQLAlchemyHost(ReservationHost()))
        yield store
        run(store.close())

    @pytest.fixture
    def restaurant_id(self, at_postgres):
        return at_postgres[1].house


def test_an_evening(wired):
    """Legacy's table is left alone, a requeue and a cancellation reach the row, and a rollback leaves nothing."""
    store, rows = wired
    rows.book(status="booked", sits_at="T1", by="legacy")
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE)) as coordinator:
        one = rows.book()
        assert coordinator.assign_id(one, rows.house).tables == ("T2",)
        assert rows.row(one) == ("booked", "T2")
        coordinator.requeue(one, actor="ana")
        assert rows.row(one) == ("open", None)
        coordinator.sweep()
        assert rows.row(one) == ("booked", "T2")
        coordinator.cancel(one)
        assert rows.row(one) == ("void", None)


def test_an_evening_with_asyncio(at_postgres):
    """Many at once, from the first call on: each table is given away once."""
    from assignment_pipeline.adapters.postgres import AsyncPostgresStore  # noqa: PLC0415 - it may be missing

    at, rows = at_postgres
    ids = [rows.book() for _ in range(4)]

    async def evening():
        host = adapter.AsyncSQLAlchemyHost(ReservationHost())
        async with (
            AsyncPostgresStore(at, host=host) as store,
            AsyncCoordinator(store, flags=FixedFlags(Mode.ACTIVE)) as coordinator,
        ):
            await asyncio.gather(*(store.booking(one) for one in ids * 3))
            for one in ids:
                await coordinator.assign_id(one, rows.house)

    asyncio.run(evening())
    assert sorted(rows.row(one) for one in ids)[:2] == [("booked", "T1"), ("booked", "T2")]


@pytest.mark.parametrize("does", ["commit", "rollback"])
def test_a_host_that_ends_the_transaction_is_refused(wired, does, monkeypatch):
    """Nothing of the commit lands, whatever the session would have said."""
    store, rows = wired
    monkeypatch.setattr(ReservationHost, "on_commit", lambda _self, session, _changes: getattr(session, does)())
    one = rows.book()
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE)) as coordinator:
        with contextlib.suppress(RuntimeError, HostError):
            assert coordinator.assign_id(one, rows.house).tables == ()
        assert rows.row(one) == ("open", None)
        assert coordinator.record(one) is None


def test_the_connection_stays_as_it_was(at_postgres):
    """SQLAlchemy registers nothing on it that would change how the store reads, and adds no handlers."""
    psycopg = pytest.importorskip("psycopg")
    host = adapter.SQLAlchemyHost(ReservationHost())
    at, rows = at_postgres
    one = rows.book()
    with psycopg.connect(at, autocommit=True) as connection:
        loaders = {name: connection.adapters.get_loader(oid, 0) for name, oid in (("json", 114), ("uuid", 2950))}
        before = connection.autocommit, connection.row_factory, connection.isolation_level, loaders
        connection.execute("BEGIN")
        for _ in range(3):
            assert host.booking(connection, one).party_size == 4
        loaders = {name: connection.adapters.get_loader(oid, 0) for name, oid in (("json", 114), ("uuid", 2950))}
        assert (connection.autocommit, connection.row_factory, connection.isolation_level, loaders) == before
        assert connection.info.transaction_status is psycopg.pq.TransactionStatus.INTRANS
        assert connection._notice_handlers == []


@pytest.mark.parametrize("wired", ["sqlite"], indirect=True)
def test_a_host_that_swallows_an_error_of_the_database_is_refused(wired, monkeypatch):
    """What is in a savepoint of its own may fail."""
    store, rows = wired

    def twice(_self, session, _changes):
        session.add_all(Reservation(id=uuid.UUID(one), status="open") for _ in range(2))
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            session.flush()

    def twice_in_a_savepoint(self, session, changes):
        with contextlib.suppress(sa.exc.SQLAlchemyError), session.begin_nested():
            session.add(Reservation(id=uuid.UUID(one), status="open"))
        on_commit(self, session, changes)

    one, on_commit = rows.book(), ReservationHost.on_commit
    monkeypatch.setattr(ReservationHost, "on_commit", twice)
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE)) as coordinator:
        with contextlib.suppress(RuntimeError, HostError):
            assert coordinator.assign_id(one, rows.house).tables == ()
        assert rows.row(one) == ("open", None)
        monkeypatch.setattr(ReservationHost, "on_commit", twice_in_a_savepoint)
        coordinator.assign_id(one, rows.house)
    assert rows.row(one)[0] == "booked"


def test_the_other_kind_of_store_is_named(at_postgres):
    """A host for threads given an asyncio connection, or the other way round: the sentence says which one to take."""
    psycopg = pytest.importorskip("psycopg")
    at, _rows = at_postgres

    async def asked():
        async with await psycopg.AsyncConnection.connect(at) as connection:
            adapter.SQLAlchemyHost(ReservationHost()).booking(connection, "1")

    with pytest.raises(TypeError, match="expected an AsyncSQLAlchemyHost"):
        asyncio.run(asked())
    with psycopg.connect(at) as connection, pytest.raises(TypeError, match="expected a SQLAlchemyHost"):
        asyncio.run(adapter.AsyncSQLAlchemyHost(ReservationHost()).booking(connection, "1"))


@pytest.mark.parametrize("wired", ["sqlite"], indirect=True)
def test_the_sweep_may_ask_by_restaurant(wired):
    """Where the host has both methods of `RestaurantsHost`, and only there."""

    class Many(ReservationHost):
        def restaurants_waiting(self, session):
            yield from map(str, session.scalars(sa.select(Reservation.house_id).distinct()))

        def unassigned(self, session, since, limit, *, restaurants=None):
            return [one for one in super().unassigned(session, since, limit) if one.restaurant_id in restaurants]

    _store, rows = wired
    one = rows.book()
    with orm.Session(rows.engine) as session:
        connection = session.connection().connection.driver_connection
        host = adapter.SQLAlchemyHost(Many())
        assert host.restaurants_waiting(connection) == [rows.house]
        since = AT - dt.timedelta(hours=1)
        assert [found.id for found in host.unassigned(connection, since, 9, restaurants=[rows.house])] == [one]
        assert host.unassigned(connection, since, 9, restaurants=["other"]) == []
    assert not hasattr(adapter.SQLAlchemyHost(ReservationHost()), "restaurants_waiting")


def test_a_session_is_joined(wired):
    """What is enqueued in the application's own session is there if that commits, and never was if it rolls back."""
    store, rows = wired
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE)) as coordinator, orm.Session(rows.engine) as session:
        for ends in (session.rollback, session.commit):
            row = Reservation(house_id=uuid.UUID(rows.house), covers=4, starts_at=minutes(AT))
            session.add(row)
            session.flush()
            booking = ReservationHost().booking_of(row)
            coordinator.joined(session).enqueue(booking)
            ends()
            assert (coordinator.record(booking.id) is not None) == (ends == session.commit)
        coordinator.assign(booking)
        assert rows.row(booking.id)[0] == "booked"


@pytest.mark.parametrize("wired", ["sqlite"], indirect=True)
def test_a_session_that_has_only_read_is_joined_after_begin(wired):
    """The driver for SQLite begins nothing for a read: the error says what to do, and that works."""
    store, rows = wired
    booking_id = rows.book()
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE)) as coordinator, orm.Session(rows.engine) as session:
        session.get(Reservation, uuid.UUID(booking_id))
        with pytest.raises(ValueError, match="expected one with a transaction open, such as after BEGIN IMMEDIATE"):
            coordinator.joined(session).cancel(booking_id)
        session.execute(sa.text("BEGIN IMMEDIATE"))
        coordinator.joined(session).cancel(booking_id)
        session.commit()
    assert rows.row(booking_id)[0] == "void"


@pytest.mark.parametrize("wired", ["sqlite"], indirect=True)
def test_a_savepoint_that_no_transaction_began_before_is_refused(wired):
    """SQLite would keep what is written in it when the transaction is rolled back."""
    store, rows = wired
    booking = Booking(rows.book(), rows.house, 4, AT)
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE)) as coordinator, orm.Session(rows.engine) as session:
        early = coordinator.joined(session)
        with session.begin_nested():
            for joined in (coordinator.joined(session), early):
                with pytest.raises(ValueError, match=r"^connection: expected one outside of begin_nested\(\)"):
                    joined.enqueue(booking)
        session.rollback()
        session.execute(sa.text("BEGIN IMMEDIATE"))
        joined = coordinator.joined(session)
        with session.begin_nested():
            joined.enqueue(booking)
        session.rollback()
        assert coordinator.record(booking.id) is None


@pytest.mark.parametrize("wired", ["sqlite"], indirect=True)
def test_what_holds_no_connection_of_the_driver_is_refused(wired):
    """In one sentence, where it is handed in."""
    store, rows = wired
    message = "connection: expected a sqlite3 Connection, or SQLAlchemy's or Django's around one, got an? "
    with pytest.raises(TypeError, match=f"{message}Engine"):
        store.joined(rows.engine)
    with pytest.raises(TypeError, match=f"{message}object"):
        store.joined(object())


def test_errors_name_the_class_that_the_author_knows(tmp_path):
    """Not the adapter around it."""

    class Taverna(ReservationHost):
        def occupied(self, session, restaurant_id, window):
            return [1]

    init_sqlite(tmp_path / "day.db")
    path = tmp_path / "day.db"
    with (
        SQLiteStore(path, host=adapter.SQLAlchemyHost(Taverna())) as store,
        contextlib.closing(sqlite3.connect(path)) as connection,
        pytest.raises(HostError, match=r"^Taverna.occupied: expected a list of Occupied"),
    ):
        store.checked_host.occupied(connection, "r", TimeWindow(AT, AT + HOUR))


@pytest.mark.parametrize(
    "connection", [None, empty.Connection(), empty.AsyncConnection()], ids=["sqlite", "psycopg", "async psycopg"]
)
def test_a_cache_answers_without_rows(connection):
    """On a connection that reaches no rows, a host that keeps its answer gives it, and one that reads rows raises."""

    class Cached(ReservationHost):
        kept = (Occupied(table_id="T1", window=TimeWindow(AT, AT + HOUR)),)

        def occupied(self, session, restaurant_id, window):
            return self.kept

    def taken(host):
        given = (
            connection or closing.enter_context(contextlib.closing(sqlite3.connect(":memory:"))),
            str(uuid.uuid4()),
        )
        window = TimeWindow(AT, AT + HOUR)
        if isinstance(connection, empty.AsyncConnection):
            return asyncio.run(adapter.AsyncSQLAlchemyHost(host).occupied(*given, window))
        return list(adapter.SQLAlchemyHost(host).occupied(*given, window))

    with contextlib.ExitStack() as closing:
        assert taken(Cached()) == list(Cached.kept)
        with pytest.raises(sa.exc.SQLAlchemyError):
            taken(ReservationHost())


@pytest.mark.parametrize("of", ["SQLAlchemyHost", "AsyncSQLAlchemyHost"])
def test_what_is_no_session_host_is_refused_where_it_is_handed_in(of):
    """A method that is missing or awaited by nobody is named."""

    class Awaited(ReservationHost):
        async def booking(self, session, booking_id):
            return None

    with pytest.raises(
        TypeError, match=r"host: expected a SessionHost, .*, got an object, which has no method booking"
    ):
        getattr(adapter, of)(object())
    with pytest.raises(
        TypeError, match=r"Awaited.booking is a coroutine function, .* Write it with def, for asyncio, too"
    ):
        getattr(adapter, of)(Awaited())
