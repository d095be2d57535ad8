"""The checks, in the order in which they are worth reading. Each is made in a transaction that is rolled back."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import MINUTE, TimeWindow
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.host_check.opening import in_words, seats_in_words, starts_in_words, stays_in_words
from assignment_pipeline.host_check.sample import (
    TO_CONFIRMED,
    TO_PROGRESS,
    UNKNOWN_ID,
    Ask,
    Asking,
    Sample,
    SkippedError,
    WrongError,
    leading,
)
from assignment_pipeline.host_check.telling import sentence_of
from assignment_pipeline.lifecycle import TO_PENDING, AssignmentState, Trigger
from assignment_pipeline.ports import RecordQuery

_T = Trigger

LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
MOST = 200
_NAMED = 10
_DAYS_BACK, _DAYS_AHEAD = dt.timedelta(days=1), dt.timedelta(days=30)
_TRIED = 5
_LATER = dt.timedelta(days=1, hours=1)
MOST_COMPARED = 50

STATES: Mapping[str, tuple[tuple[Trigger, ...], ...]] = {
    "waits": (TO_PENDING,),
    "waits for a person": ((*TO_PROGRESS, _T.ESCALATE),),
    "has tables held": ((*TO_PROGRESS, _T.SEAT),),
    "is confirmed": (TO_CONFIRMED,),
    "waits again": (TO_CONFIRMED, (_T.REQUEUE,)),
    "waits again for a person": (TO_CONFIRMED, (_T.REQUEUE, _T.BEGIN, _T.ESCALATE)),
    "is cancelled": (TO_CONFIRMED, (_T.CANCEL,)),
    "has failed": (TO_PENDING, (_T.BEGIN, _T.FAIL)),
}
"""How a booking comes into each state that a host has a word for, from a row that says something else."""

_SETTLED = {
    AssignmentState.CONFIRMED,
    AssignmentState.CANCELLED,
    AssignmentState.FAILED,
}


def _venue(sample: Sample) -> Asking[Venue]:
    venue: Venue | None = yield Ask("venue", (sample.restaurant_id, None))
    if venue is None:
        msg = "venue() answers None although no version is known: it has to give the Venue then"
        raise WrongError(msg)
    return venue


def _booking(booking_id: str) -> Asking[Booking]:
    found: Booking | None = yield Ask("booking", (booking_id,))
    if found is None:
        msg = f"booking({booking_id!r}) answers None although unassigned() gives that booking: look it up by that id"
        raise WrongError(msg)
    return found


def bookings(sample: Sample) -> Asking[str]:
    """Ids are text, times aware whole minutes, and a row gives the same booking each time."""
    for one in (sample.booking, *sample.bookings[1:_TRIED]):
        first, second = (yield from _booking(one.id)), (yield from _booking(one.id))
        for other, what in ((second, "the second time"), (one, "in unassigned()")):
            if first != other:
                names = ", ".join(_differing(first, other))
                msg = (
                    f"booking({one.id!r}) answers something else than {what} ({names}): the same row has to give"
                    " the same booking, or no commit is ever accepted"
                )
                raise WrongError(msg)
    return f"{min(len(sample.bookings), _TRIED)} read, each the same twice"


def unknown_booking(sample: Sample) -> Asking[str]:
    """A booking that is not there is None, whatever the id looks like."""
    alike = [str(uuid.uuid4())] if sample.bookings and _is_uuid(sample.booking.id) else []
    for unknown in (UNKNOWN_ID, *alike):
        try:
            found = yield Ask("booking", (unknown,))
        except Exception as error:
            msg = f"{sentence_of(error)}. Answer None for an id that is none of yours"
            raise WrongError(msg) from error
        if found is not None:
            msg = f"booking({unknown!r}) answers a booking: answer None for an id that is none of yours"
            raise WrongError(msg)
    return "an id that is not there is None"


def _is_uuid(booking_id: str) -> bool:
    try:
        uuid.UUID(booking_id)
    except ValueError:
        return False
    return True


def venues(sample: Sample) -> Asking[str]:
    """A venue comes with a version that stays while the venue does."""
    first, second = (yield from _venue(sample)), (yield from _venue(sample))
    if first.version != second.version:
        msg = "venue() has another version each time: nobody is ever seated. It may change only when the venue does"
        raise WrongError(msg)
    if attrs.evolve(first, version="-") != attrs.evolve(second, version="-"):
        msg = "venue() answers another venue under the same version: the version has to change when the venue does"
        raise WrongError(msg)
    again = yield Ask("venue", (sample.restaurant_id, first.version))
    if again is not None and again.version != first.version:
        msg = "venue() has another version where it is asked with known_version: nobody is ever seated"
        raise WrongError(msg)
    stale = yield Ask("venue", (sample.restaurant_id, "host-check-other-version"))
    if stale is None:
        msg = "venue() answers None for a known_version that is not its own: changes of the floor are never seen"
        raise WrongError(msg)
    tables = f"{len(first.floor.tables)} tables"
    if first.has_own_version:
        return f"{tables}; version {first.version!r} is your own: see that each change of floor or policy changes it"
    return f"{tables}; the version follows floor and policy"


def unknown_venue(sample: Sample) -> Asking[str]:  # noqa: ARG001 - each check gets it
    """A restaurant that is not there raises `VenueNotFoundError`."""
    try:
        yield Ask("venue", ("host-check-no-such-restaurant", None))
    except VenueNotFoundError:
        return "a restaurant that is not there raises VenueNotFoundError"
    except Exception as error:
        msg = f"for a restaurant that is not there, {sentence_of(error)}. Raise VenueNotFoundError(restaurant_id)"
        raise WrongError(msg) from error
    msg = "venue() answers for a restaurant that is not there: raise VenueNotFoundError(restaurant_id)"
    raise WrongError(msg)


def occupied(sample: Sample) -> Asking[str]:
    """What is taken names tables of the floor, when its bookings are; a narrow window shows what a wide one does."""
    venue = yield from _venue(sample)
    wide = TimeWindow(sample.now - _DAYS_BACK, sample.now + _DAYS_AHEAD)
    seats: tuple[Occupied, ...] = yield Ask("occupied", (sample.restaurant_id, wide))
    unknown = sorted({seat.table_id for seat in seats} - venue.floor.positions.keys())
    if unknown:
        named = ", ".join(map(repr, unknown[:_NAMED]))
        msg = (
            f"occupied() names tables that the floor does not have: {named}. They keep nobody off: use the floor's ids"
        )
        raise WrongError(msg)
    for seat in seats[:_TRIED]:
        middle = seat.window.start + seat.window.duration // 2 // MINUTE * MINUTE
        minute = TimeWindow(middle, middle + MINUTE)
        within: tuple[Occupied, ...] = yield Ask("occupied", (sample.restaurant_id, minute))
        if not any(other.table_id == seat.table_id and other.window.overlaps(minute) for other in within):
            msg = (
                f"occupied() leaves out table {seat.table_id!r} for a minute in the middle of its time: it has to give"
                " all that overlaps the window, not what starts or lies in it"
            )
            raise WrongError(msg)
    yield from _reads_rows(sample, wide, seats)
    yield from _shows_legacy(sample, wide, seats)
    if not seats:
        msg = (
            "it shows nobody in the next 30 days, so nothing could be tried. Where the old planner or the staff have"
            " seated somebody by then, occupied() has to show it, or the table is given away a second time"
        )
        raise SkippedError(msg)
    shown = f"{len(seats)} seats in the next 30 days, at tables of the floor"
    with_id = list({seat.booking_id: seat for seat in seats if seat.booking_id}.items())[:MOST_COMPARED]
    known: list[tuple[Occupied, Booking]] = []
    for booking_id, seat in with_id:
        found: Booking | None = yield Ask("booking", (booking_id,))
        if found is not None:
            known.append((seat, found))
    return "; ".join(filter(None, (shown, seats_in_words(venue, known), stays_in_words(venue, known))))


def _reads_rows(sample: Sample, wide: TimeWindow, seats: Sequence[Occupied]) -> Asking[None]:
    """That ``occupied`` is no cache: without a connection, a cache gives the very same seats once more."""
    try:
        kept: tuple[Occupied, ...] = yield Ask("occupied", (sample.restaurant_id, wide), reads=False)
    except Exception:  # noqa: BLE001 - that is what a host does that reads rows
        return
    if any(one is other for one in kept for other in seats):
        msg = (
            "occupied() keeps its answer and gives it again, without reading a row: a table that somebody gives away"
            " meanwhile counts as free. Read the rows at each call, on the connection that it gets"
        )
        raise WrongError(msg)


def _shows_legacy(sample: Sample, wide: TimeWindow, seats: Sequence[Occupied]) -> Asking[None]:
    """That ``occupied`` shows the seats of the old planner that the shadow knows of."""
    shown = {seat.booking_id for seat in seats}
    left_out: list[str] = []
    for booking_id, tables in sample.seated.items():
        found: Booking | None = yield Ask("booking", (booking_id,))
        if found is None or found.is_pending or found.status == CANCELLED or booking_id in shown:
            continue
        start = found.start_at
        at_them = any(seat.table_id in tables and seat.window.start <= start < seat.window.end for seat in seats)
        if sample.now < start < wide.end and not at_them:
            left_out.append(f"{booking_id!r} at {' + '.join(map(repr, tables))}")
    if left_out:
        msg = (
            f"occupied() leaves out {len(left_out)} of the old planner's seats, such as {left_out[0]}: the pipeline"
            " gives those tables away a second time. Show all that others have seated"
        )
        raise WrongError(msg)


def unassigned(sample: Sample) -> Asking[str]:
    """What waits is found: pending, after the time, the soonest first, and not more than asked for."""
    found: tuple[Booking, ...] = yield Ask("unassigned", (LONG_AGO, MOST))
    if len(found) > MOST:
        msg = f"unassigned() answers {len(found)} bookings where at most {MOST} were asked for: keep to limit"
        raise WrongError(msg)
    settled = [one.id for one in found if not one.is_pending]
    if settled:
        msg = f"unassigned() gives bookings that do not wait: {', '.join(settled[:_NAMED])}. Give pending ones only"
        raise WrongError(msg)
    starts = [one.start_at for one in found]
    if starts != sorted(starts):
        msg = "unassigned() is not in order: the soonest first, or a limit cuts off those that are due"
        raise WrongError(msg)
    if found:
        if len((yield Ask("unassigned", (LONG_AGO, 1)))) != 1:
            msg = "unassigned() does not keep to a limit of 1"
            raise WrongError(msg)
        last = found[-1]
        later: tuple[Booking, ...] = yield Ask("unassigned", (last.start_at, MOST))
        if any(one.start_at <= last.start_at for one in later):
            msg = "unassigned() gives bookings that start at since or before it: give those that start after it"
            raise WrongError(msg)
    if not sample.bookings:
        msg = (
            f"unassigned() gives no booking that waits at restaurant {sample.restaurant_id!r}. If one waits there, it"
            " leaves it out, and nobody ever seats it; if none does, enter one, and run it again"
        )
        raise WrongError(msg)
    if sample.booking.id not in {one.id for one in found} and len(found) < MOST:
        msg = f"unassigned() does not find {sample.booking.id!r}, which waits"
        raise WrongError(msg)
    return f"{len(found)} wait, in order"


def states(sample: Sample) -> Asking[str]:
    """Every state has a word: who waits reads back as pending, and who is settled does not."""
    booking, venue = sample.booking, (yield from _venue(sample))
    if not sample.has_on_commit and not sample.declines_on_commit:
        msg = (
            f"the host has no on_commit: {_ROWS_STAY}. Add on_commit(connection, changes); where you write each result"
            " into your rows yourself, say so with `on_commit = None` in its class"
        )
        raise WrongError(msg)
    _require_on_commit(sample)
    tried, seated = 0, None
    settled: dict[str, str] = {}
    for name, ways in STATES.items():
        if name == "has tables held" and not sample.holds:
            continue
        tried += 1
        state = yield from _reached(name, leading(booking, venue, sample.now, *ways))
        found = yield from _booking(booking.id)
        waits = state not in _SETTLED
        if waits != found.is_pending:
            msg = (
                f"on_commit() for a booking that {name} ({state}): booking() then says {found.status!r}, expected"
                f" {'pending' if waits else 'anything but pending'}."
                f" {_why(found, booking, waits=waits)}"
            )
            raise WrongError(msg)
        if state is AssignmentState.CONFIRMED:
            seated = found.status
            yield from _not_listed(found)
        if (found.status == CANCELLED) if state is AssignmentState.CONFIRMED else (found.status == seated):
            msg = f"on_commit() for a booking that {name}: booking() then says {found.status!r}. Write a word for it"
            raise WrongError(msg)
        if not found.same_request(booking):
            names = ", ".join(_differing(found, booking))
            msg = f"on_commit() for a booking that {name} changes what was booked: {names}"
            raise WrongError(msg)
        if not waits:
            settled[name] = found.status
    words = ", ".join(f"who {name} as {word!r}" for name, word in settled.items())
    return f"{tried} states have a word: who waits reads back as 'pending', {words}"


def request(sample: Sample) -> Asking[str]:
    """What a booking asks for from now on is in its row: another party and another time, as `reassign` commits them."""
    booking, venue = sample.booking, (yield from _venue(sample))
    _require_on_commit(sample)
    later = attrs.evolve(
        booking,
        party_size=booking.party_size - 1 or 2,
        start_at=booking.start_at + _LATER,
        end_at=booking.end_at and booking.end_at + _LATER,
    )
    confirmed = leading(booking, venue, sample.now, TO_CONFIRMED)
    *_, changed = leading(later, venue, sample.now, TO_CONFIRMED, (_T.MOVE,))
    yield from _reached("is confirmed", confirmed)
    yield from _reached("has changed", [attrs.evolve(changed, request=later)])
    found = yield from _booking(booking.id)
    if not found.same_request(later):
        names = ", ".join(found.differences(later))
        msg = (
            f"on_commit() for a booking that has changed does not write {names}: after reassign(), place() or"
            f" party_changed(), the guest is told one thing and has tables for another. Write {names} of record.booking"
        )
        raise WrongError(msg)
    return "another party and another time are written"


def _reached(name: str, changes: Sequence[AssignmentChange]) -> Asking[AssignmentState]:
    """Tell the host of the changes; the state in which they leave the booking."""
    for change in changes:
        state = change.record.state
        try:
            yield Ask("on_commit", (change,))
        except Exception as error:
            advice = f". {_EACH_STATE}" if isinstance(error, KeyError) else ""
            msg = f"on_commit() for a booking that {name} ({state}): {sentence_of(error)}{advice}"
            raise WrongError(msg) from error
    return state


def _not_listed(settled: Booking) -> Asking[None]:
    """That ``unassigned`` leaves out a booking that is settled: such ones would fill what a limit lets through."""
    listed: tuple[Booking, ...] = yield Ask("unassigned", (settled.start_at - MINUTE, MOST))
    if settled.id in {one.id for one in listed}:
        msg = f"unassigned() gives {settled.id!r}, which is confirmed: give those that wait, and no others"
        raise WrongError(msg)


_EACH_STATE = "Write a word for each state: StatusMap has one for all of them"


def _why(found: Booking, booking: Booking, *, waits: bool) -> str:
    if waits:
        return _EACH_STATE
    if found == booking:
        return (
            "Either it changed no row (look for the booking by record.booking_id, which is a text),"
            " or booking() reads the word that it wrote as pending"
        )
    return "What it wrote reads back as pending: map the word in booking()"


def one_row(sample: Sample) -> Asking[str]:
    """A commit about one booking leaves the others alone: those that wait, anywhere, and those that others seated."""
    booking, venue = sample.booking, (yield from _venue(sample))
    _require_on_commit(sample)
    before = yield from _others(sample)
    if not before:
        msg = "only one booking waits: enter a second one, and run it again"
        raise SkippedError(msg)
    confirmed, cancelled = leading(booking, venue, sample.now, TO_CONFIRMED, (_T.CANCEL,))
    for change in (confirmed, cancelled):  # With two words: one of them may be what the other row says already.
        yield Ask("on_commit", (change,))
        for other in before:
            if (yield Ask("booking", (other.id,))) != other:
                msg = f"on_commit() of booking {booking.id!r} changed {other.id!r}: write the row of record.booking_id"
                raise WrongError(msg)
    waiting = next((one for one in sample.bookings if one.id != booking.id), None)
    if waiting is not None:
        (ended,) = leading(waiting, venue, sample.now, (*TO_PROGRESS, _T.FAIL))
        yield Ask("on_commit", (confirmed, ended))
        if (yield from _booking(waiting.id)).is_pending:
            msg = "on_commit() of two changes left the row of the second as it was: go through all of them"
            raise WrongError(msg)
    return f"{len(before)} other bookings stay as they are"


def _others(sample: Sample) -> Asking[list[Booking]]:
    """Other bookings as they stand: those that wait, there or elsewhere, and those that ``occupied`` names."""
    waiting: tuple[Booking, ...] = yield Ask("unassigned", (LONG_AGO, MOST))
    wide = TimeWindow(sample.now - _DAYS_BACK, sample.now + _DAYS_AHEAD)
    seats: tuple[Occupied, ...] = yield Ask("occupied", (sample.restaurant_id, wide))
    elsewhere = [one.id for one in waiting if one.restaurant_id != sample.restaurant_id]
    ids = [one.id for one in sample.bookings][:MOST_COMPARED] + elsewhere[:MOST_COMPARED]
    ids += [seat.booking_id for seat in seats if seat.booking_id][:MOST_COMPARED]
    found: list[Booking] = []
    for other in dict.fromkeys(ids):
        if other != sample.booking.id:
            row: Booking | None = yield Ask("booking", (other,))
            found += [row] if row is not None else []
    return found


def given_back(sample: Sample) -> Asking[str]:
    """What ``on_commit`` copies does not keep the table taken when the pipeline gives it up."""
    booking, venue = sample.booking, (yield from _venue(sample))
    _require_on_commit(sample)
    changes = leading(booking, venue, sample.now, TO_CONFIRMED, (_T.CANCEL,))
    (table_id,), window = changes[0].record.tables, venue.blocked(venue.turn(booking))
    before = yield from _at(sample, table_id, window)
    yield Ask("on_commit", (changes[0],))
    during = yield from _at(sample, table_id, window)
    copies = [seat for seat in during if seat not in before]
    if any(seat.booking_id != booking.id for seat in copies):
        msg = (
            f"occupied() shows table {table_id!r} as somebody else's once on_commit() has seated {booking.id!r} there:"
            " leave out what the pipeline wrote"
        )
        raise WrongError(msg)
    yield Ask("on_commit", (changes[1],))
    after = yield from _at(sample, table_id, window)
    if [seat for seat in after if seat not in before]:
        msg = f"occupied() still shows table {table_id!r} after on_commit() of the cancellation: clear what it wrote"
        raise WrongError(msg)
    free = "a table that the pipeline gives up is free"
    return f"{free}, but {_FIXED}" if copies else free


_FIXED = "occupied() shows what on_commit() wrote: leave it out, or no party is ever moved to make room for another"


def _at(sample: Sample, table_id: str, window: TimeWindow) -> Asking[list[Occupied]]:
    seats: tuple[Occupied, ...] = yield Ask("occupied", (sample.restaurant_id, window))
    return [seat for seat in seats if seat.table_id == table_id]


def commit(sample: Sample) -> Asking[str]:
    """The store writes: the schema is there, and the role's rights are enough."""
    booking, venue = sample.booking, (yield from _venue(sample))
    records = yield Ask("records", (RecordQuery(booking_ids=(booking.id,)),))
    (change,) = leading(booking, venue, sample.now, TO_PENDING)
    if records:
        record = records[0]
        change = AssignmentChange(id=change.id, record=record, expected_version=record.version)
    yield Ask("commit", (change,))
    return "a commit is written, and rolled back"


