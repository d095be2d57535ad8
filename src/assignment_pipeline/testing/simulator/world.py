"""What everything in a run can see of it, and may do: the store, the host, the ledger, and the source of choices."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.shadow import ShadowCase
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.flow.effects import Effect, Port
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.sweeping.unassigned import SweepMemory
from assignment_pipeline.ports import Due, EventSink
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.simulator import invariants, words
from assignment_pipeline.testing.simulator.choices import Choices
from assignment_pipeline.testing.simulator.ledger import Ledger, Standing
from assignment_pipeline.testing.simulator.rollout import Rollout, WatchedLocks
from assignment_pipeline.testing.simulator.scenario import OPEN, Scenario
from assignment_pipeline.testing.store_harness import StoreHarness

MakeHarness = Callable[[FakeClock], StoreHarness]
"""What makes a new, empty store that goes by a clock, with its harness."""


class OpenTransactions(Protocol):
    """
    What a run sees of the host's staff.

    Attributes:
        looked: The table that is about to be given away, by restaurant.
    """

    looked: dict[str, Occupied]

    def begin(self, restaurant_id: str, seat: Occupied) -> str:
        """Take the guard, and look whether the table is free."""
        ...

    def keep_out_changes(self, changes: tuple[AssignmentChange, ...]) -> bool:
        """Whether a commit has to wait for them."""
        ...


class LateStore(Protocol):
    """
    What a run sees of the store, beside the port: commits may land late.

    Attributes:
        handed_out: What the sweep was given last.
    """

    handed_out: tuple[Due, ...]

    def booking(self, booking_id: str) -> Booking | None:
        """A booking as the host has it."""
        ...

    def record(self, booking_id: str) -> AssignmentRecord | None:
        """A booking's record."""
        ...

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        """Have a commit land now."""
        ...

    def send(self, changes: Sequence[AssignmentChange]) -> None:
        """Have a commit be on its way."""
        ...


class FleetMember(Protocol):
    """
    What a run sees of a worker.

    Attributes:
        name: What the trace calls it.

        job: What it is about.

        wakes_at: Until when it does nothing.
    """

    name: str
    job: str
    wakes_at: dt.datetime

    def lose_claims(self, claims: Iterable[str] | None = None) -> None:
        """Note that nobody may put back the claims that it has."""
        ...


