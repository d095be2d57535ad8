"""Leases in PostgreSQL."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from typing import Self, TypeVar

from assignment_pipeline.adapters.postgres.codec import document, moment_of, text_of
from assignment_pipeline.adapters.postgres.pools import PATIENCE, SIZE, AsyncPool, Pool
from assignment_pipeline.adapters.postgres.schema import SCHEMA, named
from assignment_pipeline.adapters.postgres.work import Statement, Work
from assignment_pipeline.errors import LockManagerUnavailableError, SchemaMismatchError, StoreUnavailableError
from assignment_pipeline.ports import Clock, Lease, Leases, Refused, Wanted

T = TypeVar("T")

SWEEP_EVERY = 256
"""Number of acquisitions between two deletions of expired leases."""

ACQUIRE = "SELECT assignment_pipeline.acquire(%s)"

RELEASE = "SELECT assignment_pipeline.release(%s)"


class _Locks:
    """What both lock managers are made of."""

    def __init__(self, clock: Clock | None, owner: str | None, schema: str) -> None:
        self._clock = clock
        self._owner = owner
        self._schema = schema
        self._acquired = 0

    def _acquiring(self, wanted: Sequence[Wanted], ttl: dt.timedelta) -> Callable[[], Work[Leases | Refused]]:
        """A function that starts an acquisition. Repeated with the same nonces, it finds its own leases."""
        nonces = [os.urandom(16).hex() for _ in wanted]
        return lambda: self._acquire(wanted, nonces, ttl)

    def _acquire(self, wanted: Sequence[Wanted], nonces: Sequence[str], ttl: dt.timedelta) -> Work[Leases | Refused]:
        self._acquired += 1
        owner = self._owner or f"{platform.node()}:{os.getpid()}"
        facts = {
            "now": None if self._clock is None else text_of(self._clock.now()),
            "owner": owner,
            "ttl": f"{ttl.total_seconds():.6f} seconds",
            "sweep": self._acquired % SWEEP_EVERY == 0,
            "wanted": [
                {"key": want.key, "slots": want.slots, "nonce": nonce}
                for want, nonce in zip(wanted, nonces, strict=True)
            ],
        }
        [(answer,)] = yield Statement(named(ACQUIRE, self._schema), (document(facts),))
        found = json.loads(answer)
        if not isinstance(found, str):
            return Refused(found["refused"])
        ending = moment_of(found)
        pairs = zip(wanted, nonces, strict=True)
        return Leases(tuple(Lease(want.key, owner, nonce, ending) for want, nonce in pairs))

    def _release(self, leases: Leases) -> Work[None]:
        held = [{"key": lease.key, "nonce": lease.nonce} for lease in leases.leases]
        yield Statement(named(RELEASE, self._schema), (document(held),))


class PostgresLockManager(_Locks):
    """
    A `LockManager` in PostgreSQL, by the server's clock: one round trip for all keys, and nothing that is flushed.

    A crash of the server ends all leases. Behind pgbouncer it works in transaction mode: the leases are rows, and
    belong to no session.

    Args:
        conninfo: The database, as a URL or in libpq's ``key=value`` form. `init` has made the tables there.

        clock: What leases expire by; the server's clock unless told otherwise, as a test may.

        owner: Who its leases say they belong to; host and process unless told otherwise.

        schema: The schema that the tables are in.

        pool_size: Connections of a process at most.

        patience: How long a call waits for a connection.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        clock: Clock | None = None,
        owner: str | None = None,
        schema: str = SCHEMA,
        pool_size: int = SIZE,
        patience: dt.timedelta = PATIENCE,
    ) -> None:
        super().__init__(clock, owner, schema)
        self._pool = Pool(conninfo, size=pool_size, patience=patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Leases end by themselves."""
        self._pool.close()

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return self._run(self._acquiring(wanted, ttl)) if wanted else Leases(())

    def release(self, leases: Leases) -> None:
        if leases.leases:
            self._run(lambda: self._release(leases))

    def _run(self, begin: Callable[[], Work[T]]) -> T:
        with _translated():
            return self._pool.run(begin)


class AsyncPostgresLockManager(_Locks):
    """`PostgresLockManager`, for asyncio: the same promises, and the same arguments."""

    def __init__(
        self,
        conninfo: str,
        *,
        clock: Clock | None = None,
        owner: str | None = None,
        schema: str = SCHEMA,
        pool_size: int = SIZE,
        patience: dt.timedelta = PATIENCE,
    ) -> None:
        super().__init__(clock, owner, schema)
        self._pool = AsyncPool(conninfo, size=pool_size, patience=patience)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. Leases end by themselves."""
        await self._pool.close()

    async def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return await self._run(self._acquiring(wanted, ttl)) if wanted else Leases(())

    async def release(self, leases: Leases) -> None:
        if leases.leases:
            await self._run(lambda: self._release(leases))

    async def _run(self, begin: Callable[[], Work[T]]) -> T:
        with _translated():
            return await self._pool.run(begin)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except StoreUnavailableError as error:
        raise LockManagerUnavailableError(error.detail) from error
    except SchemaMismatchError as error:
        raise LockManagerUnavailableError(str(error)) from error
