"""The other direction: what legacy would have done where the pipeline is in charge, by a dry run of the host's."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Sequence

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.result import AssignmentResult, LegacyResult
from assignment_pipeline.domain.shadow import PipelineAnswer, ShadowCase
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.driving import run
from assignment_pipeline.flow.effects import Flow, LoadContext
from assignment_pipeline.ports import LegacyDryRun, LoadQuery
from assignment_pipeline.rollout.shadow.candidate import Load, Reader, Trial, rewound

NOT_GIVEN = "no_dry_run"
"""The error of a case whose shadow has no dry run of legacy's to call."""


def dry_rehearsal(
    case: ShadowCase, answer: PipelineAnswer, dry_run: LegacyDryRun | None
) -> Flow[tuple[ShadowCase, Trial]]:
    """
    Have legacy say what it would have done with the booking of a case. What it raises is in the case.

    A floor that cannot be read is an error of the trial.

    The only effect is that a floor is read. Legacy gets values that do not lead to a store.

    Args:
        case: What the pipeline was asked.

        answer: What it did.

        dry_run: Legacy's; None where this process has none.

    Returns:
        The case with legacy's answer, and what the pipeline did, as a trial to be held against that.
    """
    context, unread, error = None, None, None
    try:
        context = yield from LoadContext(LoadQuery(restaurant_id=case.booking.restaurant_id, bookings=(case.booking,)))
    except Exception as raised:  # noqa: BLE001 - whatever ails the store, no booking must suffer from it
        unread = type(raised).__name__
    began = time.monotonic()
    said: object = None
    if dry_run is None:
        error = NOT_GIVEN
    elif context is not None:
        try:
            said = dry_run(case.booking, rewound(context, case.booking).taken)
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - whatever a candidate raises is its verdict
            error = type(raised).__name__
    took = dt.timedelta(seconds=time.monotonic() - began)
    asked = attrs.evolve(
        case,
        legacy=said if isinstance(said, LegacyResult) else None,
        error=error,
        legacy_ms=round(took.total_seconds() * 1000, 3),
    )
    result = AssignmentResult(
        booking_id=case.booking.id,
        outcome=answer.outcome,
        reason=answer.reason,
        tables=answer.tables,
        moved=answer.moved,
    )
    contexts = () if context is None else (context,)
    return asked, Trial(result=result, error=unread, contexts=contexts, changes=(), events=(), took=took)


def ask_legacy(
    case: ShadowCase, answer: PipelineAnswer, load: Load, dry_run: LegacyDryRun | None
) -> tuple[ShadowCase, Trial]:
    """`dry_rehearsal`, driven to its end by *load*, which reads a floor."""
    return run(dry_rehearsal(case, answer, dry_run), Reader(load))


def play_legacy(
    venue: Venue, bookings: Sequence[Booking], dry_run: LegacyDryRun, taken: Iterable[Occupied]
) -> dict[str, tuple[str, ...]] | None:
    """
    Have legacy assign bookings, one after another, on a floor of its own.

    Args:
        venue: The restaurant.

        bookings: The bookings, in the order in which they were made.

        dry_run: Legacy's.

        taken: What is taken for others.

    Returns:
        The tables of each by its id; none for those that legacy seats nowhere. None instead of all if one answer could
        not be read: that legacy seats nobody then would not be its planning.
    """
    rows, seats = list(taken), {}
    for booking in bookings:
        window = venue.planning_window(booking)
        try:
            said: object = dry_run(booking, tuple(row for row in rows if row.window.overlaps(window)))
        except (Exception, SystemExit):  # noqa: BLE001 - the day is not compared, and the verdicts say why
            return None
        if not isinstance(said, LegacyResult) or not venue.floor.positions.keys() >= set(said.tables):
            return None
        seats[booking.id] = said.tables
        blocked = venue.blocked(venue.turn(booking))
        rows += [Occupied(table_id=name, window=blocked, booking_id=booking.id) for name in said.tables]
    return seats
