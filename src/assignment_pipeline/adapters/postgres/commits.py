"""What the store writes."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Container, Sequence
from typing import Any

import attrs

from assignment_pipeline.adapters.as_json import policy_text
from assignment_pipeline.adapters.postgres.codec import (
    block_facts,
    commit_facts,
    document,
    events_of,
    moment_of,
    rival_facts,
    text_of,
)
from assignment_pipeline.adapters.postgres.reads import Reads
from assignment_pipeline.adapters.postgres.work import HostCall, Work
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange, in_order
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import (
    BookingUnreadableError,
    StaleRecordError,
    StaleRolloutError,
    TableConflictError,
    VenueNotFoundError,
)
from assignment_pipeline.ports import CLAIM, MOST_DUE, WOKEN_WITHIN, Due

COMMIT = "SELECT assignment_pipeline.commit(%s)"

BEGIN_COMMIT = "SELECT assignment_pipeline.begin_commit(%s, %s)"

DUE = "SELECT assignment_pipeline.due(%s, %s, %s, %s, %s)"

PUT_BACK = "SELECT assignment_pipeline.put_back(%s, %s, %s, %s)"

TELL = "SELECT assignment_pipeline.tell(%s)"

BLOCK = "SELECT assignment_pipeline.block(%s)"

UNBLOCK = "SELECT assignment_pipeline.unblock(%s)"

GUARD = "SELECT assignment_pipeline.guard(VARIADIC %s)"


@attrs.frozen(eq=False)
class Commits:
    """
    The writing half of the store.

    Attributes:
        reads: The reading half.
    """

    reads: Reads

    @property
    def asks(self) -> bool:
        """Whether a commit runs code of the host's, and needs a transaction around it."""
        return not self.reads.standalone or self.reads.host.on_commit is not None

    def commit(self, changes: Sequence[AssignmentChange], *, lands: bool) -> Work[None]:
        """
        See `AssignmentStore.commit`.

        Args:
            changes: What to commit.

            lands: Whether there is no transaction around it.
        """
        ordered = in_order(changes)
        facts = commit_facts(ordered)
        facts["now"] = self.reads.now()
        facts["standalone"] = self.reads.standalone
        statuses = {change.record.booking_id: change.guest_status for change in ordered}
        facts["guest_status"] = {key: status for key, status in statuses.items() if status is not None}
        if not self.reads.standalone:
            facts.update((yield from self._ask_host(ordered, facts)))
        [(answer,)] = yield self.reads.ask(COMMIT, document(facts), commits=lands)
        if answer is not None:
            raise _refusal(json.loads(answer))
        for call in self.reads.host.calls(ordered, ours=self.reads.standalone):
            yield HostCall(call)

    def _ask_host(self, changes: Sequence[AssignmentChange], facts: dict[str, Any]) -> Work[dict[str, Any]]:
        """The state of the host's rows, read behind the lock and before the first write."""
        [(answer,)] = yield self.reads.ask(BEGIN_COMMIT, document(facts["restaurants"]), document(facts["ids"]))
        seating = {change.record.restaurant_id for change in changes if change.seats}
        policies: dict[str, Any] = {}
        floors: dict[str, Container[str]] = {}
        versions: dict[str, str] = {}
        rivals: list[dict[str, Any]] = []
        for restaurant_id in json.loads(answer or "[]"):
            try:
                venue = yield from self.reads.venue(restaurant_id, seats=restaurant_id in seating)
            except VenueNotFoundError:
                continue
            floors[restaurant_id] = venue.floor.positions
            policies[restaurant_id] = json.loads(policy_text(venue.policy))
            versions[restaurant_id] = venue.version
        for restaurant_id in facts["restaurants"]:
            rivals += yield from self._rivals(restaurant_id, changes)
        moved_bookings, moved_venues = [], []
        for change in changes:
            if change.preconditions is not None:
                booking_id = change.record.booking_id
                try:
                    booking = yield HostCall(self.reads.host.booking, (booking_id,))
                except BookingUnreadableError:
                    booking = None
                if booking != change.preconditions.booking:
                    moved_bookings.append(booking_id)
                where = change.record.restaurant_id
                if versions.get(where) != change.preconditions.venue_version or not change.stands_on(floors[where]):
                    moved_venues.append(booking_id)
        return {
            "policies": policies,
            "rivals": rivals,
            "moved_bookings": moved_bookings,
            "moved_venues": moved_venues,
        }

    def _rivals(self, restaurant_id: str, changes: Sequence[AssignmentChange]) -> Work[list[dict[str, Any]]]:
        windows = [
            change.record.allocation.blocked
            for change in changes
            if change.record.allocation is not None and change.record.restaurant_id == restaurant_id
        ]
        if not windows:
            return []
        found = yield HostCall(self.reads.host.occupied, (restaurant_id, TimeWindow.around(windows)))
        return rival_facts(restaurant_id, found)

    # -- Tables out of service ------------------------------------------------------------------------------------

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event], *, lands: bool) -> Work[tuple[str, ...]]:
        facts = {
            "blocks": list(map(block_facts, blocks)),
            "events": events_of(events),
            "now": self.reads.now(),
        }
        [(answer,)] = yield self.reads.ask(BLOCK, document(facts), commits=lands)
        bookings = set(json.loads(answer or "[]"))
        if not self.reads.standalone:
            spans: defaultdict[tuple[str, TimeWindow], set[str]] = defaultdict(set)
            for block in blocks:
                spans[block.restaurant_id, block.window].add(block.table_id)
            for (restaurant_id, window), tables in spans.items():
                others = yield HostCall(self.reads.host.occupied, (restaurant_id, window))
                bookings |= {
                    seat.booking_id
                    for seat in others
                    if seat.booking_id and seat.table_id in tables and seat.window.overlaps(window)
                }
        return tuple(sorted(bookings))

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event], *, lands: bool) -> Work[bool]:
        restaurant_id = blocks[0].restaurant_id
        facts: dict[str, Any] = {
            "ids": [block.id for block in blocks],
            "restaurant_id": restaurant_id,
            "events": events_of(events),
            "now": self.reads.now(),
            "standalone": self.reads.standalone,
        }
        if not self.reads.standalone:
            try:
                venue = yield from self.reads.venue(restaurant_id)
                facts["policies"] = {venue.id: json.loads(policy_text(venue.policy))}
            except VenueNotFoundError:
                pass  # Waiting bookings are woken: a needless attempt does no harm.
        [(ended,)] = yield self.reads.ask(UNBLOCK, document(facts), commits=lands)
        return bool(ended)

    def guard(self, restaurant_ids: Sequence[str]) -> Work[None]:
        """Keep other commits at these restaurants out until the transaction ends."""
        yield self.reads.ask(GUARD, list(restaurant_ids))

    # -- The rest -------------------------------------------------------------------------------------------------

    def tell(self, events: Sequence[Event]) -> Work[None]:
        """Write events that no commit carries."""
        yield self.reads.ask(TELL, document(events_of(events)))

    def due(self, limit: int, order: WakeOrder) -> Work[tuple[Due, ...]]:
        claim: dt.timedelta = CLAIM
        [(answer,)] = yield self.reads.ask(DUE, self.reads.now(), claim, max(limit, 0), order.value, MOST_DUE)
        return tuple(
            Due(
                booking_id=booking_id,
                restaurant_id=restaurant_id,
                deliveries=deliveries,
                version=version,
                until=moment_of(until),
            )
            for booking_id, restaurant_id, deliveries, version, until in json.loads(answer or "[]")
        )

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> Work[None]:
        given = [
            {
                "booking_id": one.booking_id,
                "deliveries": one.deliveries,
                "version": one.version,
                "until": text_of(one.until),
            }
            for one in claims
        ]
        woken: dt.timedelta = WOKEN_WITHIN
        yield self.reads.ask(PUT_BACK, self.reads.now(), document(given), min(after, CLAIM), woken)


def _refusal(found: dict[str, Any]) -> Exception:
    if "contested" in found:
        return TableConflictError(tuple(found["contested"]))
    if "generation" in found:
        return StaleRolloutError(found["expected"], found["generation"])
    return StaleRecordError(found["stale"], found["what"])
