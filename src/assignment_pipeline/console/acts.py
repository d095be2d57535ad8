"""What staff do from the pages: each act says what it will do, and then does it with a method of the coordinator."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import attrs

from assignment_pipeline.console.setting import Act, Field, Runs, Setting
from assignment_pipeline.console.suggested import SUGGESTED_ACTS
from assignment_pipeline.domain.booking import MAX_PARTY
from assignment_pipeline.domain.reasons import sentence_of
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Move
from assignment_pipeline.domain.room import is_of_a_later_day
from assignment_pipeline.domain.windows import TimeWindow, minute_of
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.lifecycle import FINAL, AssignmentState

# -- To a booking -------------------------------------------------------------------------------------------------


def _does(method: str, **options: Any) -> Runs:
    """The coordinator's method of that name, with the booking."""

    async def run(setting: Setting) -> Any:
        return await setting.view.calls(method, setting.party.booking_id, actor=setting.view.staff.actor, **options)

    return run


def _has_tables(record: AssignmentRecord) -> bool:
    return record.allocation is not None and record.owner is Owner.PIPELINE


def _is_expected(record: AssignmentRecord) -> bool:
    held = record.allocation
    return held is not None and held.seated_at is None and held.left_at is None


def _is_there(record: AssignmentRecord) -> bool:
    return record.allocation is not None and record.allocation.sits


def _seated(setting: Setting) -> Iterable[str]:
    held = setting.party.allocation
    if held is not None and is_of_a_later_day(setting.day.venue, held.turn, setting.day.now):
        yield f"{setting.party.booking_id} comes on another day: this will be refused."
        return
    yield f"The party of {setting.party.booking_id} sits at {setting.tables(setting.party.tables)}."
    yield "Nobody moves it any more. It keeps its tables until it has left."
    if held is not None:
        window = TimeWindow.around((held.turn, _minute(setting.day.now)))
        for other in setting.others_at(setting.party.tables, window):
            yield f"{other.booking_id} has one of these tables from {setting.clock(other.allocation.turn.start)} on."  # type: ignore[union-attr]


def _minute(now: dt.datetime) -> TimeWindow:
    start = minute_of(now)
    return TimeWindow(start, start + dt.timedelta(minutes=1))


def _freed(setting: Setting) -> Iterable[str]:
    yield f"{setting.tables(setting.party.tables)} can be given away at once."
    yield "Bookings that wait for tables are planned again."


def _no_show(setting: Setting) -> Iterable[str]:
    yield f"The party of {setting.party.booking_id} did not come: its assignment is cancelled."
    yield from _freed(setting)


def _cancel(setting: Setting) -> Iterable[str]:
    yield f"The booking {setting.party.booking_id} is cancelled."
    if setting.party.tables:
        yield from _freed(setting)


def _extend(setting: Setting) -> Iterable[str]:
    until = setting.at("until") if setting.view.asked("until") else None
    if until is None:
        yield "The party stays longer at its tables, unless somebody else has them then."
        return
    yield f"The party of {setting.party.booking_id} keeps its tables until {setting.clock(until)}."
    held = setting.party.allocation
    if held is not None and until > held.turn.end:
        for other in setting.others_at(setting.party.tables, TimeWindow(held.turn.end, until)):
            yield f"{other.booking_id} has one of them by then: nothing will be changed."


async def _extends(setting: Setting) -> Any:
    held = setting.party.allocation
    until = setting.at("until")
    if held is not None and until <= held.turn.start:
        until += dt.timedelta(days=1)
    return await setting.view.calls("extend", setting.party.booking_id, until, actor=setting.view.staff.actor)


def _place(setting: Setting) -> Iterable[str]:
    if not setting.view.asked("tables"):
        yield "You choose the tables. They are checked before anything is written."
        return
    tables = setting.chosen()
    turn = setting.turn
    yield f"{setting.party.booking_id} gets {setting.tables(tables)}, {setting.span(turn)}."
    if setting.party.tables:
        yield f"It gives up {setting.tables(setting.party.tables)}."
    others = setting.others_at(tables, turn)
    for other in others:
        yield f"{other.booking_id} has {setting.tables(other.tables)} then: this will be refused."
    if not others:
        yield "Nobody else has these tables then. The booking stays there until a person moves it."


async def _places(setting: Setting) -> Any:
    version = setting.view.whole("version", 0, 2**29)
    return await setting.view.calls(
        "place", setting.booking, setting.chosen(), actor=setting.view.staff.actor, expect_version=version
    )


def _swap(setting: Setting) -> Iterable[str]:
    other = setting.other()
    if other is None:
        yield "The two parties change tables, in one commit."
        return
    ours, theirs = setting.tables(setting.party.tables), setting.tables(other.tables)
    yield f"{setting.party.booking_id} gets {theirs} instead of {ours}."
    yield f"{other.booking_id} gets {ours} instead."


