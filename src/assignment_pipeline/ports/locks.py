"""Exclusion between workers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

import attrs

from assignment_pipeline.plain import Printed


@attrs.frozen(repr=False, weakref_slot=False)
class Wanted(Printed):
    """
    A key to be locked.

    Attributes:
        key: Its name.

        slots: How many may hold it at a time: a lock has one.
    """

    key: str
    slots: int = attrs.field(default=1, validator=attrs.validators.ge(1))


@attrs.frozen(repr=False, weakref_slot=False)
class Lease(Printed):
    """
    A lock held until a time.

    Attributes:
        key: What is locked.

        owner: Who holds it, for people to read.

        nonce: Unlike any other's; what release compares, so that only the holder lets go.

        expires_at: When it ends by itself, by the lock server's clock where there is one.
    """

    key: str
    owner: str = attrs.field(eq=False)
    nonce: str = attrs.field(eq=False, repr=False)
    expires_at: dt.datetime = attrs.field(eq=False)


@attrs.frozen(repr=False, weakref_slot=False)
class Leases(Printed):
    """
    All the keys that were wanted.

    Attributes:
        leases: One a key, in the order in which they were wanted.
    """

    leases: tuple[Lease, ...]


@attrs.frozen(repr=False)
class Refused(Printed):
    """
    None of the keys that were wanted.

    Attributes:
        key: The first that had no free slot.
    """

    key: str


class LockManager(Protocol):
    """
    Exclusion between workers.

    Advisory: it saves double work, it does not guard data. Implementations
    pass `assignment_pipeline.testing.LockManagerContract`.
    """

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        """
        Take every key in *wanted* for *ttl* from now, or none of them. Never waits.

        Returns:
            The leases, or `Refused` with the first key that had no free slot.

        Raises:
            LockManagerUnavailableError: The lock server cannot be reached.
        """
        ...

    def release(self, leases: Leases) -> None:
        """
        Let go of what is still held of *leases*; what was lost meanwhile is left alone.

        Raises:
            LockManagerUnavailableError: The lock server cannot be reached.
        """
        ...


class AsyncLockManager(Protocol):
    """`LockManager`, for asyncio: the same promises."""

    async def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        """Take every key in *wanted* for *ttl* from now, or none of them. See `LockManager.acquire`."""
        ...

    async def release(self, leases: Leases) -> None:
        """
        Let go of what is still held of *leases*; what was lost meanwhile is left alone.

        See `LockManager.release`.
        """
        ...
