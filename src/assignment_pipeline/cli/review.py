"""``review``: the bookings that wait for a person."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import typer

from assignment_pipeline.cli import words
from assignment_pipeline.cli.failures import GOOD, NO, RefusedError, refuse, refuse_value
from assignment_pipeline.cli.labels import labels_of, tables_of
from assignment_pipeline.cli.moments import local, zone_of
from assignment_pipeline.cli.output import bare_table, print_json, print_result, result_document, say, stdout
from assignment_pipeline.cli.wiring import JsonOption, RestaurantOption, a_name, command, read_only, require_restaurant
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Decision, Move, Outcome
from assignment_pipeline.errors import BookingNotFoundError, InvalidValueError
from assignment_pipeline.flow.staff.rearrange import NEVER_ALLOWED
from assignment_pipeline.planning.base import Rule
from assignment_pipeline.planning.sentences import explain
from assignment_pipeline.ports import RecordPage, RecordQuery, read_place

app = typer.Typer(help="Decide bookings in manual review, and place bookings by hand.", no_args_is_help=True)

_ALLOWABLE = sorted(rule.value for rule in set(Rule) - NEVER_ALLOWED)

BookingArgument = Annotated[str, typer.Argument(metavar="BOOKING", help="The id of a booking.")]
ActorOption = Annotated[
    str, typer.Option("--actor", metavar="NAME", callback=a_name, help="Your name, for the history.")
]
AllowOption = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="RULE", help=f"A rule to overrule: {', '.join(_ALLOWABLE)}. May be repeated."),
]


def read_rules(allow: list[str] | None) -> list[str]:
    """
    The rules that are to be overruled.

    Raises:
        BadInputError: One is no rule, or cannot be overruled.
    """
    for rule in allow or ():
        if rule not in _ALLOWABLE:
            refuse("--allow", f"one of {', '.join(_ALLOWABLE)}", repr(rule))
    return allow or []


@command(app, "list", opened=read_only)
def show(
    coordinator: Coordinator,
    restaurant: RestaurantOption = None,
    after: Annotated[str | None, typer.Option("--after", metavar="PLACE", help="Where the page before ended.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="The largest number of entries.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List the bookings in manual review, the soonest arrival first, with the reason and the waiting time."""
    require_place_in_queue(after)
    page = coordinator.review_queue(restaurant, after=after, limit=limit)
    require_restaurant(coordinator.store, restaurant, found=bool(page.records))
    if as_json:
        entries = [_entry(record, _since(coordinator, record)) for record in page.records]
        print_json({"reviews": entries, "next": page.next})
    else:
        _print_page(coordinator, page)


def require_place_in_queue(after: str | None) -> None:
    """
    Make sure that ``--after`` is where a page ended.

    Raises:
        BadInputError: It is not.
    """
    try:
        read_place(after)
    except InvalidValueError as error:
        refuse("--after", error.expected, error.got)


def _since(coordinator: Coordinator, record: AssignmentRecord) -> dt.datetime | None:
    history = coordinator.history(record.booking_id)
    return history[-1].created_at if history else None


def _entry(record: AssignmentRecord, since: dt.datetime | None) -> dict[str, Any]:
    booking = record.booking
    return {
        "booking_id": record.booking_id,
        "restaurant_id": record.restaurant_id,
        "reason": record.reason,
        "since": since.isoformat(timespec="seconds") if since else None,
        "party_size": booking.party_size if booking else None,
        "start_at": booking.start_at.isoformat(timespec="minutes") if booking else None,
        "attempts": record.attempts,
        "version": record.version,
    }


