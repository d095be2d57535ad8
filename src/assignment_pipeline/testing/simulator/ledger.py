"""What the simulator knows for certain, and what the store shows: the invariants compare the two."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import attrs

from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event, EventType
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Attempt, Owner, StateChange
from assignment_pipeline.domain.result import AssignmentResult, Mode
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import BookingUnreadableError
from assignment_pipeline.flow.legacy.takeover_on_touch import TOUCH
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import AssignmentState
from assignment_pipeline.ports import AssignmentStore, LoadQuery, Occupied, RecordQuery
from assignment_pipeline.rollout.shadow.candidate import REHEARSED
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.store_harness import StoreHarness

EVERYTHING = RecordQuery(limit=10_000)
MINUTE, QUARTER, DAY = dt.timedelta(minutes=1), dt.timedelta(minutes=15), dt.timedelta(days=1)
EVER = dt.datetime.min.replace(tzinfo=dt.UTC)

Step = tuple[str, int, str, str, str]
"""A transition: whose, the version it led to, from, to, and by which trigger."""

Seat = tuple[str, str | None, TimeWindow]
"""A table, who has it, and for how long."""


@attrs.frozen(kw_only=True)
class Standing:
    """
    What a worker may go by when it commits.

    Attributes:
        locks: The locks that its flows were granted and have not let go of.

        unlocked: Whether it was told that there is no lock manager, and has to do without.

        claims: The deliveries with which the sweep handed bookings out to it; None where it is not sweeping.
    """

    locks: frozenset[str]
    unlocked: bool
    claims: Mapping[str, int] | None


@attrs.frozen(kw_only=True)
class Landing:
    """
    A commit that the store took, and how things stood right before.

    Attributes:
        changes: What was committed.

        records: The records of its bookings, where there were any.

        bookings: The host's view of them, where it knew them.

        spoiled: Those of them whose rows made no sense.

        generation: The rollout's generation.

        modes: What the pipeline was to do at each restaurant.

        versions: The versions of the venues.

        now: The time.

        repeated: Whether one of the changes had landed before.

        standing: What the worker went by; None for a commit that landed after its worker had stopped waiting for it.
    """

    changes: tuple[AssignmentChange, ...]
    records: Mapping[str, AssignmentRecord]
    bookings: Mapping[str, Booking]
    spoiled: frozenset[str]
    generation: int
    modes: Mapping[str, Mode]
    versions: Mapping[str, str]
    now: dt.datetime
    repeated: bool
    standing: Standing | None


class Ledger:
    """
    Everything that the invariants look at. `look` brings it up to date.

    Attributes:
        venues: The restaurants, as the host has them.

        rows: Who sits where without the pipeline, by restaurant.

        spoiled: The bookings whose rows make no sense.

        blocks: What is blocked, as the store showed it last; `blocks_before` as it did the time before.

        legacy_ran: For which handovers legacy was called: the bookings with their versions.

        legacys_rows: The transitions by which legacy was given something: the bookings with their versions.

        planned: The calls that have planned, each with the booking.

        rollout: The generation, and what the pipeline is to do where.

        blind: Whether flows cannot know which generation their flags belong to.

        records: The records, as the store showed them last; `before` as it did the time before.

        changed: The bookings whose records differ between the two.

        histories: The transitions; `earlier` those that `changed` bookings had before.

        attempts: The plannings.

        unreported: Transitions by how many events each is short of in the store; none where it has no events.

        told: Those of which a sink has heard.

        landings: The commits since the last look.

        answers: What calls were answered since then.

        cancelled: The bookings of which somebody was told that they are cancelled.

        held_until: When unconfirmed holds end.

        lost_claims: How many claims on each booking may have ended without being put back.

        offences: What the simulator noticed itself, each with the invariant that it breaks.
    """

    def __init__(self, harness: StoreHarness, settings: Settings, clock: FakeClock) -> None:
        self.harness = harness
        self.store: AssignmentStore = harness.store
        self.settings = settings
        self.clock = clock
        self.venues: dict[str, Venue] = {}
        self.rows: defaultdict[str, list[Occupied]] = defaultdict(list)
        self.spoiled: frozenset[str] = frozenset()
        self.blocks: frozenset[TableBlock] = frozenset()
        self.blocks_before: frozenset[TableBlock] = frozenset()
        self.legacy_ran: set[tuple[str, int]] = set()
        self.legacys_rows: set[tuple[str, int]] = set()
        self.planned: set[tuple[str, str]] = set()
        self.generation = 0
        self.modes: dict[str, Mode] = {}
        self.blind = False
        self.records: dict[str, AssignmentRecord] = {}
        self.before: dict[str, AssignmentRecord] = {}
        self.changed: tuple[str, ...] = ()
        self.histories: dict[str, tuple[StateChange, ...]] = {}
        self.earlier: dict[str, tuple[StateChange, ...]] = {}
        self.attempts: dict[str, Sequence[Attempt]] = {}
        self.unreported: Counter[Step] = Counter()
        self.told: list[Step] = []
        self.landings: list[Landing] = []
        self.answers: list[tuple[str, AssignmentResult]] = []
        self.cancelled: set[str] = set()
        self.held_until: dict[str, dt.datetime] = {}
        self.lost_claims: Counter[str] = Counter()
        self.offences: list[tuple[str, str]] = []
        self._landed: set[str] = set()
        self._events = 0
        self._keeps_events = "events" not in harness.cannot

    def look(self) -> None:
        """Read what the store shows now."""
        self.before, self.blocks_before = self.records, self.blocks
        self.blocks = frozenset(block for name in self.venues for block in self.store.blocked(name, EVER))
        self.records = {record.booking_id: record for record in self.store.records(EVERYTHING).records}
        changed = [
            booking_id
            for booking_id, record in self.records.items()
            if record is not self.before.get(booking_id) and record != self.before.get(booking_id)
        ]
        changed += [booking_id for booking_id in self.before if booking_id not in self.records]
        changed += [change.record.booking_id for landing in self.landings for change in landing.changes]
        self.changed = tuple(dict.fromkeys(changed))
        for booking_id in self.changed:
            self.earlier[booking_id] = self.histories.get(booking_id, ())
            self.histories[booking_id] = self.store.history(booking_id)
            if "attempts" not in self.harness.cannot:
                self.attempts[booking_id] = self.harness.attempts(booking_id)
        if self._keeps_events:
            self._count_events()

    def _count_events(self) -> None:
        events = self.harness.events()
        for booking_id in self.changed:
            rows, earlier = self.histories[booking_id], self.earlier[booking_id]
            if rows != earlier:
                self.unreported.update(steps_of(booking_id, rows))
                self.unreported.subtract(steps_of(booking_id, earlier))
        self.unreported.subtract(steps_told(events[self._events :]))
        self._events = len(events)
        self.unreported = Counter({row: missing for row, missing in self.unreported.items() if missing})

    def booking(self, booking_id: str) -> Booking | None:
        """The host's view of a booking; None where it has none, or its row makes no sense."""
        try:
            return self.store.booking(booking_id)
        except BookingUnreadableError:
            return None

    def landing(self, changes: Sequence[AssignmentChange], standing: Standing | None) -> Landing:
        """How things stand before *changes* are committed."""
        ids = tuple(change.record.booking_id for change in changes)
        records = {found.booking_id: found for found in self.store.records(RecordQuery(booking_ids=ids)).records}
        found = {booking_id: self.booking(booking_id) for booking_id in ids}
        return Landing(
            changes=tuple(changes),
            records=records,
            bookings={booking_id: booking for booking_id, booking in found.items() if booking is not None},
            spoiled=self.spoiled.intersection(ids),
            generation=self.generation,
            modes=dict(self.modes),
            versions={venue.id: venue.version for venue in self.venues.values()},
            now=self.clock.now(),
            repeated=any(change.id in self._landed for change in changes),
            standing=standing,
        )

    def landed(self, landing: Landing) -> None:
        """Take note of a commit that the store took."""
        self.landings.append(landing)
        self._landed.update(change.id for change in landing.changes)
        for change in landing.changes:
            if change.record.owner is Owner.LEGACY or is_taken_over(change):
                self.legacys_rows.update((change.record.booking_id, row.version) for row in change.steps)

    def settle(self) -> None:
        """Carry over what later looks compare with, once the invariants have been checked."""
        for landing in self.landings:
            self.planned.update(planning_of(change) for change in landing.changes if change.attempt is not None)
            for change in landing.changes:
                held, record = self.held_until, change.record
                reached = any(step.to_state is AssignmentState.ASSIGNED for step in change.steps)
                if record.state is not AssignmentState.ASSIGNED:
                    held.pop(record.booking_id, None)
                elif reached and record.booking_id not in held and record.next_attempt_at is not None:
                    held[record.booking_id] = record.next_attempt_at
        self.landings.clear()
        self.answers.clear()
        self.told.clear()

    def taken(self, restaurant_id: str) -> Iterator[Occupied]:
        """Who sits at a restaurant by the records, its blocks and the host."""
        yield from self.present(restaurant_id)
        yield from self.rows[restaurant_id]
        yield from (block.occupied for block in self.blocks if block.restaurant_id == restaurant_id)

    def seats(self, restaurant_id: str) -> Iterator[Occupied]:
        """Who has tables there by the records, for the time that is written."""
        for record, table_id in self._tables(restaurant_id):
            if record.allocation is not None:
                window = record.allocation.blocked
                yield Occupied(table_id=table_id, window=window, booking_id=record.booking_id, movable=True)

    def present(self, restaurant_id: str) -> Iterator[Occupied]:
        """The same, with the parties that sit at their tables from when they came to a quarter of an hour from now."""
        now = self.clock.now()
        for record, table_id in self._tables(restaurant_id):
            held = record.allocation
            if held is None:
                continue
            start, end = held.blocked.start, held.blocked.end
            sits = held.seated_at is not None and held.left_at is None and now < held.seated_at + DAY
            if sits and held.seated_at is not None:
                if start <= held.turn.start:  # Or else it was given these tables while it sat.
                    start = min(start, held.seated_at.replace(second=0, microsecond=0))
                late = now.replace(second=0, microsecond=0) + QUARTER
                late += MINUTE if now.second or now.microsecond else dt.timedelta()
                end = end if now < held.turn.end else max(end, late)
            window = TimeWindow(start, end)
            yield Occupied(table_id=table_id, window=window, booking_id=record.booking_id, sits=sits)

    def _tables(self, restaurant_id: str) -> Iterator[tuple[AssignmentRecord, str]]:
        for record in self.records.values():
            if record.restaurant_id == restaurant_id:
                yield from ((record, table_id) for table_id in record.tables)

    def misshown(self, restaurant_id: str, bookings: tuple[Booking, ...]) -> set[Seat]:
        """Who sits there around those bookings but is not shown to planning, and who is shown and does not."""
        context = self.store.load(LoadQuery(restaurant_id=restaurant_id, bookings=bookings))
        shown = set(map(_seat, context.taken if context else ()))
        blocks = (block.occupied for block in self.blocks if block.restaurant_id == restaurant_id)
        rows = set(map(_seat, (*self.rows[restaurant_id], *blocks)))  # Some of which may be too far off to be shown.
        return (shown ^ set(map(_seat, self.present(restaurant_id)))) - rows


def is_taken_over(change: AssignmentChange) -> bool:
    """Whether it takes a booking over, with the tables that legacy gave it, because somebody asked for something."""
    return any(event.context.get("trigger") == TOUCH for event in change.events)


def planning_of(change: AssignmentChange) -> tuple[str, str]:
    """The call that a change belongs to, with its booking."""
    return change.id.rpartition(".")[0], change.record.booking_id


def _seat(row: Occupied) -> Seat:
    return row.table_id, row.booking_id, row.window


def steps_told(events: Sequence[Event]) -> Iterator[Step]:
    """The transitions that events tell of, but for those that a shadow would have made."""
    for event in events:
        if event.type is EventType.STATE_TRANSITION and REHEARSED not in event.context:
            facts = event.context
            version = facts.get("version")
            texts = str(facts.get("from")), str(facts.get("to")), str(facts.get("trigger"))
            yield event.booking_id or "", version if isinstance(version, int) else 0, *texts


def steps_of(booking_id: str, history: Sequence[StateChange]) -> Iterator[Step]:
    """The transitions that a history has."""
    for row in history:
        yield booking_id, row.version, row.from_state.value, row.to_state.value, row.trigger.value
