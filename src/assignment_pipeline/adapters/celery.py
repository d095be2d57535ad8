"""
Celery tasks that assign bookings.

Comes with the extra ``celery``. A message is only a hint: what is to be done, and when, is in the database. So
messages may come twice, late or never; the sweep finds what they should have told.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import inspect
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import attrs

from assignment_pipeline import processes
from assignment_pipeline.adapters.brokers import doubts, unread
from assignment_pipeline.domain.checks import named
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.errors import (
    AssignmentPipelineError,
    BookingNotFoundError,
    InvalidValueError,
    MissingExtraError,
)
from assignment_pipeline.redaction import redacted, unexpected

try:
    import celery
    from celery import signals
except ModuleNotFoundError as error:
    raise MissingExtraError("celery", error.name or "celery") from None

__all__ = ["Assigner", "Swept", "Tasks", "queue_of", "register"]

PREFIX = "assignment_pipeline"
SWEEP_EVERY = dt.timedelta(seconds=10)

HINTS = 20
"""Countdowns that one message leads to at most: whatever is left then is the sweep's."""

LEFT_LOCKED = dt.timedelta(seconds=30)
"""When a message is looked at again whose first worker has died with the booking's lock: `Settings.lock_ttl`."""

SOON = dt.timedelta(seconds=2)
"""When a message is looked at again that came before the host's commit, or for which no coordinator could be made."""

_DELAY = re.compile(r"(?:[01]\.){28}")
"""What kombu writes before the routing key of a message that RabbitMQ is to deliver later."""

_SWEEPS_AT_A_TIME = 20
_LOOKED_AT_AFTER = 300.0  # Seconds.
_KEPT_FOR = 30

_LOG = logging.getLogger("assignment_pipeline.celery")


class Swept(Protocol):
    """What a sweep did: see `SweepReport`."""

    @property
    def results(self) -> Sequence[AssignmentResult]:
        """What became of each booking that was due."""
        ...

    @property
    def enqueued(self) -> Sequence[str]:
        """Bookings that nobody had enqueued, and that are now."""
        ...

    @property
    def errors(self) -> Sequence[tuple[str, str]]:
        """What was raised, by booking."""
        ...


class Assigner(Protocol):
    """What the tasks need of a `Coordinator`."""

    def assign_id(self, booking_id: str, restaurant_id: str, *, trigger: str = ...) -> AssignmentResult: ...

    def sweep(self, *, limit: int = ...) -> Swept: ...

    def watch_rollout(self) -> Any: ...

    def close(self) -> None: ...


@attrs.frozen
class Tasks:
    """
    The tasks of an app.

    Attributes:
        assign_booking: ``assign_booking.delay(booking_id, restaurant_id)``, after the host's commit.

        sweep: ``sweep.delay()`` processes due bookings; beat sends it.

        rollout_watch: ``rollout_watch.delay()`` looks at the rollout's alerts, and rolls back on one that fires.
    """

    assign_booking: Any
    sweep: Any
    rollout_watch: Any


def register(
    app: celery.Celery,
    factory: Callable[[], Assigner],
    *,
    queues: Sequence[str] = (),
    sweep_every: dt.timedelta | None = SWEEP_EVERY,
    sweep_limit: int = 100,
    watch_every: dt.timedelta | None = None,
    show_errors: bool = False,
) -> Tasks:
    """
    Give *app* the tasks, and beat its entries.

    The tasks are acknowledged when they are done, and handed out again where their worker was lost. Their arguments are
    ids; what they return is an outcome, for a result backend if there is one.

    Once the app is configured, what its set-up would lose or delay is logged as warnings of
    ``assignment_pipeline.celery``: a queue that is not declared, no publisher confirms, json not accepted. On RabbitMQ,
    sweeps warn of queues that have messages and no worker.

    Args:
        app: The Celery app.

        factory: Makes the `Coordinator`: once in each process that runs tasks, when it runs the first. Whatever has
            connections is made in it, not at import, where the worker would fork with them.

        queues: Queues that restaurants are spread over, each restaurant to always the same; the app's default queue
            unless there are some. Then workers have to be told: ``celery worker -Q assignment.0,assignment.1``.

        sweep_every: How often beat has the sweep run; None leaves that to you.

        sweep_limit: Bookings in one round of a sweep. It goes on while rounds are full.

        watch_every: How often beat has the rollout watched, such as once a minute; None leaves that to you.

        show_errors: Whether a task that fails raises what the application's code or a driver raised. Celery logs and
            stores what that says, which may quote a guest; otherwise the task raises an `UnexpectedError`, which
            names its class and the database's code. Errors of this library are raised as they are.

    Raises:
        TypeError: An argument is of another kind.
        ValueError: A queue has no name, or is named twice; or a span is not positive.
    """
    _check(app, factory, queues, sweep_every=sweep_every, watch_every=watch_every)
    app.on_after_finalize.connect(functools.partial(_say_doubts, queues=tuple(queues)), weak=False)
    own = _PerProcess(factory)
    guarded = (lambda function: function) if show_errors else _guarded
    options = {"bind": True, "acks_late": True, "reject_on_worker_lost": True, "serializer": "json", "shared": False}
    options |= {"base": _spread(app.Task, tuple(queues)), "max_retries": None}

    def task(function: Callable[..., Any], every: dt.timedelta | None = None) -> Any:
        name = f"{PREFIX}.{function.__name__}"
        made = app.task(name=name, **options)(guarded(function))
        if every is not None:
            # Beat goes on while no worker does: what it has sent for nothing is not kept.
            how = {"expires": _KEPT_FOR * every.total_seconds(), **({"queue": queues[0]} if queues else {})}
            app.add_periodic_task(every.total_seconds(), made.s(), name=name, **how)
        return made

    return Tasks(
        task(_assigns(own)),
        task(_sweeps(own, sweep_limit, _Unread(app, tuple(queues))), sweep_every),
        task(_watches(own), watch_every),
    )


