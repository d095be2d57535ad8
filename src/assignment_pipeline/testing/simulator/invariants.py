"""What must hold after every step, whatever went wrong: each is a sentence and a few lines."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import CANCELLED
from assignment_pipeline.domain.record import AssignmentRecord, Owner, StateChange
from assignment_pipeline.domain.result import IMPOSSIBLE, WAITS_FOR_TABLES, Outcome, Reason
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import AssignmentPipelineError
from assignment_pipeline.flow.legacy.outcome import LEGACY, is_handed_over
from assignment_pipeline.lifecycle import FINAL, SETTLED, WITH_TABLES, AssignmentState, Trigger, step
from assignment_pipeline.planning.engine import MANUAL
from assignment_pipeline.ports import Occupied, waits
from assignment_pipeline.testing.simulator.furniture import (
    a_party_has_the_seats_of_one_row,
    held_tables_are_given_by_people,
    never_joined_is_never_joined,
)
from assignment_pipeline.testing.simulator.landings import (
    a_call_plans_once,
    a_claim_is_used_by_who_has_it,
    holds_last_as_promised,
    legacy_is_not_handed_what_it_has,
    legacy_keeps_what_is_its,
    nobody_is_seated_at_another_restaurant,
    nobody_is_seated_by_a_row_that_makes_no_sense,
    nobody_is_seated_unasked,
    nothing_lands_on_a_view_that_moved,
    only_who_is_in_charge_plans,
    only_who_is_in_charge_takes_over,
    plannings_are_made_under_a_lock,
    the_engines_tables_are_of_the_rollout,
)
from assignment_pipeline.testing.simulator.ledger import Ledger, steps_of
from assignment_pipeline.testing.simulator.scenario import ELSEWHERE

Invariant = Callable[[Ledger], Iterator[str]]
"""What breaks it, one line each; its docstring is the sentence."""

_PLANNED = WAITS_FOR_TABLES | IMPOSSIBLE
_COMES_TO = {
    Outcome.CONFIRMED: {AssignmentState.CONFIRMED},
    Outcome.ASSIGNED: {AssignmentState.ASSIGNED},
    Outcome.MANUAL_REVIEW: {AssignmentState.MANUAL_REVIEW},
    Outcome.FAILED: {AssignmentState.FAILED},
    Outcome.CANCELLED: {AssignmentState.CANCELLED},
    Outcome.KEPT: WITH_TABLES,
}


def changed(ledger: Ledger) -> Iterator[AssignmentRecord]:
    """The records that are not as they were."""
    return (ledger.records[booking_id] for booking_id in ledger.changed if booking_id in ledger.records)


def nothing_is_done_elsewhere(ledger: Ledger) -> Iterator[str]:
    """Where the pipeline was never in charge, nothing is written."""
    for record in changed(ledger):
        if record.restaurant_id == ELSEWHERE:
            yield f"{record.booking_id} is {record.state} at {ELSEWHERE}"


def no_table_twice(ledger: Ledger) -> Iterator[str]:
    """No table is taken twice at one time: ours, what is blocked, and the host's rows together."""
    conflicted = {record.booking_id for record in ledger.records.values() if _is_conflicted(record)}
    for restaurant_id in {record.restaurant_id for record in changed(ledger) if record.allocation}:
        sitting = [seat for seat in ledger.seats(restaurant_id) if seat.booking_id not in conflicted]
        for ours, other in itertools.product(sitting, (*sitting, *ledger.rows[restaurant_id])):
            if _clash(ours, other):
                yield f"{ours.table_id} has {ours.booking_id} and {other.booking_id or other.reason}"


def nobody_is_seated_where_a_table_is_taken(ledger: Ledger) -> Iterator[str]:
    """Tables are given only where nobody has them: also not those that are blocked, or that two have already."""
    for record in changed(ledger):
        if _is_conflicted(record) or record.restaurant_id not in ledger.venues:
            continue
        blocks = [block.occupied for block in ledger.blocks_before if block.restaurant_id == record.restaurant_id]
        rows = [*ledger.present(record.restaurant_id), *ledger.rows[record.restaurant_id], *blocks]
        for ours, other in itertools.product(_new_seats(ledger.before.get(record.booking_id), record), rows):
            if _clash(ours, other):
                yield f"{ours.table_id} was given to {ours.booking_id}, and {other.booking_id or other.reason} has it"


