"""The store in memory: the reference that others are held to."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

import attrs

from assignment_pipeline.adapters.memory.audit import Audits
from assignment_pipeline.adapters.memory.host import MemoryHost
from assignment_pipeline.adapters.memory.metrics import Measures
from assignment_pipeline.adapters.memory.rollout import Revisions
from assignment_pipeline.adapters.memory.shadow import MemoryShadow
from assignment_pipeline.adapters.memory.told import ToldEvents
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.pacing import ArrivingParty
from assignment_pipeline.domain.record import (
    AssignmentChange,
    AssignmentRecord,
    Attempt,
    StateChange,
    in_order,
    sat_at_twice,
)
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.wake_order import WakeOrder, in_turn
from assignment_pipeline.domain.windows import TimeWindow, minute
from assignment_pipeline.errors import BookingUnreadableError, StaleRecordError, TableConflictError, VenueNotFoundError
from assignment_pipeline.ports import (
    CLAIM,
    AssignmentContext,
    CheckedHost,
    Clock,
    Due,
    Host,
    LoadQuery,
    Occupied,
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
    read_bookings,
    unknown_tables,
    urgency,
    waits,
    woken_at,
)

T = TypeVar("T")

_unchecked_context = maker(AssignmentContext)

_DAY = 24 * 60
_HALF_A_DAY = dt.timedelta(hours=12)
_WANTED_WITHIN = (dt.timedelta(hours=54), dt.timedelta(hours=30))  # Longest slot, turn and buffers: as `wake` in SQL.


class _UndoneError(Exception):
    """Ends a transaction of the host's bookings that is to leave nothing."""