def _print_page(coordinator: Coordinator, page: RecordPage) -> None:
    console = stdout()
    if not page.records:
        console.print("Nothing waits for a person.")
        return
    zones = {name: zone_of(coordinator, name) for name in {record.restaurant_id for record in page.records}}
    table = bare_table()
    table.add_column("Booking", overflow="fold")
    table.add_column("Party", justify="right")
    table.add_column("At", no_wrap=True)
    table.add_column("Why it waits", ratio=1)
    table.add_column("For", no_wrap=True)
    if len(zones) > 1:
        table.add_column("Restaurant", overflow="fold")
    for record in page.records:
        since = _since(coordinator, record)
        booking = record.booking
        table.add_row(
            record.booking_id,
            str(booking.party_size) if booking else "",
            local(booking.start_at, zones[record.restaurant_id]) if booking else "",
            words.reason(record.reason),
            words.age(page.now - since) if since else "",
            *([record.restaurant_id] if len(zones) > 1 else []),
        )
    console.print(table)
    if page.next is not None:
        console.print(f"\nThere are more: --after {page.next!r} shows them.")


@command(app)
def place(
    coordinator: Coordinator,
    booking: BookingArgument,
    tables: Annotated[list[str], typer.Argument(metavar="TABLE...", help="The ids of the tables.")],
    actor: ActorOption,
    allow: AllowOption = None,
    expect_version: Annotated[
        int | None,
        typer.Option("--expect-version", metavar="N", help="Do it only if the record is still at this version."),
    ] = None,
    pin: Annotated[bool, typer.Option("--pin/--no-pin", help="Whether the booking is pinned to the tables.")] = True,
    as_json: JsonOption = False,
) -> None:
    """
    Give a booking its tables by hand.

    The tables pass the same checks as a plan. --allow overrules every rule except one:
    two parties never share a table.
    """
    result = coordinator.place(
        booking_of(coordinator, booking),
        tables,
        actor=actor,
        expect_version=expect_version,
        allow=read_rules(allow),
        pin=pin,
    )
    if result.outcome not in {Outcome.CONFIRMED, Outcome.ASSIGNED}:
        raise nothing_done(result)
    told = f"Booking {booking!r} has {tables_of(coordinator, result)} now."
    print_result(result, told, as_json=as_json)


@command(app)
def rearrange(
    coordinator: Coordinator,
    moves: Annotated[
        list[str], typer.Argument(metavar="BOOKING=TABLE[+TABLE]...", help="Who goes where, such as B1=T4 B2=T1+T2.")
    ],
    actor: ActorOption,
    allow: AllowOption = None,
    restaurant: RestaurantOption = None,
    pin: Annotated[bool, typer.Option("--pin/--no-pin", help="Whether the bookings are pinned to the tables.")] = True,
    as_json: JsonOption = False,
) -> None:
    """
    Have several parties change tables in one step: swap two, move three round, clear a room.

    All of them leave their tables first, also those that are pinned or sit. It happens whole, or not at all.
    """
    wanted = [_move(coordinator, text) for text in moves]
    if len({move.booking_id for move in wanted}) != len(wanted):
        refuse("BOOKING=TABLE", "each booking once", " ".join(moves))
    results = coordinator.rearrange(wanted, actor=actor, allow=read_rules(allow), pin=pin, restaurant_id=restaurant)
    if results[0].outcome not in {Outcome.CONFIRMED, Outcome.ASSIGNED}:
        raise nothing_done(results[0])
    if as_json:
        print_json({"results": [result_document(result) for result in results]})
    else:
        for result in results:
            say(f"Booking {result.booking_id!r} has {tables_of(coordinator, result)} now.")


def _move(coordinator: Coordinator, text: str) -> Move:
    """What a person typed, from the tables that the booking has now."""
    booking_id, _, tables = text.rpartition("=")
    if not booking_id or not all(tables.split("+")):
        refuse("BOOKING=TABLE", "a booking and its new tables, such as B1=T4 or B1=T1+T2", repr(text))
    record = coordinator.record(booking_id)
    if record is None:
        raise BookingNotFoundError(booking_id)
    return Move(booking_id, record.tables, tables.split("+"))


