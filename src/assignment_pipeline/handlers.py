"""What answers a flow's effects: one handler for threads, one for asyncio, over the same wiring."""

from __future__ import annotations

import datetime as dt
import inspect
import operator
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

from assignment_pipeline.circuit import CircuitBreaker
from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.driving import arun, run, settle
from assignment_pipeline.errors import CommitUnknownError, StoreUnavailableError
from assignment_pipeline.event_dispatcher import EventDispatcher
from assignment_pipeline.flow.effects import Apart, Commit, Effect, Flow, LoadContext, LoadContexts, Port
from assignment_pipeline.flow.tracing import observed
from assignment_pipeline.plain import Printed
from assignment_pipeline.ports import AssignmentContext, Clock, EventSink, Leases, Observer, Refused
from assignment_pipeline.ports.fitting import is_awaitable, is_coroutine_function, refuse_awaitable

if TYPE_CHECKING:
    from assignment_pipeline.domain.shadow import ShadowCase

T = TypeVar("T")


class TakesCases(Protocol):
    """What cases for the shadow are handed to."""

    def offer(self, case: ShadowCase) -> None:
        """Take *case*, or count it as dropped. Never raises, never waits."""
        ...


_AT_HAND = frozenset({type(None), bool, AssignmentContext, Leases, Refused})
"""What most answers are. Nobody needs to look whether they have to be awaited."""
_NOT_AT_ALL = dt.timedelta()
_MOST_KNOWN = 10_000
_MOST_NAMED = 10
USE_ASYNC = "Use AsyncCoordinator, or what answers at once."
_ANSWERED_AT_ONCE = frozenset({Port.FLAGS, Port.ENGINE, Port.PROCESS})


def _random() -> float:
    import random  # noqa: PLC0415 - only a retry draws

    return random.random()  # noqa: S311 - jitter, no secret


class Process:
    """
    What flows share within a process: time, chance, the circuit breaker and the way to the sinks.

    Attributes:
        circuit: The circuit breaker in front of the store.

        dispatcher: The way to the sinks.

        lost_releases: Locks that could not be let go of, and end by themselves.

        shadow: What cases for the shadow are handed to, or None.

        reverses: Whether it takes cases of the pipeline's, and asks legacy what it would have done.

        one_manager: Whether the limiter is the lock manager, and nobody watches for which of the two a call waits.

        observer: Who watches the calls, if anybody does.
    """

    shadow: TakesCases | None = None
    reverses = False
    one_manager = False

    def __init__(
        self,
        clock: Clock,
        sinks: Sequence[EventSink],
        store: object,
        draw: Callable[[], float] | None = None,
        observer: Observer | None = None,
        *,
        show_errors: bool = False,
    ) -> None:
        self.observer = observer
        self.circuit = CircuitBreaker(clock)
        self.dispatcher = EventDispatcher(sinks, show_errors=show_errors)
        self.lost_releases = 0
        self.now = clock.now
        self.monotonic = clock.monotonic
        self.draw = draw or _random
        # A store that is a sink too keeps the events that no commit of its own carries.
        self._records = EventDispatcher((store,) if isinstance(store, EventSink) else (), show_errors=show_errors)
        self._unknown: dict[str, tuple[str, ...]] = {}

    def circuit_cooldown(self) -> dt.timedelta:
        """For how long the store is still left alone."""
        return self.circuit.remaining() if self.circuit.is_troubled else _NOT_AT_ALL

    def new_id(self) -> str:
        """An id that nobody else has."""
        return os.urandom(16).hex()

    def emit(self, events: Sequence[Event]) -> None:
        """Tell of what no commit carries."""
        self._records.publish(events)
        self.dispatcher.publish(events)

    def unknown_tables(self, restaurant_id: str, table_ids: tuple[str, ...]) -> None:
        """Tell, once, that the host's ``occupied`` names tables that a restaurant's floor does not have."""
        if self._unknown.get(restaurant_id) == table_ids:
            return
        if len(self._unknown) > _MOST_KNOWN:
            self._unknown.clear()
        self._unknown[restaurant_id] = table_ids
        told = Event(
            id=self.new_id(),
            created_at=self.now(),
            source=Source.COORDINATOR,
            type=EventType.HOST_FAULT,
            severity=Severity.ERROR,
            restaurant_id=restaurant_id,
            context={"reason": "unknown_table", "tables": table_ids[:_MOST_NAMED]},
        )
        self.emit((told,))

    def has_shadow(self) -> bool:
        """Whether there is a shadow."""
        return self.shadow is not None

    def has_reverse_shadow(self) -> bool:
        """Whether there is one whose candidate is legacy, where the pipeline is in charge."""
        return self.reverses

    def offer_case(self, case: ShadowCase) -> None:
        """Hand a case to the shadow."""
        if self.shadow is not None:
            self.shadow.offer(case)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the sinks have everything; whether they have."""
        return self._records.flush(timeout) and self.dispatcher.flush(timeout)

    def close(self) -> None:
        """Wait until the sinks have everything, and end their threads."""
        self._records.close()
        self.dispatcher.close()


@attrs.frozen(eq=False, repr=False)
class Wiring(Printed):
    """
    Who answers what.

    Attributes:
        process: What flows share within a process.

        ports: All that is asked, the process among it.

        publishes: Whether what is committed goes to the sinks at once. Not so inside a transaction of the host's.
    """

    process: Process
    ports: Mapping[Port, Any]
    publishes: bool = True

    @property
    def has_legacy(self) -> bool:
        """Whether there is a legacy planner to run where the pipeline is off."""
        return self.ports[Port.LEGACY] is not None

    def with_port(self, port: Port, value: Any, *, publishes: bool = True) -> Wiring:
        """The same with *value* in place of one port."""
        return Wiring(self.process, {**self.ports, port: value}, publishes)

    def observed(self, flow: Flow[T]) -> Flow[T]:
        """*flow*, watched by the observer if there is one."""
        return flow if self.process.observer is None else observed(flow, self.process.observer)

    def failed(self, effect: Effect[Any], error: Exception) -> None:
        """Take note of an answer that was an error."""
        if effect.port is Port.STORE and isinstance(error, StoreUnavailableError | CommitUnknownError):
            self.process.circuit.failed()
        elif effect.port is Port.STORE:
            self.process.circuit.reached()  # An error is an answer, too.

    def answered(self, effect: Effect[Any], answer: Any) -> None:
        """Take note of an answer of the store."""
        circuit = self.process.circuit
        if circuit.is_troubled:
            circuit.reached()
        if isinstance(effect, LoadContext | LoadContexts):
            for loaded in answer if isinstance(effect, LoadContexts) else (answer,):
                if loaded is not None and loaded.unknown_tables:
                    self.process.unknown_tables(loaded.venue.id, loaded.unknown_tables)
            return
        if not isinstance(effect, Commit):
            return
        # Only a commit proves that the store works: one that can be read, and not written, has to open the circuit.
        if circuit.is_troubled:
            circuit.succeeded()
        if self.publishes and self.process.dispatcher.sinks:
            self.process.dispatcher.publish([event for change in effect.changes for event in change.events])


class SyncHandler:
    """Answers effects by calling sync ports, in the caller's thread."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._held: list[tuple[Any, Leases]] = []

    def __call__(self, effect: Effect[Any]) -> Any:
        """The answer of the port that *effect* is for."""
        wiring = self._wiring
        port = wiring.ports[effect.port]
        if effect.port in _ANSWERED_AT_ONCE:
            if isinstance(effect, Apart):
                return run(wiring.observed(effect.flow), SyncHandler(wiring))
            return effect.ask(port)
        try:
            answer = effect.ask(port)
        except Exception as error:
            wiring.failed(effect, error)
            raise
        if type(answer) not in _AT_HAND and is_awaitable(answer):
            refuse_awaitable(answer, f"{effect.port.name.lower()} ({type(effect).__name__})", USE_ASYNC)
        if isinstance(answer, Leases):
            self._held.append((port, answer))
        if effect.port is Port.STORE:
            wiring.answered(effect, answer)
        return answer

    def release(self) -> None:
        """Let go of every lock that the flow took."""
        while self._held:
            port, leases = self._held.pop()
            try:
                port.release(leases)
            except Exception:  # noqa: BLE001 - the lock ends by itself; the result must not suffer
                self._wiring.process.lost_releases += 1


