"""What events carry stands in two tables."""

import datetime as dt

import pytest

from assignment_pipeline.domain.event_fields import CARRIES, FIELDS, unexpected
from assignment_pipeline.domain.events import Event, EventType, Source


def event(**context):
    """A transition with that context."""
    moment = dt.datetime(2031, 5, 3, tzinfo=dt.UTC)
    return Event("e-1", moment, Source.STATE_MACHINE, EventType.STATE_TRANSITION, context=context)


def test_every_type_has_a_row():
    """In the order of the enum."""
    assert list(CARRIES) == list(EventType)


def test_every_field_is_carried_and_explained():
    """None is named twice in a row, and none stands in the table for nothing."""
    for row in CARRIES.values():
        assert len(set(row)) == len(row)
    assert {field for row in CARRIES.values() for field in row} == set(FIELDS)
    assert list(FIELDS) == sorted(FIELDS)


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"from": "created", "to": "failed", "version": 1}, []),
        ({"reason": None}, []),
        ({"stars": 5}, ["booking.assignment_state_transition carries stars"]),
        ({"version": True}, ["booking.assignment_state_transition: version is no whole number: True"]),
        ({"to": ("failed",)}, ["booking.assignment_state_transition: to is no text: ('failed',)"]),
    ],
)
def test_what_the_table_does_not_say_is_found(context, said):
    """A field that the type does not carry, and a value of another kind."""
    assert list(unexpected(event(**context))) == said
