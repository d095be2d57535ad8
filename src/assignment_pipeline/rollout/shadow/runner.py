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

from assignment_pipeline import processes
from assignment_pipeline.domain.days import ComparedDay
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.shadow import ShadowCase, ShadowVerdict
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.base import Engine
from assignment_pipeline.redaction import redacted
from assignment_pipeline.rollout.shadow.bundles import BundleError, case_of, written_case
from assignment_pipeline.rollout.shadow.inspection import Inspector, per_restaurant, verdict_event
from assignment_pipeline.rollout.shadow.lanes import BATCH, Item, Lane, ShadowCounts
from assignment_pipeline.rollout.shadow.settings import Runs, Shadow

_LOG = logging.getLogger("assignment_pipeline")

EXIT_TIMEOUT = 2.0
A_MINUTE = dt.timedelta(minutes=1)
REMEMBERED = 1_000
"""How many cases are remembered with their time of handing over, to know which came later."""

MOST_DELIVERIES = 3
"""How often a case is handed out from the store before it is given up: one that kills its workers."""

DAYS_BACK = dt.timedelta(days=92)
"""For how long before its day a booking is made at most, to be compared in a closed loop."""

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


class ShadowRunner(processes.Watched):
    """
    Holds what the candidate would have done against what the planner in charge did, beside the callers.

    The candidate is the pipeline where legacy is in charge. Where the pipeline is, it is legacy, by `Shadow.reverse`.

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
        """Start empty in the child: the parent runs what was queued. See `Watched.reset_in_child`."""
        self._lock = threading.Lock()
        self._at_it = threading.Lock()  # Held while what was dropped is told.
        self._cases: deque[Item] = deque()
        self._wake = threading.Event()
        self._hurry = threading.Event()  # Set while somebody waits for the queue to become empty.
        self._telling = 0
        self._lanes: list[Lane] = []
        self._stop: threading.Event | None = None  # Ends the thread that looks after the others.
        self._recent: deque[tuple[int, str, str]] = deque(maxlen=REMEMBERED)
        self._dropped: Counter[tuple[str, Owner]] = Counter()
        self._numbers = itertools.count(1)
        self.counts = ShadowCounts()

    def at_exit(self) -> None:
        """Finish what is pending. See `Watched.at_exit`."""
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
                self._cases.append(Item(case, number))
            else:
                self._drop(case)
            if not self._wake.is_set():
                self._start()
        except Exception:  # noqa: BLE001 - whatever it is, the caller's booking must not suffer from it
            self.counts.lost += 1

    def _drop(self, case: ShadowCase) -> None:
        with self._lock:
            self.counts.dropped += 1
            self._dropped[case.booking.restaurant_id, case.candidate] += 1

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every case has been looked at, at most *timeout* seconds; whether they have."""
        until = None if timeout is None else time.monotonic() + timeout
        self._hurry.set()
        try:
            # In this order: a thread has taken a case before the queue is without it.
            while self._cases or self._telling or not all(lane.idle for lane in list(self._lanes)):
                if until is not None and time.monotonic() >= until:
                    return False
                time.sleep(LOOK / 50)
            return True
        finally:
            self._hurry.clear()

    def close(self) -> None:
        """Run the waiting cases, for as long as one may take, and end the threads. A later case starts new ones."""
        self.flush(self._deadline)
        try:
            self._tell_dropped()
        except Exception:  # noqa: BLE001 - nobody is to be kept from closing
            self.counts.lost += 1
        with self._lock:
            for lane in self._lanes:
                lane.ended = True
            self._lanes = [lane for lane in self._lanes if lane.given_up]  # They count for as long as they are there.
            wake, self._wake = self._wake, threading.Event()
            stop, self._stop = self._stop, None
        wake.set()
        if stop is not None:
            stop.set()

    def work(self, limit: int = BATCH) -> int:
        """
        Take cases that wait for a worker from the store, and run them.

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
                self._cases.append(Item(case, 0, from_store=True))
            keeps.drop_cases(broken)
            self._start()
        finally:
            inspector.close()
        self.flush()
        return len(claimed)

    def compare_days(self, since: dt.datetime | None = None) -> tuple[ComparedDay, ...]:
        """
        Compare the service days that are over in a closed loop, and keep what was found: see `ShadowDays`.

        Args:
            since: Only bookings with a verdict since then; by default, `DAYS_BACK` ago.

        Returns:
            The days that had not been compared yet.

        Raises:
            StoreUnavailableError: The store cannot be reached.
            TypeError: The store does not count.
        """
        inspector = self._inspector()
        try:
            return inspector.compare_days(since or self._now() - DAYS_BACK)
        finally:
            inspector.close()

    # -- Threads --------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._lock:
            if self._stop is None:
                stop = threading.Event()
                threading.Thread(target=self._watch, args=(stop,), name="shadow-watch", daemon=True).start()
                self._stop = stop
            self._fill()
        self._wake.set()

    def _fill(self) -> None:
        """Have as many threads as are wanted; under the lock."""
        alive = [lane for lane in self._lanes if not lane.given_up]
        stuck = len(self._lanes) - len(alive)
        self.counts.abandoned = stuck
        wanted = min(self.settings.shadow_workers, self.settings.shadow_workers + self.settings.spares - stuck)
        for _ in range(wanted - len(alive)):
            lane = Lane(self._deadline)
            threading.Thread(
                target=self._serve, args=(lane, self._cases, self._wake), name="shadow", daemon=True
            ).start()
            self._lanes.append(lane)

    def _inspector(self) -> Inspector:
        apart = getattr(self._store, "apart", None)
        store = apart() if apart is not None else self._store
        owned = store is not self._store
        return Inspector(store, self._engine, self._flow_settings, self.settings, self._now, owned=owned)

    def _watch(self, stop: threading.Event) -> None:
        """Give up cases that take too long, and report dropped ones."""
        while not stop.wait(min(self._deadline / 4, 0.5)):
            try:
                self._look_around()
            except Exception:  # noqa: BLE001 - it must go on looking
                self.counts.lost += 1

    def _look_around(self) -> None:
        for lane in list(self._lanes):
            self._telling += 1  # Counted first: a caller of flush waits for the event, too.
            try:
                late = lane.give_up()
                if late:
                    with self._lock:
                        self._fill()
                    self._time_out(late)
            finally:
                self._telling -= 1
        if all(lane.given_up for lane in list(self._lanes)):
            self._drop_all()
        self._tell_dropped()

    def _tell_dropped(self) -> None:
        with self._at_it:
            with self._lock:
                dropped, self._dropped = self._dropped, Counter()
            if dropped:
                self._tell(per_restaurant(dropped, self._now(), self._new_id))

    def _drop_all(self) -> None:
        """No thread is left to run the waiting cases."""
        with contextlib.suppress(IndexError):
            while True:
                self._drop(self._cases.popleft().case)

    def _time_out(self, late: list[Item]) -> None:
        judged = [item for item in late if self._is_judged(item)]
        self.counts.timeouts += len(judged)
        self.counts.lost += len(late) - len(judged)
        events = [self._given_up(item.case) for item in judged]
        self._tell(events, [item.case.id for item in late if item.from_store])

    def _is_judged(self, item: Item) -> bool:
        return item.from_store or self.settings.runs is Runs.THREAD

    def _given_up(self, case: ShadowCase) -> Event:
        return verdict_event(case, ShadowVerdict.TIMEOUT, self._now(), duration_ms=round(self._deadline * 1000, 3))

    def _tell(self, events: Sequence[Event], seen_to: Sequence[str] = ()) -> None:
        self._publish(events)
        inspector = self._inspector()
        try:
            inspector.tell(events)
            if seen_to and inspector.keeps is not None:
                inspector.keeps.drop_cases(seen_to)
        finally:
            inspector.close()

    def _serve(self, lane: Lane, cases: deque[Item], wake: threading.Event) -> None:
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
                except BaseException as error:  # noqa: BLE001 - the next case may fare better
                    self.counts.lost += 1
                    shows = self._flow_settings.show_errors
                    said = redacted(error, show=shows)
                    _LOG.debug("the shadow could not run a case: %s", said, exc_info=shows)
                del items  # Nothing is kept of a case while the next one is waited for.
                if not lane.end():
                    return  # Another thread has reported it, and a new one has taken this thread's place.
        finally:
            self._leave(lane, cases, inspector)

    def _doze(self, in_vain: int, cases: deque[Item], wake: threading.Event) -> int:
        """Wait a little, or, if nothing has come for long, until something does."""
        if in_vain < LOOKS:
            self._hurry.wait(LOOK)
            return in_vain + 1
        wake.clear()
        if not cases:  # What came before that wakes nobody any more.
            wake.wait()
        return 0

    def _leave(self, lane: Lane, cases: deque[Item], inspector: Inspector | None) -> None:
        with self._lock:
            if lane in self._lanes:
                self._lanes.remove(lane)
                if cases is self._cases and self._stop is not None:
                    self._fill()
        if inspector is not None:
            with contextlib.suppress(Exception):
                inspector.close()

    def _see_to(self, inspector: Inspector, lane: Lane, item: Item) -> None:
        found = inspector.inspect(item.case, self._later(item))
        lane.extend(TELLING)
        if lane.given_up:
            return
        with self._lock:
            self.counts.verdicts[found.judgement.verdict.value] += 1
            self.counts.hook_faults += found.faults
        self._publish(found.events)
        inspector.tell(found.events, found.bundle)
        if item.from_store and inspector.keeps is not None:
            inspector.keeps.drop_cases((item.case.id,))

    def _write_down(self, inspector: Inspector, batch: list[Item]) -> None:
        keeps = inspector.keeps
        if keeps is None:
            self.counts.lost += len(batch)
            return
        written = [written_case(item.case) for item in batch]
        left = keeps.put_cases(written, most=self.settings.backlog)
        self.counts.stored += len(batch) - left
        for item in batch[len(batch) - left :]:
            self._drop(item.case)

    def _later(self, item: Item) -> tuple[str, ...]:
        """The bookings of the restaurant that were handed over after that one, as far as they are remembered."""
        if item.from_store:
            return ()
        restaurant_id = item.case.booking.restaurant_id
        return tuple(
            booking_id
            for number, where, booking_id in list(self._recent)
            if number > item.number and where == restaurant_id
        )
