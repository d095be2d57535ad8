"""What steers the rollout: a few rows beside the records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.rollout import RolloutRevision


class RolloutStore(Protocol):
    """
    The rollout's revisions, in the database whose commits they gate.

    Sync only: it is asked off the caller's path, by a thread or by the command line. Every method raises
    `StoreUnavailableError` if the store cannot be reached and nothing was written, and `SchemaMismatchError` if its
    schema does not fit. Implementations pass `assignment_pipeline.testing.RolloutStoreContract`.
    """

    def rollout(self) -> RolloutRevision:
        """The revision in force; one of generation 0, with nothing in it, before the first change."""
        ...

    def revise(self, revision: RolloutRevision, events: Sequence[Event] = ()) -> RolloutRevision:
        """
        Put *revision* in force, and keep *events* about it in the same transaction.

        Once it has returned, no commit lands that was planned under a generation before it. A change that is in force
        already, because the answer to it was lost, is not made again; what was said of commits holds all the same.

        Args:
            revision: Its generation is one more than that in force; `created_at` is set by the store.

            events: Events about it.

        Returns:
            The revision as it was written.

        Raises:
            StaleRolloutError: Another generation is in force: somebody else was faster.
            CommitUnknownError: The answer was lost, or it is in force and a commit that was in flight has not ended;
                `rollout` tells, and the same may be asked again.
        """
        ...

    def revisions(self, limit: int = 100) -> tuple[RolloutRevision, ...]:
        """The revisions so far, at most *limit*, newest first."""
        ...

    def restaurants(self) -> tuple[str, ...]:
        """The restaurants that it knows: those with records, and those whose floors it keeps itself; sorted."""
        ...