class World(ABC):
    """
    A store, a host, and a source of choices. Made by `simulate`, which adds the fleet.

    Attributes:
        choices: Where all chance comes from.

        clock: The time of the run.

        harness: The store under test, with what the host does to it.

        ledger: What must be true, by what has been seen.

        store: The store as the workers reach it.

        staff: The host's staff, who give tables away beside the pipeline.

        sink: A sink as the workers reach it.

        store_sink: The store as a sink, as the workers reach it.

        ports: What answers an effect, by its port.

        rollout: Which mode each restaurant is in.

        locks: The lock manager.

        down_until: Until when the store answers nobody.

        steps: How many effects were answered.

        touched: Whether something may not be as it was when the invariants were last checked.

        struck: How often each fault did.

        trace: What happened, in plain words, if it is wanted.

        sweeps: What the sweeps know of each other, as those of one process do.

        page: How many bookings a sweep takes up at most, in the end.

        lists: Whether the host names the restaurants that wait.

        offered: What was handed to the shadow of the pipeline's answers.

        aside: What the rows of bookings said that say something else for a while.
    """

    store: LateStore
    staff: OpenTransactions
    sink: EventSink
    store_sink: object
    ports: dict[Port, Any]
    rollout: Rollout
    locks: WatchedLocks

    def __init__(
        self,
        choices: Choices,
        scenario: Scenario,
        chances: Mapping[str, int],
        make_harness: MakeHarness,
        *,
        traced: bool,
    ) -> None:
        self.choices = choices
        self.clock = FakeClock()
        self.down_until = self.clock.now()
        self.steps = 0
        self.touched = True
        self.struck: Counter[str] = Counter()
        self.trace: list[str] | None = [] if traced else None
        self.harness = make_harness(self.clock)
        self.settings: Settings = scenario.settings
        self.has_legacy: bool = scenario.legacy
        self.bookings = {booking.id: booking for booking in scenario.bookings}
        self.walk_ins = scenario.walk_ins
        self.page, self.lists = scenario.page, scenario.lists
        self.aside: dict[str, dict[str, Any]] = {}
        self.offered: deque[ShadowCase] = deque()
        self.sweeps = SweepMemory()
        self.ledger = Ledger(self.harness, scenario.settings, self.clock)
        self.ledger.blind = scenario.blind
        self._chances = dict(chances)
        self._ids = 0

    @property
    @abstractmethod
    def standing(self) -> Standing | None:
        """What the worker whose turn it is may go by; None between turns."""

    def new_id(self) -> str:
        """An id, the next one."""
        self._ids += 1
        return f"c{self._ids}"

    @abstractmethod
    def send(self, name: str, booking_id: str) -> None:
        """Have a message wait for a worker: that there is a job to do."""

    @abstractmethod
    def lose_claims(self) -> None:
        """Note that whatever the workers have claimed, others may claim: all have stood still for so long."""

    # -- The host -------------------------------------------------------------------------------------------------

    def any_booking(self) -> Booking:
        """One of the bookings, as it stands."""
        return self.booking(self.choices.of(tuple(self.bookings)))

    def booking(self, booking_id: str) -> Booking:
        """A booking as the host has it, or else as it was passed."""
        return self.ledger.booking(booking_id) or self.bookings[booking_id]

    def put_booking(self, booking: Booking) -> None:
        """Have a booking be so."""
        self.bookings[booking.id] = booking
        if booking.id not in self.walk_ins:
            self.harness.put_booking(booking)

    def _note(self, booking: Booking, owner: Owner) -> None:
        """Have somebody answer for a booking, due now: what is legacy's is not to be planned for all the same."""
        record = AssignmentRecord(
            booking_id=booking.id,
            restaurant_id=booking.restaurant_id,
            owner=owner,
            booking=booking,
            next_attempt_at=self.clock.now(),
        )
        self.store.commit((AssignmentChange(id=f"first-{booking.id}", record=record, expected_version=None),))

    def set_aside(self, booking: Booking, **facts: Any) -> None:
        """Have the host's row say something else, for a while."""
        self.aside[booking.id] = {name: getattr(booking, name) for name in facts}
        self.put_booking(attrs.evolve(booking, **facts))

    def bring_back(self, booking_id: str) -> None:
        """Have it say what it said before, unless it has come to an end meanwhile."""
        facts, booking = self.aside.pop(booking_id), self.booking(booking_id)
        if "status" not in facts or booking.status == OPEN:
            self.put_booking(attrs.evolve(booking, **facts))

    def spoil(self, booking_id: str) -> None:
        """Have a row make no sense."""
        self.ledger.spoiled |= {booking_id}
        self.harness.spoil(booking_id)

    def mend(self, booking_id: str) -> None:
        """Have it make sense again."""
        self.ledger.spoiled -= {booking_id}
        self.harness.mend(booking_id)

    def venue_of(self, booking: Booking) -> Venue:
        """A booking's restaurant."""
        return self.ledger.venues[booking.restaurant_id]

    def put_venue(self, venue: Venue) -> None:
        """Have a restaurant be so."""
        self.ledger.venues[venue.id] = venue
        self.harness.put_venue(venue)

    def is_free(self, restaurant_id: str, seat: Occupied) -> bool:
        """Whether nobody at all has that table at that time."""
        self.ledger.look()
        rows = self.ledger.taken(restaurant_id)
        return not any(row.table_id == seat.table_id and row.window.overlaps(seat.window) for row in rows)

    def take(self, restaurant_id: str, seat: Occupied) -> None:
        """Have the host seat somebody."""
        self.harness.occupy(restaurant_id, seat)
        self.ledger.rows[restaurant_id].append(seat)

    def give_back(self, restaurant_id: str, seat: Occupied) -> None:
        """Have the host take its row back."""
        self.harness.vacate(restaurant_id, seat)
        self.ledger.rows[restaurant_id].remove(seat)

    def block(self, restaurant_id: str, seat: Occupied) -> None:
        """Have a table be blocked."""
        number = 1 + len(self.ledger.blocks)
        block = TableBlock(
            id=f"block-{restaurant_id}-{number}",
            restaurant_id=restaurant_id,
            table_id=seat.table_id,
            window=seat.window,
        )
        self.harness.store.block([block], ())

    def move_rollout(self, restaurant_id: str, mode: Mode) -> None:
        """Have the rollout move on, in the store and for whoever asks."""
        self.harness.bump_generation()
        self.rollout.move(restaurant_id, mode)
        self._know_rollout()

    def _know_rollout(self) -> None:
        self.ledger.generation, self.ledger.modes = self.rollout.generation, self.rollout.modes

    # -- Faults ---------------------------------------------------------------------------------------------------

    def strikes(self, name: str) -> bool:
        """Whether a fault strikes that has to do with no effect."""
        if name not in self._chances or not self.choices.weigh((self._chances[name],)):
            return False
        self.struck[name] += 1
        return True

    def has(self, fault: str) -> bool:
        """Whether a fault may strike at all."""
        return fault in self._chances

    # -- Looking on -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """
        Check every invariant.

        Raises:
            BrokenError: One does not hold.
        """
        if not self.touched:
            return
        ledger = self.ledger
        ledger.look()
        invariants.check(ledger)
        ledger.settle()
        self.touched = False

    def offend(self, what: str, detail: str) -> None:
        """Take note of something that must not be."""
        self.ledger.offences.append((what, detail))
        self.touched = True

    def ran_legacy(self, booking_id: str, version: int) -> None:
        """Take note that legacy is called for what it was handed."""
        if (booking_id, version) in self.ledger.legacy_ran:
            self.offend("legacy ran twice", f"for {booking_id}, handed over once")
        self.ledger.legacy_ran.add((booking_id, version))

    def say(self, worker: FleetMember, effect: Effect[Any], answer: Any, fault: str = "") -> None:
        """Write a worker's step into the trace."""
        if self.trace is not None and words.is_telling(effect):
            struck = f" [{fault}]" if fault else ""
            self.note(worker.name, f"{worker.job}: {words.effect(effect)}{struck}{words.answer(answer)}")

    def note(self, who: str, what: str) -> None:
        """Write a line into the trace."""
        if self.trace is not None:
            self.trace.append(f"{self.clock.now():%H:%M:%S.%f}"[:-3] + f"  {who}: {what}")