def policy(sample: Sample) -> Asking[str]:
    """What the venue allows, for a person to read: a policy that was forgotten looks like one that allows all."""
    return in_words((yield from _venue(sample)))


def times(sample: Sample) -> Asking[str]:
    """Who waits starts within opening hours, and not the venue's offset from UTC beside them."""
    return starts_in_words((yield from _venue(sample)), sample.bookings or (sample.booking,))


_ROWS_STAY = "its rows go on saying that a booking waits when it has tables, and nobody who reads them sees which"


def _require_on_commit(sample: Sample) -> None:
    if not sample.has_on_commit:
        msg = f"the host has no on_commit: {_ROWS_STAY}. Add on_commit, or write each result into your rows yourself"
        raise SkippedError(msg)
    if not sample.undoes:
        msg = "this store cannot roll back what on_commit writes: run it on the store of your backend"
        raise SkippedError(msg)


def _differing(one: Booking, other: Booking) -> list[str]:
    return [
        field.name
        for field in attrs.fields(Booking)
        if field.eq and getattr(one, field.name) != getattr(other, field.name)
    ]


CHECKS: Mapping[str, Callable[[Sample], Asking[Any]]] = {
    "venue": venues,
    "unknown-venue": unknown_venue,
    "policy": policy,
    "unassigned": unassigned,
    "booking": bookings,
    "unknown-booking": unknown_booking,
    "times": times,
    "occupied": occupied,
    "states": states,
    "request": request,
    "one-row": one_row,
    "given-back": given_back,
    "commit": commit,
}
"""Every check, by its name."""