def no_two_parties_sit_at_one_table(ledger: Ledger) -> Iterator[str]:
    """Who sits down finds nobody there who has not left."""
    for restaurant_id in {record.restaurant_id for record in changed(ledger) if record.allocation}:
        sitting = [seat for seat in ledger.present(restaurant_id) if seat.sits]
        for one, other in itertools.combinations(sitting, 2):
            if one.table_id == other.table_id:
                yield f"{one.booking_id} and {other.booking_id} sit at {one.table_id}"


def _clash(ours: Occupied, other: Occupied) -> bool:
    same = ours.table_id == other.table_id and ours.window.overlaps(other.window)
    return same and other.booking_id != ours.booking_id


def _is_conflicted(record: AssignmentRecord) -> bool:
    return record.allocation is not None and record.allocation.conflicted


def _new_seats(before: AssignmentRecord | None, record: AssignmentRecord) -> Iterator[Occupied]:
    """The tables that a record has for a time at which it did not have them, for itself, before."""
    seats, had = record.allocation, before.allocation if before else None
    if had is not None and (had.conflicted or (before and before.restaurant_id != record.restaurant_id)):
        had = None
    for table_id in record.tables:
        for window in seats.blocked.without(had.blocked if had and table_id in had.tables else None) if seats else ():
            yield Occupied(table_id=table_id, window=window, booking_id=record.booking_id)


def no_cap_is_passed(ledger: Ledger) -> Iterator[str]:
    """Nobody is given tables for a slot in which too many arrive, unless a person said so; legacy does as it likes."""
    for record in changed(ledger):
        before, party, venue = (
            ledger.before.get(record.booking_id),
            record.arrival,
            ledger.venues.get(record.restaurant_id),
        )
        if party is None or venue is None or record.owner is not Owner.PIPELINE or _is_overruled(ledger, record):
            continue
        if any(row.version > (before.version if before else 0) for row in _legacys(ledger, record)):
            continue  # It has just been taken over, with the tables that legacy gave it.
        had = before.arrival if before is not None and before.restaurant_id == venue.id else None
        there = [one for one in ledger.records.values() if one.restaurant_id == venue.id]
        parties = [one.arrival for one in there if one.arrival is not None]
        for cap in venue.calendar.caps(party.start_at, party.channel):
            is_new = had is None or not cap.counts(had) or had.party_size < party.party_size
            if is_new and not cap.holds(parties):
                yield f"{record.booking_id}, {party.party_size} at {party.start_at:%H:%M}, beyond {cap}"


def _legacys(ledger: Ledger, record: AssignmentRecord) -> Iterator[StateChange]:
    """The transitions by which legacy gave it something."""
    rows = ledger.histories[record.booking_id]
    return (row for row in rows if (record.booking_id, row.version) in ledger.legacys_rows)


def _is_overruled(ledger: Ledger, record: AssignmentRecord) -> bool:
    """Whether a person gave it its tables by overruling rules, as far as the store keeps that."""
    if "attempts" in ledger.harness.cannot:
        return record.strategy == MANUAL
    attempts = ledger.attempts.get(record.booking_id, ())
    return bool(attempts) and "pacing" in str(attempts[-1].metadata.get("overruled", ""))


def tables_go_with_the_state(ledger: Ledger) -> Iterator[str]:
    """Who is assigned or confirmed has tables, unless legacy does not say which, and nobody else has."""
    for record in changed(ledger):
        is_legacys = record.owner is Owner.LEGACY and record.state is AssignmentState.CONFIRMED
        has_tables = record.allocation is not None
        if has_tables != (record.state in WITH_TABLES) and not (is_legacys and not has_tables):
            yield f"{record.booking_id} is {record.state} with {record.tables or 'no tables'}"


def planning_sees_who_sits_where(ledger: Ledger) -> Iterator[str]:
    """What planning is shown as taken by bookings is what their records say."""
    for restaurant_id in {record.restaurant_id for record in changed(ledger)} & ledger.venues.keys():
        bookings = tuple(
            record.booking
            for record in ledger.records.values()
            if record.restaurant_id == restaurant_id
            and record.booking is not None
            and record.booking.restaurant_id == restaurant_id
        )
        wrong = ledger.misshown(restaurant_id, bookings) if bookings else ()
        if wrong:
            yield f"at {restaurant_id}, of {sorted(str(row[:2]) for row in wrong)}"


