"""SERVICE.json: a restaurant, its tables and a day's bookings, read strictly."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import attrs

from assignment_pipeline.adapters.as_json import (
    group_document,
    pacing_document,
    pairs_document,
    period_document,
    special_day_document,
    zone_document,
)
from assignment_pipeline.adapters.columns import BOOKING, Kind
from assignment_pipeline.cli.day.json_file import ABSENT, Node, read_document, shown
from assignment_pipeline.domain.blocks import TableBlock, block_id
from assignment_pipeline.domain.booking import Booking, SeatingPreference
from assignment_pipeline.domain.checks import MAX_ID_LENGTH, is_identifier
from assignment_pipeline.domain.combination import Combination, Group
from assignment_pipeline.domain.floor import CommunalTable, Counter, FloorPlan, Table
from assignment_pipeline.domain.pacing import PacingRule
from assignment_pipeline.domain.policy import (
    WEEKDAYS,
    AdjacencyMode,
    Arrivals,
    EndRule,
    PeriodTurn,
    Reseat,
    ServicePeriod,
    SpecialDay,
    TurnBand,
    TurnFrom,
    VenuePolicy,
    Weights,
)
from assignment_pipeline.domain.rows import MOST_SEATS
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.domain.zones import TableOffer, Zone

# Local times before were not whole minutes off UTC everywhere; behind, planning would look past the calendar's end.
FIRST_YEAR, LAST_YEAR = 1973, 9998

_TIME = re.compile(r"[0-9W-]+[T ][0-9:.,]+(Z|[+-][0-9:]+)?", re.ASCII)
_TIME_OF_DAY = re.compile(r"[0-9]{2}:[0-9]{2}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

PAIR = 2

OUT_OF_SERVICE = "out_of_service"
FROM_FILE = "SERVICE.json"
"""Who has blocked the tables that the file says are out of service."""

_BOOKING = [column for column in BOOKING if column.name != "restaurant_id"]
"""The columns of a booking that the file has, which calls them as the table ``bookings`` does."""

_FLOOR = ("zones", "adjacent", "groups", "never_joined", "combinations")
"""What the file says of the floor beside its tables."""

E = TypeVar("E", bound=enum.StrEnum)


@attrs.frozen
class Service:
    """
    A restaurant's day.

    Attributes:
        venue: The restaurant.

        bookings: Its bookings, in the order in which they are to be assigned.

        blocks: Its tables that are out of service for a while.
    """

    venue: Venue
    bookings: tuple[Booking, ...]
    blocks: tuple[TableBlock, ...] = ()


def read_service(path: Path) -> Service:
    """
    The day that a file describes.

    Raises:
        BadInputError: Something in it is not as it should be; the first such thing.
    """
    return read_service_with(read_document(path))


def read_service_with(root: Node, booking_keys: tuple[str, ...] = ()) -> Service:
    """
    The day that a document describes, whose bookings may have other keys, too, for somebody else to read.

    Raises:
        BadInputError: Something in it is not as it should be; the first such thing.
    """
    parts = root.keys(
        ("restaurant", "tables", "bookings"), ("policy", "zones", "adjacent", "groups", "never_joined", "combinations")
    )
    restaurant = parts["restaurant"]
    names = _given(restaurant, required=("id", "timezone"))
    policy = _policy(parts["policy"]) if parts["policy"].given else VenuePolicy()
    placed = _tables(_some(parts["tables"], "table"))
    tables = tuple(table for _, seats in placed for table in seats)
    floor = root.build(
        FloorPlan,
        {
            "tables": tables,
            "adjacent": _adjacent(parts["adjacent"], tables),
            "combinations": _combinations(parts["combinations"].items(), tables),
            "zones": tuple(_zone(zone, tables) for zone in parts["zones"].items()),
            "groups": tuple(_group(group, tables) for group in parts["groups"].items()),
            "never_joined": _never_joined(parts["never_joined"]),
        },
    )
    for node, zone in zip(parts["zones"].items(), floor.zones, strict=True):
        _holds_back(node, zone.held_until_minutes, zone.offer)
    offers = {zone.name: zone.offer for zone in floor.zones}
    for node, (table, *_) in placed:
        _holds_back(node, table.held_until_minutes, table.offer or offers.get(table.zone or "", TableOffer.ALWAYS))
    venue = restaurant.build(Venue, {**names, "floor": floor, "policy": policy})
    # Here, so that a floor with too many combinations is refused while nothing is written yet.
    root.child("policy").build(_with_seatings, {"venue": venue})
    if not parts["bookings"].given:
        parts["bookings"].refuse("a list of bookings, which may be empty")
    bookings = _bookings(parts["bookings"].items(), venue.id, booking_keys)
    return Service(venue, bookings, _blocks(placed, venue))


def _with_seatings(venue: Venue) -> None:
    _ = venue.seatings


def _some(node: Node, what: str) -> list[Node]:
    if node.value is ABSENT or node.value is None or node.value == []:
        node.refuse(f"one {what} or more", "none" if node.given else None)
    return node.items()


def _given(
    node: Node,
    required: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    readers: Mapping[str, Callable[[Node], Any]] | None = None,
) -> dict[str, Any]:
    """The values of an object's keys, without the optional ones that are missing or null."""
    found = node.keys(required, optional)
    read = readers or {}
    return {
        key: read[key](child) if key in read else child.value
        for key, child in found.items()
        if key in required or child.given
    }