def _check(app: object, factory: object, queues: object, **spans: object) -> None:
    if not isinstance(app, celery.Celery):
        msg = f"app: expected a Celery app, got {type(app).__name__}"
        raise TypeError(msg)
    if not callable(factory):
        msg = f"factory: expected a function that makes a Coordinator, got {type(factory).__name__}"
        raise TypeError(msg)
    if isinstance(queues, str) or not isinstance(queues, Sequence) or not all(isinstance(one, str) for one in queues):
        msg = f"queues: expected a sequence of names, got {queues!r}"
        raise TypeError(msg)
    if not all(queues) or len({*queues}) != len(queues):
        raise InvalidValueError("queues", "names that are not empty, each once", repr(queues))
    for name, span in spans.items():
        if span is None:
            continue
        if not isinstance(span, dt.timedelta):
            msg = f"{name}: expected a timedelta or None, got {span!r}"
            raise TypeError(msg)
        if span <= dt.timedelta():
            raise InvalidValueError(name, "more than nothing", f"{span}")


def _say_doubts(sender: celery.Celery, *, queues: Sequence[str], **_: object) -> None:
    for doubt in doubts(sender, queues):
        _LOG.warning("%s", doubt)


def _assigns(own: _PerProcess) -> Callable[..., dict[str, Any]]:
    def assign_booking(task: Any, booking_id: str, restaurant_id: str) -> dict[str, Any]:
        """Assign a booking. What is to be tried again comes back after a countdown."""
        _require_text("booking_id", booking_id)
        _require_text("restaurant_id", restaurant_id)
        try:
            coordinator = own.coordinator()
        except Exception as error:
            _again(task, SOON, error)
            raise
        try:
            result = coordinator.assign_id(booking_id, restaurant_id, trigger="queue")
        except BookingNotFoundError as error:
            _again(task, SOON, error)
            raise
        if result.outcome is Outcome.RETRY:
            _again(task, result.retry_after or SOON)
        elif result.reason is Reason.LOCK_CONTENTION and (task.request.delivery_info or {}).get("redelivered"):
            _again(task, LEFT_LOCKED)
        return {
            "booking_id": result.booking_id,
            "outcome": result.outcome.value,
            "reason": result.reason.value if result.reason else None,
            "tables": list(result.tables),
        }

    return assign_booking


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        msg = f"{name}: expected the id as text, got {named(type(value))}"
        raise _MessageError(msg)