def versions_are_gapless(ledger: Ledger) -> Iterator[str]:
    """A record's versions count its transitions from 1, and its history has each of them, for good."""
    for record in changed(ledger):
        rows, earlier = ledger.histories[record.booking_id], ledger.earlier[record.booking_id]
        if [row.version for row in rows] != list(range(1, record.version + 1)):
            yield f"{record.booking_id} is at version {record.version} with {[row.version for row in rows]}"
        if rows[: len(earlier)] != earlier:
            yield f"{record.booking_id} has another past than before"


def every_step_is_legal(ledger: Ledger) -> Iterator[str]:
    """Each transition leaves the state that the one before led to, by a trigger that may, and ends at the record."""
    for record in changed(ledger):
        state, tables = AssignmentState.CREATED, tuple[str, ...]()
        for row in ledger.histories[record.booking_id]:
            try:
                legal = row.from_state is state and row.to_state is step(state, row.trigger)
            except AssignmentPipelineError:
                legal = False
            if not legal:
                yield f"{record.booking_id}, {state}: {row.trigger} from {row.from_state} to {row.to_state}"
            state, tables = row.to_state, row.tables
        if record.state is not state or (state in WITH_TABLES and record.tables != tables):
            yield f"{record.booking_id} is {record.state} {record.tables}, its history says {state} {tables}"


def attempts_are_counted(ledger: Ledger) -> Iterator[str]:
    """Attempts are numbered from 1, as many as the record says, and every planning left one."""
    for record in changed(ledger):
        planned = [
            row
            for row in ledger.histories[record.booking_id]
            if (row.trigger is Trigger.SEAT and (record.booking_id, row.version) not in ledger.legacys_rows)
            or (row.trigger in (Trigger.RETRY, Trigger.ESCALATE, Trigger.FAIL) and row.reason in _PLANNED)
        ]
        if record.attempts < len(planned):
            yield f"{record.booking_id} counts {record.attempts} attempts of {len(planned)}"
        rows = ledger.attempts.get(record.booking_id)
        if rows is not None and [row.number for row in rows] != list(range(1, record.attempts + 1)):
            yield f"{record.booking_id} counts {record.attempts}, the store has {[row.number for row in rows]}"


def retries_are_bounded(ledger: Ledger) -> Iterator[str]:
    """Nobody waits for another attempt once the retries are used up."""
    for record in changed(ledger):
        waits = record.state is AssignmentState.ASSIGNMENT_PENDING
        if waits and record.retries > ledger.settings.max_retries:
            yield f"{record.booking_id} waits for retry {record.retries} of {ledger.settings.max_retries}"


def every_transition_is_told_once(ledger: Ledger) -> Iterator[str]:
    """The store has one event for each row of the history, and none without one."""
    for row, missing in ledger.unreported.items():
        yield f"{row}: {f'{missing} too few' if missing > 0 else f'{-missing} too many'}"


def sinks_hear_what_happened(ledger: Ledger) -> Iterator[str]:
    """No sink is told of a transition that did not come about."""
    for told in ledger.told:
        if told not in steps_of(told[0], ledger.histories.get(told[0], ())):
            yield f"{told}"


def the_tables_fit(ledger: Ledger) -> Iterator[str]:
    """Tables that nobody chose by hand fit the party and its wishes, for the time that it comes."""
    for record in changed(ledger):
        before, seats, booking = ledger.before.get(record.booking_id), record.allocation, record.booking
        if (
            seats is None
            or booking is None
            or record.strategy in (MANUAL, LEGACY)
            or (before and before.tables == seats.tables)
        ):
            continue
        venue = ledger.venues[record.restaurant_id]
        seating = venue.floor.seating(seats.tables)
        who = f"{record.booking_id}, a party of {booking.party_size}, at {', '.join(seats.tables)}"
        if seating is None or not all(table.active for table in seating.tables):
            yield f"{who}: not all in use"
        elif not seating.grants(booking):
            yield f"{who}: not where it wants to sit"
        elif (
            seating.row is None
            and venue.seatings_by_mask.get(seating.mask) not in venue.candidates(booking.party_size)
            and not _is_back(ledger, record, before)
        ):
            yield f"{who}: not for such a party"
        if before and before.allocation and before.allocation.turn == seats.turn:
            continue  # Who is given other tables keeps the time, whoever agreed to it.
        turn = venue.turn(booking)
        blocked, serves = venue.blocked(turn), venue.serves(turn)
        if seats.sits and (before is None or before.allocation is None):
            # At the door, nothing is laid first, and a person says whether the kitchen is open.
            blocked, serves = TimeWindow(turn.start, blocked.end), True
        windows = {blocked, _as_it_was(ledger, before, seats, blocked)}
        if seats.turn != turn or seats.blocked not in windows or not serves:
            yield f"{who}: from {seats.turn.start} to {seats.turn.end}"