def _policy(node: Node) -> VenuePolicy:
    optional = tuple(field.name for field in attrs.fields(VenuePolicy))
    readers = {
        "service_periods": _periods,
        "special_days": lambda days: tuple(map(_special_day, days.items())),
        "pacing": _pacing,
        "turn_bands": _turn_bands,
        "adjacency": _choice(AdjacencyMode),
        "reseat": _choice(Reseat),
        "turn_from": _choice(TurnFrom),
        "weights": _weights,
    }
    return node.build(VenuePolicy, _given(node, optional=optional, readers=readers))


def _periods(node: Node) -> tuple[ServicePeriod, ...]:
    return tuple(map(_service_period, node.items()))


def _service_period(node: Node) -> ServicePeriod:
    readers = {
        "start": _time_of_day,
        "end": _time_of_day,
        "days": _days,
        "valid_from": _date,
        "valid_until": _date,
        "arrivals": _arrivals,
        "end_rule": _choice(EndRule),
        "turn_bands": _turn_bands,
        "turn": _choice(PeriodTurn),
    }
    required = ("name", "start", "end")
    optional = tuple(key for key in readers if key not in required)
    return node.build(ServicePeriod, _given(node, required, optional, readers))


def _arrivals(node: Node) -> Arrivals | tuple[dt.time, ...]:
    if isinstance(node.value, list):
        return tuple(map(_time_of_day, node.items()))
    if not isinstance(node.value, dict):
        node.refuse('a list of local times, or a rule such as {"every": 15}')
    readers = {"first": _time_of_day, "last": _time_of_day}
    return node.build(Arrivals, _given(node, ("every",), ("first", "last"), readers))


def _special_day(node: Node) -> SpecialDay:
    readers = {"date": _date, "from": _date, "until": _date, "service_periods": _periods}
    given = _given(node, optional=("date", "from", "until", "closed", "service_periods", "note"), readers=readers)
    fields = {"from_" if key == "from" else key: value for key, value in given.items()}
    return node.build(SpecialDay, fields, {"from_": "from"})


def _pacing(node: Node) -> tuple[PacingRule, ...]:
    optional = ("covers", "parties", "periods", "channel")
    readers = {"periods": _names}
    return tuple(rule.build(PacingRule, _given(rule, ("minutes",), optional, readers)) for rule in node.items())


def _names(node: Node) -> tuple[str, ...]:
    return tuple(name.value for name in node.items())


def _turn_bands(node: Node) -> tuple[TurnBand, ...]:
    return tuple(band.build(TurnBand, _given(band, ("up_to", "minutes"))) for band in node.items())


def _weights(node: Node) -> Weights:
    return node.build(Weights, _given(node, optional=tuple(field.name for field in attrs.fields(Weights))))


def _time_of_day(node: Node) -> dt.time:
    value = node.value
    if isinstance(value, str) and _TIME_OF_DAY.fullmatch(value):
        with contextlib.suppress(ValueError):
            return dt.time.fromisoformat(value)
    return node.refuse("a local time of day such as 17:30")


def _date(node: Node) -> dt.date:
    value = node.value
    if isinstance(value, str) and _DATE.fullmatch(value):
        with contextlib.suppress(ValueError):
            return dt.date.fromisoformat(value)
    return node.refuse("a date such as 2031-12-25")


