"""Whether the records and the host's rows say the same, of the bookings of these days."""

from __future__ import annotations

import collections
import datetime as dt
import inspect
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol

import attrs

from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.windows import MINUTE, TimeWindow, minute_of, written
from assignment_pipeline.domain.wording import count, first_few
from assignment_pipeline.errors import AssignmentPipelineError, VenueNotFoundError
from assignment_pipeline.lifecycle import FINAL, WITH_TABLES, AssignmentState
from assignment_pipeline.ports import (
    AssignmentContext,
    LoadQuery,
    RecordPage,
    RecordQuery,
    UnreadableBooking,
    Waiting,
)
from assignment_pipeline.redaction import redacted
from assignment_pipeline.rollout.doctor.diagnosis import Finding, good, wrong
from assignment_pipeline.rollout.doctor.restaurants import MOST_BUNDLES, Restaurants

BACK, AHEAD = dt.timedelta(hours=12), dt.timedelta(hours=60)
MOST_LISTED = 1_000
NAMED = 10

_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)
_WAITING = frozenset({AssignmentState.ASSIGNMENT_PENDING, AssignmentState.MANUAL_REVIEW})


class Loads(Protocol):
    """A store whose records and host can be held against each other."""

    def restaurants(self) -> tuple[str, ...]:
        """
        The restaurants that it knows: those with records, and those whose floors it keeps itself; sorted.

        See `RolloutStore.restaurants`.
        """
        ...

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        """Everything that planning for those bookings looks at, in one snapshot. See `AssignmentStore.load`."""
        ...

    def waiting(self) -> Waiting:
        """
        The store's time, and the restaurants with pending bookings that have no record here.

        See `AssignmentStore.waiting`.
        """
        ...

    def records(self, query: RecordQuery) -> RecordPage:
        """A page of records. See `AssignmentStore.records`."""
        ...

    def booking(self, booking_id: str) -> Booking | None:
        """The host's view of a booking. See `AssignmentStore.booking`."""
        ...

    def unassigned(
        self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> tuple[Booking | UnreadableBooking, ...]:
        """
        The host's pending bookings that start after *since* and have no record here, at most *limit*, soonest first.

        See `AssignmentStore.unassigned`.
        """
        ...


@attrs.define
class _Found:
    """What does not agree: ids, and what goes with them."""

    bookings: int = 0
    untaken: list[str] = attrs.field(factory=list)
    settled: list[str] = attrs.field(factory=list)
    ended: list[str] = attrs.field(factory=list)
    cancelled: list[str] = attrs.field(factory=list)
    request: list[str] = attrs.field(factory=list)
    elsewhere: list[str] = attrs.field(factory=list)
    gone: list[str] = attrs.field(factory=list)
    twice: list[str] = attrs.field(factory=list)
    unknown: list[str] = attrs.field(factory=list)
    unreadable: list[str] = attrs.field(factory=list)
    unlisted: list[str] = attrs.field(factory=list)
    unshown: list[str] = attrs.field(factory=list)


def examine_host(store: Loads, now: dt.datetime, restaurants: Restaurants | None = None) -> tuple[Finding, ...]:
    """
    The findings of the host's rows: bookings from 12 hours ago to 60 hours from now, and its list of the not enqueued.

    Args:
        store: Where the records are; it asks its host.

        now: The store's time.

        restaurants: Those to look at; None draws them.
    """
    found, restaurants = _Found(), restaurants or Restaurants.of(store)
    start = minute_of(now.astimezone(dt.UTC))
    day = TimeWindow(start - BACK, start + AHEAD + MINUTE)
    for restaurant_id in restaurants.ids:
        try:
            context = store.load(LoadQuery(restaurant_id=restaurant_id, day=day))
        except VenueNotFoundError as error:
            standing = _look_without_venue(store, restaurant_id, now, found)
            if restaurants.named and not standing:  # Else it has closed down since, and nobody comes any more.
                found.unreadable.append(redacted(error))
            continue
        except Exception as error:  # noqa: BLE001 - whatever a host's code raises is what is looked for
            found.unreadable.append(f"{restaurant_id}: {redacted(error)}")
            continue
        if context is not None:
            _look(context, found)
            _look_for_legacy(store, context, day, found)
    _look_at_list(store, restaurants, found)
    span = f"from {written(day.start, dt.UTC)} to {written(day.end - MINUTE, dt.UTC)}"
    seen = f"{count(found.bookings, 'booking')} at {restaurants}, {span}"
    return tuple(_findings(found, seen))


def _look(context: AssignmentContext, found: _Found) -> None:
    for booking_id, record in context.records.items():
        at_host = context.bookings.get(booking_id)
        if at_host is None or record.owner is not Owner.PIPELINE:
            continue
        found.bookings += 1
        if context.follows and record.state is AssignmentState.CONFIRMED and at_host.is_pending:
            found.untaken.append(booking_id)
        if record.state in _WAITING and not at_host.is_pending and at_host.status != CANCELLED:
            found.settled.append(booking_id)
        if record.state in WITH_TABLES and at_host.status == CANCELLED:
            found.cancelled.append(booking_id)
        elif at_host.restaurant_id != record.restaurant_id:  # The sweep takes those along that wait.
            if record.state in WITH_TABLES and _ends(record) > context.now:
                found.elsewhere.append(_elsewhere(record, at_host))
        elif _waits_for_another_table(record, at_host):
            found.request.append(f"{booking_id} ({_differing(record, at_host, context.venue.zone)})")
    found.gone += context.without_row
    found.unreadable += [f"{context.venue.id}: {booking_id}" for booking_id in sorted(context.unreadable)]
    found.unknown += [f"{context.venue.id}: {table_id}" for table_id in context.unknown_tables]
    found.twice += _twice(context.taken, context.records, context.bookings)


def _look_without_venue(store: Loads, restaurant_id: str, now: dt.datetime, found: _Found) -> bool:
    """
    Look at the bookings ahead of a restaurant that the host does not know any more: its id may have changed.

    Returns:
        Whether there are any.
    """
    standing, after, states = False, None, (*sorted(WITH_TABLES), *sorted(_WAITING))
    while True:
        page = store.records(RecordQuery(restaurant_id=restaurant_id, states=states, after=after, limit=MOST_LISTED))
        for record in page.records:
            if record.owner is Owner.PIPELINE and _ends(record) > now:
                standing = True
                _look_at_homeless(store, record, found)
        if page.next is None:
            return standing
        after = page.next


def _ends(record: AssignmentRecord) -> dt.datetime:
    """When its tables are free again; when its party would come where it has none."""
    if record.allocation is not None:
        return record.allocation.blocked.end
    return record.booking.start_at if record.booking is not None else _NEVER


def _look_at_homeless(store: Loads, record: AssignmentRecord, found: _Found) -> None:
    try:
        row = store.booking(record.booking_id)
    except Exception:  # noqa: BLE001 - whatever a host's code raises is what is looked for
        found.unreadable.append(f"{record.restaurant_id}: {record.booking_id}")
        return
    with_tables = record.state in WITH_TABLES
    if row is None:
        if with_tables and record.next_attempt_at is None:  # As `AssignmentContext.without_row`.
            found.gone.append(record.booking_id)
        return
    found.bookings += 1
    if row.status == CANCELLED:
        if with_tables:
            found.cancelled.append(record.booking_id)
    else:
        found.elsewhere.append(_elsewhere(record, row))


def _elsewhere(record: AssignmentRecord, row: Booking) -> str:
    here, there = record.restaurant_id, row.restaurant_id
    return f"{record.booking_id} ({here}{' has no venue' if here == there else f' here and {there} there'})"


def _waits_for_another_table(record: AssignmentRecord, at_host: Booking) -> bool:
    """Whether the guest is told something else than what the tables are for. A party that sits knows where it sits."""
    held = record.allocation
    return held is not None and held.seated_at is None and not record.asks_for(at_host)


def _differing(record: AssignmentRecord, at_host: Booking, zone: dt.tzinfo) -> str:
    """What a record and the host's row have of a booking, where that is not the same."""
    known = record.booking
    if known is None:
        return "nobody knows here what it asks for"

    def said(booking: Booking, name: str) -> str:
        value = getattr(booking, name)
        return written(value, zone) if isinstance(value, dt.datetime) else str(value)

    names = known.differences(at_host)
    return ", ".join(f"{name} {said(known, name)} here and {said(at_host, name)} there" for name in names)


def _look_for_legacy(store: Any, context: AssignmentContext, day: TimeWindow, found: _Found) -> None:
    """The old planner's seats that the shadow knows of, and that neither `occupied` shows nor a record has."""
    if not hasattr(store, "bundles"):
        return
    answers: dict[str, tuple[str, ...]] = {}
    for listed in reversed(store.bundles(restaurant_id=context.venue.id, limit=MOST_BUNDLES)):  # The newest counts.
        bundle = store.bundle(listed.id)
        if bundle is not None and bundle.legacy_tables:
            answers[bundle.booking_id] = bundle.legacy_tables
    for booking_id, tables in answers.items():
        if booking_id in context.records or any(seat.booking_id == booking_id for seat in context.taken):
            continue
        at_host = _row(store, booking_id)
        if at_host is None or at_host.is_pending or at_host.status == CANCELLED:
            continue
        start = at_host.start_at
        shown = any(seat.table_id in tables and seat.window.start <= start < seat.window.end for seat in context.taken)
        if context.now < start < day.end and not shown:
            found.unshown.append(f"{booking_id} at {' + '.join(tables)}")


def _row(store: Any, booking_id: str) -> Booking | None:
    try:
        row: Booking | None = store.booking(booking_id)
    except AssignmentPipelineError:
        return None  # A row that cannot be read is another check's.
    return row


def _look_at_list(store: Loads, restaurants: Restaurants, found: _Found) -> None:
    """
    Ask for the list that the sweep asks for: one that raises hides every booking in it.

    It is that of the named restaurants, else of all: one whose bookings all wait has no record, and is never drawn.
    """
    only = frozenset(restaurants.ids) if restaurants.named else None
    try:
        waiting = store.waiting()
        asked = waiting.restaurants
        if asked is not None and only is not None:
            asked = tuple(name for name in asked if name in only)
        listed = store.unassigned(waiting.now, MOST_LISTED, asked)
        _look_at_ended(store, _pending(store, waiting.now, asked), only, found)
    except Exception as error:  # noqa: BLE001 - whatever a host's code raises is what is looked for
        found.unlisted.append(redacted(error))
        return
    known = set(found.unreadable)
    for one in listed:
        row = f"{one.restaurant_id}: {one.id}"
        if isinstance(one, UnreadableBooking) and row not in known and (only is None or one.restaurant_id in only):
            found.unreadable.append(row)


def _pending(store: Any, since: dt.datetime, restaurants: Sequence[str] | None) -> Sequence[Booking]:
    """The host's pending bookings from *since* on, those with a record among them, where it has rows of its own."""
    host = getattr(store, "checked_host", None)
    if host is None or not host.follows:
        return ()

    def ask(connection: Any) -> Any:
        return host.unassigned(connection, since, MOST_LISTED, restaurants)

    async def ask_async(connection: Any) -> Any:
        answer = ask(connection)
        return await answer if inspect.isawaitable(answer) else answer

    pending = store.probe(ask_async if host.waits else ask)
    return [booking for booking in pending if isinstance(booking, Booking)]


def _look_at_ended(store: Loads, pending: Sequence[Booking], only: Collection[str] | None, found: _Found) -> None:
    """Look for guests who wait at the host for tables that nobody looks for: their bookings have ended here."""
    ids = tuple(row.id for row in pending if only is None or row.restaurant_id in only)
    if ids:
        page = store.records(RecordQuery(booking_ids=ids, states=tuple(sorted(FINAL)), limit=len(ids)))
        found.ended += [record.booking_id for record in page.records if record.owner is Owner.PIPELINE]


def _twice(taken: Sequence[Occupied], records: Any, bookings: Any) -> list[str]:
    """The bookings of ours at whose table the host, or a record, has somebody else at the same time."""
    by_table: collections.defaultdict[str, list[Occupied]] = collections.defaultdict(list)
    for seat in taken:
        by_table[seat.table_id].append(seat)
    found = set()
    for seats in by_table.values():
        for seat in seats:
            record: AssignmentRecord | None = records.get(seat.booking_id or "")
            known: Booking | None = bookings.get(seat.booking_id or "")
            if record is None or known is None or record.owner is not Owner.PIPELINE:
                continue
            others = (other for other in seats if other.booking_id != seat.booking_id and other.reason is None)
            if any(other.window.overlaps(seat.window) for other in others):
                found.add(record.booking_id)
    return sorted(found)


def _findings(found: _Found, seen: str) -> Iterator[Finding]:
    if found.unreadable:
        yield _wrong(
            "host-readable",
            found.unreadable,
            "a row that the host's class cannot read, or code that raises",
            "run `assignment-pipeline host check --app ... --restaurant ID`, and mend what it names",
        )
    else:
        yield good("host-readable", seen)
    pairs = (
        (
            "host-list",
            found.unlisted,
            "the list of bookings that nobody enqueued raises: the sweep finds none of them",
            "give `UnreadableBooking` for the row that makes no sense, in `unassigned`: see `bring your own store`",
        ),
        (
            "host-took",
            found.untaken,
            "waiting at the host: on_commit changed no row, or the booking was assigned before its row was there",
            (
                "if the row came later, the sweep tells the host again within minutes; else mend on_commit and see"
                " `host check`, then requeue and assign the booking. Enqueue inside the transaction, assign after it"
            ),
        ),
        (
            "host-waits",
            found.settled,
            "settled at the host: on_commit wrote no word for who waits, or somebody has seated them there",
            "write a word for each state (StatusMap); set the row back to waiting, or cancel the booking here",
        ),
        (
            "host-ended",
            found.ended,
            "ended here and waiting at the host: the row was set back, or cancel() came before the row was there",
            "nobody looks for tables: `service reinstate ID` if the guests come; else have the row say that it is over",
        ),
        (
            "host-cancelled",
            found.cancelled,
            "cancelled at the host, and with tables here: nobody called cancel()",
            "call cancel() in the transaction that cancels the row; until then the tables stay empty",
        ),
        (
            "host-request",
            found.request,
            "the row was changed and nobody called reassign(), or on_commit does not write party and time",
            "call reassign() with the booking as the row has it, or set the row back; have on_commit write both",
        ),
        (
            "host-restaurant",
            found.elsewhere,
            "the restaurant's id was changed at the host, or the booking was moved there and nobody called reassign()",
            (
                "call reassign() with each booking as the row has it, or set the id back: until then the tables that"
                " these guests have are given away a second time; see `rename a restaurant` in `bring your own store`"
            ),
        ),
        (
            "host-gone",
            found.gone,
            "with tables here, and no row there: it was deleted, or was rolled back after assign()",
            (
                "see that booking() is right, then `service cancel ID`: until then the tables stay taken."
                " An on_commit that raises for a missing row has to let a cancellation pass"
            ),
        ),
        (
            "host-tables",
            found.unknown,
            "occupied() names tables that the floor does not have: they keep nobody off",
            "use the ids of the venue's tables; upper and lower case count",
        ),
        (
            "host-legacy",
            found.unshown,
            "seated by the old planner, and not in occupied(): the pipeline gives the tables away a second time",
            "have occupied() show all that others have seated, or adopt() these bookings; see `host check`",
        ),
        (
            "host-seats",
            found.twice,
            "somebody else has the table at that time: seated by another planner, or a copy of what on_commit wrote",
            "seat one of the two elsewhere: `review place`; have occupied() leave out what on_commit() wrote",
        ),
    )
    for check, ids, cause, fix in pairs:
        if ids:
            yield _wrong(check, ids, cause, fix)
        else:
            yield good(check, f"records and host agree: {seen}")


def _wrong(check: str, ids: Sequence[str], cause: str, fix: str) -> Finding:
    evidence = f"{len(ids)}: {first_few(ids, NAMED)}"
    return wrong(check, evidence, cause, fix)