def _as_it_was(ledger: Ledger, before: AssignmentRecord | None, seats: Allocation, blocked: TimeWindow) -> TimeWindow:
    """For how long who is put back keeps the tables that it had, where a person had shortened their laying time."""
    last = _last_seats(ledger, before)
    if last is None or last.blocked is None or (last.tables, last.turn) != (seats.tables, seats.turn):
        return blocked
    return TimeWindow(max(blocked.start, last.blocked.start), min(blocked.end, last.blocked.end))


def _is_back(ledger: Ledger, record: AssignmentRecord, before: AssignmentRecord | None) -> bool:
    """Whether a party is put back at the tables that it had, which may have been laid for more guests once."""
    last = _last_seats(ledger, before)
    had = last is not None and last.tables == record.tables
    return had and before is not None and record.booking is not None and before.asks_for(record.booking)


def _last_seats(ledger: Ledger, before: AssignmentRecord | None) -> StateChange | None:
    """The last step of a booking that has ended in which it had tables."""
    if before is None or before.state not in FINAL:
        return None
    history = ledger.histories[before.booking_id][: before.version]
    return next((step for step in reversed(history) if step.tables), None)


def the_sweep_finds_what_is_open(ledger: Ledger) -> Iterator[str]:
    """What is not settled is due at some time, unless the host has settled it itself."""
    for record in changed(ledger):
        is_ours = record.owner is Owner.PIPELINE or is_handed_over(record)
        if not is_ours or record.state in SETTLED or record.next_attempt_at is not None:
            continue
        booking = ledger.booking(record.booking_id)
        if record.state in WITH_TABLES or booking is None or booking.is_pending or booking.status == CANCELLED:
            yield f"{record.booking_id} is {record.state} and never due"


def who_begins_to_wait_is_looked_at_once_more(ledger: Ledger) -> Iterator[str]:
    """Who begins to wait for tables, or waits for others than before, is due: no commit so far could have woken it."""
    for record in changed(ledger):
        if record.state is not AssignmentState.MANUAL_REVIEW or not waits(record) or record.next_attempt_at is not None:
            continue
        before, booking = ledger.before.get(record.booking_id), record.booking
        if booking is not None and not booking.is_pending:
            continue  # The host has cancelled it, and the pipeline has still to hear of that.
        wish = before.booking if before is not None and waits(before) else None
        if wish is None or booking is None or not wish.same_request(booking):
            yield f"{record.booking_id} began to wait, {record.reason}, and is never due"


def nothing_is_due_that_has_ended(ledger: Ledger) -> Iterator[str]:
    """What has failed or was cancelled is not due again."""
    for record in changed(ledger):
        if record.state in FINAL and record.next_attempt_at is not None:
            yield f"{record.booking_id} is {record.state} and due at {record.next_attempt_at}"


def what_has_ended_stays(ledger: Ledger) -> Iterator[str]:
    """What has failed or was cancelled is left by nobody but a person, or a late payment; and no record goes."""
    for booking_id in ledger.changed:
        before, after = ledger.before.get(booking_id), ledger.records.get(booking_id)
        if before is None:
            continue
        if after is None:
            yield f"{booking_id} was {before.state} and is gone"
        elif before.state in FINAL and after.state is not before.state:
            step = ledger.histories[booking_id][before.version]
            paid = before.state is AssignmentState.FAILED and after.state is AssignmentState.CONFIRMED
            if step.trigger is not Trigger.REINSTATE or not (step.actor or paid):
                yield f"{booking_id} was {before.state} and is {after.state}"


def only_crashes_make_a_crash_loop(ledger: Ledger) -> Iterator[str]:
    """A person is asked for a crash loop only where so many claims have ended without being put back."""
    for record in changed(ledger):
        before = ledger.before.get(record.booking_id)
        looped = record.reason == Reason.CRASH_LOOP and (before is None or before.reason != Reason.CRASH_LOOP)
        lost = ledger.lost_claims[record.booking_id]
        if looped and lost < ledger.settings.max_deliveries:
            yield f"{record.booking_id} is in review for a crash loop, and lost {lost} claims"


