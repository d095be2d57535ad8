"""How messages get to the workers: by a pipe to each of them."""

from __future__ import annotations

import json
import os
import queue
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeAlias

Message: TypeAlias = dict[str, Any]


class Sender(Protocol):
    """The driver's end."""

    def send(self, pipe: Connection, message: Message) -> bool:
        """
        Send a message; whether it is under way. It may still be lost.

        Args:
            pipe: The end to write to of a worker's pipe.

            message: Something that there is to do, for that worker where the way leads to one.
        """
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class Inbox(Protocol):
    """A worker's end, for all of its threads."""

    def wait(self) -> None:
        """Wait until the driver has closed the pipe: it has sent all that it will."""
        ...

    def messages(self) -> Iterator[Message]:
        """What a thread is to do, one after the other; who asks for the next one has done the last."""
        ...


class PipeSender:
    """Writes to the pipe of a worker."""

    def send(self, pipe: Connection, message: Message) -> bool:
        """See `Sender.send`: it is lost where the worker is gone, or has not read for long."""
        try:
            os.write(pipe.fileno(), (json.dumps(message) + "\n").encode())
        except OSError:  # The pipe is full, or broken, or closed since.
            return False
        return True

    def close(self) -> None:
        """See `Sender.close`."""


class PipeInbox:
    """
    What has come by a pipe waits in the process for a thread.

    Args:
        pipe: The end to read from.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._waiting: queue.Queue[Message | None] = queue.Queue()

    def wait(self) -> None:
        with open(self._pipe.fileno(), encoding="utf-8", closefd=False) as lines:
            for line in lines:
                self._waiting.put(json.loads(line))
        self._waiting.put(None)

    def messages(self) -> Iterator[Message]:
        while (message := self._waiting.get()) is not None:
            yield message
        self._waiting.put(None)  # For the next thread.
