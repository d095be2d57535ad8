"""Running the shadow off the caller's path: a bounded queue, a few threads, and somebody who looks after them."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from assignment_pipeline import processes
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.shadow import ShadowCase, Verdict
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.base import Engine
from assignment_pipeline.rollout.bundles import BundleError, case_of, written_case
from assignment_pipeline.rollout.inspection import Inspector, per_restaurant, verdict_event
from assignment_pipeline.rollout.shadow import Runs, Shadow

_LOG = logging.getLogger("assignment_pipeline")

EXIT_TIMEOUT = 2.0
A_MINUTE = dt.timedelta(minutes=1)
BATCH = 100
REMEMBERED = 1_000
"""Cases last handed over of which it is remembered when, to know what came later."""

MOST_DELIVERIES = 3
"""How often a case is handed out from the store before it is given up: one that kills its workers."""

TELLING = 30.0
"""Seconds for which a store may take to write a verdict down, or some cases."""

LOOK = 0.02
"""
Seconds between two looks at the queue.

Nobody wakes a thread for a single case: that costs the caller more than all the rest, and has the candidate begin
just when the caller wants to go on.
"""

LOOKS = 50
"""How often a thread looks in vain before it sleeps until somebody wakes it."""


@attrs.define
class ShadowCounts:
    """
    What has become of this process's cases.

    Attributes:
        offered: Cases that were handed over, after sampling.

        dropped: Of those, the ones for which there was no room.

        timeouts: Those whose candidate did not come back in time.

        verdicts: How the others came out.

        stored: Those that were written down for a worker.

        lost: Verdicts, events or cases that could not be written.

        hook_faults: Hooks that raised.

        abandoned: Threads whose candidate has not come back yet.
    """

    offered: int = 0
    dropped: int = 0
    timeouts: int = 0
    verdicts: Counter[str] = attrs.Factory(Counter)
    stored: int = 0
    lost: int = 0
    hook_faults: int = 0
    abandoned: int = 0


@attrs.frozen(eq=False)
class _Item:
    """
    A case on the queue.

    Attributes:
        case: The case.

        number: Counts the cases of this process.

        from_store: Whether a worker has taken it from the store.
    """

    case: ShadowCase
    number: int
    from_store: bool = False


class _Lane:
    """A thread, and what it is about."""

    def __init__(self, deadline: float) -> None:
        self._lock = threading.Lock()
        self._items: list[_Item] = []
        self._deadline = deadline
        self._until = 0.0
        self.given_up = False
        self.ended = False

    @property
    def idle(self) -> bool:
        """Whether it is about nothing that anybody waits for."""
        with self._lock:
            return self.given_up or not self._items

    def take(self, cases: deque[_Item], judged: Callable[[_Item], bool]) -> list[_Item]:
        """What it is about from now on: the next case that is to be judged, or several that are only written down."""
        with self._lock, contextlib.suppress(IndexError):
            self._items = [cases.popleft()]
            self._until = time.monotonic() + self._deadline
            while not judged(self._items[0]) and len(self._items) < BATCH and not judged(cases[0]):
                self._items.append(cases.popleft())
        return self._items

    def end(self) -> bool:
        """It is done; whether anybody has waited for it."""
        with self._lock:
            self._items = []
            return not self.given_up

    def extend(self, seconds: float) -> None:
        """The candidate has answered: what is left may take that long."""
        with self._lock:
            self._until = time.monotonic() + seconds

    def give_up(self) -> list[_Item]:
        """What it has been about for too long; nobody waits for it any more."""
        with self._lock:
            if self.given_up or not self._items or time.monotonic() < self._until:
                return []
            self.given_up = True
            return self._items


class ShadowRunner(processes.Watched):
    """
    Holds what the pipeline would have done against what legacy did, beside the callers.

    Its threads start with the first case, once a process. A candidate that never comes back keeps its thread, which
    nothing can end; another takes its place, at most `Shadow.spares` times.

    Args:
        shadow: How it behaves.

        store: The coordinator's store. It is never asked by the shadow where it has a method ``apart``.

        engine: The candidate's engine.

        settings: How the flow behaves.

        now: This machine's time.

        new_id: Makes ids for events that are about no case.

        publish: Where events go beside the store.

    Attributes:
        counts: What has become of the cases.
    """

    def __init__(
        self,
        shadow: Shadow,
        store: Any,
        engine: Engine,
        settings: Settings,
        *,
        now: Callable[[], dt.datetime],
        new_id: Callable[[], str],
        publish: Callable[[Sequence[Event]], None],
    ) -> None:
        self.settings = shadow
        self._store = store
        self._engine = engine
        self._flow_settings = settings
        self._now = now
        self._new_id = new_id
        self._publish = publish
        self._deadline = shadow.deadline.total_seconds()
        self.reset_in_child()
        processes.watch(self)

    # -- Processes ------------------------------------------------------------------------------------------------

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: what was queued is the parent's to see to."""
        self._lock = threading.Lock()
        self._cases: deque[_Item] = deque()
        self._wake = threading.Event()
        self._telling = 0
        self._lanes: list[_Lane] = []
        self._watching = False
        self._recent: deque[tuple[int, str, str]] = deque(maxlen=REMEMBERED)
        self._dropped: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self.counts = ShadowCounts()

    def at_exit(self) -> None:
        """See `Watched.at_exit`."""
        self.flush(EXIT_TIMEOUT)

    # -- What callers call ----------------------------------------------------------------------------------------

    def offer(self, case: ShadowCase) -> None:
        """Take *case*, or count it as dropped. Never raises, never waits."""
        try:
            sample = self.settings.sample
            if sample < 1 and random.random() >= sample:  # noqa: S311 - a sample is no secret
                return
            number = next(self._numbers)
            self.counts.offered = number
            self._recent.append((number, case.booking.restaurant_id, case.booking.id))
            if len(self._cases) < self.settings.capacity:
                self._cases.append(_Item(case, number))
            else:
                self._drop(case)
            if not self._wake.is_set():
                self._start()
        except Exception:  # noqa: BLE001 - whatever it is, the caller's booking must not suffer from it
            self.counts.lost += 1

    def _drop(self, case: ShadowCase) -> None:
        with self._lock:
            self.counts.dropped += 1
            self._dropped[case.booking.restaurant_id] += 1

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every case has been seen to, at most *timeout* seconds; whether they have."""
        until = None if timeout is None else time.monotonic() + timeout
        # In this order: a thread has taken a case before the queue is without it.
        while self._cases or self._telling or not all(lane.idle for lane in list(self._lanes)):
            if until is not None and time.monotonic() >= until:
                return False
            time.sleep(LOOK / 10)
        return True

    def close(self) -> None:
        """See to the cases that wait, for as long as one may take, and end the threads. A later case starts others."""
        self.flush(self._deadline)
        with self._lock:
            lanes, self._lanes, self._watching = self._lanes, [], False
            for lane in lanes:
                lane.ended = True
            wake, self._wake = self._wake, threading.Event()
        wake.set()

    def work(self, limit: int = BATCH) -> int:
        """
        Take cases from the store that wait for a worker, and see to them.

        Args:
            limit: At most so many.

        Returns:
            How many there were.

        Raises:
            StoreUnavailableError: The store could not be asked.
            TypeError: The store keeps no cases.
        """
        inspector = self._inspector()
        try:
            keeps = inspector.keeps
            if keeps is None:
                msg = f"store: expected one that keeps cases, such as SQLiteStore, got {type(self._store).__name__}"
                raise TypeError(msg)
            claimed = keeps.claim_cases(
                min(limit, self.settings.capacity), for_=A_MINUTE + limit * self.settings.deadline
            )
            broken = []
            for stored in claimed:
                try:
                    case = case_of(stored.document)
                except BundleError:
                    broken.append(stored.id)  # Of another version, or nobody's.
                    continue
                if stored.deliveries > MOST_DELIVERIES:
                    inspector.tell([self._given_up(case)])
                    broken.append(stored.id)
                    continue
                self._cases.append(_Item(case, 0, from_store=True))
            keeps.drop_cases(broken)
            self._start()
        finally:
            inspector.close()
        self.flush()
        return len(claimed)

    # -- Threads --------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._lock:
            if not self._watching:
                watch = threading.Thread(target=self._watch, args=(self._cases,), name="shadow-watch", daemon=True)
                self._watching = True
                try:
                    watch.start()
                except RuntimeError:  # No more threads are to be had: the next case tries again.
                    self._watching = False
                    raise
            self._fill()
        self._wake.set()

    def _fill(self) -> None:
        """Have as many threads as are wanted; under the lock."""
        alive = [lane for lane in self._lanes if not lane.given_up]
        stuck = len(self._lanes) - len(alive)
        self.counts.abandoned = stuck
        wanted = min(self.settings.shadow_workers, self.settings.shadow_workers + self.settings.spares - stuck)
        for _ in range(wanted - len(alive)):
            lane = _Lane(self._deadline)
            threading.Thread(
                target=self._serve, args=(lane, self._cases, self._wake), name="shadow", daemon=True
            ).start()
            self._lanes.append(lane)

    def _inspector(self) -> Inspector:
        apart = getattr(self._store, "apart", None)
        store = apart() if apart is not None else self._store
        owned = store is not self._store
        return Inspector(store, self._engine, self._flow_settings, self.settings, self._now, owned=owned)

    def _watch(self, cases: deque[_Item]) -> None:
        """Give up what takes too long, and tell of what was dropped."""
        pause = min(self._deadline / 4, 0.5)
        while self._watching and cases is self._cases:
            time.sleep(pause)
            try:
                self._look_around()
            except Exception:  # noqa: BLE001 - it must go on looking
                self.counts.lost += 1

    def _look_around(self) -> None:
        for lane in list(self._lanes):
            self._telling += 1  # Before nobody waits for it: whoever flushes waits for the telling, too.
            try:
                late = lane.give_up()
                if late:
                    with self._lock:
                        self._fill()
                    self._time_out(late)
            finally:
                self._telling -= 1
        if self._watching and all(lane.given_up for lane in list(self._lanes)):
            self._drop_all()
        if self._dropped:
            with self._lock:
                dropped, self._dropped = self._dropped, Counter()
            self._tell(per_restaurant(dropped, self._now(), self._new_id))

    def _drop_all(self) -> None:
        """Nobody is left to see to what waits."""
        with contextlib.suppress(IndexError):
            while True:
                self._drop(self._cases.popleft().case)

    def _time_out(self, late: list[_Item]) -> None:
        judged = [item for item in late if self._is_judged(item)]
        self.counts.timeouts += len(judged)
        self.counts.lost += len(late) - len(judged)
        events = [self._given_up(item.case) for item in judged]
        self._tell(events, [item.case.id for item in late if item.from_store])

    def _is_judged(self, item: _Item) -> bool:
        return item.from_store or self.settings.runs is Runs.THREAD

    def _given_up(self, case: ShadowCase) -> Event:
        return verdict_event(case, Verdict.TIMEOUT, self._now(), duration_ms=round(self._deadline * 1000, 3))

    def _tell(self, events: Sequence[Event], seen_to: Sequence[str] = ()) -> None:
        self._publish(events)
        inspector = self._inspector()
        try:
            inspector.tell(events)
            if seen_to and inspector.keeps is not None:
                inspector.keeps.drop_cases(seen_to)
        finally:
            inspector.close()

    def _serve(self, lane: _Lane, cases: deque[_Item], wake: threading.Event) -> None:
        inspector: Inspector | None = None
        in_vain = 0
        try:
            while not lane.ended:
                items = lane.take(cases, self._is_judged)
                if not items:
                    in_vain = self._doze(in_vain, cases, wake)
                    continue
                in_vain = 0
                try:
                    inspector = inspector or self._inspector()
                    if self._is_judged(items[0]):
                        self._see_to(inspector, lane, items[0])
                    else:
                        lane.extend(TELLING)
                        self._write_down(inspector, items)
                except BaseException:  # noqa: BLE001 - the next case may fare better
                    self.counts.lost += 1
                    _LOG.debug("the shadow could not see to a case", exc_info=True)
                del items  # Nothing is kept of a case while the next one is waited for.
                if not lane.end():
                    return  # Somebody has told of it, and somebody else is in this thread's place.
        finally:
            self._leave(lane, cases, inspector)

    def _doze(self, in_vain: int, cases: deque[_Item], wake: threading.Event) -> int:
        """Wait a little, or, if nothing has come for long, until something does."""
        if in_vain < LOOKS:
            time.sleep(LOOK)
            return in_vain + 1
        wake.clear()
        if not cases:  # What came before that wakes nobody any more.
            wake.wait()
        return 0

    def _leave(self, lane: _Lane, cases: deque[_Item], inspector: Inspector | None) -> None:
        with self._lock:
            if lane in self._lanes:
                self._lanes.remove(lane)
                if cases is self._cases and self._watching:
                    self._fill()
        if inspector is not None:
            with contextlib.suppress(Exception):
                inspector.close()

    def _see_to(self, inspector: Inspector, lane: _Lane, item: _Item) -> None:
        found = inspector.inspect(item.case, self._later(item))
        lane.extend(TELLING)
        if lane.given_up:
            return
        self.counts.verdicts[found.judgement.verdict.value] += 1
        self.counts.hook_faults += found.faults
        self._publish(found.events)
        inspector.tell(found.events, found.bundle)
        if item.from_store and inspector.keeps is not None:
            inspector.keeps.drop_cases((item.case.id,))

    def _write_down(self, inspector: Inspector, batch: list[_Item]) -> None:
        keeps = inspector.keeps
        if keeps is None:
            self.counts.lost += len(batch)
            return
        written = [written_case(item.case) for item in batch]
        left = keeps.put_cases(written, most=self.settings.backlog)
        self.counts.stored += len(batch) - left
        for item in batch[len(batch) - left :]:
            self._drop(item.case)

    def _later(self, item: _Item) -> tuple[str, ...]:
        """The bookings of the restaurant that were handed over after that one, as far as they are remembered."""
        if item.from_store:
            return ()
        restaurant_id = item.case.booking.restaurant_id
        return tuple(
            booking_id
            for number, where, booking_id in list(self._recent)
            if number > item.number and where == restaurant_id
        )