def cancelled_is_cancelled(ledger: Ledger) -> Iterator[str]:
    """A cancellation that was answered so has come about, until a person undoes it."""
    for booking_id in ledger.cancelled:
        record = ledger.records.get(booking_id)
        undone = any(step.trigger is Trigger.REINSTATE for step in ledger.histories.get(booking_id, ()))
        if record is None or (record.state is not AssignmentState.CANCELLED and not undone):
            yield f"{booking_id} is {record.state if record else 'unknown'}"


def answers_are_true(ledger: Ledger) -> Iterator[str]:
    """What a call answered did come about: that state, at that version, with those tables."""
    for name, result in ledger.answers:
        record = result.record
        if record is None:
            continue
        said = f"{name} answered {result.outcome} with {record.state} {record.tables} at version {record.version}"
        # A party that is at the door, and for which there is no table, has none before and after.
        at_door = result.outcome is Outcome.KEPT and name.startswith("walk in ")
        if not at_door and result.outcome in _COMES_TO and record.state not in _COMES_TO[result.outcome]:
            yield said
        rows = ledger.histories.get(record.booking_id, ())
        if record.version > len(rows):
            yield f"{said}, of which there are {len(rows)}"
        elif record.version:
            row = rows[record.version - 1]
            if row.to_state is not record.state or (record.state in WITH_TABLES and row.tables != record.tables):
                yield f"{said}, where the history has {row.to_state} {row.tables}"
        elif record.state is not AssignmentState.CREATED or record.booking_id not in ledger.records:
            yield f"{said}, which nothing led to"


def the_simulator_saw_nothing_wrong(ledger: Ledger) -> Iterator[str]:
    """Commits are whole, locks and claims exclude, legacy runs only where it may, calls raise what they say."""
    return iter(f"{name}: {detail}" for name, detail in ledger.offences)


INVARIANTS: tuple[Invariant, ...] = (
    nothing_is_done_elsewhere,
    no_table_twice,
    nobody_is_seated_where_a_table_is_taken,
    no_two_parties_sit_at_one_table,
    no_cap_is_passed,
    tables_go_with_the_state,
    versions_are_gapless,
    every_step_is_legal,
    attempts_are_counted,
    retries_are_bounded,
    every_transition_is_told_once,
    sinks_hear_what_happened,
    the_tables_fit,
    the_sweep_finds_what_is_open,
    who_begins_to_wait_is_looked_at_once_more,
    nothing_is_due_that_has_ended,
    what_has_ended_stays,
    only_crashes_make_a_crash_loop,
    cancelled_is_cancelled,
    nothing_lands_on_a_view_that_moved,
    nobody_is_seated_at_another_restaurant,
    only_who_is_in_charge_plans,
    only_who_is_in_charge_takes_over,
    the_engines_tables_are_of_the_rollout,
    nobody_is_seated_unasked,
    nobody_is_seated_by_a_row_that_makes_no_sense,
    legacy_keeps_what_is_its,
    legacy_is_not_handed_what_it_has,
    a_call_plans_once,
    plannings_are_made_under_a_lock,
    a_claim_is_used_by_who_has_it,
    holds_last_as_promised,
    a_party_has_the_seats_of_one_row,
    never_joined_is_never_joined,
    held_tables_are_given_by_people,
    answers_are_true,
    planning_sees_who_sits_where,
    the_simulator_saw_nothing_wrong,
)
"""All of them, in the order in which they are looked at."""


class BrokenError(Exception):
    """
    An invariant does not hold.

    Attributes:
        invariant: Its name.

        sentence: What should hold.

        details: What does not.
    """

    def __init__(self, invariant: str, sentence: str, details: tuple[str, ...]) -> None:
        super().__init__(invariant, sentence, details)
        self.invariant = invariant
        self.sentence = sentence
        self.details = details


def check(ledger: Ledger, invariants: tuple[Invariant, ...] = INVARIANTS) -> None:
    """
    Look whether all of *invariants* hold.

    Raises:
        BrokenError: One does not.
    """
    for invariant in invariants:
        details = tuple(itertools.islice(invariant(ledger), 5))
        if details:
            sentence = " ".join((invariant.__doc__ or "").split())
            raise BrokenError(invariant.__name__, sentence, details)