class MemoryStore(Revisions, MemoryShadow, Measures, Audits):
    """
    An `AssignmentStore`, `AuditStore`, `RolloutStore` and `EventSink` in memory.

    Args:
        host: The host's side.

        clock: The store's clock; this machine's unless told otherwise.

        on_commit: Called inside each commit, with None for the connection.

    Attributes:
        blocks: What is blocked, by restaurant.
    """

    inline = True

    def __init__(self, host: Host, *, clock: Clock | None = None, on_commit: OnCommit | None = None) -> None:
        super().__init__()
        self.clock = clock or SystemClock()
        self._asked = CheckedHost(host, on_commit)
        self.blocks: defaultdict[str, list[TableBlock]] = defaultdict(list)
        self._lock = threading.RLock()
        self._records: dict[str, AssignmentRecord] = {}
        self._created: dict[str, dt.datetime] = {}
        self._history: defaultdict[str, list[StateChange]] = defaultdict(list)
        self._restaurants: defaultdict[str, list[str]] = defaultdict(list)  # For each transition, where.
        self._attempts: defaultdict[str, list[Attempt]] = defaultdict(list)
        self._events = ToldEvents()
        self._changes: set[str] = set()
        self._revisions: list[RolloutRevision] = []
        # A commit asks for single tables: by restaurant, by table and the day on which the seat begins, by booking.
        # Planning asks for all of an evening: by restaurant and that day, by the minutes of the seats.
        self._taken: defaultdict[str, dict[tuple[str, int], dict[str, Occupied]]] = defaultdict(dict)
        self._days: defaultdict[str, dict[int, dict[tuple[int, int], dict[tuple[str, str], Occupied]]]]
        self._days = defaultdict(dict)
        self._longest = 1  # So many midnights lie within a seat or a turn at most.
        # All records, by restaurant and the day on which their tables are blocked, or else their parties would arrive.
        self._of_day: defaultdict[str, defaultdict[int, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
        self._sitting: defaultdict[str, set[str]] = defaultdict(set)  # By restaurant, the bookings whose parties sit.

    @property
    def host(self) -> Host:
        """The host's side."""
        host: Host = self._asked.host
        return host

    @host.setter
    def host(self, host: Host) -> None:
        self._asked = CheckedHost(host, self.on_commit)

    @property
    def on_commit(self) -> OnCommit | None:
        """What is called inside each commit, beside the host's own."""
        hook: OnCommit | None = self._asked.on_commit
        return hook

    @on_commit.setter
    def on_commit(self, hook: OnCommit | None) -> None:
        self._asked = CheckedHost(self.host, hook)

    def put_venue(self, venue: Venue) -> None:
        """
        Have the host in memory keep a restaurant, or change it.

        Raises:
            InvalidValueError: The host is none of ours.
        """
        self._asked.keeps_venues.put_venue(venue)

    @property
    def checked_host(self) -> CheckedHost:
        """The host's side, each answer looked at."""
        return self._asked

    @property
    def answers_at_once(self) -> bool:
        """Whether no call of it waits for anything, so that an event loop need not leave it to a thread."""
        is_ours = type(self) is MemoryStore and type(self.host) is MemoryHost  # Who derives from them may wait.
        return is_ours and self.on_commit is None

    @property
    def undoes(self) -> bool:
        """Whether `probe` undoes what the host's code writes."""
        return isinstance(self.host, MemoryHost)

    def probe(self, work: Callable[[None], T]) -> T:
        """Run *work*, and undo what it does to the host's bookings."""
        with self._lock:
            if not isinstance(self.host, MemoryHost):
                return work(None)
            answers: list[T] = []
            with contextlib.suppress(_UndoneError), self.host.transaction():
                answers.append(work(None))
                raise _UndoneError
            return answers[0]

    def apart(self) -> MemoryStore:
        """The same store for the shadow: nobody waits for a connection here."""
        return self

    # -- Reading --------------------------------------------------------------------------------------------------

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        with self._lock:
            now = self.clock.now()
            venue = self._venue(query.restaurant_id)
            ids = dict.fromkeys(query.ids)
            if query.day is not None:
                there = self._around(venue.id, query.day)
                ids |= dict.fromkeys([record.booking_id for record in there if query.is_of_day(venue, record)])
            records = {key: self._records[key] for key in ids if key in self._records}
            bookings, unreadable = self._bookings(query.asked_of_host(records))
            if query.booking_ids and not unreadable.union(records, bookings).issuperset(query.booking_ids):
                return None
            window = query.window(venue, records, bookings)
            others = () if window is None else self._asked.occupied(None, venue.id, window)
            return _unchecked_context(
                now=now,
                generation=self.generation,
                venue=venue,
                records=records,
                bookings=bookings,
                taken=(*self._taken_in(venue, window, now), *others),
                follows=self._asked.follows,
                unknown_tables=unknown_tables(venue, others),
                unreadable=unreadable,
                arrivals=tuple(self._arrivals(venue.id, window)) if window and venue.policy.pacing else (),
            )

    def load_all(self, queries: Sequence[LoadQuery]) -> tuple[AssignmentContext | None, ...]:
        with self._lock:
            return tuple(map(self.load, queries))

    def _bookings(self, booking_ids: Collection[str]) -> tuple[dict[str, Booking], frozenset[str]]:
        """See `read_bookings`; those of our own host at once."""
        if type(self.host) is MemoryHost:
            return self.host.bookings(booking_ids), frozenset()
        return read_bookings(partial(self._asked.booking, None), booking_ids)

    def _venue(self, restaurant_id: str) -> Venue:
        venue: Venue | None = self._asked.venue(None, restaurant_id, None)
        if venue is None:  # Only a host that takes None for a version would say so.
            raise VenueNotFoundError(restaurant_id)
        return venue

    def _taken_in(self, venue: Venue, window: TimeWindow | None, now: dt.datetime) -> list[Occupied]:
        if window is None:
            return []
        start, end = window.minutes
        days, sitting = self._days[venue.id], self._sitting[venue.id]
        found: list[Occupied] = []
        for day in self._near(window, days):
            for (began, ended), seats in days.get(day, {}).items():
                if began < end and start < ended:
                    found += seats.values()
        if sitting:  # Such a party may have its tables for longer than is written.
            found = [seat for seat in found if seat.booking_id not in sitting]
        for booking_id in sitting:
            found += [seat for seat in self._records[booking_id].seats(now) if seat.window.overlaps(window)]
        blocks = self.blocks[venue.id]
        return found + [block.occupied for block in blocks if block.window.overlaps(window)] if blocks else found

    def _near(self, window: TimeWindow, kept: Collection[int]) -> Iterable[int]:
        """The days that may have to do with *window*: of a long one, as an audit's is, only those of *kept*."""
        start, end = window.minutes
        days = range(start // _DAY - self._longest, end // _DAY + 1)
        return days if len(days) <= len(kept) else sorted(filter(days.__contains__, kept))

    def _around(self, restaurant_id: str, window: TimeWindow) -> Iterator[AssignmentRecord]:
        """The records of a restaurant whose days are near a time: all of that time are among them."""
        days = self._of_day[restaurant_id]
        for day in self._near(window, days):
            if day in days:
                yield from map(self._records.__getitem__, days[day])

    def _arrivals(self, restaurant_id: str, window: TimeWindow) -> Iterator[ArrivingParty]:
        """The parties with tables that arrive in *window*."""
        # Tables are blocked from less than half a day before the arrival on, or less than half a day after it.
        for record in self._around(restaurant_id, window.widened(_HALF_A_DAY, _HALF_A_DAY)):
            arrival = record.arrival
            if arrival is not None and window.start <= arrival.start_at < window.end:
                yield arrival

    def knows(self, change: AssignmentChange) -> bool:
        with self._lock:
            return change.id in self._changes

    def records(self, query: RecordQuery) -> RecordPage:
        with self._lock:
            known: Iterable[AssignmentRecord] = self._records.values()
            if query.booking_ids:
                known = [self._records[key] for key in {*query.booking_ids} if key in self._records]
            found = sorted(
                (record for record in known if _asked_for(record, query)),
                key=urgency if query.reviews else _by_id,
            )
            page = tuple(found[: max(query.limit, 0)])
            more = None
            if page and len(found) > len(page):
                more = place_in_queue(page[-1]) if query.reviews else page[-1].booking_id
            return RecordPage(now=self.clock.now(), records=page, next=more)

    def history(self, booking_id: str) -> tuple[StateChange, ...]:
        with self._lock:
            return tuple(self._history.get(booking_id, ()))

    def attempts(self, booking_id: str) -> tuple[Attempt, ...]:
        """A booking's recorded plannings, oldest first."""
        with self._lock:
            return tuple(self._attempts.get(booking_id, ()))

    @property
    def events(self) -> tuple[Event, ...]:
        """What was told, oldest first."""
        with self._lock:
            return tuple(self._events.values())

    def booking(self, booking_id: str) -> Booking | None:
        with self._lock:
            found: Booking | None = self._asked.booking(None, booking_id)
            return found

    def waiting(self) -> Waiting:
        with self._lock:
            found = self._asked.restaurants_waiting(None) if self._asked.knows_restaurants else None
            if found is not None and isinstance(self.host, MemoryHost):
                pending = self.host.restaurants_pending(without=self._records)
                found = tuple(name for name in found if name in pending)
            return Waiting(now=self.clock.now(), restaurants=found)

    def unassigned(
        self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> tuple[Booking | UnreadableBooking, ...]:
        with self._lock:
            # The host may not know which have a record: with so many to spare, enough are left without those.
            pending = self._asked.unassigned(None, since, limit + len(self._records), restaurants)
            return tuple(booking for booking in pending if booking.id not in self._records)[: max(limit, 0)]

    def restaurants(self) -> tuple[str, ...]:
        with self._lock:
            own = self.host.restaurants if isinstance(self.host, MemoryHost) else ()
            return tuple(sorted({record.restaurant_id for record in self._records.values()}.union(own)))

    def check_schema(self) -> None:
        """See `AssignmentStore.check_schema`; there is none."""

    # -- Writing --------------------------------------------------------------------------------------------------

    def emit(self, events: Sequence[Event]) -> None:
        """See `EventSink.emit`; an event that comes twice is kept once."""
        with self._lock:
            self._events.add(events)

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        with self._lock:
            now = self.clock.now()
            for record in [one for one in self._records.values() if may_be_due(one) and is_ahead(one, now)]:
                self._records[record.booking_id] = attrs.evolve(record, next_attempt_at=now)
            known = self._records
            ready = in_turn(
                (
                    record
                    for record in known.values()
                    if may_be_due(record) and record.next_attempt_at is not None and record.next_attempt_at <= now
                ),
                order,
            )
            found = alone([(key, known[key].deliveries) for key in ready[: max(limit, 0)]])
            return tuple(self._claim(booking_id, now) for booking_id in found)

    def _claim(self, booking_id: str, now: dt.datetime) -> Due:
        record = self._records[booking_id]
        claimed = attrs.evolve(record, next_attempt_at=now + CLAIM, deliveries=record.deliveries + 1)
        self._records[booking_id] = claimed
        return Due.of(claimed)

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        with self._lock:
            due_at = self.clock.now() + min(after, CLAIM)
            for due in claims:
                record = self._records.get(due.booking_id)
                if record is not None:
                    self._records[due.booking_id] = due.given_back(record, due_at)

    # -- Tables out of service ------------------------------------------------------------------------------------

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        with self._lock:
            there = {booking_id for block in blocks for booking_id in self._there(block)}  # The host may raise.
            for block in blocks:
                known = self.blocks[block.restaurant_id]
                if all(other.id != block.id for other in known):
                    known.append(block)
            self.emit(events)
            return tuple(sorted(there))

    def _there(self, block: TableBlock) -> Iterator[str]:
        """The bookings that have a table for part of its block."""
        ours = self._staying(block.restaurant_id, block.table_id, block.window, (), self.clock.now())
        others = self._asked.occupied(None, block.restaurant_id, block.window)
        for seat in (*ours, *others):
            if seat.table_id == block.table_id and seat.booking_id and seat.window.overlaps(block.window):
                yield seat.booking_id

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        with self._lock:
            ids = {block.id for block in blocks}
            ended = [
                other
                for name in {block.restaurant_id for block in blocks}
                for other in self.blocks[name]
                if other.id in ids
            ]
            for other in ended:
                self.blocks[other.restaurant_id].remove(other)
            if ended:
                self._records |= self._helped({ended[0].restaurant_id: [other.window for other in ended]})
                self.emit(events)
            return bool(ended)

    def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        with self._lock:
            found = (block for block in self.blocks[restaurant_id] if block.window.end > since)
            return tuple(sorted(found, key=lambda block: (block.window.start, block.id)))

    # -- Commits ------------------------------------------------------------------------------------------------------

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        changes = in_order(changes)
        with self._lock:
            now = self.clock.now()
            after: dict[str, AssignmentRecord] = {}
            for change in changes:
                self._check(change)
                after[change.record.booking_id] = change.record
            if any(change.preconditions and change.preconditions.caps for change in changes):
                check_caps(changes, self._arrivals)
            contested = self._contested(after) | self._sat_at_twice(after)
            if contested:
                raise TableConflictError(tuple(sorted(contested)))
            woken = self._woken(after)
            self._call_hooks(changes)
            # Nothing from here on can fail.
            for record in after.values():
                self._seat(record)
            self._records |= after | woken
            for booking_id in after:
                self._created.setdefault(booking_id, now)
            for change in changes:
                self._changes.add(change.id)
                self._history[change.record.booking_id] += change.steps
                self._restaurants[change.record.booking_id] += [change.record.restaurant_id] * len(change.steps)
                if change.attempt is not None:
                    self._attempts[change.record.booking_id].append(change.attempt)
            self._events.of_commits += changes

    def _check(self, change: AssignmentChange) -> None:
        booking_id = change.record.booking_id
        current = self._records.get(booking_id)
        change.check_version(current)
        if change.id in self._changes:  # Without a transition, its version would still fit.
            raise StaleRecordError(booking_id, "version")
        if change.preconditions is not None:
            try:
                booking = self._asked.booking(None, booking_id)
            except BookingUnreadableError:
                booking = None
            try:
                venue = self._venue(change.record.restaurant_id)
            except VenueNotFoundError as error:
                raise StaleRecordError(booking_id, "venue") from error
            change.check_preconditions(current, booking, venue.version, self.generation)
            change.check_floor(venue.floor.positions)

    def _contested(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        """The tables that *after* takes while someone else has them; what its bookings have now does not count."""
        now = self.clock.now()
        new_at: defaultdict[str, list[tuple[str, str, TimeWindow]]] = defaultdict(list)
        for booking_id, record in after.items():
            for table_id, window in record.taking(self._records.get(booking_id)):
                new_at[record.restaurant_id].append((booking_id, table_id, window))
        contested = set()
        for restaurant_id, new in new_at.items():
            others = list(self._asked.occupied(None, restaurant_id, TimeWindow.around([seat[2] for seat in new])))
            others += [block.occupied for block in self.blocks[restaurant_id]]
            if len(after) > 1:
                for record in after.values():
                    others += record.seats(now) if record.restaurant_id == restaurant_id else ()
            for booking_id, table_id, window in new:
                rivals = self._staying(restaurant_id, table_id, window, after, now)
                for other in others:
                    if other.table_id == table_id and other.booking_id != booking_id:
                        rivals.append(other)
                if rivals and any(other.window.overlaps(window) for other in rivals):
                    contested.add(table_id)
        return contested

    def _staying(
        self, restaurant_id: str, table_id: str, window: TimeWindow, after: Container[str], now: dt.datetime
    ) -> list[Occupied]:
        """Who has a table in *window* and is not among *after*."""
        start, end = window.minutes
        taken, sitting = self._taken[restaurant_id], self._sitting[restaurant_id]
        found = [
            seat
            for day in range(start // _DAY - self._longest, end // _DAY + 1)
            if (table_id, day) in taken
            for key, seat in taken[table_id, day].items()
            if key not in after and key not in sitting and seat.window.overlaps(window)
        ]
        for key in sitting:  # Such a party may have the table for longer than is written.
            seats = () if key in after else self._records[key].seats(now)
            found += [seat for seat in seats if seat.table_id == table_id and seat.window.overlaps(window)]
        return found

    def _sat_at_twice(self, after: Mapping[str, AssignmentRecord]) -> set[str]:
        """The tables at which a party of *after* would sit while another one sits there."""
        if not any(record.allocation and record.allocation.sits for record in after.values()):
            return set()
        now = self.clock.now()
        places = {record.restaurant_id for record in after.values()}
        sitting = {key: self._records[key] for place in places for key in self._sitting[place]}
        known = {**sitting, **after}.values()
        there = ((record.restaurant_id, record) for record in known if record.restaurant_id in places)
        seats: defaultdict[str, list[Occupied]] = defaultdict(list)
        for restaurant_id, record in there:
            seats[restaurant_id] += record.seats(now)
        return {name for found in seats.values() for name in sat_at_twice(found, after)}

    def _woken(self, after: Mapping[str, AssignmentRecord]) -> dict[str, AssignmentRecord]:
        """The records that wait for tables which *after* gives up, woken."""
        now = self.clock.now()
        freed: defaultdict[str, list[TimeWindow]] = defaultdict(list)
        for booking_id, record in after.items():
            before = self._records.get(booking_id)
            if before is not None:
                freed[before.restaurant_id] += before.freed_for(record, now)
        if not freed:
            return {}
        helped = self._helped(freed)
        return {key: record for key, record in helped.items() if key not in after}

    def _helped(self, freed: Mapping[str, Sequence[TimeWindow]]) -> dict[str, AssignmentRecord]:
        """The records that wait for tables at a restaurant and time at which one came free, woken: see `woken_at`."""
        now = self.clock.now()
        return {
            record.booking_id: attrs.evolve(
                record, next_attempt_at=woken_at(record.deliveries, record.next_attempt_at, now)
            )
            for place, windows in freed.items()
            if windows
            for record in self._around(place, TimeWindow.around(windows).widened(*_WANTED_WITHIN))
            if waits(record) and self._is_helped(record, windows)
        }

    def _is_helped(self, record: AssignmentRecord, freed: Iterable[TimeWindow]) -> bool:
        if record.booking is None:
            return False
        try:
            venue = self._venue(record.restaurant_id)
        except VenueNotFoundError:
            return True  # A needless attempt is the least of it.
        wanted = venue.wanted(record.booking)
        return any(wanted.overlaps(window) for window in freed)

    def _call_hooks(self, changes: Sequence[AssignmentChange]) -> None:
        host = self._asked.host
        if type(host) is MemoryHost and self._asked.on_commit is None:
            host.on_commit(None, changes)  # There is nothing to undo: it cannot fail.
            return
        with host.transaction() if isinstance(host, MemoryHost) else contextlib.nullcontext():
            for call in self._asked.calls(changes):
                call(None)

    def _seat(self, record: AssignmentRecord) -> None:
        before = self._records.get(record.booking_id)
        if before is not None:
            for seat in before.seats_as_written():
                minutes = seat.window.minutes
                day = minutes[0] // _DAY
                del self._taken[before.restaurant_id][seat.table_id, day][record.booking_id]
                there = self._days[before.restaurant_id][day]
                del there[minutes][seat.table_id, record.booking_id]
                if not there[minutes]:
                    del there[minutes]
            self._sitting[before.restaurant_id].discard(record.booking_id)
            self._of_day[before.restaurant_id][_day_of(before)].pop(record.booking_id, None)
        self._of_day[record.restaurant_id][_day_of(record)][record.booking_id] = None
        held = record.allocation
        if held is None:
            return
        minutes = held.blocked.minutes
        day = minutes[0] // _DAY
        self._longest = max(self._longest, minutes[1] // _DAY - day)
        if held.sits:
            self._sitting[record.restaurant_id].add(record.booking_id)
        at_that_time = self._days[record.restaurant_id].setdefault(day, {}).setdefault(minutes, {})
        for seat in record.seats_as_written():
            self._taken[record.restaurant_id].setdefault((seat.table_id, day), {})[record.booking_id] = seat
            at_that_time[seat.table_id, record.booking_id] = seat


def _day_of(record: AssignmentRecord) -> int:
    """The day, counted from 1970, on which its tables are blocked, or else its party would arrive; 0 if none does."""
    if record.allocation is not None:
        return record.allocation.blocked.minutes[0] // _DAY
    return 0 if record.booking is None else minute(record.booking.start_at) // _DAY


def _by_id(record: AssignmentRecord) -> tuple[str]:
    return (record.booking_id,)


def _asked_for(record: AssignmentRecord, query: RecordQuery) -> bool:
    return (
        (query.restaurant_id is None or record.restaurant_id == query.restaurant_id)
        and (not query.states or record.state in query.states)
        and (not query.booking_ids or record.booking_id in query.booking_ids)
        and (not query.unfinished or is_unfinished(record))
        and (not query.sitting or (record.allocation is not None and record.allocation.sits))
        and in_page(record, query)
    )
