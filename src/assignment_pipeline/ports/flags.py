"""What decides whether the pipeline is in charge of a restaurant."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import attrs

from assignment_pipeline.domain.result import Mode
from assignment_pipeline.plain import Printed


@attrs.frozen(kw_only=True, repr=False)
class FlagDecision(Printed):
    """
    What the flags say about a restaurant.

    Attributes:
        mode: What the pipeline does there.

        max_parallel: Assignments at one time there, at most.

        reason: The rule that decided: ``disabled``, ``excluded``, ``listed``, ``percent``, ...

        source: Where the flags came from, such as ``environment``.

        bucket: Where the restaurant stands in the cohorts, from 0 to 9,999; None where that did not matter.

        generation: The rollout's generation that this was read under; None where no store was asked.

        fresh: Whether the pipeline has never been in charge under these flags, and has no record: where it is not in
            charge now either, no booking is in flight, and nobody has to ask the store whether one is.
    """

    mode: Mode
    max_parallel: int
    reason: str
    source: str
    bucket: int | None = None
    generation: int | None = None
    fresh: bool = False


class FlagResolver(Protocol):
    """
    What decides whether the pipeline is in charge of a restaurant.

    It answers from memory. Flags that were not read yet are not off: until the first answer, a call waits for it, for
    a bounded time, and then raises. See `UnreadFlags`.
    """

    def resolve(self, restaurant_id: str) -> FlagDecision:
        """
        What the flags say about that restaurant, now.

        Raises:
            FlagsUnreadError: They were not read yet. The call that asked answers ``retry``, and nobody's planner runs.
        """
        ...


@runtime_checkable
class UnreadFlags(Protocol):
    """A `FlagResolver` that has to read before it can answer. Asyncio asks it in a thread until it has read."""

    @property
    def unread(self) -> bool:
        """Whether there is no first answer yet, so that a question may wait for it."""
        ...


@runtime_checkable
class StaleFlags(Protocol):
    """A `FlagResolver` that keeps what it has read, and can be told that it is out of date. Never blocks."""

    def stale(self, generation: int | None) -> None:
        """What was read under *generation* has been refused: the rollout has moved on."""
        ...
