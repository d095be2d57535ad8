"""Validators shared by the values of the domain: each says what was expected, and what it got."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from assignment_pipeline.errors import InvalidValueError

MAX_ID_LENGTH = 200
MAX_LIMIT = 1_000_000
FIRST_YEAR, LAST_YEAR = 1970, 9998

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")

Validator = Callable[[Any, Any, Any], None]
_E = TypeVar("_E", bound=enum.Enum)


def is_identifier(value: Any) -> bool:
    """Whether it is a non-empty text of at most 200 printable characters."""
    return isinstance(value, str) and bool(value.strip()) and value.isprintable() and len(value) <= MAX_ID_LENGTH


def identifier(_: object, attribute: Any, value: Any) -> None:
    """A non-empty text of at most 200 printable characters."""
    if not is_identifier(value):
        expected = f"a non-empty text of at most {MAX_ID_LENGTH} printable characters"
        raise InvalidValueError(attribute.name, f"{expected}", repr(value))


def optional_identifier(instance: object, attribute: Any, value: Any) -> None:
    """None, or what `identifier` takes."""
    if value is not None:
        identifier(instance, attribute, value)


def require_short(name: str, value: Any) -> None:
    """
    Make sure that what is looked up could be an id: a text that is not longer than any.

    Raises:
        InvalidValueError: It is something else.
    """
    if not isinstance(value, str) or len(value) > MAX_ID_LENGTH:
        got = f"{named(type(value))}, {value!r}" if not isinstance(value, str) else repr(value)
        raise InvalidValueError(name, f"the id as text, of at most {MAX_ID_LENGTH} characters", got)


def require_limit(name: str, value: Any) -> None:
    """
    Make sure that what limits a list is a number of rows. None are asked for by zero, or less.

    Raises:
        InvalidValueError: It is something else.
    """
    if type(value) is not int or value > MAX_LIMIT:
        raise InvalidValueError(name, f"a whole number of at most {MAX_LIMIT}", repr(value))


def require_date(name: str, value: Any) -> None:
    """
    Make sure that a day can be planned: it is a date, and its times are within the years in every timezone.

    Raises:
        InvalidValueError: It is something else.
    """
    if type(value) is not dt.date or not FIRST_YEAR < value.year < LAST_YEAR:
        raise InvalidValueError(name, f"a date in the years {FIRST_YEAR + 1} to {LAST_YEAR - 1}", repr(value))


def require_moment(name: str, value: Any) -> dt.datetime:
    """
    Make sure that a moment is one, with its minutes within the years in every timezone.

    Returns:
        It, in UTC.

    Raises:
        InvalidValueError: It has no offset, or lies outside.
    """
    _require_aware(name, value)
    if not FIRST_YEAR < value.year < LAST_YEAR:
        raise InvalidValueError(name, f"a time in the years {FIRST_YEAR + 1} to {LAST_YEAR - 1}", str(value))
    moment: dt.datetime = value.astimezone(dt.UTC)
    return moment


def require_each_once(name: str, booking_ids: Sequence[str]) -> None:
    """
    Make sure that several things are about one booking each.

    Raises:
        InvalidValueError: Two are about the same.
    """
    if len(set(booking_ids)) != len(booking_ids):
        raise InvalidValueError(name, "each booking once", repr(list(booking_ids)))


def require_tables(name: str, tables: Sequence[str], whose: str = "") -> None:
    """
    Make sure that a person who names tables names one or more, and none twice.

    Args:
        whose: The booking that they are for, where *name* is about several.

    Raises:
        InvalidValueError: That is not so.
    """
    twice = next((table for place, table in enumerate(tables) if table in tables[:place]), None)
    if not tables or twice is not None:
        got = "none" if twice is None else f"{twice!r} twice"
        raise InvalidValueError(name, "one table or more, each once", f"{got} for {whose!r}" if whose else got)


def require_actor(actor: Any) -> None:
    """
    Make sure that it is known who does something: it is written into the history, and shown wherever that is read.

    Raises:
        InvalidValueError: It is no text of 1 to 200 printable characters.
    """
    if not is_identifier(actor):
        expected = f"the name of who does it, a text of at most {MAX_ID_LENGTH} printable characters"
        raise InvalidValueError("actor", expected, repr(actor) if isinstance(actor, str) else named(type(actor)))


def kind(expected: type, *, optional: bool = False) -> Validator:
    """A value of that type."""

    def check(_: object, attribute: Any, value: Any) -> None:
        if not isinstance(value, expected) and not (optional and value is None):
            raise InvalidValueError(attribute.name, f"{named(expected)}", f"{named(type(value))}")

    return check


def named(kind: type) -> str:
    """A type with its article: what a value is, and nothing of what is in it, which may be a guest's."""
    if kind is type(None):
        return "None"
    return f"{'an' if kind.__name__[0] in 'AEIOaeiou' else 'a'} {kind.__name__}"


def each(check: Validator) -> Validator:
    """Several values, each one that *check* takes."""

    def check_all(instance: object, attribute: Any, values: Iterable[Any]) -> None:
        for value in values:
            check(instance, attribute, value)

    return check_all


