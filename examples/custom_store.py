"""
A store of one's own, as plain as a store can be: all it knows is one immutable value, and a commit replaces it.

It shows what the port asks for and where each promise is kept. With a lock around it, replacing the value is the
transaction; with a database, the same steps go into one of its transactions. `test_custom_store.py`, beside this file,
runs the shipped contract on it, and that is what makes it trustworthy.

    python examples/custom_store.py
    python -m pytest test_custom_store.py    (in this folder)
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

import attrs

from assignment_pipeline import (
    AssignmentRecord,
    AssignmentState,
    Booking,
    Coordinator,
    Event,
    FloorPlan,
    Mode,
    Occupied,
    Outcome,
    StaleRecordError,
    Table,
    TableConflictError,
    TimeWindow,
    Venue,
    VenueNotFoundError,
)
from assignment_pipeline.adapters.memory import MemoryHost
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.record import AssignmentChange, Owner, StateChange, in_order, sat_at_twice
from assignment_pipeline.domain.result import WAITS_FOR_TABLES
from assignment_pipeline.domain.wake_order import WakeOrder, in_turn
from assignment_pipeline.ports import (
    ArrivingParty,
    AssignmentContext,
    Clock,
    Due,
    Host,
    LoadQuery,
    OnCommit,
    RecordPage,
    RecordQuery,
    UnreadableBooking,
    Waiting,
    alone,
    check_caps,
    in_page,
    is_ahead,
    is_unfinished,
    may_be_due,
    place_in_queue,
    urgency,
    woken_at,
)
from assignment_pipeline.rollout.flags import FixedFlags

CLAIM = dt.timedelta(minutes=1)


@attrs.frozen(kw_only=True)
class State:
    """All that the store knows."""

    generation: int = 0
    records: Mapping[str, AssignmentRecord] = attrs.field(factory=dict)
    history: Mapping[str, tuple[StateChange, ...]] = attrs.field(factory=dict)
    blocks: Mapping[str, TableBlock] = attrs.field(factory=dict)
    landed: frozenset[str] = frozenset()


class PlainStore:
    """An `AssignmentStore` for one process, gone when that ends."""

    def __init__(self, host: Host, *, clock: Clock, on_commit: OnCommit | None = None) -> None:
        self.host = host
        self.clock = clock
        self.on_commit = on_commit
        self.state = State()
        self._lock = threading.RLock()

    # -- What planning looks at: one consistent view ------------------------------------------------------------

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        """Everything that planning for those bookings looks at, in one snapshot. See `AssignmentStore.load`."""
        with self._lock:
            now = self.clock.now()
            venue = self._venue(query.restaurant_id)
            of_day = (key for key, record in self.state.records.items() if query.is_of_day(venue, record))
            ids = {*query.ids, *of_day}
            records = {key: self.state.records[key] for key in ids if key in self.state.records}
            asked = query.asked_of_host(records)
            bookings = {key: found for key in asked if (found := self.host.booking(None, key)) is not None}
            if any(key not in records and key not in bookings for key in query.booking_ids):
                return None
            window = query.window(venue, records, bookings)
            return AssignmentContext(
                now=now,
                generation=self.state.generation,
                venue=venue,
                records=records,
                bookings=bookings,
                taken=tuple(self._taken(venue, window, now)),
                arrivals=tuple(self._arrivals(venue.id, window)) if window and venue.policy.pacing else (),
            )

    def load_all(self, queries: Sequence[LoadQuery]) -> tuple[AssignmentContext | None, ...]:
        """What `load` answers to each of *queries*. See `AssignmentStore.load_all`."""
        with self._lock:
            return tuple(map(self.load, queries))

    def _venue(self, restaurant_id: str) -> Venue:
        venue = self.host.venue(None, restaurant_id, None)
        if venue is None:
            raise VenueNotFoundError(restaurant_id)
        return venue

    def _taken(self, venue: Venue, window: TimeWindow | None, now: dt.datetime) -> Iterator[Occupied]:
        if window is not None:
            kept = self._kept(self.state.records, venue.id, now)
            yield from (seat for seat in kept if seat.window.overlaps(window))
            for row in self.host.occupied(None, venue.id, window):
                yield attrs.evolve(row, movable=False)  # Nobody but the host moves what it has seated.

    def _arrivals(self, restaurant_id: str, window: TimeWindow) -> Iterator[ArrivingParty]:
        """The parties with tables that arrive in *window*."""
        for record in self.state.records.values():
            party = record.arrival if record.restaurant_id == restaurant_id else None
            if party is not None and window.start <= party.start_at < window.end:
                yield party

    def _kept(
        self, records: Mapping[str, AssignmentRecord], restaurant_id: str, now: dt.datetime
    ) -> Iterator[Occupied]:
        """All tables of a restaurant that are taken by *records*, or out of service."""
        for record in records.values():
            if record.restaurant_id == restaurant_id:
                yield from record.seats(now)
        for block in self.state.blocks.values():
            if block.restaurant_id == restaurant_id:
                yield block.occupied

    # -- The commit: all of it, or nothing -----------------------------------------------------------------------

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        """See `AssignmentStore.commit`. Whatever raises on the way, the old state stays."""
        changes = in_order(changes)
        with self._lock:
            before, now = self.state, self.clock.now()
            after: dict[str, AssignmentRecord] = {}
            for change in changes:
                key = change.record.booking_id
                current = before.records.get(key)
                change.check_version(current)
                if change.id in before.landed:  # A change without a transition leaves the version as it was.
                    raise StaleRecordError(key, "version")
                if change.preconditions is not None:
                    venue = self._venue(change.record.restaurant_id)
                    change.check_preconditions(current, self.host.booking(None, key), venue.version, before.generation)
                after[key] = change.record
            check_caps(changes, self._arrivals)
            contested = self._contested(after, now)
            if contested:
                raise TableConflictError(tuple(sorted(contested)))
            history = dict(before.history)
            for change in changes:
                key = change.record.booking_id
                history[key] = (*history.get(key, ()), *change.steps)
            woken = {record.booking_id: woken_record(record, now) for record in self._woken(after, now)}
            if self.on_commit is not None:
                self.on_commit(None, changes)
            self.state = attrs.evolve(
                before,
                records={**before.records, **woken, **after},
                history=history,
                landed=before.landed.union(change.id for change in changes),
            )

    def _contested(self, after: Mapping[str, AssignmentRecord], now: dt.datetime) -> set[str]:
        """The tables that *after* takes and somebody else has. All that its bookings had before is free by now."""
        known = self.state.records
        contested: set[str] = set()
        for key, record in after.items():
            contested |= sat_at_twice(self._kept({**known, **after}, record.restaurant_id, now), [key])
            for table_id, window in record.taking(known.get(key)):
                seat = Occupied(table_id=table_id, window=window, booking_id=key)
                others = [*self._kept({**known, **after}, record.restaurant_id, now)]
                others += self.host.occupied(None, record.restaurant_id, window)
                contested.update(other.table_id for other in others if clash(seat, other))
        return contested

    def _woken(self, after: Mapping[str, AssignmentRecord], now: dt.datetime) -> Iterator[AssignmentRecord]:
        """The records that wait for what *after* gives up: tables, or room under a cap, near its time."""
        freed: set[tuple[str, TimeWindow]] = set()
        for key, record in after.items():
            old = self.state.records.get(key)
            if old is not None:
                freed.update((old.restaurant_id, window) for window in old.freed_for(record, now))
        return (record for record in self._helped(freed) if record.booking_id not in after)

    def _helped(self, freed: Collection[tuple[str, TimeWindow]]) -> Iterator[AssignmentRecord]:
        """The records that wait for tables at a restaurant and a time, where some came free."""
        for record in self.state.records.values():
            if record.booking is not None and waits(record) and freed:
                venue = self._venue(record.restaurant_id)
                wanted = venue.wanted(record.booking)
                if any(where == venue.id and window.overlaps(wanted) for where, window in freed):
                    yield record

    # -- Tables out of service -----------------------------------------------------------------------------------

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:  # noqa: ARG002 - see below
        """See `AssignmentStore.block`. Events are left to the sinks: this store keeps none."""
        with self._lock:
            there: set[str] = set()
            for block in blocks:
                taken = [*self._kept(self.state.records, block.restaurant_id, self.clock.now())]
                taken += self.host.occupied(None, block.restaurant_id, block.window)
                there |= {seat.booking_id for seat in taken if seat.booking_id and clash(block.occupied, seat)}
            self.state = attrs.evolve(self.state, blocks={**{block.id: block for block in blocks}, **self.state.blocks})
            return tuple(sorted(there))

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:  # noqa: ARG002
        """End blocks, and tell *events* of it in the same transaction. See `AssignmentStore.unblock`."""
        with self._lock:
            ended = [block for block in blocks if block.id in self.state.blocks]
            helped = self._helped([(block.restaurant_id, block.window) for block in ended])
            woken = {record.booking_id: woken_record(record, self.clock.now()) for record in helped}
            gone = {block.id for block in ended}
            left = {key: other for key, other in self.state.blocks.items() if key not in gone}
            self.state = attrs.evolve(self.state, blocks=left, records={**self.state.records, **woken})
            return bool(ended)

    def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        """
        A restaurant's blocks that end after *since*: by when they begin, and by id.

        See `AssignmentStore.blocked`.
        """
        with self._lock:
            known = [block for block in self.state.blocks.values() if block.restaurant_id == restaurant_id]
            found = (block for block in known if block.window.end > since)
            return tuple(sorted(found, key=lambda block: (block.window.start, block.id)))

    # -- The rollout ---------------------------------------------------------------------------------------------

    def move_rollout(self) -> None:
        """Move the rollout on by a generation: what was planned before does not land any more."""
        with self._lock:
            self.state = attrs.evolve(self.state, generation=self.state.generation + 1)

    def knows(self, change: AssignmentChange) -> bool:
        """Whether *change* has landed, asked behind whatever commit is still in flight. See `AssignmentStore.knows`."""
        with self._lock:
            return change.id in self.state.landed

    # -- The sweep -----------------------------------------------------------------------------------------------

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        """See `AssignmentStore.due`: found, pushed ahead and counted in one go."""
        with self._lock:
            now = self.clock.now()
            may_be = [record for record in self.state.records.values() if may_be_due(record) and record.next_attempt_at]
            ahead = {
                record.booking_id: attrs.evolve(record, next_attempt_at=now)
                for record in may_be
                if is_ahead(record, now)
            }
            due = [ahead.get(record.booking_id, record) for record in may_be]
            ready = in_turn((record for record in due if record.next_attempt_at <= now), order)
            claimed = {}
            for key in alone([(key, self.state.records[key].deliveries) for key in ready[:limit]]):
                record = self.state.records[key]
                claimed[key] = attrs.evolve(record, next_attempt_at=now + CLAIM, deliveries=record.deliveries + 1)
            self.state = attrs.evolve(self.state, records={**self.state.records, **claimed})
            return tuple(map(Due.of, claimed.values()))

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        """See `AssignmentStore.put_back`: as if they had not been handed out."""
        with self._lock:
            due_at = self.clock.now() + min(after, CLAIM)
            back = {}
            for due in claims:
                record = self.state.records.get(due.booking_id)
                if record is not None:
                    back[due.booking_id] = due.given_back(record, due_at)
            self.state = attrs.evolve(self.state, records={**self.state.records, **back})

    def waiting(self) -> Waiting:
        """See `AssignmentStore.waiting`: this host's restaurants are few, and all of its bookings are read."""
        return Waiting(now=self.clock.now(), restaurants=None)

    def unassigned(
        self,
        since: dt.datetime,
        limit: int,
        restaurants: Sequence[str] | None = None,  # noqa: ARG002 - `waiting` names none
    ) -> tuple[Booking | UnreadableBooking, ...]:
        """See `AssignmentStore.unassigned`: the host need not know which of its bookings have a record."""
        with self._lock:
            known = self.state.records
            pending = self.host.unassigned(None, since, limit + len(known))
            return tuple(booking for booking in pending if booking.id not in known)[:limit]

    # -- Reading -------------------------------------------------------------------------------------------------

    def records(self, query: RecordQuery) -> RecordPage:
        """A page of records. See `AssignmentStore.records`."""
        with self._lock:
            found = [record for _, record in sorted(self.state.records.items()) if asked_for(record, query)]
            if query.reviews:
                found.sort(key=urgency)
            page = tuple(found[: query.limit])
            more = None
            if page and len(found) > len(page):
                more = place_in_queue(page[-1]) if query.reviews else page[-1].booking_id
            return RecordPage(now=self.clock.now(), records=page, next=more)

    def history(self, booking_id: str) -> tuple[StateChange, ...]:
        """A booking's transitions, oldest first. See `AssignmentStore.history`."""
        return self.state.history.get(booking_id, ())

    def booking(self, booking_id: str) -> Booking | None:
        """The host's view of a booking. See `AssignmentStore.booking`."""
        return self.host.booking(None, booking_id)

    def check_schema(self) -> None:
        """See `AssignmentStore.check_schema`; a value in memory has none."""


