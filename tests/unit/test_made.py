"""Values that are made without their constructor."""

import datetime as dt

import attrs
import pytest

from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from tests.conftest import checked_maker

NOW = dt.datetime(2031, 5, 2, 17, tzinfo=dt.UTC)
make = checked_maker(Event)

FIELDS = {
    "id": "c:1",
    "created_at": NOW,
    "source": Source.COORDINATOR,
    "type": EventType.START,
    "severity": Severity.INFO,
    "restaurant_id": "chez-nous",
    "booking_id": None,
    "context": {"trigger": "creation"},
}


def test_equals_what_the_constructor_makes():
    """Whatever compares, hashes or prints it finds no difference."""
    made, built = make(**FIELDS), Event(**FIELDS)
    assert (made, hash(made), repr(made)) == (built, hash(built), repr(built))
    assert attrs.evolve(made, booking_id="b-1") == attrs.evolve(built, booking_id="b-1")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.id = "c:2"


@pytest.mark.parametrize(
    "wrong",
    [
        {"created_at": NOW.astimezone(dt.timezone(dt.timedelta(hours=2)))},
        {"type": "coordinator.start"},
        {"id": ""},
    ],
)
def test_the_suite_finds_what_would_be_kept_in_another_form(wrong):
    """What the constructor would convert or refuse does not pass the check that every test runs under."""
    with pytest.raises((AssertionError, ValueError)):
        make(**FIELDS | wrong)


def test_the_suite_finds_a_field_that_is_missing():
    """What the constructor has no default for, or makes anew for each value, is not left out."""
    for missing in ("id", "context"):
        with pytest.raises(TypeError):
            make(**{name: value for name, value in FIELDS.items() if name != missing})


def test_defaults_are_those_of_the_constructor():
    """A field that is not given is what the constructor would make of it."""
    given = {name: value for name, value in FIELDS.items() if name != "severity"}
    assert make(**given) == Event(**given)


def test_a_class_that_is_laid_out_otherwise_is_refused_at_once():
    """Where it is named to `maker`, not where a value is made, which may be in production."""
    with pytest.raises(TypeError, match="weakref_slot=False"):
        checked_maker(attrs.make_class("Kind", ["field"], slots=True))
