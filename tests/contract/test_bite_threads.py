"""The store's contract bites: races."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.ports import Due
from assignment_pipeline.testing.contracts.threads import Threads

PAUSE = 0.02
"""Seconds for which a racy adapter looks away, that others may do the same."""


class RacyCommit(MemoryStore):
    """Looks, and only then takes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = contextlib.nullcontext()  # type: ignore[assignment]

    def _call_hooks(self, changes: Sequence[AssignmentChange]) -> None:
        time.sleep(PAUSE)


class RacyDue(MemoryStore):
    """Looks what is due, and only then claims it."""

    def due(self, limit: int) -> tuple[Due, ...]:
        found = sorted((record.next_attempt_at, key) for key, record in self._records.items())
        time.sleep(PAUSE)
        with self._lock:
            return tuple(self._claim(key, self.clock.now()) for _, key in found[:limit])


BROKEN: list[tuple[str, type[MemoryStore], str]] = [
    ("racy commit", RacyCommit, "one_thread_gets_the_table"),
    ("racy record", RacyCommit, "one_thread_writes_the_record"),
    ("racy new record", RacyCommit, "one_thread_makes_the_record"),
    ("racy claims", RacyDue, "sweepers_share_the_work"),
]


@pytest.mark.parametrize(("kind", "test"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_store_fails(kind, test, stores, failures):
    """A store that breaks one promise fails the test of that promise."""
    assert failures(Threads, stores(kind), test) == {test}


def test_every_test_bites():
    """There is no test in this part of the contract that no broken store fails."""
    assert {name.removeprefix("test_") for name in dir(Threads) if name.startswith("test_")} == {
        case[2] for case in BROKEN
    }


def test_the_reference_passes(stores, failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(Threads, stores(MemoryStore)) == set()
