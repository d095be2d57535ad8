"""The stores in PostgreSQL for contract suites and the simulator."""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import functools
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from assignment_pipeline.adapters.postgres import (
    AsyncPostgresLockManager,
    AsyncPostgresStore,
    AsyncStandaloneHost,
    PostgresLockManager,
    PostgresStore,
    StandaloneHost,
    init,
)
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange, Attempt
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.ports import Clock, Occupied, OnCommit
from assignment_pipeline.testing.blocking import blocking
from assignment_pipeline.testing.store_harness import Ability, StoreHarness
from tests.servers.postgres import database, server

_PIPELINE = (
    "assignment_records",
    "booking_table_assignments",
    "booking_assignment_state_history",
    "assignment_stepless_changes",
    "booking_assignment_attempts",
    "observability_events",
    "table_blocks",
    "assignment_leases",
    "assignment_rollout_history",
    "assignment_shadow_bundles",
    "assignment_shadow_cases",
)
_STANDALONE = (
    "restaurants",
    "table_inventory",
    "table_adjacencies",
    "table_combinations",
    "bookings",
)

_NO_ROLLOUT = "UPDATE {}.assignment_rollout SET generation = 0, phase = NULL, settings = '{{}}', updated_at = NULL"


def empty(connection: psycopg.Connection[Any], schema: str, *, standalone: bool) -> None:
    """Delete all there is in a schema, which takes a tenth of the time that a new one takes."""
    tables = (*_PIPELINE, *(_STANDALONE if standalone else ()))
    name = sql.Identifier(schema)
    statements = [sql.SQL("DELETE FROM {}.{}").format(name, sql.Identifier(table)) for table in tables]
    statements.append(sql.SQL(_NO_ROLLOUT).format(name))
    connection.execute(sql.SQL("; ").join(statements))