@command(app)
def suggest(
    coordinator: Coordinator,
    booking: BookingArgument,
    apply: Annotated[bool, typer.Option("--apply", help="Apply the best option. Needs --actor.")] = False,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="NAME", callback=a_name, help="Your name, for the history.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show the options for a booking: free tables, moves of other bookings, other times.

    --apply gives the booking the best tables and makes the moves, in one commit.
    Exits with 1 if there is no option.
    """
    if apply and actor is None:
        refuse("--actor", "who does it", "nobody")
    wanted = booking_of(coordinator, booking)
    decision = coordinator.preview(wanted)
    plan = decision.plan or decision.suggestion
    where = wanted.restaurant_id
    told = explain(wanted, decision, zone_of(coordinator, where), labels_of(coordinator, where))
    if plan is None or not apply or actor is None:
        if as_json:
            print_json(_suggestion(booking, decision, told))
        else:
            say(told)
        raise typer.Exit(NO if plan is None else GOOD)
    result = coordinator.place(wanted, plan.tables, actor=actor, moves=plan.moves, pin=False)
    if result.outcome not in {Outcome.CONFIRMED, Outcome.ASSIGNED}:
        raise nothing_done(result)
    print_result(result, f"Booking {booking!r} has {tables_of(coordinator, result)} now. {told}", as_json=as_json)


def _suggestion(booking_id: str, decision: Decision, told: str) -> dict[str, Any]:
    plan = decision.plan or decision.suggestion
    return {
        "booking_id": booking_id,
        "tables": list(plan.tables) if plan else [],
        "strategy": plan.strategy if plan else None,
        "moves": [
            {"booking_id": move.booking_id, "from": list(move.origin), "to": list(move.tables)}
            for move in (plan.moves if plan else ())
        ],
        "refusal": decision.refusal.value if decision.refusal else None,
        "turned_away": dict(decision.turned_away),
        "nearest": [moment.isoformat(timespec="minutes") for moment in decision.nearest],
        "sentence": told,
    }


def booking_of(coordinator: Coordinator, booking_id: str) -> Booking:
    """
    The booking as the host has it, or else as it was last dealt with.

    Raises:
        BookingNotFoundError: Nobody knows it.
    """
    booking = coordinator.store.booking(booking_id)
    if booking is None:
        page = coordinator.store.records(RecordQuery(booking_ids=(booking_id,)))
        booking = next((record.booking for record in page.records), None)
    if booking is None:
        raise BookingNotFoundError(booking_id)
    return booking


@command(app)
def requeue(
    coordinator: Coordinator,
    booking: BookingArgument,
    actor: ActorOption,
    as_json: JsonOption = False,
) -> None:
    """Assign a booking again: the next sweep plans it, with its attempts counted from zero."""
    result = coordinator.requeue(booking, actor=actor)
    if result.record is None:
        raise nothing_done(result)
    print_result(result, f"Booking {booking!r} waits for the next sweep.", as_json=as_json)


@command(app)
def reject(
    coordinator: Coordinator,
    booking: BookingArgument,
    actor: ActorOption,
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="CODE", help="A short code such as guest_withdrew. Never a guest's words."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Reject a booking for good."""
    try:
        result = coordinator.reject(booking, actor=actor, reason=reason)
    except InvalidValueError as error:
        refuse_value(error, reason="--reason")
    if result.outcome is not Outcome.FAILED:
        raise nothing_done(result)
    print_result(result, f"Booking {booking!r} is turned down.", as_json=as_json)


@command(app)
def pin(
    coordinator: Coordinator,
    booking: BookingArgument,
    actor: ActorOption,
    as_json: JsonOption = False,
) -> None:
    """Pin a booking to its tables: no plan moves it."""
    result = coordinator.pin(booking, actor=actor)
    if result.record is None or not result.record.pinned:
        raise nothing_done(result)
    print_result(result, f"Booking {booking!r} stays at {tables_of(coordinator, result)}.", as_json=as_json)


@command(app)
def unpin(
    coordinator: Coordinator,
    booking: BookingArgument,
    actor: ActorOption,
    as_json: JsonOption = False,
) -> None:
    """Unpin a booking: plans may move it again."""
    result = coordinator.unpin(booking, actor=actor)
    if result.record is None or result.record.owner is not Owner.PIPELINE:
        raise nothing_done(result)
    print_result(result, f"Booking {booking!r} may be moved.", as_json=as_json)


def nothing_done(result: AssignmentResult) -> RefusedError:
    """The answer no, with why."""
    return RefusedError(f"Nothing was changed about booking {result.booking_id!r}: {words.reason(result.reason)}.")
