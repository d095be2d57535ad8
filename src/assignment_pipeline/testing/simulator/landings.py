"""What must hold of each commit that landed: of what it was made for, by whom, and what it met."""

from __future__ import annotations

from collections.abc import Iterator

from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.result import Mode, Reason
from assignment_pipeline.flow.legacy.outcome import LEGACY, is_handed_over
from assignment_pipeline.flow.settings import InFlight
from assignment_pipeline.lifecycle import SETTLED, WITH_TABLES
from assignment_pipeline.planning.engine import MANUAL
from assignment_pipeline.testing.simulator.ledger import Landing, Ledger, is_taken_over, planning_of

_BY_PEOPLE = frozenset({MANUAL, LEGACY})


def nothing_lands_on_a_view_that_moved(ledger: Ledger) -> Iterator[str]:
    """A commit lands only on the versions, bookings, floors, schedules and rollout that it was made for, and once."""
    for landing in ledger.landings:
        if landing.repeated:
            yield f"{landing.changes[0].id} has landed twice"
        for change in landing.changes:
            for what, meant, found in _guarded(change, landing):
                if meant != found:
                    yield f"{change.id}: the {what} was to be {meant}, and is {found}"


def _guarded(change: AssignmentChange, landing: Landing) -> Iterator[tuple[str, object, object]]:
    """What a commit was made for, and what it met. Said once more than in the domain, so that both can be wrong."""
    current = landing.records.get(change.record.booking_id)
    yield "version", change.expected_version, current.version if current else None
    preconditions = change.preconditions
    if preconditions is not None:
        yield "booking", preconditions.booking, landing.bookings.get(change.record.booking_id)
        yield "venue", preconditions.venue_version, landing.versions.get(change.record.restaurant_id)
        yield "schedule", preconditions.next_attempt_at, current.next_attempt_at if current else None
        yield "pinned", preconditions.pinned, current.pinned if current else False
        if preconditions.generation is not None:
            yield "generation", preconditions.generation, landing.generation


def _plannings(ledger: Ledger) -> Iterator[tuple[Landing, AssignmentRecord, AssignmentRecord | None]]:
    """
    What landed of plannings that no person asked for: with the record, and that before.

    A late confirmation is none: the host asks for the very tables that the booking had, and the commit guards them.
    """
    for landing in ledger.landings:
        for change in landing.changes:
            asked = any(row.actor for row in change.steps) or _is_put_back(change)
            if change.attempt is not None and not asked:
                yield landing, change.record, landing.records.get(change.record.booking_id)


def _is_put_back(change: AssignmentChange) -> bool:
    return any(row.reason == Reason.REINSTATED for row in change.steps)


def the_engines_tables_are_of_the_rollout(ledger: Ledger) -> Iterator[str]:
    """Tables that the engine chose are given where the pipeline is in charge, also when a person asked."""
    drains = ledger.settings.in_flight is InFlight.DRAIN
    for landing in () if ledger.blind else ledger.landings:
        for change in landing.changes:
            record, before = change.record, landing.records.get(change.record.booking_id)
            mode = landing.modes.get(record.restaurant_id)
            same = before is not None and before.tables == record.tables
            same = same or _is_put_back(change)  # At the tables that it had.
            if mode is Mode.ACTIVE or drains or same or not record.tables or record.strategy in _BY_PEOPLE:
                continue
            yield f"{record.booking_id} was given {', '.join(record.tables)} where {record.restaurant_id} is {mode}"


def nobody_is_seated_at_another_restaurant(ledger: Ledger) -> Iterator[str]:
    """A call that names another restaurant than the host's gives no tables there, and adopts none."""
    for landing in ledger.landings:
        for change in landing.changes:
            record, before = change.record, landing.records.get(change.record.booking_id)
            booking = landing.bookings.get(record.booking_id)
            same = before is not None and before.tables == record.tables
            # What legacy answers is written down: it has given those tables, and planning there has to go around them.
            was_legacys = before is not None and (is_handed_over(before) or before.reason == Reason.HANDOVER_TIMEOUT)
            if (
                same
                or (was_legacys and record.owner is Owner.LEGACY)
                or not record.tables
                or booking is None
                or booking.restaurant_id == record.restaurant_id
            ):
                continue
            yield f"{record.booking_id} of {booking.restaurant_id} was given tables at {record.restaurant_id}"