class _Unread:
    """Warns of queues that no worker reads: with the first sweep of a process, and every few minutes after it."""

    def __init__(self, app: celery.Celery, queues: Sequence[str]) -> None:
        self._app = app
        self._queues = queues
        self._next = 0.0

    def look(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LOOKED_AT_AFTER
        try:
            found = list(unread(self._app, self._queues))
        except Exception as error:  # noqa: BLE001 - a sweep is not to fail for it
            _LOG.warning("the broker does not say which queues are read: %s", redacted(error))
            return
        for sentence in found:
            _LOG.warning("%s", sentence)


def _sweeps(own: _PerProcess, limit: int, queues: _Unread) -> Callable[..., dict[str, int]]:
    def sweep(_: Any) -> dict[str, int]:
        """Process due bookings until none is left."""
        queues.look()
        seen = enqueued = failed = 0
        for _round in range(_SWEEPS_AT_A_TIME):
            report = own.coordinator().sweep(limit=limit)
            for booking_id, said in report.errors:
                _LOG.error("booking %s made the sweep raise: %s", booking_id, said)
            seen, failed = seen + len(report.results), failed + len(report.errors)
            enqueued += len(report.enqueued)
            if len(report.results) + len(report.errors) < limit:
                break
        return {"results": seen, "enqueued": enqueued, "errors": failed}

    return sweep


def _watches(own: _PerProcess) -> Callable[..., dict[str, Any]]:
    def rollout_watch(_: Any) -> dict[str, Any]:
        """Look at the rollout's alerts, once; roll back on one that fires."""
        look = own.coordinator().watch_rollout()
        if look.error is not None:
            done = "not rolled back" if look.demoted is None else "rolled back"
            _LOG.error("%s: %s", done, look.why or "the events about the alerts could not be kept")
            raise look.error
        demoted = look.demoted.phase if look.demoted is not None else None
        return {"phase": look.phase, "firing": [alert.rule.name for alert in look.firing], "demoted_to": demoted}

    return rollout_watch


def queue_of(restaurant_id: str, queues: Sequence[str]) -> str:
    """
    The queue among *queues* that a restaurant's messages are in; for producers that only know the tasks' names.

    Raises:
        InvalidValueError: There are no queues.
    """
    if not queues:
        raise InvalidValueError("queues", "at least one", "none")
    digest = hashlib.blake2b(restaurant_id.encode(), digest_size=8).digest()
    return queues[int.from_bytes(digest) % len(queues)]


def _spread(base: Any, queues: tuple[str, ...]) -> Any:
    """A class of tasks that sends each restaurant's messages to its own queue, unless the caller says where to."""

    def apply_async(self: Any, args: Any = None, kwargs: Any = None, *rest: Any, **options: Any) -> Any:
        if queues and not {"queue", "exchange", "routing_key"} & options.keys():
            _, restaurant_id = (*(args or ()), None, None)[:2]
            restaurant_id = (kwargs or {}).get("restaurant_id", restaurant_id)
            options["queue"] = queues[0] if restaurant_id is None else queue_of(str(restaurant_id), queues)
        return base.apply_async(self, args, kwargs, *rest, **options)

    return type("Spread", (base,), {"apply_async": apply_async, "abstract": True})


def _again(task: Any, after: dt.timedelta, error: Exception | None = None) -> None:
    """
    Send the message again later. It is a hint: it ends if it comes too early, and the sweep does the rest.

    Raises:
        celery.exceptions.Retry: It will come again.
    """
    if task.request.retries < HINTS:
        # Delayed delivery on RabbitMQ cuts a countdown to whole seconds, and refuses the message where none is left.
        countdown = max(1, math.ceil(after.total_seconds()))
        exc = unexpected(error) if error else None
        raise task.retry(countdown=countdown, exc=exc, **_back_to_its_queue(task))


def _back_to_its_queue(task: Any) -> dict[str, str]:
    """Where a message is sent again: to the queue that it came from. Left to itself, Celery takes the default queue."""
    key = _DELAY.sub("", (task.request.delivery_info or {}).get("routing_key") or "", count=1)
    queues = task.app.amqp.queues
    if key in queues:
        return {"queue": key}
    names = [name for name, queue in queues.items() if queue.routing_key == key]
    return {"queue": names[0]} if key and len(names) == 1 else {}


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which raises nothing that quotes a guest."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        if not _takes(signature, arguments, options):
            wanted = ", ".join([*signature.parameters][1:]) or "none"
            got = f"{len(arguments) - 1} and {len(options)} by name"  # The names could be anything.
            msg = f"the arguments: expected {wanted}, got {got}"
            raise _MessageError(msg)
        try:
            return function(*arguments, **options)
        except celery.exceptions.TaskPredicate:  # How Celery itself is told to try again, and the like.
            raise
        except Exception as error:
            said = unexpected(error)
            if said is error:
                raise
        raise said  # Out of the handler, so that the other is not its context.

    return call


def _takes(signature: inspect.Signature, arguments: Sequence[Any], options: Mapping[str, Any]) -> bool:
    try:
        signature.bind(*arguments, **options)
    except TypeError:
        return False
    return True


class _MessageError(AssignmentPipelineError, TypeError):
    """The message of a task holds something else than the task takes: *what*."""

    code: ClassVar[str] = "wrong_message"

    what: str

    def __str__(self) -> str:
        return f"{self.what}."


class _FactoryError(AssignmentPipelineError, TypeError):
    """The factory makes something else than a Coordinator: *got*."""

    code: ClassVar[str] = "wrong_factory"

    got: str

    def __str__(self) -> str:
        return f"factory: expected one that makes a Coordinator, got {self.got} from it."


class _PerProcess(processes.Watched):
    """A coordinator for each process, made when it is needed first."""

    def __init__(self, factory: Callable[[], Assigner]) -> None:
        self._factory = factory
        self.reset_in_child()
        processes.watch(self)
        for signal in (signals.worker_process_shutdown, signals.worker_shutdown):
            signal.connect(self._close, weak=False)

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: the parent's is the parent's."""
        self._lock = threading.Lock()
        self._made: Assigner | None = None

    def coordinator(self) -> Assigner:
        """
        This process's.

        Raises:
            TypeError: The factory makes something else.
        """
        with self._lock:
            if self._made is None:
                made = self._factory()
                if not callable(getattr(made, "assign_id", None)) or inspect.iscoroutinefunction(made.assign_id):
                    raise _FactoryError(type(made).__name__)
                self._made = made
            return self._made

    def _close(self, **_: Any) -> None:
        """The process ends: its sinks get what they have not got yet."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()