def fresh(conninfo: str, schema: str, *, standalone: bool = False) -> None:
    """A schema with nothing in our tables: made anew only where it is not as `init` leaves it."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        find = "SELECT to_regclass(format('%%I.assignment_schema', %s::text))"
        if connection.execute(find, [schema]).fetchone() != (None,):
            parts = connection.execute(
                sql.SQL("SELECT count(*) FROM {}.assignment_schema").format(sql.Identifier(schema))
            )
            if parts.fetchone() == (1 + standalone,):
                empty(connection, schema, standalone=standalone)
                return
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
    init(conninfo, standalone=standalone, schema=schema)


# -- Hosts --------------------------------------------------------------------------------------------------------


class SharedFloorHost(StandaloneHost):
    """A standalone host with a staff that seats people, too."""

    def __init__(self, *, schema: str, seats: list[tuple[str, Occupied]]) -> None:
        super().__init__(schema=schema)
        self._seats = seats

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        """See `Host.occupied`: it yields, as many hosts do, and reads meanwhile."""
        for where, seat in self._seats:
            connection.execute("SELECT 1")
            if where == restaurant_id and seat.window.overlaps(window):
                yield seat


class AsyncSharedFloorHost(AsyncStandaloneHost):
    """The same, for asyncio."""

    def __init__(self, *, schema: str, seats: list[tuple[str, Occupied]]) -> None:
        super().__init__(schema=schema)
        self._seats = seats

    async def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        return [seat for where, seat in self._seats if where == restaurant_id and seat.window.overlaps(window)]


# -- Harnesses ----------------------------------------------------------------------------------------------------


class _AnyClock:
    """Another clock for each test: to open a store takes longer than most of them."""

    def now(self) -> dt.datetime:
        raise NotImplementedError

    def monotonic(self) -> float:
        raise NotImplementedError


class PostgresHarness(StoreHarness):
    """
    A store in a schema of its own, with a host in the same schema.

    Args:
        conninfo: The database.

        schema: The schema; `init` has made it with ``standalone=True``. Whatever is in it is deleted.

        alone: Whether the host is the bundled one, so that nothing but our own functions runs; else it is one that is
            asked, with a staff and with hooks.

        asynchronous: Whether the store is the one for asyncio, behind `blocking`.

        direct: The same database, for the harness's own look at it; by *conninfo* unless told otherwise.
    """

    def __init__(
        self, conninfo: str, schema: str, *, alone: bool, asynchronous: bool, direct: str | None = None
    ) -> None:
        self.schema = schema
        self.seats: list[tuple[str, Occupied]] = []
        self.on_commit: OnCommit | None = None
        self.connection = psycopg.connect(direct or conninfo, autocommit=True, row_factory=dict_row)
        self._clock = _AnyClock()
        self._host = StandaloneHost(self._clock, schema=schema)
        options: dict[str, Any] = {"clock": self._clock, "schema": schema}
        self.store: Any
        if alone:
            self.cannot: dict[Ability, str] = {  # type: ignore[misc]
                "occupy": "nobody but the pipeline seats anyone at a standalone host",
                "vacate": "nobody but the pipeline seats anyone at a standalone host",
                "hook": "host code takes a transaction around it, which is another family",
            }
            options["host"] = self._host
        else:
            kind = AsyncSharedFloorHost if asynchronous else SharedFloorHost
            options |= {"host": kind(schema=schema, seats=self.seats), "on_commit": self._call_hook}
        made = AsyncPostgresStore(conninfo, **options) if asynchronous else PostgresStore(conninfo, **options)
        self.store = blocking(made) if asynchronous else made

    def close(self) -> None:
        """Close the store, and what looks into its tables."""
        self.store.close()
        self.connection.close()

    def begin(self, clock: Clock) -> None:
        """Delete all there is, and go by *clock* from now on."""
        self._clock.now, self._clock.monotonic = clock.now, clock.monotonic  # type: ignore[method-assign]
        self.seats.clear()
        self.on_commit = None
        empty(self.connection, self.schema, standalone=True)

    def _call_hook(self, connection: Any, changes: Sequence[AssignmentChange]) -> None:
        if self.on_commit is not None:
            self.on_commit(connection, changes)

    def put_booking(self, booking: Booking) -> None:
        with self.connection.transaction():
            self._host.put_booking(self.connection, booking)

    def put_venue(self, venue: Venue) -> None:
        with self.connection.transaction():
            self._host.put_venue(self.connection, venue)

    def bump_generation(self) -> None:
        self.rows("UPDATE {}.assignment_rollout SET generation = generation + 1 RETURNING id")

    def occupy(self, restaurant_id: str, occupied: Occupied) -> None:
        self.seats.append((restaurant_id, occupied))

    def vacate(self, restaurant_id: str, occupied: Occupied) -> None:
        self.seats.remove((restaurant_id, occupied))

    def events(self) -> Sequence[Event]:
        return [
            Event(
                id=row["id"],
                created_at=row["created_at"],
                source=row["source"],
                type=row["event_type"],
                severity=row["severity"],
                restaurant_id=row["restaurant_id"],
                booking_id=row["booking_id"],
                context={
                    key: tuple(value) if isinstance(value, list) else value for key, value in row["context"].items()
                },
            )
            for row in self.rows("SELECT * FROM {}.observability_events ORDER BY position")
        ]

    def attempts(self, booking_id: str) -> Sequence[Attempt]:
        statement = "SELECT * FROM {}.booking_assignment_attempts WHERE booking_id = %s ORDER BY attempt_no"
        return [
            Attempt(
                number=row["attempt_no"],
                result=row["result"],
                strategy=row["strategy"],
                reason=row["reason"],
                metadata=row["metadata"],
                created_at=row["created_at"],
            )
            for row in self.rows(statement, booking_id)
        ]

    def hook(self, on_commit: OnCommit) -> None:
        self.on_commit = on_commit

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """What a statement answers, in which ``{}`` is the schema."""
        query = sql.SQL(statement).format(sql.Identifier(self.schema))
        return self.connection.execute(query, values).fetchall()


class PostgresBackend:
    """
    Makes harnesses and lock managers for tests. Harnesses are used again in the next test.

    Args:
        conninfo: The database.

        alone: See `PostgresHarness`.

        asynchronous: See `PostgresHarness`.

        direct: See `PostgresHarness`.
    """

    def __init__(
        self, conninfo: str, *, alone: bool = False, asynchronous: bool = False, direct: str | None = None
    ) -> None:
        self._conninfo = conninfo
        self._kind: dict[str, Any] = {"alone": alone, "asynchronous": asynchronous, "direct": direct}
        self._all: list[PostgresHarness] = []
        self._free: list[PostgresHarness] = []
        self._locks: list[Any] = []

    def harness(self, clock: Clock) -> PostgresHarness:
        """A harness around an empty store, in a schema of its own."""
        if not self._free:
            schema = f"Family's {secrets.token_hex(4)}"  # A name that needs quoting.
            init(self._conninfo, standalone=True, schema=schema)
            self._free.append(PostgresHarness(self._conninfo, schema, **self._kind))
            self._all += self._free
        made = self._free.pop()
        made.begin(clock)
        return made

    def again(self, clock: Clock) -> PostgresHarness:
        """A harness; those that were made before are not used any more."""
        self.reset()
        return self.harness(clock)

    def locks(self, clock: Clock) -> Any:
        """A lock manager under which nothing is held."""
        harness = self.again(clock)
        options: dict[str, Any] = {"clock": clock, "schema": harness.schema}
        if self._kind["asynchronous"]:
            made = blocking(AsyncPostgresLockManager(self._conninfo, **options))
        else:
            made = PostgresLockManager(self._conninfo, **options)
        self._locks.append(made)
        return made

    def reset(self) -> None:
        """The test is over."""
        while self._locks:
            self._locks.pop().close()
        self._free = list(self._all)

    def close(self) -> None:
        """Close all that was made."""
        self.reset()
        for harness in self._all:
            harness.close()


# -- The simulator ------------------------------------------------------------------------------------------------


def simulated(clock: Clock) -> PostgresHarness:
    """What the simulator makes for each of its runs: ``--store tests.servers.postgres_harness:simulated``."""
    conninfo, schema = _for_this_process(), f"run_{secrets.token_hex(4)}"
    init(conninfo, standalone=True, schema=schema)
    made = PostgresHarness(conninfo, schema, alone=False, asynchronous=False)
    made.begin(clock)
    return made


@functools.cache
def _for_this_process() -> str:
    """A database that goes when the process ends."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(database(stack.enter_context(server())))