def only_who_is_in_charge_plans(ledger: Ledger) -> Iterator[str]:
    """Nothing is planned by itself where the pipeline is not in charge, unless it is to finish what it has begun."""
    drains = ledger.settings.in_flight is InFlight.DRAIN
    for landing, record, before in () if ledger.blind else _plannings(ledger):
        mode = landing.modes.get(record.restaurant_id)
        if mode is not Mode.ACTIVE and not (drains and before is not None and before.state not in SETTLED):
            yield f"{record.booking_id} came to {record.state} where {record.restaurant_id} is {mode}"


def only_who_is_in_charge_takes_over(ledger: Ledger) -> Iterator[str]:
    """No booking of legacy's becomes the pipeline's by itself where the pipeline is not in charge."""
    for landing in () if ledger.blind else ledger.landings:
        for change in landing.changes:
            mode = landing.modes.get(change.record.restaurant_id)
            if mode is not Mode.ACTIVE and is_taken_over(change):
                yield f"{change.record.booking_id} was taken over where {change.record.restaurant_id} is {mode}"


def nobody_is_seated_unasked(ledger: Ledger) -> Iterator[str]:
    """Nobody is given tables whom the host does not have waiting for them."""
    for landing, record, before in _plannings(ledger):
        booking = landing.bookings.get(record.booking_id)
        seated_before = before is not None and before.state in WITH_TABLES
        if record.allocation and not seated_before and booking is not None and not booking.is_pending:
            yield f"{record.booking_id} is {booking.status} at the host"


def nobody_is_seated_by_a_row_that_makes_no_sense(ledger: Ledger) -> Iterator[str]:
    """A booking whose row makes no sense gets no tables by itself: a person decides on it."""
    for landing, record, before in _plannings(ledger):
        if record.allocation and not (before and before.state in WITH_TABLES) and record.booking_id in landing.spoiled:
            yield f"{record.booking_id} was given {', '.join(record.tables)}"


def legacy_keeps_what_is_its(ledger: Ledger) -> Iterator[str]:
    """Nothing is planned by itself for a booking that legacy answers for."""
    for _, record, before in _plannings(ledger):
        if before is not None and before.owner is Owner.LEGACY:
            yield f"{record.booking_id} came to {record.state}"


def a_call_plans_once(ledger: Ledger) -> Iterator[str]:
    """No call leaves two plannings of a booking behind, whatever it was or was not answered."""
    planned = set(ledger.planned)
    for landing in ledger.landings:
        for change in landing.changes:
            if change.attempt is None:
                continue
            if planning_of(change) in planned:
                yield f"{change.id} is another of {change.record.booking_id}"
            planned.add(planning_of(change))


def legacy_is_not_handed_what_it_has(ledger: Ledger) -> Iterator[str]:
    """A handover gives legacy what was the pipeline's, releases its tables, and has a time to be answered in."""
    for landing in ledger.landings:
        for change in landing.changes:
            record, before = change.record, landing.records.get(change.record.booking_id)
            if not any(row.reason == Reason.HANDED_OVER for row in change.steps):
                continue
            legacys = before is None or before.owner is Owner.LEGACY
            if legacys or not is_handed_over(record) or record.allocation or record.next_attempt_at is None:
                yield f"{record.booking_id} is {record.state}, {record.owner}'s, with {record.tables or 'no tables'}"


def plannings_are_made_under_a_lock(ledger: Ledger) -> Iterator[str]:
    """Who plans for a booking has its lock until the commit is answered, or was told that there are none."""
    for landing, record, before in _plannings(ledger):
        standing = landing.standing
        if len(landing.changes) > 1 and before is not None and before.state in WITH_TABLES:
            continue  # Moved to make room for another, whose lock it is.
        if standing and not standing.unlocked and f"booking:{record.booking_id}" not in standing.locks:
            yield f"{record.booking_id} came to {record.state} without its lock"


def a_claim_is_used_by_who_has_it(ledger: Ledger) -> Iterator[str]:
    """The sweep plans for what it was handed, and not once something else has come of it."""
    for landing, record, before in _plannings(ledger):
        if landing.standing is None or landing.standing.claims is None:
            continue
        claimed = landing.standing.claims.get(record.booking_id)
        if claimed is not None and not (before and 0 < before.deliveries <= claimed):
            found = before.deliveries if before else None
            yield f"{record.booking_id} was handed out as delivery {claimed}, and is at {found}"


def holds_last_as_promised(ledger: Ledger) -> Iterator[str]:
    """No hold ends for want of a confirmation before its time."""
    for landing in ledger.landings:
        for change in landing.changes:
            until = ledger.held_until.get(change.record.booking_id)
            expired = any(row.reason == Reason.HOLD_EXPIRED for row in change.steps)
            if expired and until is not None and landing.now < until:
                yield f"{change.record.booking_id} was held until {until}, and lost that at {landing.now}"
