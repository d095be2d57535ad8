"""A host whose every answer is looked at before a store goes by it: once, for all stores."""

from __future__ import annotations

import datetime as dt
import functools
import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import attrs

from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.checks import named
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import BookingUnreadableError, HostContradictionError, HostError, InvalidValueError
from assignment_pipeline.ports.fitting import is_coroutine_function, refuse_awaitable, require
from assignment_pipeline.ports.waiting import UNREADABLE, UnreadableBooking
from assignment_pipeline.redaction import database_code, redacted

T = TypeVar("T")

METHODS = ("booking", "venue", "occupied", "unassigned")
"""What every host has."""

_NO_SUCH = re.compile(r"no such (table|column): [\w.]+|table \w+ has no column named \w+")

_SYNTAX_OR_ACCESS, _NO_SCHEMA = "42", "3F000"
"""The class of SQLSTATE that tables, columns, functions and rights which are missing are in, and one like it."""

_QUERY = "a query for tables and columns that are there, and that it may use"
_EXPECTED = "a Host, which has the methods booking, venue, occupied and unassigned"
_AT_HAND = frozenset({type(None), Booking, Venue, list, tuple})
"""What most answers are: none of these has to be awaited."""

_SYNC = "Write it with def; or use AsyncPostgresStore and AsyncCoordinator."


