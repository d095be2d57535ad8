"""
The columns that the stores keep values in: one for each field, named as the field is and written as its type says.

A field of `AssignmentRecord`, `StateChange` or `Booking` is a column wherever SQL has ``{RECORD}``, ``{HISTORY}`` or
``{BOOKING}``.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord, StateChange

T = TypeVar("T")


class Kind(enum.Enum):
    """What a column holds. Each database has its own way to write it."""

    TEXT = enum.auto()
    WORD = enum.auto()  # of an enumeration
    NUMBER = enum.auto()
    FLAG = enum.auto()
    MOMENT = enum.auto()
    BOOKING = enum.auto()  # one document
    TEXTS = enum.auto()  # in order, one document


_KINDS = {
    str: Kind.TEXT,
    int: Kind.NUMBER,
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

        kind: What it holds.

        optional: Whether it may be null.

        default: The field's default; `attrs.NOTHING` where it has none.

        stored: What the table ``bookings`` calls it. Only there is it called anything else.
    """

    name: str
    kind: Kind
    optional: bool
    default: Any
    stored: str


def columns_of(of: type[Any], *, besides: Collection[str] = ()) -> tuple[Column, ...]:
    """The columns for the fields of a class, those in *besides* apart."""
    hints = typing.get_type_hints(of)
    return tuple(_column(field, hints[field.name]) for field in attrs.fields(of) if field.name not in besides)


def _column(field: Any, hint: Any) -> Column:
    choices = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    [only] = (choice for choice in choices if choice is not types.NoneType)
    kind = Kind.WORD if isinstance(only, enum.EnumMeta) else _KINDS[only]
    stored = _STORED_AS.get(field.name, field.name)
    return Column(field.name, kind, types.NoneType in choices, field.default, stored)


_STORED_AS = {"seating": "seating_preference"}

RECORD = columns_of(AssignmentRecord, besides=["allocation"])
"""The columns of a record; its allocation has a table of its own."""

HISTORY = columns_of(StateChange)
"""The columns of a transition."""

BOOKING = columns_of(Booking, besides=["attributes"])
"""The columns of a booking, in the tables of a standalone host and in documents."""


# -- In SQL -------------------------------------------------------------------------------------------------------

_KEYS = {"booking_id", "id"}
_LISTS = {
    "RECORD": RECORD,
    "RECORD_BESIDES_KEY": [column for column in RECORD if column.name not in _KEYS],
    "HISTORY": HISTORY,
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
    *text* with the names of columns in the place of ``{RECORD}``, ``{RECORD_BESIDES_KEY}`` and ``{HISTORY}``.

    ``{r.RECORD}`` puts the name of a table ahead of each. ``{:RECORD}`` and ``{?RECORD}`` make placeholders.
    ``{NEW_RECORD}`` is what is not null in a record that nothing has happened to, as JSON. `BOOKING_IN_SQL` has more.
    """
    text = _LIST.sub(lambda found: listed(_LISTS[found[2]], found[1] or ""), text)
    for name, written in BOOKING_IN_SQL.items():
        text = text.replace(f"{{{name}}}", written)
    return text.replace("{NEW_RECORD}", json.dumps(_NEW_RECORD))


POSTGRES_TYPES = {
    Kind.TEXT: "text",
    Kind.WORD: "text",
    Kind.NUMBER: "integer",
    Kind.FLAG: "boolean",
    Kind.MOMENT: "timestamptz",
}

BOOKING_IN_SQL = {
    "STORED_BOOKING": ", ".join(column.stored for column in BOOKING),
    "b.STORED_BOOKING": ", ".join(f"b.{column.stored}" for column in BOOKING),
    "STORED_AS_BOOKING": ", ".join(
        column.name if column.stored == column.name else f"{column.stored} AS {column.name}" for column in BOOKING
    ),
    "TYPED_BOOKING": ", ".join(f"{column.name} {POSTGRES_TYPES[column.kind]}" for column in BOOKING),
    "NAMED_BOOKING": ", ".join(f"'{column.name}', {column.name}" for column in BOOKING),
    "EXCLUDED_BOOKING": ", ".join(
        f"{column.stored} = excluded.{column.stored}" for column in BOOKING if column.name not in {*_KEYS, "status"}
    ),
}
"""
The columns of a booking: as the table ``bookings`` has them, the same under the fields' names, with their types, as
arguments of ``jsonb_build_object``, and as an upsert sets them; the status has a rule of its own there.
"""


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

        write: For each kind that is not written as it is, what makes what is written of it.

        read: For each kind that is not read as it was written, what makes the field's value of that.
    """

    of: type[T]
    columns: Sequence[Column]
    write: Mapping[Kind, Callable[[Any], Any]]
    read: Mapping[Kind, Callable[[Any], Any]]
    _names: tuple[str, ...] = attrs.field(init=False)
    _fields: Callable[[T], tuple[Any, ...]] = attrs.field(init=False)
    _written: tuple[tuple[int, Callable[[Any], Any]], ...] = attrs.field(init=False)
    _read: tuple[tuple[str, Callable[[Any], Any]], ...] = attrs.field(init=False)

    @_names.default
    def _all(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @_fields.default
    def _getter(self) -> Callable[[T], tuple[Any, ...]]:
        return attrgetter(*self._names)

    @_written.default
    def _those_to_write(self) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
        return tuple((place, self.write[one.kind]) for place, one in enumerate(self.columns) if one.kind in self.write)

    @_read.default
    def _those_to_read(self) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
        return tuple((one.name, self.read[one.kind]) for one in self.columns if one.kind in self.read)

    def row(self, value: T) -> list[Any]:
        """The columns of *value*, in their order."""
        row = list(self._fields(value))
        for place, write in self._written:
            row[place] = write(row[place])
        return row

    def named_row(self, value: T) -> dict[str, Any]:
        """The columns of *value*, by name."""
        return dict(zip(self._names, self.row(value), strict=True))

    def value(self, row: Sequence[Any], **others: Any) -> T:
        """The value of a row that has the columns in their order, and the fields that are in no column."""
        return self.named_value(dict(zip(self._names, row, strict=True)), **others)

    def named_value(self, row: dict[str, Any], **others: Any) -> T:
        """The same, of a row by name, which is changed."""
        for name, read in self._read:
            row[name] = read(row[name])
        return self.of(**row, **others)
