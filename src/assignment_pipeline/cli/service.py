"""``service``: what goes on in the room."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, NoReturn

import typer

from assignment_pipeline.cli.failures import NO, RefusedError, refuse_value
from assignment_pipeline.cli.labels import tables_of
from assignment_pipeline.cli.moments import local, read_time, zone_of
from assignment_pipeline.cli.output import print_json, print_result, result_document
from assignment_pipeline.cli.review import ActorOption, BookingArgument, nothing_done
from assignment_pipeline.cli.wiring import JsonOption, command
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.errors import InvalidValueError

AllowOption = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="RULE", help="laying_time: keep the tables up to the next party's turn."),
]

app = typer.Typer(help="Report what happens in the room.", no_args_is_help=True)


@command(app)
def seated(
    coordinator: Coordinator,
    booking: BookingArgument,
    actor: ActorOption,
    allow: AllowOption = None,
    as_json: JsonOption = False,
) -> None:
    """A party has sat down. No plan moves it."""
    try:
        result = coordinator.seated(booking, actor=actor, allow=allow or ())
    except InvalidValueError as error:
        refuse_value(error, allow="--allow")
    if result.outcome is Outcome.NOOP and result.reason is None:
        raise RefusedError(f"The party of booking {booking!r} sits already.")
    if result.outcome is Outcome.KEPT:
        _kept(result, f"still {_sit(result.displaced)} at {tables_of(coordinator, result)}", as_json=as_json)
    _done(result, Reason.SEATED)
    others = f" It is in the way of {', '.join(result.displaced)}." if result.displaced else ""
    print_result(result, f"Booking {booking!r} sits at {tables_of(coordinator, result)}.{others}", as_json=as_json)


@command(app)
def left(
    coordinator: Coordinator,
    booking: BookingArgument,
    actor: ActorOption,
    as_json: JsonOption = False,
) -> None:
    """A party has left. The rest of its time is free."""
    result = coordinator.left(booking, actor=actor)
    if result.outcome is Outcome.NOOP and result.reason is None:
        raise RefusedError(f"The party of booking {booking!r} has left already, or its time is over.")
    print_result(_done(result, Reason.LEFT), f"{tables_of(coordinator, result)} is free.", as_json=as_json)


@command(app, "no-show")
def no_show(
    coordinator: Coordinator,
    booking: BookingArgument,
    actor: ActorOption,
    as_json: JsonOption = False,
) -> None:
    """A party did not come. Its tables are free, and the booking is closed."""
    result = _done(coordinator.no_show(booking, actor=actor), Reason.NO_SHOW)
    print_result(result, f"Booking {booking!r} is cancelled: nobody came.", as_json=as_json)


@command(app)
def extend(
    coordinator: Coordinator,
    booking: BookingArgument,
    until: Annotated[str, typer.Argument(metavar="UNTIL", help="A time such as 2031-05-17T22:30+02:00.")],
    actor: ActorOption,
    allow: AllowOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    A party stays longer.

    If another booking has the tables by then, nothing changes and the command names that booking.
    """
    end = read_time("UNTIL", until)
    try:
        result = coordinator.extend(booking, end, actor=actor, allow=allow or ())
    except InvalidValueError as error:
        refuse_value(error, until="UNTIL", allow="--allow")
    if result.outcome is not Outcome.KEPT:
        where, when = tables_of(coordinator, result), local(end, _zone(coordinator, result))
        print_result(_done(result, Reason.EXTENDED), f"Booking {booking!r} has {where} until {when}.", as_json=as_json)
        return
    if as_json:
        print_json(result_document(result))
        raise typer.Exit(NO)
    tables, others = tables_of(coordinator, result), ", ".join(result.displaced)
    if result.reason is Reason.LAYING_TIME:
        why = f"{tables} is to be laid for {others} by then"
        raise RefusedError(f"{why}: nothing was changed. --allow laying_time does it all the same.")
    whose = f" by {others}" if others else ""
    raise RefusedError(f"{tables} is taken until then{whose}: nothing was changed.")


