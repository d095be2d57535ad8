"""How messages get to the workers: by way of a broker, a Redis that forgets them when it crashes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from assignment_pipeline.errors import MissingExtraError
from tests.torture.post import Message

try:
    import kombu
    from kombu.exceptions import OperationalError
    from kombu.transport.redis import Transport
except ModuleNotFoundError as error:
    raise MissingExtraError("celery", error.name or "kombu") from None

NAME = "torture"
"""Of the one queue, from which all workers take."""

OPTIONS = {
    "visibility_timeout": 3,  # Seconds after which a message comes again that nobody has acknowledged.
    "unacked_restore_throttle": 3,  # Who has nothing to do looks for such ones every third time.
    "unacked_mutex_expire": 1,  # One of them at a time; who is killed meanwhile keeps the others from it for a second.
    "max_retries": 0,  # Whether to connect again is said here.
}
IDLE = 0.3
"""Seconds for which a thread waits for a message before it looks around."""

RETRY = 0.2
"""Seconds after which a worker tries again to connect."""

LOST = (OperationalError, *Transport.connection_errors, *Transport.channel_errors)
"""What is raised when the broker is away."""


def _queue() -> Any:
    return kombu.Queue(NAME, routing_key=NAME)  # At the exchange that needs no bindings: those would be lost, too.


class BrokerSender:
    """
    Publishes to the queue, from whichever thread.

    Args:
        url: The broker.
    """

    def __init__(self, url: str) -> None:
        self._lock = threading.Lock()
        self._connection = kombu.Connection(url, transport_options=OPTIONS)
        self._producer = kombu.Producer(self._connection.channel(), routing_key=NAME)

    def send(self, pipe: Connection, message: Message) -> bool:
        """See `Sender.send`: it is lost where the broker is away."""
        try:
            with self._lock:
                self._producer.publish(message)
        except LOST:
            return False
        return True

    def close(self) -> None:
        self._connection.release()


class BrokerInbox:
    """
    Takes from the queue, and acknowledges what has been done; each thread has a connection of its own.

    Args:
        url: The broker.

        who: What the connections are called.

        pipe: What the driver closes when it has sent all that it will.
    """

    def __init__(self, url: str, who: str, pipe: Connection) -> None:
        self._url = url
        self._options = {**OPTIONS, "client_name": who}
        self._pipe = pipe
        self._closed = threading.Event()

    def wait(self) -> None:
        os.read(self._pipe.fileno(), 1)
        self._closed.set()

    def messages(self) -> Iterator[Message]:
        """See `Inbox.messages`: until the pipe is closed and the queue is empty, over all restarts of the broker."""
        while True:
            try:
                with kombu.Connection(self._url, transport_options=self._options) as connection:
                    yield from self._received(connection.SimpleQueue(_queue()))
            except LOST:
                time.sleep(RETRY)
            else:
                return

    def _received(self, queue: Any) -> Iterator[Message]:
        while True:
            was_closed = self._closed.is_set()
            try:
                message = queue.get(timeout=IDLE)
            except queue.Empty:
                if was_closed:
                    return
            else:
                yield message.payload
                message.ack()
