"""One frozen class for each thing that a flow can ask of the outside world."""

from __future__ import annotations

import datetime as dt
import enum
import time
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.errors import FlagsUnreadError
from assignment_pipeline.on_use import module_on_use
from assignment_pipeline.plain import Plain
from assignment_pipeline.planning.base import Budget
from assignment_pipeline.ports import StaleFlags, Wanted

if TYPE_CHECKING:  # What effects promise is written as text: few processes use all of it.
    from assignment_pipeline.domain.availability import Slot  # noqa: F401 - promised
    from assignment_pipeline.domain.blocks import TableBlock
    from assignment_pipeline.domain.booking import Booking
    from assignment_pipeline.domain.events import Event
    from assignment_pipeline.domain.record import AssignmentChange, StateChange  # noqa: F401 - promised
    from assignment_pipeline.domain.result import Decision, LegacyResult  # noqa: F401 - promised
    from assignment_pipeline.domain.shadow import ShadowCase
    from assignment_pipeline.domain.trail import BookingTrail, Whereabouts  # noqa: F401 - promised
    from assignment_pipeline.domain.venue import Venue
    from assignment_pipeline.planning import availability
    from assignment_pipeline.planning.base import Evaluation, FloorSnapshot, SeatingRequest  # noqa: F401 - promised
    from assignment_pipeline.planning.rearrange import Rearrangement  # noqa: F401 - promised
    from assignment_pipeline.ports import (  # noqa: F401 - promised
        AssignmentContext,
        Due,
        FlagDecision,
        Leases,
        LoadQuery,
        RecordPage,
        RecordQuery,
        Refused,
        UnreadableBooking,
        Waiting,
    )
else:
    availability = module_on_use("planning.availability")

T = TypeVar("T")

_unchecked_wanted = maker(Wanted)

Flow = Generator["Effect[Any]", Any, T]
"""A flow: yields effects, is sent their answers, and returns a `T`."""


def at_once(value: T) -> Flow[T]:
    """The flow that asks for nothing: for a callback that may ask for something, and need not."""
    yield from ()
    return value


class Port(enum.Enum):
    """Who answers an effect."""

    STORE = enum.auto()
    LOCKS = enum.auto()
    LIMITER = enum.auto()
    LEGACY = enum.auto()
    ENGINE = enum.auto()
    FLAGS = enum.auto()
    PROCESS = enum.auto()

    __hash__ = object.__hash__  # An enum's own is no faster for being in Python.


class Effect(Plain, Generic[T]):
    """
    Something the outside world is asked for; `T` is what it hands back.

    ``ask`` puts the question to the port that answers it. With an async port
    the answer is awaited: an effect has no twin.
    """

    port: ClassVar[Port]

    if not TYPE_CHECKING:

        def __class_getitem__(cls, _: object) -> type:  # What is promised is for type checkers: nothing is made of it.
            return cls

    def takes_long(self, port: Any) -> bool:  # noqa: ARG002 - most ports answer as fast, whatever their state
        """Whether the answer of *port*, which is not asked over a network, takes its time all the same."""
        return False

    def __iter__(self) -> Generator[Effect[Any], Any, T]:
        answer: T = yield self
        return answer

    def ask(self, port: Any) -> Any:
        """The port's answer, or an awaitable of it."""
        raise NotImplementedError


class Bare(Effect[T]):
    """An effect without fields."""

    def __init__(self) -> None:
        """Do less than `Plain` would: each assignment asks for some of these."""


class ResolveFlags(Effect["FlagDecision"]):
    """What the flags say about a restaurant. `FlagsUnreadError` is raised inside the flow."""

    port = Port.FLAGS
    restaurant_id: str

    def __init__(self, restaurant_id: str) -> None:  # Of those that each assignment asks for, `Plain` makes no values.
        self.restaurant_id = restaurant_id

    def takes_long(self, port: Any) -> bool:
        """Whether the first answer is still waited for."""
        return bool(getattr(port, "unread", False))  # See `UnreadFlags`.

    def ask(self, port: Any) -> Any:
        return port.resolve(self.restaurant_id)