@command(app, "party-changed")
def party_changed(
    coordinator: Coordinator,
    booking: BookingArgument,
    party_size: Annotated[int, typer.Argument(metavar="GUESTS", help="How many came, or will come.")],
    actor: ActorOption,
    as_json: JsonOption = False,
) -> None:
    """
    Another number of guests came, or will come.

    The party keeps its tables where they have the seats. Otherwise nothing changes, and the command names tables that
    would do.
    """
    try:
        result = coordinator.party_changed(booking, party_size, actor=actor)
    except InvalidValueError as error:
        refuse_value(error, party_size="GUESTS")
    where = tables_of(coordinator, result)
    if result.outcome is Outcome.KEPT:
        if as_json:
            print_json(result_document(result))
            raise typer.Exit(NO)
        plan = result.decision.plan if result.decision else None
        others = f" {' + '.join(plan.tables)} would do: call review place." if plan else ""
        raise RefusedError(f"{where} has no seats for {party_size}: nothing was changed.{others}")
    if result.outcome is Outcome.NOOP:
        raise RefusedError(f"Booking {booking!r} is for {party_size} already.")
    print_result(result, f"Booking {booking!r} is for {party_size}, at {where}.", as_json=as_json)


@command(app)
def reinstate(
    coordinator: Coordinator,
    booking: BookingArgument,
    actor: ActorOption,
    as_json: JsonOption = False,
) -> None:
    """
    Put back a booking that was cancelled by mistake, came after all, or has failed.

    It gets the tables that it had if they are free, else others, else a person decides on it.
    """
    result = coordinator.reinstate(booking, actor=actor)
    if result.outcome is Outcome.NOOP and result.reason is None:
        held = result.record.allocation if result.record is not None else None
        if held is not None and held.left_at is not None:
            raise RefusedError(f"The party of booking {booking!r} has left. `service seated` says that it is back.")
        raise RefusedError(f"Booking {booking!r} has not ended: there is nothing to undo.")
    if result.outcome is Outcome.NOOP:
        raise nothing_done(result)
    sentence = f"Booking {booking!r} is back"
    where = f", at {tables_of(coordinator, result)}." if result.tables else " without tables: it waits for some."
    print_result(result, f"{sentence}{where}", as_json=as_json)


@command(app, "extend-hold")
def extend_hold(
    coordinator: Coordinator,
    booking: BookingArgument,
    actor: ActorOption,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="A time such as 2031-05-17T22:30+02:00.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hold a booking's tables for longer, until it is confirmed."""
    end = None if until is None else read_time("--until", until)
    try:
        result = coordinator.extend_hold(booking, end, actor=actor)
    except InvalidValueError as error:
        refuse_value(error, until="--until")
    if result.outcome is not Outcome.ASSIGNED or result.record is None or result.record.next_attempt_at is None:
        raise RefusedError(f"Booking {booking!r} holds no tables that wait to be confirmed.")
    ends = local(result.record.next_attempt_at, _zone(coordinator, result))
    print_result(result, f"{tables_of(coordinator, result)} is held until {ends}.", as_json=as_json)


def _kept(result: AssignmentResult, what: str, *, as_json: bool) -> NoReturn:
    """End with the answer no, because of the bookings that are in the way."""
    if as_json:
        print_json(result_document(result))
        raise typer.Exit(NO)
    whose = "party" if len(result.displaced) == 1 else "parties"
    raise RefusedError(f"The {whose} of {', '.join(result.displaced)} {what}: nothing was changed.")


def _zone(coordinator: Coordinator, result: AssignmentResult) -> dt.tzinfo:
    return dt.UTC if result.record is None else zone_of(coordinator, result.record.restaurant_id)


def _sit(displaced: tuple[str, ...]) -> str:
    return "sits" if len(displaced) == 1 else "sit"


def _done(result: AssignmentResult, reason: Reason) -> AssignmentResult:
    if result.reason is not reason:
        raise nothing_done(result)
    return result
