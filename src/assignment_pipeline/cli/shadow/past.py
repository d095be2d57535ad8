"""Past days with what legacy did: from a SERVICE.json, or from a database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from assignment_pipeline.cli.day.json_file import Node, read_document, shown
from assignment_pipeline.cli.day.service_file import Service, read_service_with
from assignment_pipeline.cli.failures import RefusedError
from assignment_pipeline.cli.output import complain
from assignment_pipeline.cli.wiring import require_restaurant
from assignment_pipeline.domain.booking import CANCELLED, PENDING, Booking
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import LegacyOutcome, LegacyResult
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.ports import AssignmentStore, LoadQuery, RecordQuery
from assignment_pipeline.rollout.shadow.backtest import Past

LEGACY = "legacy"
PAGE = 500
EVER = dt.datetime.min.replace(tzinfo=dt.UTC)


@attrs.frozen
class PastService:
    """
    A restaurant's past.

    Attributes:
        service: The restaurant, its bookings that legacy was asked about, and its tables out of service.

        past: Those bookings, in the order in which it was, with what it did.
    """

    service: Service
    past: tuple[Past, ...]


def _past(service: Service, legacy: Mapping[str, LegacyResult]) -> PastService:
    asked = tuple(
        attrs.evolve(booking, status=PENDING)
        for booking in service.bookings
        if booking.status != CANCELLED and booking.id in legacy
    )
    past = tuple(
        Past(
            booking=booking,
            legacy=legacy[booking.id],
            date=service.venue.service_date(service.venue.turn(booking).start),
        )
        for booking in asked
    )
    return PastService(attrs.evolve(service, bookings=asked), past)


# -- A file -------------------------------------------------------------------------------------------------------


def read_past(path: Path) -> PastService:
    """
    The day that a file describes. Each booking has the legacy planner's result: ``"legacy": {"tables": [...]}``.

    One that is cancelled need not say it.

    Raises:
        BadInputError: Something in it is not as it should be; the first such thing.
    """
    root = read_document(path)
    service = read_service_with(root, booking_keys=(LEGACY,))
    found: dict[str, LegacyResult] = {}
    for booking, node in zip(service.bookings, root.child("bookings", root.value["bookings"]).items(), strict=True):
        said = node.child(LEGACY, node.value.get(LEGACY))
        if said.given or booking.status != CANCELLED:
            found[booking.id] = _legacy(said, service.venue)
    return _past(service, found)


def _legacy(node: Node, venue: Venue) -> LegacyResult:
    if not node.given:
        node.refuse("what the legacy planner did, an object with its tables", "nothing")
    parts = node.keys(("tables",), ("outcome",))
    if not isinstance(parts["tables"].value, list):
        parts["tables"].refuse("a list of tables; an empty one where it found none")
    names: list[str] = []
    for item in parts["tables"].items():
        if not isinstance(item.value, str) or item.value not in venue.floor.positions:
            item.refuse("the id of a table")
        if item.value in names:
            item.refuse("each table once", f"{shown(item.value)} again")
        names.append(item.value)
    usual = LegacyOutcome.SUCCEEDED if names else LegacyOutcome.EXHAUSTED
    outcome = parts["outcome"]
    if outcome.given and outcome.value != usual.value:
        outcome.refuse(f"{usual.value}, with {len(names) or 'no'} tables")
    return LegacyResult(tuple(names))


# -- A database ---------------------------------------------------------------------------------------------------


def past_of(store: AssignmentStore, restaurant_id: str | None) -> tuple[PastService, ...]:
    """
    What a database's history knows of legacy, a restaurant each: the records that legacy owns.

    A restaurant that has closed down is left out, and that is said.

    Raises:
        RefusedError: There are none.
        VenueNotFoundError: The host does not know *restaurant_id*, or not any more.
    """
    by_restaurant: dict[str, list[AssignmentRecord]] = {}
    for record in _records_of_legacy(store, restaurant_id):
        by_restaurant.setdefault(record.restaurant_id, []).append(record)
    require_restaurant(store, restaurant_id, found=bool(by_restaurant))
    if not by_restaurant:
        of = f" of restaurant {restaurant_id!r}" if restaurant_id else ""
        raise RefusedError(f"The database has no booking{of} that the legacy planner has answered for.")
    found, gone = [], []
    for name, records in sorted(by_restaurant.items()):
        try:
            found.append(_past_in(store, name, records))
        except VenueNotFoundError:
            if name == restaurant_id:
                raise
            gone.append(name)
    if gone:
        complain(f"Left out, as the host has no venue for them any more: {', '.join(gone)}.")
    return tuple(found)


def _records_of_legacy(store: AssignmentStore, restaurant_id: str | None) -> list[AssignmentRecord]:
    found: list[AssignmentRecord] = []
    after: str | None = None
    while True:
        page = store.records(RecordQuery(restaurant_id=restaurant_id, after=after, limit=PAGE))
        found += [record for record in page.records if record.owner is Owner.LEGACY and record.booking is not None]
        if page.next is None:
            return found
        after = page.next


def _past_in(store: AssignmentStore, restaurant_id: str, records: Sequence[AssignmentRecord]) -> PastService:
    context = store.load(LoadQuery(restaurant_id=restaurant_id))
    assert context is not None  # noqa: S101 - no booking was named
    asked = {record.booking_id: _asked_at(store, record) for record in records}
    ordered = sorted(records, key=lambda record: (asked[record.booking_id], record.booking_id))
    bookings = tuple(_seated_as(record) for record in ordered)
    legacy = {record.booking_id: LegacyResult(record.tables) for record in ordered}
    blocks = store.blocked(restaurant_id, EVER)
    return _past(Service(context.venue, bookings, blocks), legacy)


def _asked_at(store: AssignmentStore, record: AssignmentRecord) -> dt.datetime:
    history = store.history(record.booking_id)
    return history[0].created_at if history else EVER


def _seated_as(record: AssignmentRecord) -> Booking:
    """The booking for the time for which it was seated."""
    assert record.booking is not None  # noqa: S101 - the others were left out
    if record.allocation is None:
        return record.booking
    return attrs.evolve(record.booking, start_at=record.allocation.turn.start, end_at=record.allocation.turn.end)
