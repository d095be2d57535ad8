"""Evenings of 200 bookings and 60 walk-ins, read by code of their own; and that this reading bites."""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets
import sys

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.record import StateChange
from tests.evenings.guests import BOOKINGS, NO_SHOWS, WALK_INS, draw
from tests.evenings.play import play
from tests.evenings.reading import violations

ASKED = os.environ.get("ASSIGNMENT_PIPELINE_TEST_EVENINGS")
EVENINGS = int(ASKED or "1")
SEVEN = dt.datetime(2031, 5, 17, 19, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize("evening", range(EVENINGS))
def test_an_evening_has_no_violation(harness, clock, evening):
    """No-shows who come after all, overstays, early leavers and arrivals, mistakes undone, swaps: 0 violations."""
    seed = secrets.randbelow(2**31)
    part = 1 if ASKED else 2 if isinstance(harness.store, MemoryStore) else 4  # Of each kind there is some in all.
    counts, found = play(harness, clock, seed, part)
    sys.stdout.write(f"seed {seed}: {counts}\n")
    assert not found, (seed, found)
    assert (counts["booked"], counts["walk-ins"]) == (BOOKINGS // part, WALK_INS // part)
    for name in ("seated", "left", "no-shows", "overstays", "early leavers", "early arrivals", "walk-ins seated"):
        assert counts[name] > 0, (seed, name)
    assert counts["no-shows who came"] > 0, seed
    assert counts["cancellations undone"] == counts["cancelled by mistake"], seed


def test_a_seed_is_an_evening():
    """The same guests each time, and as many of each kind as is said."""
    script = draw(7, SEVEN)
    assert script == draw(7, SEVEN)
    assert script != draw(8, SEVEN)
    assert sum(guest.is_missed for guest in script.guests) == NO_SHOWS
    assert sum(guest.is_missed and guest.comes is not None for guest in script.guests) == NO_SHOWS // 5
    assert sum(guest.stays > dt.timedelta() for guest in script.guests) == BOOKINGS // 5
    assert sum(guest.stays < dt.timedelta() for guest in script.guests) == BOOKINGS // 10
    assert sum(guest.is_cancelled is not None for guest in script.guests) == 10


def step(version, to, trigger, at, tables=(), **facts):
    """A row of a history."""
    before = facts.pop("before", "confirmed" if version > 1 else "created")
    return StateChange(
        version=version,
        from_state=before,
        to_state=to,
        trigger=trigger,
        tables=tables,
        created_at=SEVEN + at * HOUR,
        turn_start_at=SEVEN if tables else None,
        turn_end_at=SEVEN + HOUR if tables else None,
        **{"actor": "ann", **facts},
    )


SEATED = {"reason": "seated", "seated_at": SEVEN}
GIVEN = step(1, "confirmed", "confirm", -2, ("T1",))
SITS = step(2, "confirmed", "move", 0, ("T1",), **SEATED)
LATER = attrs.evolve(SITS, created_at=SEVEN + HOUR)
OTHER = step(1, "confirmed", "confirm", -1, ("T1",))


@pytest.mark.parametrize(
    ("histories", "words"),
    [
        ({"a": [GIVEN], "b": [OTHER]}, "T1 at .*: b from .*, and a until"),
        ({"a": [GIVEN, SITS, step(3, "cancelled", "cancel", 1)]}, "a: lost its tables"),
        ({"a": [GIVEN, attrs.evolve(SITS, version=3)]}, "a: version 3 comes where 2 should"),
        ({"a": [GIVEN, attrs.evolve(SITS, actor=None)]}, "a: seated, and nobody has done it"),
        ({"a": [GIVEN, attrs.evolve(SITS, from_state="assigned")]}, "a: version 2 leaves assigned"),
        ({"a": [attrs.evolve(GIVEN, tables=())]}, "a: confirmed with the tables"),
        (
            {"a": [GIVEN, step(2, "confirmed", "move", 0.25, ("T1",), reason="left", seated_at=SEVEN, left_at=SEVEN)]},
            "a: left at .*, and its table is kept until",
        ),
        (
            {
                "a": [attrs.evolve(GIVEN, turn_end_at=SEVEN + HOUR / 2), SITS],
                "b": [
                    attrs.evolve(OTHER, turn_start_at=SEVEN + HOUR),
                    attrs.evolve(
                        SITS, created_at=SEVEN + HOUR, turn_start_at=SEVEN + HOUR, turn_end_at=SEVEN + 2 * HOUR
                    ),
                ],
            },
            "T1: b sat down at .*, and a sat until",
        ),
    ],
)
def test_the_reading_bites(histories, words):
    """Each kind of violation is found where there is one; an evening without any has none."""
    found = list(violations(histories, SEVEN + 4 * HOUR))
    assert any(re.search(words, line) for line in found), found
    assert list(violations({"a": [GIVEN, SITS]}, SEVEN + HOUR)) == []
