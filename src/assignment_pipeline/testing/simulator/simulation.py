"""Everything that a run is made of, and the only place in which it comes together."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Mode, Outcome
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.flow.effects import Effect, Port
from assignment_pipeline.flow.orphans import SweepMemory
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.sweep import SweepReport
from assignment_pipeline.planning.base import Strategy
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.ports import EventSink, LoadQuery
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.contracts.harness import StoreHarness
from assignment_pipeline.testing.simulator import happenings, invariants, jobs, legacy, words
from assignment_pipeline.testing.simulator.choices import Choices
from assignment_pipeline.testing.simulator.faults import OUTAGE, Fault
from assignment_pipeline.testing.simulator.ledger import Ledger, Standing, steps_told
from assignment_pipeline.testing.simulator.reach import InFlightStore, Sink
from assignment_pipeline.testing.simulator.rollout import Rollout, WatchedLocks
from assignment_pipeline.testing.simulator.scenario import draw_scenario
from assignment_pipeline.testing.simulator.staff import Staff
from assignment_pipeline.testing.simulator.worker import Worker

MakeHarness = Callable[[FakeClock], StoreHarness]
"""What makes a new, empty store that goes by a clock, with its harness."""

TICK = dt.timedelta(milliseconds=10)
OFF = dt.timedelta(minutes=7)


class World:
    """
    A fleet of workers, a store, a host, and a source of choices.

    Attributes:
        down_until: Until when the store answers nobody.

        steps: How many effects were answered.

        touched: Whether something may not be as it was when the invariants were last checked.

        struck: How often each fault did.

        done: How often each job was begun, and each happening came about.

        outcomes: How calls came out.

        trace: What happened, in plain words, if it is wanted.

        sweeps: What the sweeps know of each other, as those of one process do.
    """

    def __init__(
        self,
        choices: Choices,
        faults: tuple[Fault, ...],
        make_harness: MakeHarness,
        strategies: Sequence[Strategy],
        *,
        traced: bool,
    ) -> None:
        self.choices = choices
        self.clock = FakeClock()
        self.down_until = self.clock.now()
        self.steps = 0
        self.touched = True
        self.struck: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.trace: list[str] | None = [] if traced else None
        self._ids = 0
        self._acting: Worker | None = None
        self._named = {fault.name: fault for fault in faults}
        self._faults = faults
        self._striking: dict[type[Effect[Any]], tuple[Fault, ...]] = {}
        self.harness = make_harness(self.clock)
        scenario = draw_scenario(choices)
        self.settings: Settings = scenario.settings
        self.has_legacy: bool = scenario.legacy
        self.left = scenario.length
        self.messages: list[tuple[jobs.Job, str]] = []
        self.bookings = {booking.id: booking for booking in scenario.bookings}
        self.walk_ins = scenario.walk_ins
        self.sweeps = SweepMemory()
        self.ledger = Ledger(self.harness, scenario.settings, self.clock)
        self.ledger.blind = scenario.blind
        self.store = InFlightStore(self)
        self.staff = Staff(self)
        self.sink = Sink(self, lambda events: self.ledger.told.extend(steps_told(events)))
        own = self.harness.store
        self.store_sink = Sink(self, own.emit) if isinstance(own, EventSink) else object()
        for venue in scenario.venues:
            self.put_venue(venue)
        for booking in scenario.bookings:
            self.put_booking(booking)
        for booking_id in sorted(scenario.legacys):
            self._note(self.bookings[booking_id], Owner.LEGACY)
        for booking_id in sorted(scenario.enqueued):
            self._note(self.bookings[booking_id], Owner.PIPELINE)
        first = self.harness.store.load(LoadQuery(restaurant_id="R1", bookings=scenario.bookings[:1]))
        generation = first.generation if first else 0
        self.rollout: Rollout = Rollout(
            tuple(self.ledger.venues), generation, scenario.max_parallel, blind=scenario.blind
        )
        self._know_rollout()
        self.locks: WatchedLocks = WatchedLocks(self.clock, self.offend)
        self.engine = TableEngine(strategies, self.clock.monotonic)
        self.ports: dict[Port, Any] = {
            Port.STORE: self.store,
            Port.LOCKS: self.locks,
            Port.LIMITER: self.locks,
            Port.LEGACY: lambda booking: legacy.plan(self, booking),
            Port.ENGINE: self.engine,
            Port.FLAGS: self.rollout,
        }
        self.workers = [self._worker(number) for number in range(1, 1 + scenario.workers)]
        if self.trace is not None:
            self.trace += words.scenario(scenario)

    # -- The fleet ------------------------------------------------------------------------------------------------

    def _worker(self, number: int) -> Worker:
        offset = self.choices.of((OFF, -OFF)) if self.strikes("clock-off") else dt.timedelta()
        return Worker(self, f"worker {number}", offset)

    def renew(self) -> None:
        """Have new workers take over from all."""
        self.workers = [self._worker(number) for number in range(1, 1 + len(self.workers))]

    def new_id(self) -> str:
        """An id, the next one."""
        self._ids += 1
        return f"c{self._ids}"

    @property
    def standing(self) -> Standing | None:
        """What the worker whose turn it is may go by."""
        return self._acting.standing if self._acting else None

    def step(self, worker: Worker) -> None:
        """Have a worker go on by one step."""
        self._acting = worker
        self.steps += 1
        self.clock.advance(TICK)
        worker.step()
        if not worker.alive:
            self._replace(worker)
        self._acting = None
        self.look()

    def _replace(self, worker: Worker) -> None:
        position = self.workers.index(worker)
        self.workers[position] = self._worker(position + 1)

    def begin(self, worker: Worker, job: jobs.Job, booking_id: str) -> None:
        """Give a worker something to do."""
        booking = self.booking(booking_id)
        self.done[job.name] += 1
        self._acting = worker
        self.note(worker.name, f"{job.name} {booking_id}: begins")

        def done(answer: Any, error: Exception | None) -> None:
            self._finished(worker, job, booking_id, answer, error)

        worker.begin(f"{job.name} {booking_id}", job.begin(self, booking), done)
        self._acting = None
        self.look()

    def _finished(self, worker: Worker, job: jobs.Job, booking_id: str, answer: Any, error: Exception | None) -> None:
        name = f"{job.name} {booking_id}"
        if error is not None:
            self.outcomes[type(error).__name__] += 1
            self.note(worker.name, f"{name}: raises {error!r}")
            if not isinstance(error, job.raises):
                self.offend("a call raised what it must not", f"{name}: {error!r}")
            return
        results = answer.results if isinstance(answer, SweepReport) else answer
        results = results if isinstance(results, tuple) else (results,)
        for found in results:
            result = found
            if isinstance(found, AssignmentRecord):
                result = AssignmentResult(booking_id=found.booking_id, outcome=Outcome.NOOP, record=found)
            if isinstance(result, AssignmentResult):
                said = f"{result.outcome} ({result.reason})" if result.reason else str(result.outcome)
                self.outcomes[said] += 1
                self.note(worker.name, f"{name}: answers {said} {' '.join(result.tables)}".rstrip())
                self.ledger.answers.append((name, result))
                self.touched = True
                if result.outcome is Outcome.CANCELLED:
                    self.ledger.cancelled.add(result.booking_id)

    def can(self, happening: happenings.Happening) -> bool:
        """Whether it can come about with this harness."""
        return happening.needs is None or self.harness.can(happening.needs)

    def happen(self, happening: happenings.Happening) -> None:
        """Have something come about."""
        self.done[happening.name] += 1
        if happening.fault:
            self.struck[happening.fault] += 1
        self.note(happening.name, happening.come_about(self))
        self.touched = True
        self.look()

    def send(self, name: str, booking_id: str) -> None:
        """Have a message wait for a worker: that there is a job to do."""
        if self.strikes("message-never"):
            return
        job = jobs.BY_NAME[name]
        self.messages += [(job, booking_id)] * (2 if self.strikes("message-twice") else 1)

    # -- The host -------------------------------------------------------------------------------------------------

    def any_booking(self) -> Booking:
        """One of the bookings, as it stands."""
        return self.booking(self.choices.of(tuple(self.bookings)))

    def booking(self, booking_id: str) -> Booking:
        """A booking as the host has it, or else as it was passed."""
        return self.harness.store.booking(booking_id) or self.bookings[booking_id]

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
        self.harness.store.block(block, ())

    def move_rollout(self, restaurant_id: str, mode: Mode) -> None:
        """Have the rollout move on, in the store and for whoever asks."""
        self.harness.bump_generation()
        self.rollout.move(restaurant_id, mode)
        self._know_rollout()

    def _know_rollout(self) -> None:
        self.ledger.generation, self.ledger.modes = self.rollout.generation, self.rollout.modes

    # -- Faults ---------------------------------------------------------------------------------------------------

    def strike(self, effect: Effect[Any]) -> Fault | None:
        """The fault that strikes an effect, if one does."""
        if effect.port is Port.STORE and self.clock.now() < self.down_until:
            return OUTAGE
        kind = type(effect)
        striking = self._striking.get(kind)
        if striking is None:
            striking = self._striking[kind] = tuple(fault for fault in self._faults if kind in fault.effects)
        able = [fault for fault in striking if fault.fits(self, effect)]
        number = self.choices.weigh([fault.chance for fault in able])
        if not number:
            return None
        fault = able[number - 1]
        self.struck[fault.name] += 1
        return fault

    def strikes(self, name: str) -> bool:
        """Whether a fault strikes that has to do with no effect."""
        fault = self._named.get(name)
        if fault is None or not self.choices.weigh((fault.chance,)):
            return False
        self.struck[name] += 1
        return True

    def stop_faults(self) -> None:
        """From now on, all goes well."""
        self._faults = ()
        self.down_until = self.clock.now()
        self._named.clear()
        self._striking.clear()

    def has(self, fault: str) -> bool:
        """Whether a fault may strike at all."""
        return fault in self._named

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

    def say(self, worker: Worker, effect: Effect[Any], answer: Any, fault: str = "") -> None:
        """Write a worker's step into the trace."""
        if self.trace is not None and words.is_telling(effect):
            struck = f" [{fault}]" if fault else ""
            self.note(worker.name, f"{worker.job}: {words.effect(effect)}{struck}{words.answer(answer)}")

    def note(self, who: str, what: str) -> None:
        """Write a line into the trace."""
        if self.trace is not None:
            self.trace.append(f"{self.clock.now():%H:%M:%S.%f}"[:-3] + f"  {who}: {what}")
