"""
Locks in Redis 6 or newer, or Valkey, for threads and for asyncio.

Come with the extra ``redis``. One primary, or a primary that is failed over to; not a Redis Cluster, where all of the
keys that are taken at once would have to lie on one node anyhow.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import os
import platform
import re
import threading
import time
import urllib.parse
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from assignment_pipeline import processes
from assignment_pipeline.domain.checks import named
from assignment_pipeline.errors import InvalidValueError, LockManagerUnavailableError, MissingExtraError
from assignment_pipeline.ports import Clock, Lease, Leases, Refused, Wanted

try:
    import redis
    import redis.asyncio
    from redis.asyncio.retry import Retry as AsyncRetry
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ModuleNotFoundError as error:
    raise MissingExtraError("redis", error.name or "redis") from None

__all__ = ["AsyncRedisLockManager", "RedisLockManager"]

PREFIX = "assignment-pipeline:"
PATIENCE = dt.timedelta(seconds=0.25)
REST = dt.timedelta(seconds=1)
SIZE = 10

# A key is a sorted set: who holds it, by nonce, and until when, in microseconds. One script, so that nobody comes
# between looking and taking; the server's clock, because those of the workers differ. A nonce that is there already
# is a question asked twice, whose first answer was lost. The set itself goes with the last of its leases.
ACQUIRE = """
local now, ttl = tonumber(ARGV[1]), tonumber(ARGV[2])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local coming = {}
for number, key in ipairs(KEYS) do
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now))
    if not redis.call('ZSCORE', key, ARGV[2 * number + 2]) then
        local held = redis.call('ZCARD', key) + (coming[key] or 0)
        if held >= tonumber(ARGV[2 * number + 1]) then
            return {0, number}
        end
        coming[key] = (coming[key] or 0) + 1
    end
end
local ending = string.format('%.0f', now + ttl)
for number, key in ipairs(KEYS) do
    redis.call('ZADD', key, ending, ARGV[2 * number + 2])
    local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
    redis.call('PEXPIRE', key, string.format('%.0f', math.ceil((tonumber(last) - now) / 1000)))
end
return {1, ending}
"""

# By nonce: who has lost a key cannot free it under its new holder.
RELEASE = """
for number, key in ipairs(KEYS) do
    redis.call('ZREM', key, ARGV[number])