class DoubtFlags(Effect[None]):
    """The store refused the flags of that generation. A resolver that caches them may read them again."""

    port = Port.FLAGS
    generation: int | None

    def ask(self, port: Any) -> Any:
        return port.stale(self.generation) if isinstance(port, StaleFlags) else None


class CheckCircuit(Bare[dt.timedelta]):
    """For how long the circuit breaker still keeps the store from being asked: zero if it does not."""

    port = Port.PROCESS

    def ask(self, port: Any) -> Any:
        return port.circuit_cooldown()


class Hold(Effect["Leases | Refused"]):
    """
    Locks for as long as the flow runs: the driver lets go of them, however the flow ends.

    `LockManagerUnavailableError` is raised inside the flow.
    """

    port = Port.LOCKS
    wanted: tuple[Wanted, ...]
    ttl: dt.timedelta

    def __init__(self, wanted: tuple[Wanted, ...], ttl: dt.timedelta) -> None:
        self.wanted = wanted
        self.ttl = ttl

    @classmethod
    def of(cls, booking_ids: Iterable[str], ttl: dt.timedelta) -> Self:
        """What keeps two workers from the same bookings."""
        return cls(tuple([_unchecked_wanted(key=f"booking:{booking_id}") for booking_id in booking_ids]), ttl)

    def ask(self, port: Any) -> Any:
        return port.acquire(self.wanted, ttl=self.ttl)


class TakeSlot(Hold):
    """The same, of the manager that bounds how much is done at a time: by default, one for the process."""

    port = Port.LIMITER

    @classmethod
    def at(cls, restaurant_id: str, slots: int, ttl: dt.timedelta) -> Self:
        """One of the assignments, at most *slots*, that may go on at a restaurant at a time."""
        return cls((_unchecked_wanted(key=f"restaurant:{restaurant_id}", slots=slots),), ttl)


class LoadContext(Effect["AssignmentContext | None"]):
    """All that planning for some bookings looks at."""

    port = Port.STORE
    query: LoadQuery

    def __init__(self, query: LoadQuery) -> None:
        self.query = query

    def ask(self, port: Any) -> Any:
        return port.load(self.query)


class LoadContexts(Effect["tuple[AssignmentContext | None, ...]"]):
    """The same for each of several queries, in one snapshot."""

    port = Port.STORE
    queries: tuple[LoadQuery, ...]

    def ask(self, port: Any) -> Any:
        return port.load_all(self.queries)


class Commit(Effect[None]):
    """Apply all of the changes, or none."""

    port = Port.STORE
    changes: tuple[AssignmentChange, ...]

    def __init__(self, changes: tuple[AssignmentChange, ...]) -> None:
        self.changes = changes

    def ask(self, port: Any) -> Any:
        return port.commit(self.changes)


class LookUpChange(Effect[bool]):
    """Whether a change has landed whose commit was not answered."""

    port = Port.STORE
    change: AssignmentChange

    def ask(self, port: Any) -> Any:
        return port.knows(self.change)


class BlockTables(Effect[tuple[str, ...]]):
    """Keep everybody off tables for a while; the bookings that have them then."""

    port = Port.STORE
    blocks: tuple[TableBlock, ...]
    events: tuple[Event, ...]

    def ask(self, port: Any) -> Any:
        return port.block(self.blocks, self.events)


class UnblockTables(Effect[bool]):
    """End blocks; whether there were any."""

    port = Port.STORE
    blocks: tuple[TableBlock, ...]
    events: tuple[Event, ...]

    def ask(self, port: Any) -> Any:
        return port.unblock(self.blocks, self.events)


class PutVenue(Effect[None]):
    """Have the host of ours keep a restaurant, or change it."""

    port = Port.STORE
    venue: Venue

    def ask(self, port: Any) -> Any:
        return port.put_venue(self.venue)


class ReadBlocks(Effect["tuple[TableBlock, ...]"]):
    """A restaurant's blocks that end after a time."""

    port = Port.STORE
    restaurant_id: str
    since: dt.datetime

    def ask(self, port: Any) -> Any:
        return port.blocked(self.restaurant_id, self.since)


