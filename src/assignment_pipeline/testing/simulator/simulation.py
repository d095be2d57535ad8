"""Everything that a run is made of, and the only place in which it comes together."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Mode, Outcome
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.flow.effects import Effect, Port
from assignment_pipeline.flow.sweeping.sweep import SweepReport
from assignment_pipeline.planning import exact
from assignment_pipeline.planning.base import Strategy
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.ports import EventSink, LoadQuery
from assignment_pipeline.testing.simulator import happenings, jobs, legacy, words
from assignment_pipeline.testing.simulator.choices import Choices
from assignment_pipeline.testing.simulator.faults import OUTAGE, Fault
from assignment_pipeline.testing.simulator.ledger import Standing, steps_told
from assignment_pipeline.testing.simulator.reach import InFlightStore, Sink
from assignment_pipeline.testing.simulator.rollout import Rollout, WatchedLocks
from assignment_pipeline.testing.simulator.scenario import ELSEWHERE, draw_scenario
from assignment_pipeline.testing.simulator.staff import Staff
from assignment_pipeline.testing.simulator.worker import Worker
from assignment_pipeline.testing.simulator.world import MakeHarness, World

TICK = dt.timedelta(milliseconds=10)
OFF = dt.timedelta(minutes=7)


class Simulation(World):
    """
    A world with a fleet of workers.

    Attributes:
        done: How often each job was begun, and each happening came about.

        outcomes: How calls came out.

        left: How much is still to come about.

        messages: Jobs that wait for a worker, each with its booking.
    """

    store: InFlightStore
    staff: Staff

    def __init__(
        self,
        choices: Choices,
        faults: tuple[Fault, ...],
        make_harness: MakeHarness,
        strategies: Sequence[Strategy],
        *,
        traced: bool,
    ) -> None:
        scenario = draw_scenario(choices)
        chances = {fault.name: fault.chance for fault in faults}
        super().__init__(choices, scenario, chances, make_harness, traced=traced)
        self.done: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.left = scenario.length
        self.messages: list[tuple[jobs.Job, str]] = []
        self._acting: Worker | None = None
        self._faults = faults
        self._striking: dict[type[Effect[Any]], tuple[Fault, ...]] = {}
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
        self.rollout = Rollout(tuple(self.ledger.venues), generation, scenario.max_parallel, blind=scenario.blind)
        if scenario.backlog:
            self._wait_elsewhere(scenario.backlog)
        self._know_rollout()
        self.locks = WatchedLocks(self.clock, self.offend)
        exact.load()  # Not by a thread: whether it is there decides what a call answers.
        self.engine = TableEngine(strategies, self.clock.monotonic)
        self.ports = {
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

    def _wait_elsewhere(self, backlog: Sequence[Booking]) -> None:
        """Have bookings wait where the pipeline is never in charge."""
        some = next(iter(self.ledger.venues.values()))
        self.harness.put_venue(Venue(ELSEWHERE, some.timezone, some.floor, some.policy))
        self.rollout.modes[ELSEWHERE] = Mode.OFF
        for booking in backlog:
            self.harness.put_booking(booking)

    # -- The fleet ------------------------------------------------------------------------------------------------

    def _worker(self, number: int) -> Worker:
        offset = self.choices.of((OFF, -OFF)) if self.strikes("clock-off") else dt.timedelta()
        return Worker(self, f"worker {number}", offset, self.strike)

    def renew(self) -> None:
        """Have new workers take over from all."""
        self.workers = [self._worker(number) for number in range(1, 1 + len(self.workers))]

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

    def lose_claims(self) -> None:
        """See `World.lose_claims`."""
        for worker in self.workers:
            worker.lose_claims()

    def send(self, name: str, booking_id: str) -> None:
        """Have a message wait for a worker: that there is a job to do."""
        if self.strikes("message-never"):
            return
        job = jobs.BY_NAME[name]
        self.messages += [(job, booking_id)] * (2 if self.strikes("message-twice") else 1)

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

    def stop_faults(self) -> None:
        """From now on, all goes well."""
        self._faults = ()
        self.down_until = self.clock.now()
        self._chances.clear()
        self._striking.clear()
