"""Reviews that the restaurant was the reason for: due again once it, or what the host has taken there, allows more."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import IMPOSSIBLE, WAITS_FOR_TABLES, Mode, Reason
from assignment_pipeline.errors import FlagsUnreadError, StaleRecordError, StoreUnavailableError, VenueNotFoundError
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.assigning.seating import find_tables, make_plan
from assignment_pipeline.flow.call import SWEEP, Call
from assignment_pipeline.flow.effects import Flow, LoadContext, ResolveFlags
from assignment_pipeline.flow.landing import change, land, preconditions
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.ports import AssignmentContext, LoadQuery, RecordPage
from assignment_pipeline.redaction import named

NOT_ALLOWED = IMPOSSIBLE - {Reason.IN_PAST}
"""The reasons for a review that another floor or policy may do away with. Tables that come free cannot."""

_LOOKED_AT = WAITS_FOR_TABLES | NOT_ALLOWED


@attrs.frozen
class Floor:
    """
    What a sweep found where somebody waits.

    Attributes:
        wish: The booking at the host.

        version: The venue's version.

        fixed: What is taken near its time by what the pipeline cannot move, but for parties that sit. Who frees other
            tables makes those who wait due in the same commit.
    """

    wish: Booking
    version: str
    fixed: frozenset[Occupied]

    @classmethod
    def of(cls, loaded: AssignmentContext, wish: Booking) -> Floor:
        """The floor as *wish* finds it."""
        near = loaded.venue.planning_window(wish)
        fixed = (row for row in loaded.taken if not row.movable and not row.sits and row.window.overlaps(near))
        return cls(wish, loaded.venue.version, frozenset(fixed))

    def allows_more_than(self, before: Floor) -> bool:
        """Whether there may be tables now that there were not *before*."""
        return self.version != before.version or not before.fixed <= self.fixed


@attrs.define
class FloorMemory:
    """
    What the sweeps of one process have found, by booking. Losing it costs another look, and nobody is forgotten.

    Attributes:
        found: In this round through the records.

        before: In the round before it.
    """

    found: dict[str, Floor] = attrs.field(factory=dict)
    before: dict[str, Floor] = attrs.field(factory=dict)

    def last(self, booking_id: str) -> Floor | None:
        """What was found last."""
        return self.found.get(booking_id) or self.before.get(booking_id)

    def forget(self, booking_id: str) -> None:
        """Look at it afresh the next time."""
        self.found.pop(booking_id, None)
        self.before.pop(booking_id, None)

    def next_round(self) -> None:
        """Forget those who were not met in this round."""
        self.found, self.before = {}, self.found


def look_at_floors(
    page: RecordPage, settings: Settings, memory: FloorMemory, errors: list[tuple[str, str]]
) -> Flow[None]:
    """
    Make those of *page* due who wait for tables, and for whom there may be some; and whom the restaurant allows now.

    That is one look at the store for each day of a restaurant. Where a process looks for the first time, and where the
    wish is another, it plans within `Settings.call_budget`; later it compares. Nothing is written where nobody is due.
    For a booking that the restaurant did not allow, it plans with each new version of the restaurant, and looks for no
    moves.
    """
    days: defaultdict[tuple[str, dt.date], list[str]] = defaultdict(list)
    for record in page.records:
        booking = record.booking
        if booking is not None and _waits(record, page.now) and (settings.replay or booking.start_at > page.now):
            days[record.restaurant_id, booking.start_at.date()].append(record.booking_id)
    for (restaurant_id, _), waiting in days.items():
        try:
            yield from _look(restaurant_id, waiting, settings, memory)
        except (FlagsUnreadError, VenueNotFoundError):
            continue  # What was not read decides nothing, and where there is no floor nobody is seated.
        except Exception as error:  # noqa: BLE001 - one restaurant must not keep the sweep from the others
            errors.append((waiting[0], named(error, show=settings.show_errors)))
            if isinstance(error, StoreUnavailableError):
                break
    if page.next is None:
        memory.next_round()


def _waits(record: AssignmentRecord | None, now: dt.datetime) -> bool:
    """Whether it is in review for want of tables, or for what was not allowed, and nothing brings it back soon."""
    if record is None or record.state is not AssignmentState.MANUAL_REVIEW:
        return False
    if record.next_attempt_at is not None and (record.deliveries or record.next_attempt_at <= now):
        return False
    return record.reason in _LOOKED_AT


def _look(restaurant_id: str, waiting: Sequence[str], settings: Settings, memory: FloorMemory) -> Flow[None]:
    flags = yield from ResolveFlags(restaurant_id)
    if flags.mode is not Mode.ACTIVE:
        return
    loaded = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id, booking_ids=tuple(waiting)))
    if loaded is None:
        return
    for booking_id in waiting:
        record, wish = loaded.records.get(booking_id), loaded.bookings.get(booking_id)
        if record is None or wish is None or not wish.is_pending or not _waits(record, loaded.now):
            continue
        if record.restaurant_id != restaurant_id:
            continue
        if wish.restaurant_id != restaurant_id:  # Nothing here is news to it any more: its record follows it.
            yield from _wake(loaded, record, (Trigger.REQUEUE,))
            continue
        floor, before = Floor.of(loaded, wish), memory.last(booking_id)
        triggers = (Trigger.REQUEUE,) if record.reason in NOT_ALLOWED else ()
        is_due = yield from _is_due(loaded, record, settings, floor, before)
        if is_due and not (yield from _wake(loaded, record, triggers)):
            continue
        if is_due and triggers:
            memory.forget(booking_id)  # A call that was given an older wish may refuse it once more.
        else:
            memory.found[booking_id] = floor


def _is_due(
    loaded: AssignmentContext, record: AssignmentRecord, settings: Settings, floor: Floor, before: Floor | None
) -> Flow[bool]:
    """Whether there may be tables for it on *floor*, or the restaurant allows it, as was not so *before*."""
    wish = floor.wish
    if record.reason in NOT_ALLOWED:
        is_known = before is not None and before.version == floor.version and before.wish.same_request(wish)
        return not is_known and (yield from _is_allowed(loaded, record, wish, settings))
    if not record.asks_for(wish):
        return True  # Tables that come free are compared with what it asked for before.
    if before is None or not before.wish.same_request(wish):
        return (yield from _finds_tables(loaded, record, wish, settings))
    return floor.allows_more_than(before)


def _finds_tables(loaded: AssignmentContext, record: AssignmentRecord, wish: Booking, settings: Settings) -> Flow[bool]:
    """Whether there are tables for *wish*, as far as a call would find them."""
    context = yield from _decision_context(loaded, record, wish, settings)
    try:
        _, decision = yield from find_tables(context, context.request(wish))
    except StaleRecordError:
        return True  # Something has happened to it meanwhile.
    return decision.plan is not None


def _is_allowed(loaded: AssignmentContext, record: AssignmentRecord, wish: Booking, settings: Settings) -> Flow[bool]:
    """Whether the restaurant could seat *wish* in an empty house."""
    context = yield from _decision_context(loaded, record, wish, settings)
    decision = yield from make_plan(context, context.request(wish))
    return decision.refusal not in IMPOSSIBLE


def _decision_context(
    loaded: AssignmentContext, record: AssignmentRecord, wish: Booking, settings: Settings
) -> Flow[DecisionContext]:
    call = yield from Call.begin((record.booking_id, record.restaurant_id), SWEEP)
    return DecisionContext(call=call, settings=settings, loaded=loaded, booking=wish, deadline=settings.call_budget)


def _wake(loaded: AssignmentContext, record: AssignmentRecord, triggers: tuple[Trigger, ...]) -> Flow[bool]:
    """Make it due: who waits for tables here stays in review until there are some, others are queued again."""
    call = yield from Call.begin((record.booking_id, record.restaurant_id), SWEEP)
    call.now = loaded.now
    on = preconditions(loaded, record.booking_id)
    facts: dict[str, Any] = {"next_attempt_at": loaded.now, "deliveries": 0}
    if triggers:
        facts |= {"retries": 0, "reason": None}
    due = change(call, record, triggers, preconditions=on, **facts)
    return (yield from land(due))
