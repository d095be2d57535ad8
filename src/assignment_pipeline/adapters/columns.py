"""
The columns that the stores keep values in: one for each field, named as the field is and written as its type says.

A field of `AssignmentRecord` is a column wherever SQL has ``{RECORD}``; so it is for ``{SEAT}``, ``{HISTORY}``,
``{ATTEMPT}``, ``{BLOCK}``, ``{EVENT}``, ``{BUNDLE}``, ``{CASE}`` and ``{BOOKING}``. A field that is a window is two
columns.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import re
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar

import attrs

from assignment_pipeline.adapters.seats import Seat
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentRecord, Attempt, StateChange
from assignment_pipeline.domain.shadow import ShadowBundle, StoredCase
from assignment_pipeline.domain.windows import TimeWindow

T = TypeVar("T")


class Kind(enum.Enum):
    """What a column holds. Each database has its own way to write it."""

    TEXT = enum.auto()
    WORD = enum.auto()  # of an enumeration
    NUMBER = enum.auto()
    MEASURE = enum.auto()  # with a fraction
    FLAG = enum.auto()
    MOMENT = enum.auto()
    BOOKING = enum.auto()  # one document
    TEXTS = enum.auto()  # in order, one document
    DOCUMENT = enum.auto()  # a JSON object


_KINDS = {
    str: Kind.TEXT,
    int: Kind.NUMBER,
    float: Kind.MEASURE,
    bool: Kind.FLAG,
    dt.datetime: Kind.MOMENT,
    Booking: Kind.BOOKING,
    tuple[str, ...]: Kind.TEXTS,
}


@attrs.frozen
class Column:
    """
    A column.

    Attributes:
        name: Its name, in every database.

        path: Where a value has it: the field's name, with ``.start`` or ``.end`` behind that of a window.

        kind: What it holds.

        optional: Whether it may be null.

        default: The field's default; `attrs.NOTHING` where it has none.

        stored: What the table ``bookings`` calls it. Only there is it called anything else.
    """

    name: str
    path: str
    kind: Kind
    optional: bool
    default: Any
    stored: str


def columns_of(
    of: type[Any], *, besides: Collection[str] = (), called: Mapping[str, str] | None = None
) -> tuple[Column, ...]:
    """
    The columns for the fields of a class.

    Args:
        of: The class.

        besides: The fields that are in no column.

        called: The columns that are not called as their fields are.
    """
    hints = typing.get_type_hints(of)
    fields = [field for field in attrs.fields(of) if field.name not in besides]
    return tuple(column for field in fields for column in _columns(field, hints[field.name], called or {}))


def _columns(field: Any, hint: Any, called: Mapping[str, str]) -> Iterator[Column]:
    choices = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    [only] = (choice for choice in choices if choice is not types.NoneType)
    name = called.get(field.name, field.name)
    optional = types.NoneType in choices
    if only is TimeWindow:
        for end in ("start", "end"):
            stored = f"{_WINDOWS[field.name]}{end}_at"
            yield Column(stored, f"{field.name}.{end}", Kind.MOMENT, optional, attrs.NOTHING, stored)
        return
    yield Column(name, field.name, _kind(only), optional, field.default, _STORED_AS.get(name, name))


def _kind(of: Any) -> Kind:
    if isinstance(of, enum.EnumMeta):
        return Kind.WORD
    return Kind.DOCUMENT if typing.get_origin(of) is Mapping else _KINDS[of]


_WINDOWS = {"window": "", "blocked": "", "turn": "turn_"}
_STORED_AS = {"seating": "seating_preference"}

RECORD = columns_of(AssignmentRecord, besides=["allocation"])
"""The columns of a record; its allocation has a table of its own."""

SEAT = columns_of(Seat)
"""The columns of a table that a record has."""

HISTORY = columns_of(StateChange)
"""The columns of a transition."""

ATTEMPT = columns_of(Attempt, called={"number": "attempt_no"})
"""The columns of a planning."""

BLOCK = columns_of(TableBlock)
"""The columns of a table out of service."""

EVENT = columns_of(Event, called={"type": "event_type"})
"""The columns of an event."""

BUNDLE = columns_of(ShadowBundle)
"""The columns of what the shadow keeps of a case."""

BUNDLE_HEAD = columns_of(ShadowBundle, besides=["document"])
"""The same, for a list."""

CASE = columns_of(StoredCase)
"""The columns of a case that waits for a worker."""

NEW_CASE = columns_of(StoredCase, besides=["deliveries"])
"""Those of one that nobody has taken."""

BOOKING = columns_of(Booking, besides=["attributes"])
"""The columns of a booking, in the tables of a standalone host and in documents."""


# -- In SQL -------------------------------------------------------------------------------------------------------

_KEYS = {"booking_id", "id"}
_REQUEST = [column for column in BOOKING if column.name not in {*_KEYS, "status"}]
_LISTS = {
    "RECORD": RECORD,
    "RECORD_BESIDES_KEY": [column for column in RECORD if column.name not in _KEYS],
    "SEAT": SEAT,
    "HISTORY": HISTORY,
    "ATTEMPT": ATTEMPT,
    "BLOCK": BLOCK,
    "EVENT": EVENT,
    "BUNDLE": BUNDLE,
    "BUNDLE_HEAD": BUNDLE_HEAD,
    "CASE": CASE,
    "NEW_CASE": NEW_CASE,
    "BOOKING": BOOKING,
}
_LIST = re.compile(rf"\{{(\w+\.|[:?])?({'|'.join(_LISTS)})\}}")
_KEYWORDS = {"trigger"}


def listed(columns: Sequence[Column], before: str = "") -> str:
    """The names of *columns*, with commas between, each with *before* ahead of it."""
    if before == "?":
        return ", ".join("?" * len(columns))
    return ", ".join(
        f'{before}"{column.name}"' if column.name in _KEYWORDS and before != ":" else f"{before}{column.name}"
        for column in columns
    )


def with_columns(text: str) -> str:
    """
    *text* with the names of columns in the place of ``{RECORD}``, ``{RECORD_BESIDES_KEY}``, ``{SEAT}`` and the like.

    ``{r.RECORD}`` puts the name of a table ahead of each. ``{:RECORD}`` and ``{?RECORD}`` make placeholders.
    ``{NEW_RECORD}`` is what is not null in a record that nothing has happened to, as JSON.
    `BOOKING_IN_SQL` and `SHADOW_IN_SQL` have more.
    """
    text = _LIST.sub(lambda found: listed(_LISTS[found[2]], found[1] or ""), text)
    for name, written in (BOOKING_IN_SQL | SHADOW_IN_SQL).items():
        text = text.replace(f"{{{name}}}", written)
    return text.replace("{NEW_RECORD}", json.dumps(_NEW_RECORD))


POSTGRES_TYPES = {
    Kind.TEXT: "text",
    Kind.WORD: "text",
    Kind.NUMBER: "integer",
    Kind.FLAG: "boolean",
    Kind.MEASURE: "double precision",
    Kind.MOMENT: "timestamptz",
    Kind.DOCUMENT: "jsonb",
}


def _read_from(document: str, column: Column) -> str:
    kind = POSTGRES_TYPES[column.kind]
    return f"{document}->>'{column.name}'" if kind == "text" else f"({document}->>'{column.name}')::{kind}"


BOOKING_IN_SQL = {
    "STORED_BOOKING": ", ".join(column.stored for column in BOOKING),
    "b.STORED_BOOKING": ", ".join(f"b.{column.stored}" for column in BOOKING),
    "STORED_AS_BOOKING": ", ".join(
        column.name if column.stored == column.name else f"{column.stored} AS {column.name}" for column in BOOKING
    ),
    "TYPED_BOOKING": ", ".join(f"{column.name} {POSTGRES_TYPES[column.kind]}" for column in BOOKING),
    "c.READ_BOOKING": ", ".join(_read_from("c.booking", column) for column in BOOKING),
    "n.NEW_BOOKING": ", ".join(
        "coalesce(doc->'guest_status'->>n.booking_id, n.booking->>'status')"
        if column.name == "status"
        else _read_from("n.booking", column)
        for column in BOOKING
    ),
    "NAMED_BOOKING": ", ".join(f"'{column.name}', {column.name}" for column in BOOKING),
    "EXCLUDED_BOOKING": ", ".join(f"{column.stored} = excluded.{column.stored}" for column in _REQUEST),
    "SET_REQUEST": ", ".join(f"{column.stored} = :{column.name}" for column in _REQUEST),
    "p.SET_REQUEST": ", ".join(f"{column.stored} = p.{column.name}" for column in _REQUEST),
}
"""
The columns of a booking: as the table ``bookings`` has them, the same under the fields' names, with their types, as
read from the document of a change and of a record, as arguments of ``jsonb_build_object``, and as an upsert and an
update set them; the status has a rule of its own there.
"""


def _read_in_postgres(columns: Sequence[Column]) -> str:
    """Times as JSON has them."""
    return ", ".join(f"pg_catalog.to_json({one.name})" if one.kind is Kind.MOMENT else one.name for one in columns)


SHADOW_IN_SQL = {
    "READ_BUNDLE": _read_in_postgres(BUNDLE),
    "READ_BUNDLE_HEAD": _read_in_postgres(BUNDLE_HEAD),
    "READ_CASE": _read_in_postgres(CASE),
    "TYPED_NEW_CASE": ", ".join(f"{one.name} {POSTGRES_TYPES[one.kind]}" for one in NEW_CASE),
    "GIVEN_BUNDLE": ", ".join(f"%s::{POSTGRES_TYPES[one.kind]}" for one in BUNDLE),
    "EXCLUDED_BUNDLE": ", ".join(f"{one.name} = excluded.{one.name}" for one in BUNDLE if one.name not in _KEYS),
}
"""The columns of bundles and cases as PostgreSQL reads them, with their types, as placeholders, and as an upsert."""


_NEW_RECORD = {
    field.name: field.default
    for field in attrs.fields(AssignmentRecord)
    if field.default is not None and field.default is not attrs.NOTHING
}


# -- Values -------------------------------------------------------------------------------------------------------


@attrs.frozen
class Rows(Generic[T]):
    """
    Values of a class as rows of one database.

    Attributes:
        of: The class.

        columns: Its columns.

        write: For each kind that is not written as it is, what makes what is written of it. None is written as None.

        read: For each kind that is not read as it was written, what makes the field's value of that. Null is None.

        window: What makes a window of what was written of its start and end.

        names: The columns' names.
    """

    of: type[T]
    columns: Sequence[Column]
    write: Mapping[Kind, Callable[[Any], Any]]
    read: Mapping[Kind, Callable[[Any], Any]]
    window: Callable[[Any, Any], TimeWindow] = TimeWindow
    names: tuple[str, ...] = attrs.field(init=False)
    _fields: Callable[[T], tuple[Any, ...]] = attrs.field(init=False)
    _written: tuple[tuple[int, Callable[[Any], Any]], ...] = attrs.field(init=False)
    _read: tuple[tuple[str, Callable[[Any], Any]], ...] = attrs.field(init=False)
    _windows: tuple[tuple[str, str, str], ...] = attrs.field(init=False)
    _renamed: tuple[tuple[str, str], ...] = attrs.field(init=False)

    @names.default
    def _all(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @_fields.default
    def _getter(self) -> Callable[[T], tuple[Any, ...]]:
        return attrgetter(*(column.path for column in self.columns))

    @_written.default
    def _those_to_write(self) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
        return tuple((place, self.write[one.kind]) for place, one in enumerate(self.columns) if one.kind in self.write)

    @_read.default
    def _those_to_read(self) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
        alone = (one for one in self.columns if one.kind in self.read and "." not in one.path)
        return tuple((one.name, self.read[one.kind]) for one in alone)

    @_windows.default
    def _pairs(self) -> tuple[tuple[str, str, str], ...]:
        names = {column.path: column.name for column in self.columns}
        starts = [column for column in self.columns if column.path.endswith(".start")]
        fields = [column.path.removesuffix(".start") for column in starts]
        return tuple((field, names[f"{field}.start"], names[f"{field}.end"]) for field in fields)

    @_renamed.default
    def _those_called_otherwise(self) -> tuple[tuple[str, str], ...]:
        return tuple((one.name, one.path) for one in self.columns if one.name != one.path and "." not in one.path)

    def row(self, value: T) -> list[Any]:
        """The columns of *value*, in their order."""
        row = list(self._fields(value))
        for place, write in self._written:
            if row[place] is not None:
                row[place] = write(row[place])
        return row

    def named_row(self, value: T) -> dict[str, Any]:
        """The columns of *value*, by name."""
        return dict(zip(self.names, self.row(value), strict=True))

    def filled_row(self, value: T) -> dict[str, Any]:
        """Those that are not null, by name."""
        return {name: one for name, one in zip(self.names, self.row(value), strict=True) if one is not None}

    def value(self, row: Sequence[Any], **others: Any) -> T:
        """The value of a row that has the columns in their order, and the fields that are in no column."""
        return self.named_value(dict(zip(self.names, row, strict=True)), **others)

    def named_value(self, row: dict[str, Any], **others: Any) -> T:
        """The same, of a row by name, which is changed."""
        for name, read in self._read:
            if row[name] is not None:
                row[name] = read(row[name])
        for field, start, end in self._windows:
            row[field] = self.window(row.pop(start), row.pop(end))
        for name, field in self._renamed:
            row[field] = row.pop(name)
        return self.of(**row, **others)
