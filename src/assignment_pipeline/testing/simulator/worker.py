"""A worker: flows within flows, one effect answered at a time. The third driver, which may stop at any of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.shadow import ShadowCase
from assignment_pipeline.driving import resume
from assignment_pipeline.errors import FlagsUnreadError, LockManagerUnavailableError
from assignment_pipeline.flow.effects import (
    Apart,
    ClaimDue,
    Commit,
    Effect,
    Flow,
    Hold,
    LookUpChange,
    Port,
    PutBack,
    ReadRecords,
    ResolveFlags,
    RunLegacy,
)
from assignment_pipeline.flow.legacy.handover import is_in_flight
from assignment_pipeline.flow.legacy.outcome import is_handed_over
from assignment_pipeline.handlers import Process, Wiring
from assignment_pipeline.ports import AssignmentContext, Leases, RecordPage
from assignment_pipeline.testing.simulator.faults import SHARED, Blow, DiedError, Fault
from assignment_pipeline.testing.simulator.ledger import Standing
from assignment_pipeline.testing.simulator.rollout import WorkerClock
from assignment_pipeline.testing.simulator.world import World

JITTERS = 16


class SimulatedProcess(Process):
    """A worker's process: its chance and its ids are the simulator's."""

    def __init__(self, world: World, clock: WorkerClock) -> None:
        super().__init__(clock, (world.sink,), world.store_sink, lambda: world.choices.pick(JITTERS) / JITTERS)
        self.new_id: Callable[[], str] = world.new_id
        self._world = world

    def has_reverse_shadow(self) -> bool:
        """There is one: what legacy would have done is asked in a job of its own."""
        return True

    def offer_case(self, case: ShadowCase) -> None:
        """Keep the case for that job."""
        self._world.offered.append(case)


@attrs.define(eq=False)
class Frame:
    """
    A flow that is under way.

    Attributes:
        flow: The flow.

        effect: What it waits for.

        held: The locks that it holds, with their manager.

        unlocked: Whether it was told that there is no lock manager.

        mode: What the flags told it last.

        unread: Whether it was told last that those of a restaurant were not read yet, by restaurant.

        seen: The records that it has read or written last, by booking.

        sent: Those that it has sent with its last commit.
    """

    flow: Flow[Any]
    effect: Effect[Any] | None = None
    held: list[tuple[Any, Leases]] = attrs.Factory(list)
    unlocked: bool = False
    mode: Mode | None = None
    unread: dict[str, bool] = attrs.Factory(dict)
    seen: dict[str, AssignmentRecord] = attrs.Factory(dict)
    sent: dict[str, AssignmentRecord] = attrs.Factory(dict)

    def look(self, effect: Effect[Any], answer: Any) -> None:
        """Take note of the records that an effect has shown or written."""
        if isinstance(answer, RecordPage):
            self.seen.update((record.booking_id, record) for record in answer.records)
        elif isinstance(answer, AssignmentContext):
            self.seen.update(answer.records)
        elif isinstance(effect, Commit) or (isinstance(effect, LookUpChange) and answer):
            self.seen |= self.sent

    def hear(self, effect: Effect[Any], answer: Any, error: Exception | None = None) -> None:
        """Take note of what the flags have said."""
        if isinstance(effect, ResolveFlags):
            self.unread[effect.restaurant_id] = isinstance(error, FlagsUnreadError)
            self.mode = self.mode if error else answer.mode

    def forget(self, effect: Effect[Any]) -> None:
        """Take note that it could not be shown them."""
        if isinstance(effect, ReadRecords):
            for booking_id in effect.query.booking_ids:
                self.seen.pop(booking_id, None)


class Worker:
    """
    One of the fleet.

    Attributes:
        name: What the trace calls it.

        job: What it is about, or None.

        alive: Whether it has not died.

        wakes_at: Until when it does nothing.
    """

    def __init__(
        self, world: World, name: str, offset: dt.timedelta, strike: Callable[[Effect[Any]], Fault | None]
    ) -> None:
        self.name = name
        self.job = ""
        self.alive = True
        self.wakes_at = world.clock.now()
        self._world = world
        self._strike = strike
        self._frames: list[Frame] = []
        self._claims: dict[str, int] | None = None
        self._done: Callable[[Any, Exception | None], None] = lambda _answer, _error: None
        process = SimulatedProcess(world, WorkerClock(world.clock, offset))
        self._wiring = Wiring(process, {**world.ports, Port.PROCESS: process})

    @property
    def busy(self) -> bool:
        """Whether a flow is under way."""
        return bool(self._frames)

    @property
    def asks(self) -> Effect[Any] | None:
        """What it waits for the answer to."""
        return self._frames[-1].effect if self._frames else None

    @property
    def standing(self) -> Standing:
        """What it may go by when it commits."""
        leases = (lease for frame in self._frames for _, held in frame.held for lease in held.leases)
        return Standing(
            locks=frozenset(lease.key for lease in leases),
            unlocked=any(frame.unlocked for frame in self._frames),
            claims=self._claims,
        )

    def begin(self, job: str, flow: Flow[Any], done: Callable[[Any, Exception | None], None]) -> None:
        """Take up a flow; *done* is told what comes of it."""
        self.job, self._done, self._claims = job, done, None
        self._frames = []
        self._enter(flow)
        self._run_on()

    def step(self) -> None:
        """Answer the effect that the flow waits for, and those after it that nobody else could notice."""
        effect = self._frames[-1].effect
        assert effect is not None
        fault = self._strike(effect)
        blow = Blow(self._world, self, effect, self._asking(effect))
        try:
            self._answer(effect, (lambda: fault.does(blow)) if fault else blow.ask, fault.name if fault else "")
        except DiedError:
            self._world.say(self, effect, f"{fault.name}: the worker is gone" if fault else "gone")
            self.bury()
        else:
            self._run_on()

    def bury(self) -> None:
        """End without a word: what is held stays held until it expires."""
        self.alive = False
        self.lose_claims()
        while self._frames:
            self._frames.pop().flow.close()

    def lose_claims(self, claims: Iterable[str] | None = None) -> None:
        """Note that nobody may put back the claims that it has: it is gone, or sleeps for longer than they last."""
        self._world.ledger.lost_claims.update(self._claims or () if claims is None else claims)

    def _run_on(self) -> None:
        while self._frames:
            effect = self._frames[-1].effect
            if isinstance(effect, SHARED):
                return
            assert effect is not None
            self._world.steps += 1
            self._answer(effect, self._asking(effect))

    def _asking(self, effect: Effect[Any]) -> Callable[[], Any]:
        return lambda: effect.ask(self._wiring.ports[effect.port])

    def _answer(self, effect: Effect[Any], ask: Callable[[], Any], fault: str = "") -> None:
        """What both drivers of the library do for one effect."""
        frame = self._frames[-1]
        if isinstance(effect, Apart):
            self._enter(effect.flow)
            return
        if isinstance(effect, RunLegacy):
            self._watch(effect)
        if isinstance(effect, Commit):
            frame.sent = {change.record.booking_id: change.record for change in effect.changes}
        try:
            answer = ask()
        except Exception as error:  # noqa: BLE001 - it is the flow's to deal with
            self._wiring.failed(effect, error)
            frame.forget(effect)
            if isinstance(effect, PutBack):
                self.lose_claims(due.booking_id for due in effect.claims)
            elif isinstance(effect, ClaimDue):
                self.lose_claims(due.booking_id for due in self._world.store.handed_out)
            frame.unlocked |= effect.port is Port.LOCKS and isinstance(error, LockManagerUnavailableError)
            frame.hear(effect, None, error)
            self._world.say(self, effect, type(error).__name__, fault)
            self._advance(frame, None, error)
            return
        if isinstance(answer, Leases) and isinstance(effect, Hold):
            frame.held.append((self._wiring.ports[effect.port], answer))
        frame.hear(effect, answer)
        if isinstance(effect, ClaimDue):
            self._claims = (self._claims or {}) | {due.booking_id: due.deliveries for due in answer}
        self._wiring.answered(effect, answer)
        frame.look(effect, answer)
        self._world.say(self, effect, answer, fault)
        self._advance(frame, answer, None)

    def _watch(self, effect: RunLegacy) -> None:
        """Whether legacy may run, by what the flows that are under way were told: who could not ask lets it run."""
        booking_id, restaurant_id = effect.booking.id, effect.booking.restaurant_id
        told = [frame.unread[restaurant_id] for frame in reversed(self._frames) if restaurant_id in frame.unread]
        if any(told[:1]):
            self._world.offend("legacy ran", f"for {booking_id}, although the flags were not read yet")
        modes = [frame.mode for frame in reversed(self._frames) if frame.mode is not None]
        if modes[:1] == [Mode.ACTIVE]:
            self._world.offend("legacy ran", f"for {booking_id}, where the pipeline is in charge")
        seen = next((frame.seen[booking_id] for frame in reversed(self._frames) if booking_id in frame.seen), None)
        if seen is not None and is_in_flight(seen):
            self._world.offend("legacy ran before it was written", f"{booking_id} is {seen.state}, and the pipeline's")
        if seen is not None and is_handed_over(seen):
            self._world.ran_legacy(booking_id, seen.version)

    def _enter(self, flow: Flow[Any]) -> None:
        frame = Frame(flow)
        self._frames.append(frame)
        self._advance(frame, None, None)

    def _advance(self, frame: Frame, answer: Any, error: Exception | None) -> None:
        """Give a flow its answer; what it ends with goes to the flow that drives it."""
        while True:
            try:
                frame.effect = resume(frame.flow, answer, error)
            except StopIteration as stop:
                answer, error = stop.value, None
            except Exception as raised:  # noqa: BLE001 - the flow around it sees to it, or the simulator
                answer, error = None, raised
            else:
                return
            self._frames.pop()
            self._release(frame)
            if not self._frames:
                self._done(answer, error)
                return
            frame = self._frames[-1]

    def _release(self, frame: Frame) -> None:
        while frame.held:
            port, leases = frame.held.pop()
            if not self._world.strikes("release-fails"):
                port.release(leases)
