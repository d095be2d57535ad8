"""The worker processes: started, killed, stopped, and sent messages."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import attrs

from tests.torture.place import WORKERS
from tests.torture.post import Sender
from tests.torture.worker import Orders, main

GRACE = 30.0
"""Seconds that workers have to end in when they are asked to."""


@attrs.define(eq=False)
class Member:
    """
    One worker process.

    Attributes:
        number: Which of all it is.

        process: The process.

        pipe: The end to write to of a pipe to it, which is closed when it shall end.

        handle: What stands for that process alone, whoever has its number later; None where there is no such thing.

        stopped: Whether it has been stopped.
    """

    number: int
    process: Any
    pipe: Connection
    handle: int | None
    stopped: bool = False

    def signal(self, number: signal.Signals) -> bool:
        """Send it a signal, if it is there; whether it was."""
        if not self.process.is_alive():
            return False
        try:
            if self.handle is None:
                os.kill(self.process.pid, number)
            else:
                signal.pidfd_send_signal(self.handle, number)
        except ProcessLookupError:
            return False
        return True

    def forget(self) -> None:
        """Let go of what was open for it, once it has ended."""
        self.process.join()
        self.process.close()
        self.pipe.close()
        if self.handle is not None:
            os.close(self.handle)


class Fleet:
    """
    Workers, as many as there should be.

    They are forked from a process that has imported everything and opened nothing, so that one can be replaced in
    milliseconds.

    Usable from any thread.

    Args:
        orders: What to start the worker of a number with.

        size: How many there should be.

        sender: What sends them messages.
    """

    def __init__(self, orders: Callable[[int], Orders], size: int, sender: Sender) -> None:
        self._orders = orders
        self._sender = sender
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([main.__module__, type(sender).__module__])
        self._started = 0
        self._lock = threading.RLock()
        self.lost_messages = 0
        self.members: list[Member] = []
        for _ in range(size):
            self.add()

    def add(self) -> None:
        """Start another worker."""
        self._started += 1
        reader, writer = self._context.Pipe(duplex=False)
        os.set_blocking(writer.fileno(), False)
        arguments = (self._orders(self._started), reader)
        process = self._context.Process(target=main, args=arguments, daemon=True)
        process.start()
        reader.close()
        handle = None
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(process.pid or 0)
        self.members.append(Member(self._started, process, writer, handle))

    def called(self, session: str) -> Member | None:
        """The worker that a session of that name belongs to, if it is there."""
        return next((member for member in self.members if session == f"{WORKERS}-{member.number}"), None)

    def anyone(self, chance: random.Random) -> Member:
        """Any of them."""
        with self._lock:
            return chance.choice(self.members)

    def send(self, member: Member, **message: Any) -> None:
        """Send a message: to that worker, where each has a way of its own."""
        if not self._sender.send(member.pipe, message):
            self.lost_messages += 1

    def kill(self, member: Member) -> bool:
        """End a worker as nothing else does, and start another in its place; whether it was there."""
        with self._lock:
            was_there = member.signal(signal.SIGKILL)
            member.forget()
            self.members.remove(member)
            self.add()
        return was_there

    def stop(self, member: Member) -> bool:
        """Have a worker stand still; whether it does."""
        with self._lock:
            member.stopped = member in self.members and member.signal(signal.SIGSTOP)
            return member.stopped

    def resume(self, member: Member) -> None:
        """Have it go on."""
        with self._lock:
            if member in self.members and member.stopped:
                member.signal(signal.SIGCONT)
                member.stopped = False

    def dead(self) -> list[str]:
        """What became of workers that have ended by themselves; others take their places."""
        found = []
        for member in list(self.members):
            if not member.process.is_alive():
                found.append(f"a worker ended by itself, with {member.process.exitcode}")
                self.kill(member)
        return found

    def dismiss(self) -> list[str]:
        """Ask all workers to end when they have done what they were sent; what went wrong with that."""
        found = []
        for member in self.members:
            self.resume(member)
            os.set_blocking(member.pipe.fileno(), True)
            member.pipe.close()
        deadline = time.monotonic() + GRACE
        for member in self.members:
            member.process.join(max(0.1, deadline - time.monotonic()))
            if member.process.is_alive():
                found.append("a worker did not end when it was asked to")
                member.signal(signal.SIGKILL)
            elif member.process.exitcode:
                found.append(f"a worker ended with {member.process.exitcode}")
            member.forget()
        self.members.clear()
        return found

    def close(self) -> None:
        """End all workers at once."""
        with self._lock:
            for member in self.members:
                member.signal(signal.SIGKILL)
                member.forget()
            self.members.clear()