class AsyncHandler:
    """
    Answers effects by awaiting async ports, and calling sync ones.

    Those that answer from memory are called at once, the others in a worker thread.
    A question that was put is waited for even when the task is cancelled: only then is it known what to let go of.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._at_once = SyncHandler(wiring)
        self._held: list[tuple[Any, Leases]] = []

    def __call__(self, effect: Effect[Any]) -> Any:
        """The answer of the port that *effect* is for, or a coroutine of it where it is not at hand."""
        port = self._wiring.ports[effect.port]
        if effect.port in _ANSWERED_AT_ONCE:
            is_at_hand = not (isinstance(effect, Apart) or effect.takes_long(port))
        else:
            is_at_hand = getattr(port, "answers_at_once", False)
        return self._at_once(effect) if is_at_hand else self._asked(port, effect)

    async def _asked(self, port: Any, effect: Effect[Any]) -> Any:
        import asyncio  # noqa: PLC0415 - sync hosts need not load it

        if isinstance(effect, Apart):
            return await arun(self._wiring.observed(effect.flow), AsyncHandler(self._wiring))
        if effect.port is Port.LEGACY:
            return await _ask(port, effect.ask)
        return await settle(asyncio.ensure_future(self._answer(port, effect)))

    async def _answer(self, port: Any, effect: Effect[Any]) -> Any:
        try:
            answer = await _ask(port, effect.ask)
        except Exception as error:
            self._wiring.failed(effect, error)
            raise
        if isinstance(answer, Leases):
            self._held.append((port, answer))
        if effect.port is Port.STORE:
            self._wiring.answered(effect, answer)
        return answer

    def release(self) -> Coroutine[Any, Any, None] | None:
        """Let go of every lock that the flow took: at once, or with what is left to await."""
        self._at_once.release()
        return self._release() if self._held else None

    async def _release(self) -> None:
        while self._held:
            port, leases = self._held.pop()
            try:
                await _ask(port, operator.methodcaller("release", leases))
            except Exception:  # noqa: BLE001 - the lock ends by itself; the result must not suffer
                self._wiring.process.lost_releases += 1


async def _ask(port: Any, question: Callable[[Any], Any]) -> Any:
    import asyncio  # noqa: PLC0415 - sync hosts need not load it

    if is_async(port):
        return await question(port)
    answer = await asyncio.to_thread(question, port)
    return await answer if inspect.isawaitable(answer) else answer


def is_async(port: Any) -> bool:
    """Whether a port is to be awaited, judged by its methods."""
    methods = (getattr(port, name, None) for name in ("load", "acquire"))
    return is_coroutine_function(port) or any(is_coroutine_function(method) for method in methods if method)
