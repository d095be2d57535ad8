"""
What happens when the process forks, or ends.

A child has one thread, and a copy of all that the others held: locks that nobody lets go of,
queues that nobody empties. An object with such parts is watched, and starts again in the child.

SQLite is worse off. It keeps a process-wide account of the locks that its connections hold on
a file, and a fork copies the account without the locks: a connection that a child opens
beside inherited ones believes itself protected, and loses commits when the parent
closes the file. So none may be open while the process forks.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from typing import ClassVar

PATIENCE = 5.0
"""Seconds for which a fork, or the end of the process, waits for work in progress."""


class Watched:
    """
    Something that is told when the process forks or ends, for as long as it is alive.

    Attributes:
        exit_turn: When it is told that the process ends: what hands things to others comes before them.
    """

    exit_turn: ClassVar[int] = 0

    def before_fork(self, deadline: float) -> None:
        """Come to rest until `after_fork`, if that takes no longer than until *deadline* (monotonic)."""

    def after_fork(self) -> None:
        """Go on, in the parent."""

    def reset_in_child(self) -> None:
        """Begin afresh, in the child: no other thread is there, and what they held stays held."""

    def at_exit(self) -> None:
        """Finish what is pending."""


_watched: weakref.WeakSet[Watched] = weakref.WeakSet()
_at_rest: list[Watched] = []
_forking = threading.Lock()


def watch(thing: Watched) -> None:
    """Tell *thing* about forks and the end of the process from now on."""
    _watched.add(thing)


def leak(thing: object) -> None:
    """Keep *thing* from ever being finalised, even when the interpreter ends."""
    import ctypes  # noqa: PLC0415 - hardly ever needed, and slow to import

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _before_fork() -> None:
    _forking.acquire()  # Until this thread has forked: one at a time.
    deadline = time.monotonic() + PATIENCE
    _at_rest[:] = list(_watched)
    for thing in _at_rest:
        thing.before_fork(deadline)


def _after_fork() -> None:
    for thing in _at_rest:
        thing.after_fork()
    _at_rest.clear()
    _forking.release()


def _in_child() -> None:
    global _forking  # noqa: PLW0603 - the one that was inherited is held by nobody here
    _forking = threading.Lock()
    for thing in list(_watched):
        thing.reset_in_child()
    _at_rest.clear()


def _at_exit() -> None:
    for thing in sorted(_watched, key=lambda thing: thing.exit_turn):
        thing.at_exit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
atexit.register(_at_exit)