def code(_: object, attribute: Any, value: Any) -> None:
    """Small letters, digits and underscores: what holds nobody's name or words."""
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise InvalidValueError(attribute.name, "a short code such as maintenance or guest_withdrew", repr(value))


def optional_code(instance: object, attribute: Any, value: Any) -> None:
    """None, or what `code` takes."""
    if value is not None:
        code(instance, attribute, value)


def whole(low: int, high: int) -> Validator:
    """A whole number from *low* to *high*, both included."""

    def check(_: object, attribute: Any, value: Any) -> None:
        if type(value) is not int or not low <= value <= high:
            raise InvalidValueError(attribute.name, f"a whole number from {low} to {high}", repr(value))

    return check


def number(low: float, high: float) -> Validator:
    """A number from *low* to *high*, both included."""

    def check(_: object, attribute: Any, value: Any) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise InvalidValueError(attribute.name, f"a number from {low} to {high}", repr(value))

    return check


def word_of(name: str, kind: type[_E], value: Any) -> _E:
    """
    The member of *kind* that *value* is, or is the word for.

    Raises:
        InvalidValueError: It is none.
    """
    try:
        return kind(value)
    except ValueError:
        expected = ", ".join(each.value for each in kind)
        raise InvalidValueError(name, f"one of {expected}", repr(value)) from None


def enum_fields(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """
    For ``attrs.frozen(field_transformer=...)``: fields whose converter is an enum convert by `word_of`.

    What is no word of the enum is then refused with the field's name and the words that it takes.
    """
    return [_by_word(field) for field in fields]


def _by_word(field: attrs.Attribute[Any]) -> attrs.Attribute[Any]:
    kind: Any = field.converter
    return field.evolve(converter=_to_word(kind)) if isinstance(kind, enum.EnumType) else field


@functools.cache
def _to_word(kind: type[enum.Enum]) -> attrs.Converter[Any, Any]:
    def convert(value: Any, field: attrs.Attribute[Any]) -> Any:
        if type(value) is kind:
            return value  # Nearly all are, and `kind(value)` is two calls.
        return word_of(field.name, kind, value)

    return attrs.Converter(convert, takes_field=True)


def positive_span(_: object, attribute: Any, value: Any) -> None:
    """A timedelta that is longer than nothing."""
    if not isinstance(value, dt.timedelta) or value <= dt.timedelta():
        raise InvalidValueError(attribute.name, "a positive timedelta", repr(value))


def flag(_: object, attribute: Any, value: Any) -> None:
    """True or False, nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise InvalidValueError(attribute.name, "true or false", repr(value))


def to_utc(value: Any) -> Any:
    """An aware datetime in UTC; anything else is handed to the validator as it is."""
    if type(value) is dt.datetime and value.tzinfo is dt.UTC:
        return value  # Nearly all are: every window is made of others.
    if isinstance(value, dt.datetime) and value.utcoffset() is not None:
        try:
            return value.astimezone(dt.UTC)
        except OverflowError:
            return value  # Of year 1 or 9999, which the validators refuse.
    return value


def _several(items: Any) -> Iterable[Any]:
    if type(items) is tuple or type(items) is list:
        return items  # Nearly all are, and asking whether something is iterable takes a microsecond.
    if not isinstance(items, Iterable):
        raise InvalidValueError("", "several, such as a list of them", f"{named(type(items))}")
    if isinstance(items, str):
        raise InvalidValueError("", "several texts, such as a list of them", f"one, {items!r}")
    return items


def sorted_ids(ids: Iterable[str]) -> tuple[str, ...]:
    """The ids, sorted."""
    return tuple(sorted(_several(ids)))


def as_tuple(items: Iterable[Any]) -> tuple[Any, ...]:
    """A tuple of them."""  # `tuple` itself, as a converter, has type checkers refuse every argument.
    return tuple(_several(items))


def as_frozenset(items: Iterable[Any]) -> frozenset[Any]:
    """A frozenset of them."""
    return frozenset(_several(items))


def as_dict(items: Mapping[str, Any]) -> dict[str, Any]:
    """A dict of its own."""
    return dict(items)


def aware(_: object, attribute: Any, value: Any) -> None:
    """A datetime that knows its offset from UTC."""
    if type(value) is dt.datetime and value.tzinfo is dt.UTC:
        return
    _require_aware(attribute.name, value)


def _require_aware(name: str, value: Any) -> None:
    if not isinstance(value, dt.datetime):
        raise InvalidValueError(name, "a datetime with an offset from UTC", f"{named(type(value))}, {value!r}")
    if value.utcoffset() is None:
        raise InvalidValueError(name, "a time with an offset from UTC", str(value))


def aware_minute(instance: object, attribute: Any, value: Any) -> None:
    """An aware datetime without seconds."""
    aware(instance, attribute, value)
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise InvalidValueError(attribute.name, f"a time in the years {FIRST_YEAR} to {LAST_YEAR}", str(value))
    if value.second or value.microsecond:
        raise InvalidValueError(attribute.name, "a whole minute", str(value))
