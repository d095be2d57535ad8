"""Who watches calls while they run: for traces and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from assignment_pipeline.domain.result import AssignmentResult


class Watch(Protocol):
    """What watches one call."""

    def step(self, name: str) -> AbstractContextManager[Any]:
        """
        Around a step of the call: ``flags``, ``limit``, ``lock``, ``load``, ``plan``, ``commit``, ...

        What the step raises goes through it, and is not always the end of the call.
        """
        ...

    def note(self, **facts: str) -> None:
        """Take down what is known of the call: ``booking_id``, ``restaurant_id``, ``mode``."""
        ...

    def came_to(self, results: Sequence[AssignmentResult]) -> None:
        """Take down how it came out: one result, or those of a day, or none where it answers something else."""
        ...


class Observer(Protocol):
    """
    Watches the calls of coordinators.

    Runs in the caller's thread or task, between the steps, and takes part in what they take: it never raises, and
    never waits.
    """

    def call(self, name: str) -> AbstractContextManager[Watch]:
        """
        Around a call: the name is that of the coordinator's method.

        ``take_up`` is a booking's part of a sweep, ``take_up_together`` that of several.
        """
        ...
