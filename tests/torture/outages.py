"""The servers of a run, and what becomes of them."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assignment_pipeline.errors import MissingExtraError
from tests.torture.options import Options
from tests.torture.place import WORKERS, Place
from tests.torture.witness import SOON, Witness

LONGEST = 12.0
"""Seconds for which PostgreSQL or the broker is away at most, for longer than calls wait; most often for less."""

LOOKS = 40
"""How often it is looked for somebody who is in the middle of a commit."""

# A session that is inside a commit of a worker's: in its one statement, or between those of a host that is asked.
COMMITTING = """
SELECT pid, application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE %s AND (
    state = 'idle in transaction'
    OR state = 'active' AND (query LIKE '%%.commit(%%' OR query LIKE '%%begin_commit%%' OR query = 'COMMIT')
) ORDER BY random() LIMIT 1
"""


class Outages:
    """
    Servers, and their outages.

    Args:
        options: What the run is told.

        stack: What stops the servers when the run is over.

        folder: For files.

        chance: What is drawn by.

        counts: Where it is counted what happens.

    Attributes:
        place: Where everything is.

        late: What was not used soon after it was back.

    Raises:
        LookupError: A server or a package is missing.

        MissingExtraError: A package of an extra is.
    """

    def __init__(
        self,
        options: Options,
        stack: contextlib.ExitStack,
        folder: Path,
        chance: random.Random,
        counts: Counter[str],
    ) -> None:
        self._chance = chance
        self._counts = counts
        self._redis: Any = None
        self._broker: Any = None
        self._timers: list[threading.Timer] = []
        self.late: list[str] = []
        self._longest = min(LONGEST, options.seconds / 4)
        if options.store == "sqlite":
            self.place = Place(store="sqlite", at=str(folder / "bookings.db"), staff=options.has_staff)
            return
        from tests.servers import postgres  # noqa: PLC0415 - not for SQLite
        from tests.torture.servers import own_postgres  # noqa: PLC0415 - the same

        if "restart" in options.faults:
            self._postgres = stack.enter_context(own_postgres())
            at = self._postgres.url
        else:
            at = stack.enter_context(postgres.database(stack.enter_context(postgres.server())))
        if options.has_redis:
            self._redis = stack.enter_context(_own_redis())
        if options.has_broker:
            self._broker = stack.enter_context(_own_redis())
        redis, broker = (server.url if server else None for server in (self._redis, self._broker))
        self.place = Place(store="postgres", at=at, redis=redis, broker=broker, staff=options.has_staff)

    # -- PostgreSQL -----------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Have PostgreSQL crash or shut down; it is away for as long as it takes, or for longer."""
        with Witness(self.place.open_store("torture-witness")) as witness:
            self._postgres.stop(self._chance.choice(("fast", "immediate")))
            away = self._wait()
            self._postgres.start()
            took = witness.until_answered()
        self._counts["restarts"] += 1
        self._counts["slowest return, in ms"] = max(self._counts["slowest return, in ms"], round(took * 1000))
        if took >= SOON:
            self.late.append(f"not used {took:.0f} s after PostgreSQL was back, which had been away for {away:.0f} s")

    def terminate(self) -> None:
        """End a session in the middle of a commit."""
        import psycopg  # noqa: PLC0415 - not for SQLite

        with contextlib.suppress(psycopg.Error), psycopg.connect(self.place.at, autocommit=True) as connection:
            session = _committing(connection)
            if session is not None:
                connection.execute("SELECT pg_terminate_backend(%s)", (session[0],))
                self._counts["terminations"] += 1

    def who_commits(self) -> str | None:
        """The name of a worker's session that is in the middle of a commit, if there is one soon."""
        if not self.place.is_postgres:
            return None
        import psycopg  # noqa: PLC0415 - not for SQLite

        with contextlib.suppress(psycopg.Error), psycopg.connect(self.place.at, autocommit=True) as connection:
            session = _committing(connection)
            return session[1] if session is not None else None
        return None

    # -- SQLite ---------------------------------------------------------------------------------------------------

    def move_file_away(self) -> None:
        """Have the database file under another name for a moment: what is committed meanwhile must not be confirmed."""
        file = Path(self.place.at)
        away = file.rename(file.with_suffix(".away"))
        time.sleep(self._chance.uniform(0.05, 0.5))
        away.replace(file)
        self._counts["files moved away"] += 1

    def restore_file(self) -> None:
        """Replace the database file by a copy that has all in it: what goes into the old one from then on is lost."""
        file = Path(self.place.at)
        copy = file.with_suffix(".copy")
        with contextlib.ExitStack() as stack:
            holder, source, target = (stack.enter_context(_opened(path)) for path in (file, file, copy))
            holder.execute("BEGIN IMMEDIATE")  # Nobody commits while it is copied.
            source.backup(target)
            for suffix in ("-wal", "-shm"):
                file.with_name(file.name + suffix).unlink(missing_ok=True)
            copy.replace(file)
        self._counts["files restored"] += 1

    # -- The broker -----------------------------------------------------------------------------------------------

    def restart_broker(self) -> None:
        """Have the broker crash, with all messages; it is away for as long as it takes, or for longer."""
        self._broker.kill()
        self._wait()
        self._broker.start()
        self._counts["restarts of the broker"] += 1

    # -- Redis ----------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Have Redis forget everything."""
        with self._asking_redis() as client:
            client.flushall()
            self._counts["flushes"] += 1

    def pause(self) -> None:
        """Have Redis answer late: by itself, or because it stands still."""
        self._counts["pauses"] += 1
        if self._chance.random() < 0.5:
            with self._asking_redis() as client:
                client.execute_command("CLIENT", "PAUSE", 800, "ALL")
        else:
            self._redis.pause()
            timer = threading.Timer(self._chance.uniform(0.3, 1.0), self._redis.resume)
            timer.start()
            self._timers.append(timer)

    def restart_redis(self) -> None:
        """Have Redis crash, and start again."""
        self._redis.kill()
        self._redis.start()
        self._counts["restarts of Redis"] += 1

    @contextlib.contextmanager
    def _asking_redis(self) -> Iterator[Any]:
        import redis  # noqa: PLC0415 - an extra

        client = redis.Redis.from_url(self._redis.url, socket_timeout=0.5)
        with contextlib.suppress(redis.RedisError), client:
            yield client

    def _wait(self) -> float:
        away = self._chance.choice((0.0, self._longest * self._chance.random() ** 2))
        time.sleep(away)
        return away

    def end(self) -> None:
        """No more of it."""
        for timer in self._timers:
            timer.join()


def _opened(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=10))


def _own_redis() -> Any:
    try:
        from tests.servers.redis import OwnServer  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise MissingExtraError("redis", "redis") from None
    return OwnServer()


def _committing(connection: Any) -> tuple[int, str] | None:
    for _ in range(LOOKS):
        found: tuple[int, str] | None = connection.execute(COMMITTING, (f"{WORKERS}%",)).fetchone()
        if found is not None:
            return found
        time.sleep(0.001)
    return None