async def _swaps(setting: Setting) -> Any:
    other = setting.other()
    if other is None:
        raise InvalidValueError(
            "other", "another booking of this day that has tables", repr(setting.view.asked("other"))
        )
    ours, theirs = setting.party, other
    moves = [Move(ours.booking_id, ours.tables, theirs.tables), Move(theirs.booking_id, theirs.tables, ours.tables)]
    done = await setting.view.calls("rearrange", moves, actor=setting.view.staff.actor)
    return done[0]


def _reinstate(setting: Setting) -> Iterable[str]:
    yield f"{setting.party.booking_id} is put back: it gets the tables that it had if they are free, else others."
    yield "If there are none, it waits in the queue for a person."


def _party_changed(setting: Setting) -> Iterable[str]:
    guests = setting.view.whole("guests", 1, MAX_PARTY)
    if guests is None:
        yield "The party keeps its tables if they have the seats. If they have not, nothing is changed."
    else:
        yield f"{setting.party.booking_id} is {guests} guests, and keeps its tables if they have the seats."


async def _changes_party(setting: Setting) -> Any:
    guests = setting.view.whole("guests", 1, MAX_PARTY)
    return await setting.view.calls("party_changed", setting.party.booking_id, guests, actor=setting.view.staff.actor)


async def _rejects(setting: Setting) -> Any:
    reason = setting.view.asked("reason")
    return await setting.view.calls("reject", setting.party.booking_id, actor=setting.view.staff.actor, reason=reason)


_TABLES = Field(name="tables", label="Tables", hint="such as T1, T2")

PARTY_ACTS = (
    Act(name="seated", button="Seat", says=_seated, runs=_does("seated"), fits=_is_expected),
    Act(name="left", button="Has left", says=_freed, runs=_does("left"), fits=_is_there),
    Act(name="no_show", button="No-show", says=_no_show, runs=_does("no_show"), fits=_is_expected),
    Act(
        name="extend",
        button="Stays longer",
        says=_extend,
        runs=_extends,
        fits=_has_tables,
        fields=(Field(name="until", label="Until", kind="time"),),
    ),
    Act(
        name="place",
        button="Give tables",
        says=_place,
        runs=_places,
        fits=lambda record: record.state not in FINAL and record.booking is not None and not _is_gone(record),
        fields=(_TABLES,),
    ),
    Act(
        name="swap",
        button="Swap tables",
        says=_swap,
        runs=_swaps,
        fits=lambda record: _is_expected(record) and _has_tables(record) and record.booking is not None,
        fields=(Field(name="other", label="With the booking"),),
    ),
    Act(
        name="reinstate",
        button="Put back",
        says=_reinstate,
        runs=_does("reinstate"),
        fits=lambda record: record.state in FINAL,
    ),
    Act(
        name="party_changed",
        button="Other number of guests",
        says=_party_changed,
        runs=_changes_party,
        fits=lambda record: _has_tables(record) and not _is_gone(record),
        fields=(Field(name="guests", label="Guests", kind="number"),),
    ),
    Act(
        name="confirm",
        button="Confirm",
        says=lambda setting: (f"{setting.party.booking_id} is confirmed at {setting.tables(setting.party.tables)}.",),
        runs=_does("confirm"),
        fits=lambda record: record.state is AssignmentState.ASSIGNED,
    ),
    Act(
        name="pin",
        button="Pin",
        says=lambda setting: (f"No plan moves {setting.party.booking_id} until a person unpins it.",),
        runs=_does("pin"),
        fits=lambda record: _is_expected(record) and not record.pinned,
    ),
    Act(
        name="unpin",
        button="Unpin",
        says=lambda setting: (f"Plans may move {setting.party.booking_id} again.",),
        runs=_does("unpin"),
        fits=lambda record: _is_expected(record) and record.pinned,
    ),
    Act(
        name="requeue",
        button="Plan again",
        says=lambda setting: (
            f"{setting.party.booking_id} goes back to the pipeline: the next sweep plans it, with all attempts.",
        ),
        runs=_does("requeue"),
        fits=lambda record: (
            record.state in {AssignmentState.MANUAL_REVIEW, AssignmentState.CONFIRMED}
            and not _is_there(record)
            and not _is_gone(record)
        ),
    ),
    Act(
        name="reject",
        button="Turn down",
        says=lambda setting: (f"{setting.party.booking_id} is turned down for good, and its guests are told.",),
        runs=_rejects,
        fits=lambda record: record.state is AssignmentState.MANUAL_REVIEW,
        fields=(Field(name="reason", label="Reason", hint="a short code such as no_table"),),
    ),
    Act(
        name="cancel",
        button="Cancel",
        says=_cancel,
        runs=_does("cancel"),
        fits=lambda record: record.state not in FINAL and not _is_there(record) and not _is_gone(record),
    ),
)


def _is_gone(record: AssignmentRecord) -> bool:
    return record.allocation is not None and record.allocation.left_at is not None


# -- To a restaurant ----------------------------------------------------------------------------------------------