def _days(node: Node) -> tuple[str, ...]:
    day = _choice_of(WEEKDAYS)
    return tuple(day(item) for item in node.items())


def _choice_of(words: tuple[str, ...]) -> Callable[[Node], str]:
    def read(node: Node) -> str:
        if not isinstance(node.value, str) or node.value not in words:
            node.refuse(" or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words))
        return node.value

    return read


def _choice(kind: type[E], *without: E) -> Callable[[Node], E]:
    word = _choice_of(tuple(member.value for member in kind if member not in without))
    return lambda node: kind(word(node))


def _time(node: Node) -> dt.datetime:
    value = node.value.upper() if isinstance(node.value, str) else ""
    if _TIME.fullmatch(value):
        with contextlib.suppress(ValueError):
            time = dt.datetime.fromisoformat(value)
            if FIRST_YEAR <= time.year <= LAST_YEAR:
                return time
            node.refuse(f"a time in the years {FIRST_YEAR} to {LAST_YEAR}")
    return node.refuse("an ISO 8601 time with an offset, in whole minutes, such as 2030-05-04T19:30+02:00")


_SEATS = ("zone", "seating", "accessible", "active", "priority", "offer", "held_until_minutes", "tags")
"""What is said of a table, and of all seats of a counter or a communal table alike."""


def _tables(nodes: list[Node]) -> list[tuple[Node, tuple[Table, ...]]]:
    """The tables of each entry: a counter and a communal table stand for their seats."""
    optional = ("label", "min_party_size", "max_party_size", *_SEATS, "counter", "communal", OUT_OF_SERVICE)
    readers = {
        "seating": _choice(SeatingPreference, SeatingPreference.ANY),
        "offer": _choice(TableOffer),
        "tags": _tags,
    }

    def tables(node: Node) -> tuple[Table, ...]:
        kinds: dict[str, type[Counter | CommunalTable]] = {"counter": Counter, "communal": CommunalTable}
        for key, kind in kinds.items():
            if isinstance(node.value, dict) and "id" not in node.value and key in node.value:
                fields = _given(node, (key, "seats"), (*_SEATS, OUT_OF_SERVICE), readers)
                fields.pop(OUT_OF_SERVICE, None)
                names = {"id": key, "counter": key, "communal": key}
                return node.build(partial(_stools, kind), {"id": fields.pop(key), **fields}, names)
        fields = _given(node, ("id", "capacity"), optional, readers)
        fields.pop(OUT_OF_SERVICE, None)
        return (node.build(Table, fields),)

    found = [(node, tables(node)) for node in nodes]
    first: dict[str, Node] = {}
    for node, seats in found:
        for seat in seats:
            if seat.id in first:
                key = "id" if "id" in node.value else "counter" if "counter" in node.value else "communal"
                place = node.child(key, node.value[key])
                place.refuse("each id once", f"{shown(seat.id)} as in {first[seat.id].path}")
            first[seat.id] = node
    return found


def _stools(kind: type[Counter | CommunalTable], **fields: Any) -> tuple[Table, ...]:
    return kind(**fields).stools


def _zone(node: Node, tables: tuple[Table, ...]) -> Zone:
    known = {table.zone for table in tables if table.zone is not None}
    fields = _given(node, ("name",), ("offer", "held_until_minutes"), {"offer": _choice(TableOffer)})
    _one_of(node.child("name", fields["name"]), known, "the zone of a table")
    return node.build(Zone, fields)


def _holds_back(node: Node, minutes: int | None, offer: TableOffer) -> None:
    """Refuse an end of the hold-back of tables that everybody is given all along."""
    if minutes is not None and offer is TableOffer.ALWAYS:
        node.child("held_until_minutes", minutes).refuse("an offer that holds it back beside it")


def _group(node: Node, tables: tuple[Table, ...]) -> Group:
    known = {table.id for table in tables}

    def members(node: Node) -> list[str]:
        return [_one_of(member, known, "the id of a table") for member in node.items()]

    return node.build(Group, _given(node, ("name", "tables"), (), {"tables": members}))


def _never_joined(node: Node) -> list[list[str]]:
    pairs = []
    for pair in node.items():
        ends = pair.items()
        if any(not isinstance(end.value, str) for end in ends) or len({end.value for end in ends}) != PAIR:
            pair.refuse("two different groups or tables")
        pairs.append([end.value for end in ends])
    return pairs


def _one_of(node: Node, known: Collection[str], what: str) -> str:
    if not isinstance(node.value, str) or node.value not in known:
        node.refuse(what)
    name: str = node.value
    return name


def _tags(node: Node) -> frozenset[str]:
    for tag in node.items():
        if not is_identifier(tag.value):
            tag.refuse(f"a tag such as window, of at most {MAX_ID_LENGTH} printable characters")
    return frozenset(tag.value for tag in node.items())


def _blocks(placed: list[tuple[Node, tuple[Table, ...]]], venue: Venue) -> tuple[TableBlock, ...]:
    readers = {"start_at": _time, "end_at": _time}
    found: dict[str, TableBlock] = {}
    for table, node in ((table, node) for node, seats in placed for table in seats):
        for span in node.child(OUT_OF_SERVICE, node.value.get(OUT_OF_SERVICE, ABSENT)).items():
            fields = _given(span, ("start_at", "end_at"), ("reason",), readers)
            times = {"start": fields.pop("start_at"), "end": fields.pop("end_at")}
            window = span.build(TimeWindow, times, {"start": "start_at", "end": "end_at"})
            known_as = block_id(venue.id, table.id, window)
            names = {"id": known_as, "restaurant_id": venue.id, "table_id": table.id, "actor": FROM_FILE}
            found[known_as] = span.build(TableBlock, {**names, "window": window, **fields})
    return tuple(found.values())


def _bookings(nodes: list[Node], restaurant_id: str, others: tuple[str, ...]) -> tuple[Booking, ...]:
    required = tuple(column.stored for column in _BOOKING if column.default is attrs.NOTHING)
    optional = (*(column.stored for column in _BOOKING if column.default is not attrs.NOTHING), *others)
    times = {column.stored: _time for column in _BOOKING if column.kind is Kind.MOMENT}
    readers = {**times, "seating_preference": _choice(SeatingPreference)}

    def booking(node: Node) -> Booking:
        given = _given(node, required, optional, readers)
        fields = {column.name: given[column.stored] for column in _BOOKING if column.stored in given}
        return node.build(Booking, {**fields, "restaurant_id": restaurant_id})

    return _distinct([(node, booking(node)) for node in nodes])


Named = TypeVar("Named", Table, Booking, Combination)


def _distinct(found: list[tuple[Node, Named]]) -> tuple[Named, ...]:
    first: dict[str, Node] = {}
    for node, item in found:
        if item.id in first:
            node.child("id", item.id).refuse("each id once", f"{shown(item.id)} as in {first[item.id].path}")
        first[item.id] = node
    return tuple(item for _, item in found)


def _adjacent(node: Node, tables: tuple[Table, ...]) -> list[list[str]]:
    known = {table.id for table in tables}
    pairs = []
    for pair in node.items():
        ends = pair.items()
        for end in ends:
            if not isinstance(end.value, str) or end.value not in known:
                end.refuse("the id of a table")
        if len({end.value for end in ends}) != PAIR or len(ends) != PAIR:
            pair.refuse("two different tables")
        pairs.append([end.value for end in ends])
    return pairs


def _combinations(nodes: list[Node], tables: tuple[Table, ...]) -> tuple[Combination, ...]:
    known = {table.id for table in tables}
    optional = ("min_party_size", "max_party_size", "priority")

    def members(node: Node) -> list[str]:
        found = node.items()
        for member in found:
            if not isinstance(member.value, str) or member.value not in known:
                member.refuse("the id of a table")
        return [member.value for member in found]

    def combination(node: Node) -> Combination:
        return node.build(Combination, _given(node, ("id", "tables", "capacity"), optional, {"tables": members}))

    return _distinct([(node, combination(node)) for node in nodes])


# -- Writing ------------------------------------------------------------------------------------------------------


def service_document(service: Service) -> dict[str, Any]:
    """The same day as the content of a file: `read_service` reads it back as it was."""
    venue = service.venue
    document = {
        "restaurant": {"id": venue.id, "timezone": venue.timezone},
        "policy": _policy_document(venue.policy),
        "tables": list(_table_documents(service)),
        "adjacent": sorted(sorted(pair, key=venue.floor.positions.__getitem__) for pair in venue.floor.adjacent),
        "zones": [zone_document(zone) for zone in venue.floor.zones],
        "groups": [group_document(group) for group in venue.floor.groups],
        "never_joined": pairs_document(venue.floor.never_joined),
        "combinations": [_combination_document(one) for one in venue.floor.combinations],
        "bookings": [_booking_document(booking, venue) for booking in service.bookings],
    }
    return {key: value for key, value in document.items() if value or key in {"tables", "bookings"}}


def _differing(value: Any, default: Any) -> dict[str, Any]:
    """The fields of an attrs value that are not as they would be anyway."""
    names = [field.name for field in attrs.fields(type(value))]
    return {name: getattr(value, name) for name in names if getattr(value, name) != getattr(default, name)}


def _policy_document(policy: VenuePolicy) -> dict[str, Any]:
    fields = _differing(policy, VenuePolicy())
    if "weights" in fields:
        fields["weights"] = _differing(policy.weights, Weights())
    if "turn_bands" in fields:
        fields["turn_bands"] = [attrs.asdict(band) for band in policy.turn_bands]
    if "service_periods" in fields:
        fields["service_periods"] = [period_document(period) for period in policy.service_periods]
    if "pacing" in fields:
        fields["pacing"] = [pacing_document(rule) for rule in policy.pacing]
    if "special_days" in fields:
        fields["special_days"] = [special_day_document(day) for day in policy.special_days]
    return fields


def _table_documents(service: Service) -> Iterator[dict[str, Any]]:
    """The entries of the tables. A counter or a communal table is one, where its seats differ in nothing."""
    tables = service.venue.floor.tables
    blocked = {block.table_id for block in service.blocks}
    place = 0
    while place < len(tables):
        row = _whole_row(tables, place)
        if row is not None and not blocked & {seat.id for seat in row.stools}:
            plain = type(row)(row.id, row.seats)
            said = {name: value for name, value in _differing(row, plain).items() if name not in ("id", "seats")}
            kind = "counter" if isinstance(row, Counter) else "communal"
            yield {kind: row.id, "seats": row.seats, **_sorted_tags(said)}
            place += row.seats
        else:
            yield _table_document(tables[place], service)
            place += 1


def _whole_row(tables: tuple[Table, ...], place: int) -> Counter | CommunalTable | None:
    """The counter or communal table that has those seats from *place* on, as it would make them."""
    first = tables[place]
    if first.row is None:
        return None
    seats = sum(1 for table in tables if (table.counter, table.communal) == (first.counter, first.communal))
    facts = {name: getattr(first, name) for name in _SEATS}
    if seats > MOST_SEATS:
        return None
    row = (Counter if first.counter is not None else CommunalTable)(first.row, seats, **facts)
    return row if row.stools == tables[place : place + seats] else None


def _sorted_tags(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: sorted(value) if name == "tags" else value for name, value in fields.items()}


def _table_document(table: Table, service: Service) -> dict[str, Any]:
    plain = Table(table.id, table.capacity)
    spans = [_span_document(block, service.venue) for block in service.blocks if block.table_id == table.id]
    blocked = {OUT_OF_SERVICE: spans} if spans else {}
    fields = _sorted_tags(_differing(table, plain))
    return {"id": table.id, "capacity": table.capacity, **fields, **blocked}


def _span_document(block: TableBlock, venue: Venue) -> dict[str, Any]:
    times = (("start_at", block.window.start), ("end_at", block.window.end))
    span = {name: time.astimezone(venue.zone).isoformat(timespec="minutes") for name, time in times}
    return span if block.reason is None else {**span, "reason": block.reason}


def _combination_document(combination: Combination) -> dict[str, Any]:
    plain = Combination(combination.id, combination.tables, combination.capacity)
    limits = _differing(combination, plain)
    tables = list(combination.tables)
    return {"id": combination.id, "tables": tables, "capacity": combination.capacity, **limits}


def _booking_document(booking: Booking, venue: Venue) -> dict[str, Any]:
    def written(value: Any) -> Any:
        return value.astimezone(venue.zone).isoformat(timespec="minutes") if isinstance(value, dt.datetime) else value

    values = ((column, getattr(booking, column.name)) for column in _BOOKING)
    return {column.stored: written(value) for column, value in values if value != column.default}
