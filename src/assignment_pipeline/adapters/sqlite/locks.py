"""Leases in a SQLite file."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import platform
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

from assignment_pipeline.adapters.sqlite.codec import text_of
from assignment_pipeline.adapters.sqlite.connections import Connections
from assignment_pipeline.adapters.sqlite.opening import locate
from assignment_pipeline.adapters.sqlite.schema import check_part
from assignment_pipeline.adapters.sqlite.writer import Writer
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.errors import (
    CommitUnknownError,
    LockManagerUnavailableError,
    SchemaMismatchError,
    StoreUnavailableError,
)
from assignment_pipeline.ports import Clock, Lease, Leases, Refused, Wanted

T = TypeVar("T")

BUSY_TIMEOUT = dt.timedelta(seconds=2)

SWEEP_EVERY = 256
"""Acquisitions between two clearings of what was never released."""

HELD = 'SELECT slot FROM assignment_leases WHERE "key" = ? AND expires_at > ?'

# The slot was free or expired a moment ago, in this same transaction.
TAKE = """
INSERT INTO assignment_leases ("key", slot, owner, nonce, expires_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT ("key", slot) DO UPDATE SET
    owner = excluded.owner, nonce = excluded.nonce, expires_at = excluded.expires_at
"""

# The nonce is what release compares: only the holder lets go.
LET_GO = 'DELETE FROM assignment_leases WHERE "key" = ? AND nonce = ?'

SWEEP = "DELETE FROM assignment_leases WHERE expires_at <= ?"


class SQLiteLockManager:
    """
    A `LockManager` in a SQLite file, for the threads and processes of one machine.

    A lease is not flushed to the disk: a power cut ends it, as it ends its holder. In a file of
    its own (`init` makes it) it does not wait for the flushes of the store's commits either.

    Args:
        path: The database file, which `init` has made.

        clock: What leases expire by; this machine's clock unless told otherwise.

        owner: Who its leases say they belong to; host and process unless told otherwise.

        busy_timeout: How long a call waits for others that lock the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Clock | None = None,
        owner: str | None = None,
        busy_timeout: dt.timedelta = BUSY_TIMEOUT,
    ) -> None:
        self._clock = clock or SystemClock()
        self._owner = owner
        self._acquired = 0
        where = locate(path)
        self._connections = Connections(
            where,
            synchronous="NORMAL",
            busy_timeout=busy_timeout,
            prepare=lambda connection: check_part(connection, where),
        )
        self._writer = Writer(self._connections, patience=busy_timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Leases end by themselves."""
        self._writer.close()
        self._connections.close()

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        if not wanted:
            return Leases(())
        return self._run(lambda connection: self._acquire(connection, wanted, ttl))

    def release(self, leases: Leases) -> None:
        held = [(lease.key, lease.nonce) for lease in leases.leases]
        if held:
            self._run(lambda connection: connection.executemany(LET_GO, held).rowcount)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _translated():
            return self._writer.run(work)

    def _acquire(self, connection: sqlite3.Connection, wanted: Sequence[Wanted], ttl: dt.timedelta) -> Leases | Refused:
        now = self._clock.now()
        self._acquired += 1
        if self._acquired % SWEEP_EVERY == 0:
            connection.execute(SWEEP, (text_of(now),))
        owner = self._owner or f"{platform.node()}:{os.getpid()}"
        taken: defaultdict[str, set[int]] = defaultdict(set)
        leases, rows = [], []
        for want in wanted:
            slots = taken[want.key]
            slots.update(slot for (slot,) in connection.execute(HELD, (want.key, text_of(now))))
            if len(slots) >= want.slots:
                return Refused(want.key)
            slot = next(slot for slot in range(want.slots) if slot not in slots)
            slots.add(slot)
            lease = Lease(want.key, owner, os.urandom(16).hex(), now + ttl)
            leases.append(lease)
            rows.append((lease.key, slot, owner, lease.nonce, text_of(lease.expires_at)))
        connection.executemany(TAKE, rows)
        return Leases(tuple(leases))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (StoreUnavailableError, CommitUnknownError) as error:
        raise LockManagerUnavailableError(error.detail) from error
    except (SchemaMismatchError, sqlite3.Error) as error:
        raise LockManagerUnavailableError(str(error)) from error
