"""Where everything is, and how the driver and the workers open it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from multiprocessing.connection import Connection
from typing import Any

import attrs

from assignment_pipeline.adapters import postgres, sqlite
from assignment_pipeline.adapters.sqlite.codec import text_of
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.ports import Occupied
from tests.torture.post import Inbox, PipeInbox, PipeSender, Sender

PATIENCE = dt.timedelta(seconds=2)
CONNECTIONS = 5
WORKERS = "torture-worker"
"""What the sessions of all workers are called, with a number behind."""

SEATS = """
CREATE TABLE torture_seats (
    restaurant_id text NOT NULL, table_id text NOT NULL, start_at {time} NOT NULL, end_at {time} NOT NULL,
    booking_id text
)
"""
TAKEN = "SELECT restaurant_id, table_id, start_at, end_at, booking_id FROM torture_seats"
"""What the host has seated itself."""

OVERLAPPING = "SELECT table_id, start_at, end_at, booking_id FROM torture_seats"
OVERLAPS = " WHERE restaurant_id = %s AND start_at < %s AND end_at > %s"


@attrs.frozen(kw_only=True)
class Place:
    """
    Where everything is.

    Attributes:
        store: ``postgres`` or ``sqlite``.

        at: The database, or the file.

        redis: The server that has the locks; None leaves them to the store's database.

        broker: The server that has the messages; None leaves them to pipes.

        staff: Whether the host seats people itself.
    """

    store: str
    at: str
    redis: str | None = None
    broker: str | None = None
    staff: bool = False

    @property
    def is_postgres(self) -> bool:
        """Whether it is a server that we talk to."""
        return self.store == "postgres"

    def prepare(self) -> None:
        """Make all tables."""
        if self.is_postgres:
            postgres.init(self.at, standalone=True)
        else:
            sqlite.init(self.at, standalone=True)
        statement = SEATS.format(time="timestamptz" if self.is_postgres else "text")
        with self.open_store("torture-setup") as store:
            store.write(lambda connection: self.ask(connection, statement))

    def named(self, who: str) -> str:
        """The database's address, for sessions that are called *who*."""
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - not for SQLite

        return make_conninfo(self.at, application_name=who, connect_timeout=2)

    def host(self) -> Any:
        """The host's side."""
        if self.is_postgres:
            return PostgresStaff(self) if self.staff else postgres.StandaloneHost()
        return SQLiteStaff(self) if self.staff else sqlite.StandaloneHost()

    def open_store(self, who: str) -> Any:
        """A store, whose sessions are called *who*."""
        if self.is_postgres:
            conninfo = self.named(who)
            return postgres.PostgresStore(conninfo, host=self.host(), pool_size=CONNECTIONS, patience=PATIENCE)
        return sqlite.SQLiteStore(self.at, host=self.host())

    def open_locks(self, who: str) -> Any:
        """A lock manager."""
        if self.redis is not None:
            from assignment_pipeline.adapters.redis import RedisLockManager  # noqa: PLC0415 - an extra

            return RedisLockManager(self.redis)
        if self.is_postgres:
            return postgres.PostgresLockManager(self.named(who), pool_size=CONNECTIONS, patience=PATIENCE)
        return sqlite.SQLiteLockManager(self.at)

    def open_sender(self) -> Sender:
        """The driver's end of the way that messages go."""
        if self.broker is None:
            return PipeSender()
        from tests.torture.broker import BrokerSender  # noqa: PLC0415 - an extra

        return BrokerSender(self.broker)

    def open_inbox(self, who: str, pipe: Connection) -> Inbox:
        """The end of it that is the worker's whose sessions are called *who*."""
        if self.broker is None:
            return PipeInbox(pipe)
        from tests.torture.broker import BrokerInbox  # noqa: PLC0415 - an extra

        return BrokerInbox(self.broker, who, pipe)

    def ask(self, connection: Any, statement: str, *values: Any) -> Any:
        """What a statement answers; times may be among its values."""
        if self.is_postgres:
            return connection.execute(statement, values or None)
        texts = [text_of(value) if isinstance(value, dt.datetime) else value for value in values]
        return connection.execute(statement.replace("%s", "?").replace("assignment_pipeline.", ""), texts)

    def seated(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        """Who the staff have seated."""
        rows = self.ask(connection, OVERLAPPING + OVERLAPS, restaurant_id, window.end, window.start)
        for table_id, start, end, booking_id in rows.fetchall():
            yield Occupied(table_id=table_id, window=TimeWindow(_moment(start), _moment(end)), booking_id=booking_id)


def _moment(value: Any) -> dt.datetime:
    moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


class PostgresStaff(postgres.StandaloneHost):
    """A standalone host whose staff seat people, too."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        return list(self._place.seated(connection, restaurant_id, window))


class SQLiteStaff(sqlite.StandaloneHost):
    """The same, in a file."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        return list(self._place.seated(connection, restaurant_id, window))