async def _offers(setting: Setting) -> AssignmentResult | None:
    guests = setting.view.whole("guests", 1, MAX_PARTY)
    if guests is None:
        return None
    found: AssignmentResult = await setting.view.calls(
        "walk_in", setting.day.venue.id, guests, actor=setting.view.staff.actor, offer=True
    )
    return found


def _walk_in(setting: Setting) -> Iterable[str]:
    offer = setting.offer
    if offer is None:
        yield "They get free tables, now. The next page says which, and until when."
    elif offer.until is None:
        yield f"There is no table for them now: {sentence_of(offer.reason)}. Nothing can be done here."
        if offer.decision is not None and offer.decision.nearest:
            yield f"Tables are free at {', '.join(map(setting.clock, sorted(offer.decision.nearest)))}."
    else:
        yield f"They sit down at {setting.tables(offer.tables)}, until {setting.clock(offer.until)}."
        for name in offer.displaced:
            yield f"{name} is next there."
        for move in _moves_of(offer):
            yield f"{move.booking_id} moves to {setting.tables(move.tables)}."


def _until(setting: Setting) -> str:
    return setting.clock(setting.offer.until) if setting.offer is not None and setting.offer.until else ""


def _moves_of(offer: AssignmentResult) -> tuple[Move, ...]:
    plan = offer.decision.plan if offer.decision is not None else None
    return plan.moves if plan is not None else ()


async def _walks_in(setting: Setting) -> Any:
    """Seat them as it was offered: others must not have been given the tables meanwhile."""
    guests, tables, until = setting.view.whole("guests", 1, MAX_PARTY), setting.chosen(), setting.at("until")
    if until <= setting.day.now:
        until += dt.timedelta(days=1)  # It is on the other side of midnight.
    offer = await _offers(setting)
    same = offer is not None and offer.tables == tuple(sorted(tables))
    moves = _moves_of(offer) if same and offer is not None else ()
    return await setting.view.calls(
        "walk_in",
        setting.day.venue.id,
        guests,
        actor=setting.view.staff.actor,
        tables=tables,
        until=until,
        moves=moves,
    )


def _block(setting: Setting) -> Iterable[str]:
    if not all(map(setting.view.asked, ("tables", "from", "to"))):
        yield "Nobody is seated at these tables for that time. Bookings that have them already keep them."
        return
    tables, window = setting.chosen(), setting.window()
    yield f"Nobody is seated at {setting.tables(tables)}, {setting.span(window)}."
    for other in setting.others_at(tables, window):
        yield f"{other.booking_id} has {setting.tables(other.tables)} then, and keeps it until somebody moves it."


async def _blocks(setting: Setting) -> Any:
    how = {"window": setting.window(), "actor": setting.view.staff.actor, "reason": setting.view.asked("reason")}
    zone, restaurant = setting.zone(), setting.day.venue.id
    if zone is not None:
        return await setting.view.calls("block", restaurant, zone=zone, **how)
    return [await setting.view.calls("block", restaurant, table, **how) for table in setting.chosen()]


def _unblock(setting: Setting) -> Iterable[str]:
    for block in setting.day.blocks:
        if block.id == setting.view.asked("block"):
            yield f"{setting.tables([block.table_id])} is back in service. Bookings that wait are planned again."


async def _unblocks(setting: Setting) -> Any:
    block = setting.view.asked("block")
    return await setting.view.calls("unblock", setting.day.venue.id, block, actor=setting.view.staff.actor)


HOUSE_ACTS = (
    Act(
        name="walk_in",
        button="Seat a walk-in",
        says=_walk_in,
        offers=_offers,
        runs=_walks_in,
        of_party=False,
        fields=(
            Field(name="guests", label="Guests", kind="number"),
            Field(
                name="tables",
                label="Tables",
                kind="hidden",
                value=lambda setting: ", ".join(setting.offer.tables) if setting.offer else "",
            ),
            Field(
                name="until",
                label="Until",
                kind="hidden",
                value=lambda setting: (
                    setting.clock(setting.offer.until) if setting.offer and setting.offer.until else ""
                ),
            ),
        ),
    ),
    Act(
        name="block",
        button="Close tables",
        says=_block,
        runs=_blocks,
        of_party=False,
        fields=(
            attrs.evolve(_TABLES, hint="such as T1, T2, or a zone"),
            Field(name="from", label="From", kind="time", value=lambda setting: setting.clock(setting.day.now)),
            Field(name="to", label="To", kind="time"),
            Field(name="reason", label="Reason", hint="a short code such as maintenance"),
        ),
    ),
    Act(
        name="unblock",
        button="Open the table",
        says=_unblock,
        runs=_unblocks,
        of_party=False,
        fields=(Field(name="block", label="Block", kind="hidden"),),
    ),
)

ACTS = {act.name: act for act in (*PARTY_ACTS, *SUGGESTED_ACTS, *HOUSE_ACTS)}
"""All of them, by name."""
