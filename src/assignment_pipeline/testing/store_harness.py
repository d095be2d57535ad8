"""What the contracts and the simulator need of a store's host, and the values that they give it."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import attrs

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event, EventType, Source
from assignment_pipeline.domain.floor import FloorPlan, Table
from assignment_pipeline.domain.policy import VenuePolicy
from assignment_pipeline.domain.record import (
    AssignmentChange,
    AssignmentRecord,
    Attempt,
    AttemptResult,
    CommitPreconditions,
    Owner,
    StateChange,
    facts_of_tables,
)
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.lifecycle import WITH_TABLES, AssignmentState, Trigger, walk
from assignment_pipeline.ports import AssignmentStore, Occupied, OnCommit
from assignment_pipeline.testing.clock import START

Ability = Literal[
    "bump_generation", "occupy", "vacate", "events", "attempts", "hook", "tell_enqueued", "keep_request", "spoil"
]

_OPTIONAL: frozenset[Ability] = frozenset({"vacate", "spoil"})
"""What a harness is unable to do that does not override it: no test of the contract asks for it."""

QUEUE = (Trigger.VERIFY, Trigger.ENQUEUE)
CONFIRM = (*QUEUE, Trigger.BEGIN, Trigger.SEAT, Trigger.CONFIRM)
HOLD = CONFIRM[:-1]
REVIEW = (*QUEUE, Trigger.BEGIN, Trigger.ESCALATE)

DINNER = START + dt.timedelta(hours=10)
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


class StoreHarness:
    """
    The host's side of a store under test.

    Override all its methods; one that cannot be is named in `cannot`, and the tests
    that need it are skipped for the reason given there.

    Attributes:
        cannot: Why, for each ability that the host does not have. All but two are methods. ``tell_enqueued`` is for
            its ``restaurants_waiting``: to leave out the restaurants whose pending bookings all have a record.
            ``keep_request`` is for its ``on_commit``: to write `AssignmentChange.request` to the booking's row.

        store: The store. The simulator asks for it here; the contract has a fixture of its own.
    """

    cannot: ClassVar[Mapping[Ability, str]] = {}
    store: AssignmentStore

    def can(self, ability: Ability) -> bool:
        """Whether it is able to do that."""
        is_left_out = ability in _OPTIONAL and getattr(type(self), ability) is getattr(StoreHarness, ability)
        return ability not in self.cannot and not is_left_out

    def close(self) -> None:
        """Let go of what was opened for the store. Nothing, unless overridden."""

    def put_booking(self, booking: Booking) -> None:
        """Have the host know the booking, or change it."""
        raise NotImplementedError

    def put_venue(self, venue: Venue) -> None:
        """Have the host know the restaurant, or change it."""
        raise NotImplementedError

    def bump_generation(self) -> None:
        """Move the rollout on by one generation."""
        raise NotImplementedError

    def occupy(self, restaurant_id: str, occupied: Occupied) -> None:
        """Take a table by other means than the pipeline's, as legacy or the staff do."""
        raise NotImplementedError

    def vacate(self, restaurant_id: str, occupied: Occupied) -> None:
        """Undo `occupy`. Only the simulator asks for it, and does without where it is not overridden."""
        raise NotImplementedError

    def spoil(self, booking_id: str) -> None:
        """Have the host's row of a booking make no sense. Only the simulator asks for it, as for `vacate`."""
        raise NotImplementedError

    def mend(self, booking_id: str) -> None:
        """Undo `spoil`."""
        raise NotImplementedError

    def events(self) -> Sequence[Event]:
        """What the store keeps of the events of its commits, oldest first."""
        raise NotImplementedError

    def attempts(self, booking_id: str) -> Sequence[Attempt]:
        """What the store keeps of a booking's attempts, oldest first."""
        raise NotImplementedError

    def hook(self, on_commit: OnCommit) -> None:
        """Have the store call *on_commit* inside the commits from now on."""
        raise NotImplementedError