def clash(seat: Occupied, other: Occupied) -> bool:
    """Whether two parties would sit at one table."""
    return (
        seat.table_id == other.table_id and seat.booking_id != other.booking_id and seat.window.overlaps(other.window)
    )


def woken_record(record: AssignmentRecord, now: dt.datetime) -> AssignmentRecord:
    """A record that waits, once tables have come free."""
    return attrs.evolve(record, next_attempt_at=woken_at(record.deliveries, record.next_attempt_at, now))


def waits(record: AssignmentRecord) -> bool:
    """Whether freed tables are news to it."""
    in_review = record.state is AssignmentState.MANUAL_REVIEW and record.reason in WAITS_FOR_TABLES
    return record.owner is Owner.PIPELINE and (record.state is AssignmentState.ASSIGNMENT_PENDING or in_review)


def asked_for(record: AssignmentRecord, query: RecordQuery) -> bool:
    """Whether a record belongs on the page."""
    return (
        (query.restaurant_id is None or record.restaurant_id == query.restaurant_id)
        and (not query.unfinished or is_unfinished(record))
        and (not query.sitting or (record.allocation is not None and record.allocation.sits))
        and (not query.states or record.state in query.states)
        and (not query.booking_ids or record.booking_id in query.booking_ids)
        and in_page(record, query)
    )


def main() -> None:
    """Two parties want the only table."""
    paris = ZoneInfo("Europe/Paris")
    date = dt.datetime.now(paris).date() + dt.timedelta(days=1)
    host = MemoryHost(Venue("chez-nous", "Europe/Paris", FloorPlan([Table("T1", 4)])))
    store = PlainStore(host, clock=SystemClock(), on_commit=host.on_commit)
    at_eight = dt.datetime.combine(date, dt.time(20), paris)
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
        for name in ("anna", "ben"):
            result = coordinator.assign(Booking(name, "chez-nous", 4, at_eight))
            print(f"{name}: {result.outcome}, {' + '.join(result.tables) or result.reason}")
        assert result.outcome is Outcome.MANUAL_REVIEW

        coordinator.cancel("anna")
        (result,) = coordinator.sweep().results
        print(f"Anna has cancelled. {result.booking_id}: {result.outcome}, {' + '.join(result.tables)}")
        assert (result.booking_id, result.tables) == ("ben", ("T1",))

        steps = [step.to_state.value for step in coordinator.history("ben")]
        print("Ben's way:", " > ".join(steps))
        assert steps[-1] == AssignmentState.CONFIRMED


if __name__ == "__main__":
    main()
