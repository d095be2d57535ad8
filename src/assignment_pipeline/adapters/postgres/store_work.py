"""What both stores do, as work that somebody else does on a connection."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import attrs

from assignment_pipeline.adapters.postgres.commits import Commits
from assignment_pipeline.adapters.postgres.host import is_all_in_sql
from assignment_pipeline.adapters.postgres.reads import Reads
from assignment_pipeline.adapters.postgres.schema import checked
from assignment_pipeline.adapters.postgres.work import Work, in_snapshot, in_transaction
from assignment_pipeline.adapters.schema_parts import PIPELINE, STANDALONE
from assignment_pipeline.adapters.venues import Venues
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.ports import CheckedHost, Clock, OnCommit

T = TypeVar("T")


class StoreWork:
    """
    What the store does, as work that somebody else does on a connection: see `work`.

    Args:
        host: The host's side.

        clock: The store's clock; None for the server's.

        on_commit: The host's code inside each commit.

        schema: The schema that everything is in.

        waits: Whether the host's methods may be coroutines.
    """

    def __init__(
        self, host: Any, clock: Clock | None, on_commit: OnCommit | None, schema: str, *, waits: bool = False
    ) -> None:
        self.reads = Reads(CheckedHost(host, on_commit, waits=waits), is_all_in_sql(host), clock, schema)
        self.commits = Commits(self.reads)
        self._parts = (PIPELINE, STANDALONE) if self.reads.standalone else (PIPELINE,)

    def inside(self) -> StoreWork:
        """The same inside a transaction of the host's, whose venues may never come about: nobody else sees them."""
        other = copy.copy(self)
        other.reads = attrs.evolve(self.reads, venues=Venues(self.reads.venues))
        other.commits = attrs.evolve(self.commits, reads=other.reads)
        return other

    def check(self, where: str, *, whole: bool = False) -> Work[None]:
        """See `checked`."""
        return checked(self._parts, self.reads.schema, where, whole=whole)

    def reading(self, work: Work[T]) -> Work[T]:
        """*work*, which asks the host if that is not ours: then it takes a transaction to see one snapshot."""
        return work if self.reads.standalone else in_snapshot(work)

    def commit(self, changes: Sequence[AssignmentChange]) -> Work[None]:
        """A commit: one statement, unless host code has a part in it."""
        work = self.commits.commit(changes, lands=not self.commits.asks)
        return in_transaction(work) if self.commits.asks else work

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> Work[tuple[str, ...]]:
        """The same, for a block."""
        work = self.commits.block(blocks, events, lands=self.reads.standalone)
        return work if self.reads.standalone else in_transaction(work)

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> Work[bool]:
        """The same, for the end of one."""
        work = self.commits.unblock(blocks, events, lands=self.reads.standalone)
        return work if self.reads.standalone else in_transaction(work)