def make_venue(restaurant_id: str = "r-1", *, tables: int = 4, **policy: Any) -> Venue:
    """A restaurant with tables T1, T2, ... of four seats, in a row; 15 minutes are kept free behind each party."""
    ids = [f"T{number}" for number in range(1, tables + 1)]
    floor = FloorPlan([Table(table_id, 4) for table_id in ids], itertools.pairwise(ids))
    return Venue(restaurant_id, "Europe/London", floor, VenuePolicy(**{"post_buffer_minutes": 15, **policy}))


_usual_venue = functools.cache(make_venue)
"""Made once: it takes longer than most of what a test does with it."""


def make_booking(booking_id: str = "b-1", *, at: dt.datetime = DINNER, **fields: Any) -> Booking:
    """Two guests for an hour."""
    given = {"restaurant_id": "r-1", "party_size": 2, "end_at": at + HOUR, **fields}
    return Booking(id=booking_id, start_at=at, **given)


def make_block(
    block_id: str = "k-1",
    table_id: str = "T1",
    *,
    at: dt.datetime = DINNER,
    window: TimeWindow | None = None,
    **fields: Any,
) -> TableBlock:
    """A table out of service for an hour, unless a window is given."""
    given = {"restaurant_id": "r-1", "reason": "maintenance", "actor": "anna", **fields}
    return TableBlock(id=block_id, table_id=table_id, window=window or TimeWindow(at, at + HOUR), **given)


def make_change(
    of: Booking,
    /,
    *triggers: Trigger,
    before: AssignmentRecord | None = None,
    tables: Sequence[str] = (),
    venue: Venue | None = None,
    now: dt.datetime = START,
    change_id: str | None = None,
    preconditions: CommitPreconditions | None = None,
    attempt: AttemptResult | None = None,
    actor: str | None = None,
    conflicted: bool = False,
    request: Booking | None = None,
    **fields: Any,
) -> AssignmentChange:
    """The change that fires *triggers* on the record *before*, or on a new one, of that booking."""
    change_id = change_id or secrets.token_hex(8)
    venue = venue or _usual_venue(of.restaurant_id)
    record = before or AssignmentRecord(booking_id=of.id, restaurant_id=of.restaurant_id)
    states = (record.state, *walk(record.state, triggers))
    allocation = record.allocation
    if tables:
        turn = venue.turn(of)
        allocation = Allocation(tables=tables, turn=turn, blocked=venue.blocked(turn))
    if states[-1] not in WITH_TABLES and fields.get("owner", record.owner) is Owner.PIPELINE:
        allocation = None
    if allocation is not None:
        allocation = attrs.evolve(allocation, conflicted=conflicted)
    after = attrs.evolve(
        record,
        **{
            "booking": attrs.evolve(of, attributes={}),
            "restaurant_id": of.restaurant_id,
            "state": states[-1],
            "version": record.version + len(triggers),
            "allocation": allocation,
            "attempts": record.attempts + (attempt is not None),
            **fields,
        },
    )
    steps = [
        StateChange(
            version=record.version + number,
            from_state=states[number - 1],
            to_state=states[number],
            trigger=trigger,
            reason=after.reason,
            actor=actor,
            created_at=now,
            **facts_of_tables(after.allocation if states[number] in WITH_TABLES else None),
        )
        for number, trigger in enumerate(triggers, 1)
    ]
    told = Event(
        id=f"e-{change_id}",
        created_at=now,
        source=Source.COORDINATOR,
        type=EventType.CONFIRMED if after.state is AssignmentState.CONFIRMED else EventType.NOOP,
        restaurant_id=of.restaurant_id,
        booking_id=of.id,
        context={"attempts": after.attempts},
    )
    planned = None
    if attempt is not None:
        metadata = {"waste": 0.5, "rules": "Zoë's"}
        planned = Attempt(number=after.attempts, result=attempt, strategy="x", metadata=metadata, created_at=now)
    return AssignmentChange(
        id=change_id,
        record=after,
        expected_version=before.version if before else None,
        steps=steps,
        attempt=planned,
        events=(told,),
        preconditions=preconditions,
        request=request,
    )
