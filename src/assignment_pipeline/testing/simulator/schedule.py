"""Who gets the next turn: a worker, the host, or a commit that is late."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from assignment_pipeline.testing.simulator.choices import CERTAIN
from assignment_pipeline.testing.simulator.happenings import HAPPENINGS, Happening
from assignment_pipeline.testing.simulator.jobs import JOBS, Job
from assignment_pipeline.testing.simulator.simulation import Simulation
from assignment_pipeline.testing.simulator.worker import Worker

Turn = Callable[[], None]


class Schedule:
    """
    Gives turns, as the world's choices have it.

    The plainest is that the worker which had the last turn goes on; then that others do, that a message is taken up,
    that something new comes about, and that a commit lands which was late.
    """

    def __init__(self, world: Simulation) -> None:
        able = [kind for kind in HAPPENINGS if world.can(kind)]
        self._world = world
        self._kinds: list[Job | Happening] = [
            *JOBS,
            *(kind for kind in able if not kind.fault or world.has(kind.fault)),
        ]
        total = sum(kind.weight for kind in self._kinds)
        self._chances = [kind.weight * CERTAIN // total for kind in self._kinds[1:]]
        self._last: Worker | None = None

    def run(self, most_steps: int) -> None:
        """
        Give turns until nothing is left to do, or so many steps were made.

        Raises:
            BrokenError: An invariant does not hold.
        """
        world = self._world
        while world.steps < most_steps:
            turns = self._turns()
            if turns:
                world.choices.of(turns)()
            elif not self._sleep():
                return

    def _turns(self) -> list[Turn]:
        world, now = self._world, self._world.clock.now()
        busy = [worker for worker in world.workers if worker.busy and worker.wakes_at <= now]
        busy = [worker for worker in busy if not world.staff.keep_out(worker.asks)]
        busy.sort(key=lambda worker: worker is not self._last)
        turns: list[Turn] = [partial(self._step, worker) for worker in busy]
        if world.messages and self._idle:
            turns.append(self._take_message)
        if world.left:
            turns.append(self._begin_something)
        turns += [partial(self._staff_write, restaurant_id) for restaurant_id in world.staff.looked]
        late = enumerate(world.store.in_flight)
        able = [place for place, changes in late if not world.staff.keep_out_changes(changes)]
        return turns + [partial(self._land, place) for place in able] if turns else turns

    @property
    def _idle(self) -> list[Worker]:
        now = self._world.clock.now()
        return [worker for worker in self._world.workers if not worker.busy and worker.wakes_at <= now]

    def _sleep(self) -> bool:
        """Let time pass until somebody wakes; whether there is anybody."""
        world = self._world
        sleeping = [worker for worker in world.workers if worker.busy or world.messages]
        if sleeping:
            world.clock.advance(min(worker.wakes_at for worker in sleeping) - world.clock.now())
        return bool(sleeping)

    def _step(self, worker: Worker) -> None:
        self._last = worker
        self._world.step(worker)

    def _take_message(self) -> None:
        job, booking_id = self._world.messages.pop(0)
        self._begin(self._world.choices.of(self._idle), job, booking_id)

    def _begin(self, worker: Worker, job: Job, booking_id: str) -> None:
        self._last = worker
        self._world.begin(worker, job, booking_id)

    def _begin_something(self) -> None:
        world = self._world
        world.left -= 1
        kind = self._kinds[world.choices.weigh(self._chances)]
        if isinstance(kind, Happening):
            world.happen(kind)
            return
        job, booking_id = self._about(kind)
        idle = self._idle
        if idle:
            self._begin(world.choices.of(idle), job, booking_id)
        else:
            world.messages.append((job, booking_id))

    def _about(self, job: Job) -> tuple[Job, str]:
        """A job with the booking that it is about; where it suits none, most often the plainest job instead."""
        choices, anyone, records = self._world.choices, tuple(self._world.bookings), self._world.ledger.records
        if not (job.suits or job.owners):
            return job, choices.of(anyone)
        suited = [name for name in anyone if name in records and job.is_about(records[name])]
        if suited:
            return job, choices.of(suited)
        return choices.of((JOBS[0], JOBS[0], JOBS[0], job)), choices.of(anyone)

    def _staff_write(self, restaurant_id: str) -> None:
        self._world.note("the staff", self._world.staff.commit(restaurant_id))
        self._world.look()

    def _land(self, place: int) -> None:
        self._world.note("the store", self._world.store.land(place))
        self._world.look()