end
"""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_BEGINNINGS = ("redis://", "rediss://", "unix://")
_DATABASE = re.compile(r"/?|/[0-9]+/?")
_PATHS = {"redis": _DATABASE, "rediss": _DATABASE, "unix": re.compile(r"/.+")}
_EXPECTED = (
    f"url: expected one that begins with {', '.join(_BEGINNINGS)}, a valid address, a whole number for the database,"
    " and options that redis-py knows"
)


class _Locks(processes.Watched):
    """What both lock managers are made of."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        owner: str | None = None,
        prefix: str = PREFIX,
        pool_size: int = SIZE,
        patience: dt.timedelta = PATIENCE,
        rest: dt.timedelta = REST,
    ) -> None:
        _check(url, owner, prefix, pool_size, patience=patience, rest=rest)
        self.where = place_of(url)
        self._url = url
        self._clock = clock
        self._owner = owner
        self._prefix = prefix
        self._rest = rest.total_seconds()
        self._options: dict[str, Any] = {
            "max_connections": pool_size,
            "timeout": patience.total_seconds(),
            "socket_timeout": patience.total_seconds(),
            "socket_connect_timeout": patience.total_seconds(),
        }
        _try(self._pool)
        self._resting_until = 0.0
        self.reset_in_child()
        processes.watch(self)

    def _pool(self) -> Any:
        """Connections that are not open yet."""
        raise NotImplementedError

    def _asked(self, wanted: Sequence[Wanted], ttl: dt.timedelta) -> tuple[list[str], list[str], list[Any]]:
        """The nonces, keys and arguments of an acquisition."""
        nonces = [os.urandom(16).hex() for _ in wanted]
        now = "" if self._clock is None else (self._clock.now() - _EPOCH) // _MICROSECOND
        arguments: list[Any] = [now, ttl // _MICROSECOND]
        for want, nonce in zip(wanted, nonces, strict=True):
            arguments += (want.slots, nonce)
        return nonces, [self._prefix + want.key for want in wanted], arguments

    def _answered(self, wanted: Sequence[Wanted], nonces: Sequence[str], answer: Any) -> Leases | Refused:
        try:
            granted, fact = map(int, answer)
            if not granted:
                return Refused(wanted[fact - 1].key)
            ending = _EPOCH + fact * _MICROSECOND
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise LockManagerUnavailableError(f"{self.where}: it answered what no lock server does") from error
        owner = self._owner or f"{platform.node()}:{os.getpid()}"
        pairs = zip(wanted, nonces, strict=True)
        return Leases(tuple(Lease(want.key, owner, nonce, ending) for want, nonce in pairs))

    def _held(self, leases: Leases) -> tuple[list[str], list[str]]:
        return [self._prefix + lease.key for lease in leases.leases], [lease.nonce for lease in leases.leases]

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of the driver as ours. After one, the server is left alone for a while: callers must not wait."""
        if time.monotonic() < self._resting_until:
            raise LockManagerUnavailableError(f"{self.where}: it did not answer a moment ago")
        try:
            yield
        except (redis.RedisError, OSError, UnicodeError) as error:
            self._resting_until = time.monotonic() + self._rest
            detail = str(error).strip().rstrip(".") or type(error).__name__
            raise LockManagerUnavailableError(f"{self.where}: {detail}") from error


class RedisLockManager(_Locks):
    """
    A `LockManager` in Redis, by the server's clock: one round trip for all keys.

    A server that restarts, is flushed or fails over forgets the leases; they save work, and guard nothing. One that
    does not answer keeps a caller waiting for *patience*, and the callers after that, for *rest*, not at all.

    Nothing is opened before it is needed, and forked processes open their own.

    Args:
        url: The server, as ``redis://``, ``rediss://`` for TLS, or ``unix://``; redis-py documents the options that may
            follow, such as ``?ssl_ca_certs=``. Special characters in a password are percent-encoded.

        clock: What leases expire by; the server's clock unless told otherwise, as a test may.

        owner: Who its leases say they belong to; host and process unless told otherwise.

        prefix: What the names of all keys begin with.

        pool_size: Connections of a process at most.

        patience: How long a call waits for a connection, and for an answer.

        rest: For how long a server that did not answer is left alone.

    Raises:
        ValueError: The URL is none of these, or has a database or an option that redis-py cannot read.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: the sockets are the parent's."""
        self._lock = threading.Lock()
        self._client: redis.Redis | None = None

    def close(self) -> None:
        """Close the connections. Leases end by themselves."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
            client.connection_pool.disconnect()

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        if not wanted:
            return Leases(())
        nonces, keys, arguments = self._asked(wanted, ttl)
        with self._translated():
            answer = self._run(_ACQUIRE, keys, arguments)
        return self._answered(wanted, nonces, answer)

    def release(self, leases: Leases) -> None:
        if leases.leases:
            with self._translated():
                self._run(_RELEASE, *self._held(leases))

    def _run(self, script: _Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        client = self._client or self._open()
        try:
            return client.evalsha(script.sha, len(keys), *keys, *arguments)
        except redis.exceptions.NoScriptError:  # It has restarted since, or never seen it.
            return client.eval(script.text, len(keys), *keys, *arguments)

    def _open(self) -> redis.Redis:
        with self._lock:
            if self._client is None:
                self._client = redis.Redis(connection_pool=self._pool())
            return self._client

    def _pool(self) -> redis.BlockingConnectionPool:
        return redis.BlockingConnectionPool.from_url(self._url, retry=_once(Retry), **self._options)


class AsyncRedisLockManager(_Locks):
    """`RedisLockManager`, for asyncio: the same promises, and the same arguments. Each event loop has connections."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: the sockets are the parent's."""
        processes.leak(getattr(self, "_clients", None))
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis]
        self._clients = weakref.WeakKeyDictionary()

    async def close(self) -> None:
        """Close the connections of the running event loop. Leases end by themselves."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()
            await client.connection_pool.disconnect()

    async def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        if not wanted:
            return Leases(())
        nonces, keys, arguments = self._asked(wanted, ttl)
        with self._translated():
            answer = await self._run(_ACQUIRE, keys, arguments)
        return self._answered(wanted, nonces, answer)

    async def release(self, leases: Leases) -> None:
        if leases.leases:
            with self._translated():
                await self._run(_RELEASE, *self._held(leases))

    async def _run(self, script: _Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop) or self._open(loop)
        try:
            return await client.evalsha(script.sha, len(keys), *keys, *arguments)
        except redis.exceptions.NoScriptError:
            return await client.eval(script.text, len(keys), *keys, *arguments)

    def _open(self, loop: asyncio.AbstractEventLoop) -> redis.asyncio.Redis:
        return self._clients.setdefault(loop, redis.asyncio.Redis(connection_pool=self._pool()))

    def _pool(self) -> redis.asyncio.BlockingConnectionPool:
        return redis.asyncio.BlockingConnectionPool.from_url(self._url, retry=_once(AsyncRetry), **self._options)


class _Script:
    """A script, and what the server knows it by."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_ACQUIRE, _RELEASE = _Script(ACQUIRE), _Script(RELEASE)


def _once(kind: Any) -> Any:
    """Again, once, where a connection turned out to be dead: it is harmless. Not where the server takes too long."""
    return kind(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))


def _check(url: object, owner: object, prefix: object, pool_size: object, **spans: object) -> None:
    """
    Make sure that a lock manager is told what it has to be told, before it is asked for anything.

    Raises:
        InvalidValueError: An argument is of another kind, or no such number or span.
    """
    for name, text in (("url", url), ("owner", "" if owner is None else owner), ("prefix", prefix)):
        if not isinstance(text, str):
            raise InvalidValueError(name, "a text", named(type(text)))
    if type(pool_size) is not int or pool_size < 1:
        raise InvalidValueError("pool_size", "a whole number of connections, 1 or more", repr(pool_size))
    for name, span in spans.items():
        if not isinstance(span, dt.timedelta):
            raise InvalidValueError(name, "a timedelta", named(type(span)))
        if span < dt.timedelta() or (name == "patience" and not span):
            raise InvalidValueError(name, "no less than nothing" if name == "rest" else "more than nothing", f"{span}")


def place_of(url: str) -> str:
    """
    The server that *url* names, without a password, for people to read.

    Raises:
        ValueError: It names none.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        place = parts.path if parts.scheme == "unix" else f"{parts.hostname or 'localhost'}{port}{parts.path}"
        urllib.parse.parse_qsl(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError(_EXPECTED) from None  # Its own message may hold part of a password that is not encoded.
    if not url.startswith(_BEGINNINGS) or parts.fragment or not _PATHS[parts.scheme].fullmatch(parts.path):
        raise ValueError(_EXPECTED)
    return f"{parts.scheme}://{place}"


def _try(pool: Callable[[], Any]) -> None:
    """
    Make a connection without opening it, which is when redis-py looks at all options of an address.

    Raises:
        ValueError: It cannot do with them.
    """
    try:
        pool().make_connection().pack_command("PING", "")
    except Exception:  # noqa: BLE001 - whatever the option leads to; the message may hold part of a password
        raise ValueError(_EXPECTED) from None