class ClaimDue(Effect["tuple[Due, ...]"]):
    """What the sweep is to take up."""

    port = Port.STORE
    limit: int
    order: WakeOrder = WakeOrder.LONGEST_WAIT

    def ask(self, port: Any) -> Any:
        return port.due(self.limit, self.order)


class PutBack(Effect[None]):
    """Give up claims: those deliveries do not count."""

    port = Port.STORE
    claims: tuple[Due, ...]
    after: dt.timedelta

    def ask(self, port: Any) -> Any:
        return port.put_back(self.claims, self.after)


class ReadRecords(Effect["RecordPage"]):
    """A page of records."""

    port = Port.STORE
    query: RecordQuery

    def ask(self, port: Any) -> Any:
        return port.records(self.query)


class ReadTrail(Effect["BookingTrail"]):
    """All that is kept of a booking."""

    port = Port.STORE
    booking_id: str

    def ask(self, port: Any) -> Any:
        return _audits(port).trail(self.booking_id)


class ReadWhereabouts(Effect["tuple[Whereabouts, ...]"]):
    """Where the parties of a restaurant stood at a time."""

    port = Port.STORE
    restaurant_id: str
    at: dt.datetime

    def ask(self, port: Any) -> Any:
        return _audits(port).whereabouts(self.restaurant_id, self.at)


def _audits(port: Any) -> Any:
    if not hasattr(port, "whereabouts"):
        msg = f"store: expected an AuditStore, such as SQLiteStore, got {type(port).__name__}"
        raise TypeError(msg)
    return port


class ReadHistory(Effect["tuple[StateChange, ...]"]):
    """A booking's transitions."""

    port = Port.STORE
    booking_id: str

    def ask(self, port: Any) -> Any:
        return port.history(self.booking_id)


class FindBooking(Effect["Booking | None"]):
    """A booking, as the host has it."""

    port = Port.STORE
    booking_id: str

    def ask(self, port: Any) -> Any:
        return port.booking(self.booking_id)


class FindUnassigned(Effect["tuple[Booking | UnreadableBooking, ...]"]):
    """The host's pending bookings that nobody enqueued."""

    port = Port.STORE
    since: dt.datetime
    limit: int
    restaurants: tuple[str, ...] | None = None

    def ask(self, port: Any) -> Any:
        if self.restaurants is None:
            return port.unassigned(self.since, self.limit)
        return port.unassigned(self.since, self.limit, self.restaurants)


class FindWaiting(Bare["Waiting"]):
    """Where bookings wait that nobody enqueued, and the store's time."""

    port = Port.STORE

    def ask(self, port: Any) -> Any:
        return port.waiting()


class InCharge(Effect[tuple[str, ...]]):
    """Of some restaurants, those that the pipeline is known to be in charge of: not those whose flags are unread."""

    port = Port.FLAGS
    restaurants: tuple[str, ...]

    def takes_long(self, port: Any) -> bool:
        return bool(getattr(port, "unread", False))

    def ask(self, port: Any) -> Any:
        return tuple(name for name in self.restaurants if self._is_known(port, name))

    def _is_known(self, port: Any, restaurant_id: str) -> bool:
        try:
            return bool(port.resolve(restaurant_id).mode is Mode.ACTIVE)
        except FlagsUnreadError:
            return False  # One that is not known yet keeps nobody from the others.


class MakePlan(Effect["Decision"]):
    """The best tables for a request."""

    port = Port.ENGINE
    request: SeatingRequest
    floor: FloorSnapshot
    budget: Budget

    def __init__(self, request: SeatingRequest, floor: FloorSnapshot, budget: Budget) -> None:
        self.request = request
        self.floor = floor
        self.budget = budget

    def takes_long(self, port: Any) -> bool:  # noqa: ARG002 - it depends on the floor
        """Whether moves may be looked for, which takes milliseconds to seconds."""
        return bool(self.floor.sitting)

    def ask(self, port: Any) -> Any:
        return port.plan(self.request, self.floor, self.budget)


