"""``service cancel`` and ``confirm``: what a guest says on the phone."""

from __future__ import annotations

from assignment_pipeline.cli import room
from assignment_pipeline.cli.failures import RefusedError
from assignment_pipeline.cli.labels import tables_of
from assignment_pipeline.cli.output import print_result
from assignment_pipeline.cli.review import ActorOption, BookingArgument, booking_of, nothing_done
from assignment_pipeline.cli.wiring import JsonOption, command
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.result import Outcome

app = room.app
"""These commands are some of ``service``."""


@command(app, "cancel")
def cancel(
    coordinator: Coordinator,
    booking: BookingArgument,
    actor: ActorOption,
    as_json: JsonOption = False,
) -> None:
    """Cancel a booking. Its tables are free. `service reinstate` undoes that."""
    restaurant = booking_of(coordinator, booking).restaurant_id  # One that nobody knows was mistyped.
    result = coordinator.cancel(booking, restaurant, actor=actor)
    if result.outcome is Outcome.KEPT:
        sits = f"The party of booking {booking!r} sits at {tables_of(coordinator, result)}"
        raise RefusedError(f"{sits}: nothing was changed. `service left` says that it has gone.")
    if result.outcome is not Outcome.CANCELLED:
        raise nothing_done(result)
    print_result(result, f"Booking {booking!r} is cancelled.", as_json=as_json)


@command(app, "confirm")
def confirm(
    coordinator: Coordinator,
    booking: BookingArgument,
    actor: ActorOption,
    as_json: JsonOption = False,
) -> None:
    """
    Confirm the tables that a booking holds, such as when a payment has come.

    If the hold has expired, the booking gets its tables again unless another booking has them.
    """
    result = coordinator.confirm(booking, actor=actor)
    if result.outcome is Outcome.HOLD_LOST:
        raise RefusedError(f"Booking {booking!r} holds no tables any more. `service reinstate` puts it back.")
    if result.outcome is not Outcome.CONFIRMED:
        raise nothing_done(result)
    print_result(result, f"Booking {booking!r} is confirmed, at {tables_of(coordinator, result)}.", as_json=as_json)
