"""Feature flags from the database."""

from __future__ import annotations

import inspect
import itertools
import logging
import threading
import uuid
import weakref
from collections.abc import Callable

from assignment_pipeline import processes
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import FlagError, FlagsUnreadError
from assignment_pipeline.lifecycle import FINAL, AssignmentState
from assignment_pipeline.ports import Clock, EventSink, FlagDecision, RecordPage, RecordQuery, RolloutStore
from assignment_pipeline.ports.fitting import require
from assignment_pipeline.redaction import redacted
from assignment_pipeline.rollout.flags.cohorts import bucket
from assignment_pipeline.rollout.flags.document import read_settings
from assignment_pipeline.rollout.flags.settings import DEFAULT_SALT, Deciding, Explanation, FlagSettings

log = logging.getLogger(__name__)

REFRESH = 1.0
"""Seconds between two looks at the database."""

FIRST_ANSWER = 2.0
"""Seconds for which a caller waits for the first answer of the database."""

_MANY = 10_000  # Changes of a rollout: more than there ever are.
_LIVE = tuple(state for state in AssignmentState if state not in FINAL)  # A guest may cancel what nobody has begun.
_NONE_YET = -1  # No generation's.
_SHORTEST = 0.05  # Seconds between two looks, however often somebody says that the last one is out of date.
_LAST_LOOK = 1.0  # Seconds for which the end of a process waits for a look that is under way.