class SurveyTimes(Effect["tuple[Slot, ...]"]):
    """Which of many times can be had."""

    port = Port.ENGINE
    asked: availability.TimesAsked
    floor: FloorSnapshot

    def takes_long(self, port: Any) -> bool:  # noqa: ARG002 - it always does
        """It is a whole day's arrivals."""
        return True

    def ask(self, port: Any) -> Any:
        at_once = getattr(port, "survey", None)  # A host's engine need not have it.
        if at_once is not None:
            return at_once(self.asked, self.floor)
        return availability.survey(self.asked, self.floor, port.plan, monotonic=time.monotonic)


class Rearrange(Effect["Rearrangement"]):
    """A better day for everybody on the floor, and for those who wait."""

    port = Port.ENGINE
    floor: FloorSnapshot
    waiting: tuple[SeatingRequest, ...]
    budget: dt.timedelta

    def takes_long(self, port: Any) -> bool:  # noqa: ARG002 - it always does
        """It is the whole day's plan."""
        return True

    def ask(self, port: Any) -> Any:
        return port.rearrange(self.floor, self.waiting, self.budget)


class Evaluate(Effect["Evaluation"]):
    """What given tables are worth to a request."""

    port = Port.ENGINE
    request: SeatingRequest
    table_ids: tuple[str, ...]
    floor: FloorSnapshot

    def ask(self, port: Any) -> Any:
        return port.evaluate(self.request, self.table_ids, self.floor)


class RunLegacy(Effect["LegacyResult"]):
    """Runs the legacy planner on a booking. Its errors go through."""

    port = Port.LEGACY
    booking: Booking

    def ask(self, port: Any) -> Any:
        return port(self.booking)


class HasShadow(Bare[bool]):
    """Whether there is a shadow to hand cases to."""

    port = Port.PROCESS

    def ask(self, port: Any) -> Any:
        return port.has_shadow()


class OfferCase(Effect[None]):
    """Hand a case to the shadow. Never raises, never waits."""

    port = Port.PROCESS
    case: ShadowCase

    def ask(self, port: Any) -> Any:
        return port.offer_case(self.case)


class Emit(Effect[None]):
    """Tell of what no commit carries."""

    port = Port.PROCESS
    events: tuple[Event, ...]

    def ask(self, port: Any) -> Any:
        return port.emit(self.events)


class Publish(Effect[None]):
    """Send the sinks events that are in the store, and whose commit was confirmed late."""

    port = Port.PROCESS
    events: tuple[Event, ...]

    def ask(self, port: Any) -> Any:
        return port.dispatcher.publish(self.events)


class Apart(Effect[T]):
    """Another flow. The handler itself drives it to its end, and lets go of its locks then."""

    port = Port.PROCESS
    flow: Flow[T]


class Begin(Bare[tuple[str, dt.datetime, Callable[[], float], bool, bool]]):
    """
    What every call begins with.

    That is `NewId`, `Now`, the clock that times it, whether a shadow asks legacy, and `Process.one_manager`.

    The clock decides nothing, and so the call reads it by itself: an effect goes through each flow up to its handler.
    """

    port = Port.PROCESS

    def ask(self, port: Any) -> Any:
        return port.new_id(), port.now(), port.monotonic, port.has_reverse_shadow(), port.one_manager


class Now(Bare[dt.datetime]):
    """This machine's time of day, for what does not decide anything."""

    port = Port.PROCESS

    def ask(self, port: Any) -> Any:
        return port.now()


class Monotonic(Bare[float]):
    """Seconds since some fixed moment."""

    port = Port.PROCESS

    def ask(self, port: Any) -> Any:
        return port.monotonic()


class Draw(Bare[float]):
    """A random number, from 0 up to 1."""

    port = Port.PROCESS

    def ask(self, port: Any) -> Any:
        return port.draw()


class NewId(Bare[str]):
    """An id that nobody else has."""

    port = Port.PROCESS

    def ask(self, port: Any) -> Any:
        return port.new_id()