class CheckedHost:
    """
    The host's side, as a store asks it: what is no answer raises `HostError`, which names the method.

    Args:
        host: The host's side.

        on_commit: Host code that was given to the store, beside a host's own.

        waits: Whether the store awaits what it gets: the host's methods may be coroutines then.

    Attributes:
        knows_restaurants: Whether it is a `RestaurantsHost`.

    Raises:
        TypeError: It is no host, or its methods are coroutines that nobody would await.
    """

    @property
    def keeps_venues(self) -> Any:
        """
        The host, if it is one of ours, which has restaurants put into it.

        Raises:
            InvalidValueError: It keeps its restaurants itself.
        """
        if not callable(getattr(self.host, "put_venue", None)):
            expected = "one of ours, to put a restaurant into"
            raise InvalidValueError("host", expected, f"{named(type(self.host))}, which keeps its own")
        return self.host

    def __init__(self, host: Any, on_commit: Any = None, *, waits: bool = False) -> None:
        require("host", host, METHODS, _EXPECTED, sync=None if waits else _SYNC)
        self.host = host
        self.on_commit = on_commit
        self.waits = waits
        self.knows_restaurants = _knows_restaurants(host)
        self._names: dict[str, str] = {}
        for name, hook in self._hooks():
            if not callable(hook):
                msg = f"{name}: expected a function of a connection and changes, got {named(type(hook))}"
                raise TypeError(msg)
            if not waits and is_coroutine_function(hook):
                msg = f"{name} is a coroutine function, which nobody awaits here. {_SYNC}"
                raise TypeError(msg)

    def _hooks(self) -> Iterator[tuple[str, Any]]:
        """The host's code for commits: its own, and what the store was given."""
        own = getattr(self.host, "on_commit", None)
        if own is not None:
            yield f"{self._name}.on_commit", own
        if self.on_commit is not None:
            yield "on_commit", self.on_commit

    @functools.cached_property
    def _name(self) -> str:
        """The class that the host's author knows: where an adapter calls it, the one behind that."""
        return type(getattr(self.host, "session_host", self.host)).__name__

    @property
    def is_ours(self) -> bool:
        """Whether it is one of ours: its versions follow its floors, and it remembers bookings that were passed in."""
        return bool(getattr(self.host, "is_ours", False))

    @property
    def follows(self) -> bool:
        """Whether it has rows of its own that its code for commits keeps in step."""
        return not self.is_ours and any(self._hooks())

    def booking(self, connection: Any, booking_id: str) -> Any:
        """
        See `Host.booking`.

        Raises:
            BookingUnreadableError: The row makes no sense to the host's code.
        """
        try:
            answer = self.host.booking(connection, booking_id)
        except Exception as error:
            self._explain(error, "booking")
            if isinstance(error, UNREADABLE):
                raise BookingUnreadableError(booking_id, _problem(error)) from error
            raise
        if answer is None:
            return None
        if self.waits and hasattr(type(answer), "__await__"):
            answer = _readable(answer, booking_id)
        return self._answer(answer, "booking", _booking, booking_id)

    def venue(self, connection: Any, restaurant_id: str, known_version: str | None) -> Any:
        """The restaurant's venue, or None if its version is still *known_version*. See `Host.venue`."""
        try:
            answer = self.host.venue(connection, restaurant_id, known_version)
            if type(answer) is Venue and answer.id == restaurant_id:
                return answer
            return self._answer(answer, "venue", _venue, restaurant_id)
        except Exception as error:
            self._explain(error, "venue")
            raise

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Any:
        """See `Host.occupied`; a tuple, with nothing movable in it."""
        try:
            answer = self.host.occupied(connection, restaurant_id, window)
            if type(answer) is list and not answer:
                return ()  # Most often: a host that seats nobody by other means.
            return self._answer(answer, "occupied", _occupied, "")
        except Exception as error:
            self._explain(error, "occupied")
            raise

    def unassigned(
        self, connection: Any, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> Any:
        """See `Host.unassigned`; a tuple."""
        only = {} if restaurants is None else {"restaurants": restaurants}
        try:
            answer = self.host.unassigned(connection, since, limit, **only)
            return self._answer(answer, "unassigned", _unassigned, "")
        except Exception as error:
            self._explain(error, "unassigned")
            raise

    def restaurants_waiting(self, connection: Any) -> Any:
        """See `RestaurantsHost.restaurants_waiting`; a tuple. Only where it `knows_restaurants`."""
        try:
            answer = self.host.restaurants_waiting(connection)
            return self._answer(answer, "restaurants_waiting", _restaurants, "")
        except Exception as error:
            self._explain(error, "restaurants_waiting")
            raise

    def calls(self, changes: Sequence[AssignmentChange], *, ours: bool = False) -> Iterator[Callable[[Any], Any]]:
        """
        What a store calls inside a commit of *changes*, one after the other, each with its connection.

        Args:
            ours: Whether the host's rows are ours, and the store itself keeps them.
        """
        for name, hook in self._hooks():
            if not ours or hook is self.on_commit:
                yield self._hooked(name, hook, changes)
        if ours:
            return
        for change in changes:
            if change.gives_tables_back:
                yield self._look_again(change)

    def _hooked(self, name: str, hook: Callable[..., Any], changes: Sequence[AssignmentChange]) -> Callable[[Any], Any]:
        def call(connection: Any) -> Any:
            try:
                answer = hook(connection, changes)
            except Exception as error:
                self._explain(error, name)
                raise
            if answer is None:
                return None
            if not self.waits:
                refuse_awaitable(answer, name, _SYNC)
            elif hasattr(type(answer), "__await__"):
                answer = self._awaited(answer, name)
            return answer

        return call

    async def _awaited(self, answer: Any, method: str) -> Any:
        try:
            return await answer
        except Exception as error:
            self._explain(error, method)
            raise

    def _look_again(self, change: AssignmentChange) -> Callable[[Any], Any]:
        """Whether the host's row says, after ``on_commit``, that a booking waits which gives its tables back."""

        def check(booking: Booking | None) -> None:
            if booking is not None and not booking.is_pending and booking.status != CANCELLED:
                record = change.record
                raise HostContradictionError(
                    record.booking_id, record.state.value, booking.status, next((name for name, _ in self._hooks()), "")
                )

        def call(connection: Any) -> Any:
            try:
                answer = self.booking(connection, change.record.booking_id)
            except BookingUnreadableError:
                return None  # It contradicts nothing: a person decides on it.
            return _checked(answer, check) if self.waits and hasattr(type(answer), "__await__") else check(answer)

        return call

    def _explain(self, error: Exception, method: str) -> None:
        """
        Name the method whose query wants what is not there, or not allowed: the pipeline's own tables are.

        Raises:
            HostError: *error* is of that kind.
        """
        refused = None if self.is_ours else _refused(error)
        if refused is not None:
            who = method if method in {name for name, _ in self._hooks()} else f"{self._name}.{method}"
            raise HostError(who, _QUERY, refused) from error

    def _answer(self, answer: Any, method: str, check: Callable[[Any, str, str], T], asked: str) -> Any:
        who = self._names.get(method) or self._names.setdefault(method, f"{self._name}.{method}")
        if not self.waits:
            if type(answer) not in _AT_HAND:
                refuse_awaitable(answer, who, _SYNC)
            return check(answer, who, asked)
        if hasattr(type(answer), "__aiter__"):
            answer = _all_of(answer)
        if hasattr(type(answer), "__await__"):
            return _then(self._awaited(answer, method), lambda found: check(found, who, asked))
        return check(answer, who, asked)


def unknown_tables(venue: Venue, occupied: Collection[Occupied]) -> tuple[str, ...]:
    """The tables of *occupied* that the floor does not have, sorted."""
    if not occupied:
        return ()
    return tuple(sorted({taken.table_id for taken in occupied} - venue.floor.positions.keys()))


def _refused(error: Exception) -> str | None:
    """What a database says of a query that it cannot make sense of, or does not allow; None for any other error."""
    met = error if _is_sqlite(error) else getattr(error, "orig", None)  # SQLAlchemy's
    if _is_sqlite(met):
        return str(met) if _NO_SUCH.fullmatch(str(met)) else None
    state = database_code(error) or ""
    return redacted(error) if state.startswith(_SYNTAX_OR_ACCESS) or state == _NO_SCHEMA else None


def _is_sqlite(error: object) -> bool:
    sqlite3 = sys.modules.get("sqlite3")  # A host without it raises none of its errors, and need not load it.
    return sqlite3 is not None and isinstance(error, sqlite3.OperationalError)


async def _all_of(answer: Any) -> list[Any]:
    return [one async for one in answer]


async def _readable(answer: Any, booking_id: str) -> Any:
    try:
        return await answer
    except UNREADABLE as error:
        raise BookingUnreadableError(booking_id, _problem(error)) from error


def _problem(error: Exception) -> str:
    return type(error).__name__


async def _checked(answer: Any, check: Callable[[Any], None]) -> None:
    """Check a booking; a row that makes no sense contradicts nothing."""
    try:
        booking = await answer
    except BookingUnreadableError:
        return
    check(booking)


async def _then(answer: Any, check: Callable[[Any], T]) -> T:
    return check(await answer)


def _booking(answer: Any, who: str, booking_id: str) -> Booking | None:
    if answer is None:
        return None
    if not isinstance(answer, Booking):
        raise HostError(who, "a Booking or None", named(type(answer)))
    if answer.id != booking_id:
        raise HostError(who, f"the booking that was asked for, {booking_id!r}", f"one with the id {answer.id!r}")
    return answer


def _venue(answer: Any, who: str, restaurant_id: str) -> Venue | None:
    if answer is None:
        return None
    if not isinstance(answer, Venue):
        raise HostError(who, "a Venue, or None where its version is still known_version", named(type(answer)))
    if answer.id != restaurant_id:
        raise HostError(who, f"the restaurant that was asked for, {restaurant_id!r}", f"one with the id {answer.id!r}")
    return answer


def _occupied(answer: Any, who: str, _: str) -> tuple[Occupied, ...]:
    rows: tuple[Occupied, ...] = _all(answer, who, Occupied)
    return tuple([attrs.evolve(taken, movable=False) if taken.movable else taken for taken in rows])


def _unassigned(answer: Any, who: str, _: str) -> tuple[Booking | UnreadableBooking, ...]:
    return _all(answer, who, Booking, UnreadableBooking)


def _restaurants(answer: Any, who: str, _: str) -> tuple[str, ...]:
    return _all(answer, who, str)


def _knows_restaurants(host: Any) -> bool:
    if not callable(getattr(host, "restaurants_waiting", None)):
        return False
    return "restaurants" in inspect.signature(host.unassigned).parameters


def _all(answer: Any, who: str, kind: type[Any], *others: type[Any]) -> tuple[Any, ...]:
    if type(answer) is not list and (not isinstance(answer, Iterable) or isinstance(answer, str | bytes)):
        raise HostError(who, f"a list of {kind.__name__} values", named(type(answer)))
    found = tuple(answer)
    for one in found:
        if not isinstance(one, (kind, *others)):
            raise HostError(who, f"a list of {kind.__name__} values", f"{named(type(one))} in it")
    return found


def read_bookings(
    find: Callable[[str], Booking | None], booking_ids: Iterable[str]
) -> tuple[dict[str, Booking], frozenset[str]]:
    """The host's bookings that can be read, by id, and those whose rows make no sense: these stop nobody else."""
    bookings: dict[str, Booking] = {}
    unreadable: set[str] = set()
    for booking_id in booking_ids:
        try:
            booking = find(booking_id)
        except BookingUnreadableError:
            unreadable.add(booking_id)
        else:
            if booking is not None:
                bookings[booking_id] = booking
    return bookings, frozenset(unreadable)
