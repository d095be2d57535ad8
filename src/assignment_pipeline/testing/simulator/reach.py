"""The store and the sinks as workers reach them: what arrives there is noticed, and some of it is late."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.errors import AssignmentPipelineError, CommitUnknownError
from assignment_pipeline.flow.legacy.outcome import is_handed_over
from assignment_pipeline.ports import CLAIM, Due, RecordQuery, Waiting
from assignment_pipeline.testing.simulator import words
from assignment_pipeline.testing.simulator.ledger import Standing
from assignment_pipeline.testing.simulator.world import World


class InFlightStore:
    """
    The store as the workers reach it: what lands in it is written into the ledger, and some commits are late.

    Attributes:
        handed_out: What the sweep was given last.

        in_flight: Commits whose senders have been told that the answer was lost, oldest first.
    """

    def __init__(self, world: World) -> None:
        self.in_flight: list[tuple[AssignmentChange, ...]] = []
        self._world = world
        self._store = world.harness.store
        self.handed_out: tuple[Due, ...] = ()
        self._claims: dict[str, tuple[int, dt.datetime]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        world = self._world
        world.touched = True
        self.handed_out = ()
        self.handed_out = self._store.due(limit, order)
        for due in self.handed_out:
            record = self.record(due.booking_id)
            if record is None or not (record.owner is Owner.PIPELINE or is_handed_over(record)):
                world.offend("a claim on what is not ours", due.booking_id)
            elif (record.deliveries, record.next_attempt_at) != (due.deliveries, world.clock.now() + CLAIM):
                world.offend("a claim that keeps nobody away", due.booking_id)
            deliveries, until = self._claims.get(due.booking_id, (0, world.clock.now()))
            if deliveries == due.deliveries - 1 and until > world.clock.now():
                world.offend("a claim on what another has claimed", due.booking_id)
            self._claims[due.booking_id] = due.deliveries, world.clock.now() + CLAIM
        return self.handed_out

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        self._world.touched = True
        self._store.put_back(claims, after)

    def waiting(self) -> Waiting:
        """See `AssignmentStore.waiting`; some hosts do not name their restaurants."""
        found: Waiting = self._store.waiting()
        return found if self._world.lists else attrs.evolve(found, restaurants=None)

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        self._world.touched = True
        found: tuple[str, ...] = self._store.block(blocks, events)
        return found

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        self._world.touched = True
        return self._store.unblock(blocks, events)

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        self._land(changes, self._world.standing)

    def _land(self, changes: Sequence[AssignmentChange], standing: Standing | None) -> None:
        self._world.touched = True
        ledger = self._world.ledger
        landing = ledger.landing(changes, standing)
        try:
            self._store.commit(changes)
        except Exception as error:
            written = ledger.landing(changes, standing).records != landing.records
            if written and not isinstance(error, CommitUnknownError):
                self._world.offend("half a commit", f"{type(error).__name__}, but some of it was written")
            raise
        ledger.landed(landing)

    def send(self, changes: Sequence[AssignmentChange]) -> None:
        """Have a commit be on its way."""
        self.in_flight.append(tuple(changes))

    def land(self, position: int) -> str:
        """Have one of those arrive, and say what came of it."""
        changes = self.in_flight.pop(position)
        try:
            self._land(changes, None)
        except AssignmentPipelineError as error:
            return f"{words.changes(changes)}: refused, {type(error).__name__}"
        return f"{words.changes(changes)}: it landed"

    def knows(self, change: AssignmentChange) -> bool:
        """See `AssignmentStore.knows`: it stands in line behind what is in flight for that restaurant."""
        for changes in list(self.in_flight):
            waits = self._world.staff.keep_out_changes(changes)
            if not waits and any(change.record.restaurant_id in self._restaurants(other) for other in changes):
                said = self.land(self.in_flight.index(changes))
                self._world.note("the store", said)
        return self._store.knows(change)

    def _restaurants(self, change: AssignmentChange) -> set[str]:
        before = self.record(change.record.booking_id)
        return {change.record.restaurant_id} | ({before.restaurant_id} if before else set())

    def record(self, booking_id: str) -> AssignmentRecord | None:
        """A booking's record."""
        page = self._store.records(RecordQuery(booking_ids=(booking_id,)))
        return page.records[0] if page.records else None


class Sink:
    """An `EventSink` of whoever listens, which sometimes does not work."""

    inline = True

    def __init__(self, world: World, then: Callable[[Sequence[Event]], None]) -> None:
        self._world = world
        self._then = then

    def emit(self, events: Sequence[Event]) -> None:
        if self._world.strikes("sink-raises"):
            msg = "simulated"
            raise ConnectionError(msg)
        self._world.touched = True
        self._then(events)