class StoreFlags(processes.Watched):
    """
    The feature flags of the revision in force, in the database whose commits they gate.

    One thread of each process asks the database every *refresh* seconds, from the first question on. Callers get what
    was read last. While the database does not answer, the last good value stays. Each decision names its generation,
    which its commit compares: a decision under an older one never lands.

    Flags that were not read yet say nothing: they are not off. Until the first answer, callers wait for it, at most
    *first_answer* seconds. After a failure they no longer wait, and get `FlagsUnreadError` until the database answers.
    A forked child reads the flags itself, whatever its parent has read.

    Args:
        store: Where the revisions are. Beside a coordinator for asyncio it is a store for threads on the same
            database; a ``pool_size`` of 1 is enough.

        salt: Names the rollout, in at most 64 bytes. With another one, a percentage covers other restaurants.

        refresh: Seconds between two looks.

        first_answer: Seconds for which a caller waits for the first answer, at most.

        on_error: Told once of each failure to read: of the database (`StoreUnavailableError`, ...) or of what is in it
            (`FlagError`). It is logged besides. What it raises is logged too.

        sink: Gets an event about settings that cannot be read; by default the store itself, if it is an `EventSink`.

        clock: What measures how old the last answer is.

    Raises:
        TypeError: The store is none.

        ValueError: The salt is too long.
    """

    source = "store"

    def __init__(
        self,
        store: RolloutStore,
        *,
        salt: str = DEFAULT_SALT,
        refresh: float = REFRESH,
        first_answer: float = FIRST_ANSWER,
        on_error: Callable[[Exception], None] | None = None,
        sink: EventSink | None = None,
        clock: Clock | None = None,
    ) -> None:
        bucket("", salt)
        require("store", store, ("rollout", "revisions"), "a store that keeps a rollout, such as SQLiteStore")
        self.store = store
        self.salt = salt
        self._refresh = refresh
        self._first_answer = first_answer
        self._on_error = on_error
        self._sink = sink if sink is not None or not isinstance(store, EventSink) else store
        self._clock = clock or SystemClock()
        self._looks = itertools.count(1)
        self._last_look = 0
        self.reset_in_child()
        processes.watch(self)

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: a child starts a thread of its own when it is asked, and reads for itself."""
        self._deciding: Deciding | None = None
        self._found: int | None = None  # The generation of the last revision that was found, readable or not.
        self._answered_at: float | None = None
        self._failed = False
        self._unreadable: int | None = _NONE_YET
        self._looked = threading.Event()  # Set once nobody need wait for the first answer any more.
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def at_exit(self) -> None:
        """Finish what is pending. See `Watched.at_exit`."""
        self.close()

    def close(self) -> None:
        """Stop looking. What was read last stays."""
        self._over.set()
        self._wake.set()
        self._looked.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_LAST_LOOK)

    # -- What is asked ------------------------------------------------------------------------------------------------

    def resolve(self, restaurant_id: str) -> FlagDecision:
        """
        What the flags say about a restaurant, as they were read last.

        Raises:
            FlagsUnreadError: They were not read yet.
        """
        return self._read().decide(restaurant_id)

    @property
    def unread(self) -> bool:
        """Whether a question may wait: there is no first answer yet, or only one from before the thread that is old."""
        return self._deciding is None or (self._thread is None and self._is_old())

    def _is_old(self) -> bool:
        age = self.age
        return age is None or age > self._refresh

    def _read(self) -> Deciding:
        """What was read last; the first time, once it is there."""
        if self._thread is None:
            self._start()
        if not self._looked.is_set():
            self._looked.wait(self._first_answer)
            self._looked.set()  # The next callers need not wait for what takes that long: the thread goes on looking.
        if self._deciding is None:
            raise FlagsUnreadError("the database has not said yet which restaurants the pipeline is in charge of")
        return self._deciding

    def stale(self, generation: int | None) -> None:
        """
        Have the thread look at once, if what was read last is still of *generation*: a commit has been refused for it.

        Does not wait for it.
        """
        if generation == self.generation:
            self._wake.set()

    def explain(self, restaurant_id: str) -> Explanation:
        """
        The same, and why.

        Raises:
            FlagsUnreadError: They were not read yet.
        """
        return self._read().explain(restaurant_id)

    @property
    def settings(self) -> FlagSettings:
        """
        The flags as they were read last.

        Raises:
            FlagsUnreadError: They were not read yet.
        """
        return self._read().settings

    @property
    def generation(self) -> int | None:
        """The generation that they were read under; None before the first answer."""
        return None if self._deciding is None else self._deciding.generation

    @property
    def age(self) -> float | None:
        """How many seconds ago the database last answered; None if it never has."""
        answered_at = self._answered_at
        return None if answered_at is None else self._clock.monotonic() - answered_at

    def refresh_now(self) -> None:
        """
        Look at the database at once, and wait for it: in tests, or to find at the start that it does not answer.

        Raises:
            StoreUnavailableError: It does not answer.
            SchemaMismatchError: Its schema does not fit.
            FlagError: It holds what cannot be read. The last good value stays.
        """
        look = next(self._looks)
        revision = self.store.rollout()
        with self._lock:
            if look < self._last_look:
                return  # Somebody who looked later has answered already.
            self._last_look = look
            self._answered_at = self._clock.monotonic()
            self._found = revision.generation
            self._take(revision)

    def _take(self, revision: RolloutRevision) -> None:
        last, problem = self._deciding, None
        try:
            settings = read_settings(revision.settings)
        except FlagError as error:
            if last is None:
                raise
            # Its generation counts all the same: else every commit would be refused, for as long as it is in force.
            settings, problem = last.settings, error
        if last is None or (settings, revision.generation) != (last.settings, last.generation):
            never = problem is None and not any(each.settings.get("enabled") for each in self.store.revisions(_MANY))
            fresh = never and self._is_empty()
            self._deciding = Deciding(settings, self.source, self.salt, revision.generation, fresh)
        elif last.fresh and not self._is_empty():
            self._deciding = Deciding(settings, self.source, self.salt, revision.generation, fresh=False)
        self._looked.set()
        if problem is not None:
            raise problem

    def _is_empty(self) -> bool:
        """Whether nothing is there to be asked for: other flags may have put it in charge, and people need none."""
        records: Callable[[RecordQuery], RecordPage] | None = getattr(self.store, "records", None)
        if inspect.iscoroutinefunction(records):  # A store for asyncio may have a way for threads beside it.
            records = getattr(self.store, "records_in_thread", None)
        return records is not None and not records(RecordQuery(states=_LIVE, limit=1)).records

    # -- The thread ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None or self._over.is_set():
                return
            thread = threading.Thread(
                target=_look_again_and_again,
                args=(weakref.ref(self), self._over, self._wake, self._refresh),
                name="assignment-pipeline-flags",
                daemon=True,
            )
            self._thread = thread
            if self._is_old():  # A process that looked when it began may take its first booking an hour later.
                self._looked.clear()
        try:
            thread.start()
        except RuntimeError as error:  # At the limit of threads, or at the interpreter's end.
            self._thread = None
            self._fail(error)
            self._looked.set()

    def look(self) -> None:
        """Read the database, and report a failure: one round of the thread."""
        try:
            self.refresh_now()
        except FlagError as error:
            self._misread(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on, and the last good value stays
            self._fail(error)
        else:
            if self._failed:
                log.info("The rollout's settings can be read again.")
            self._failed, self._unreadable = False, _NONE_YET
        finally:
            self._looked.set()

    def _fail(self, error: Exception) -> None:
        if self._failed or self._over.is_set():
            return
        self._failed = True
        age = self.age
        stays = "calls answer retry until they can be" if age is None else f"those of {age:.1f} s ago stay"
        log.error("The rollout's settings could not be read, %s: %s", stays, redacted(error))
        self._tell(error)

    def _misread(self, error: FlagError) -> None:
        if self._unreadable == self._found:
            return
        self._failed, self._unreadable = False, self._found
        stays = "Calls answer retry until it can be read." if self._deciding is None else "The last good value stays."
        log.error("%s %s", error, stays)
        context = {"place": error.variable, "expected": error.expected, "generation": self._found}
        event = Event(
            str(uuid.uuid4()),
            self._clock.now(),
            Source.ROLLOUT,
            EventType.FLAG_ERROR,
            severity=Severity.ERROR,
            context=context,
        )
        try:
            if self._sink is not None:
                self._sink.emit([event])
        except Exception as failure:  # noqa: BLE001 - the flags go on
            log.error("The sink could not be told, by %s, of: %s", redacted(failure), error)
        self._tell(error)

    def _tell(self, error: Exception) -> None:
        if self._on_error is not None:
            try:
                self._on_error(error)
            except Exception as failure:  # noqa: BLE001 - the flags go on
                log.error("on_error failed with %s, for: %s", redacted(failure), redacted(error))


def _look_again_and_again(
    flags: weakref.ref[StoreFlags], over: threading.Event, wake: threading.Event, refresh: float
) -> None:
    """Until the flags are closed, or nobody has them any more."""
    while True:
        alive = flags()
        if alive is None:
            return
        wake.clear()  # Before the look: who finds out during it is looked for once more.
        alive.look()
        del alive
        if over.wait(min(_SHORTEST, refresh)):
            return
        wake.wait(max(refresh - _SHORTEST, 0.0))
        if over.is_set():
            return
