"""Values that are made without their constructor."""

import datetime as dt

import attrs
import pytest

from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.made import remade
from tests.conftest import made_and_checked

NOW = dt.datetime(2031, 5, 2, 17, tzinfo=dt.UTC)
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
    made, built = made_and_checked(Event, **FIELDS), Event(**FIELDS)
    assert (made, hash(made), repr(made)) == (built, hash(built), repr(built))
    assert attrs.evolve(made, booking_id="b-1") == attrs.evolve(built, booking_id="b-1")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.id = "c:2"


def test_remade_differs_in_what_is_given():
    """The rest is the same."""
    assert remade(Event(**FIELDS), booking_id="b-1") == Event(**FIELDS | {"booking_id": "b-1"})


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
        made_and_checked(Event, **FIELDS | wrong)


def test_the_suite_finds_a_field_that_is_missing():
    """Nothing has a default."""
    with pytest.raises((AttributeError, TypeError)):
        made_and_checked(Event, **{name: value for name, value in FIELDS.items() if name != "severity"})
