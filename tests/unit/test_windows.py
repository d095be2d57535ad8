"""Windows are half-open: they share an instant, or they do not."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.testing.strategies import windows

NOON = dt.datetime(2031, 5, 1, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def window(start: int, end: int) -> TimeWindow:
    """From and to so many minutes past noon."""
    return TimeWindow(NOON + start * MINUTE, NOON + end * MINUTE)


def minutes(of: TimeWindow) -> set[int]:
    """The minutes past noon that lie in the window."""
    return set(range((of.start - NOON) // MINUTE, (of.end - NOON) // MINUTE))


SMALL = st.builds(lambda start, length: window(start, start + length), st.integers(0, 12), st.integers(1, 6))


def test_windows_that_touch_do_not_overlap():
    """The end is outside."""
    assert not window(0, 60).overlaps(window(60, 90))
    assert not window(60, 90).overlaps(window(0, 60))
    assert window(0, 61).overlaps(window(60, 90))


@given(one=SMALL, other=SMALL)
def test_windows_are_sets_of_minutes(one, other):
    """Overlapping and covering mean what they do for the minutes inside."""
    assert one.overlaps(other) == other.overlaps(one) == bool(minutes(one) & minutes(other))
    assert one.covers(other) == (minutes(one) >= minutes(other))


@given(found=st.lists(SMALL, min_size=1, max_size=4))
def test_around_is_the_smallest_that_covers_all(found):
    """Every window lies within, and both ends are some window's."""
    around = TimeWindow.around(iter(found))
    assert all(around.covers(one) for one in found)
    assert around.start in {one.start for one in found}
    assert around.end in {one.end for one in found}


def test_around_nothing_is_nothing():
    """Without a window there is none around it."""
    with pytest.raises(ValueError, match="empty"):
        TimeWindow.around([])


@given(one=windows(), before=st.integers(0, 500), after=st.integers(0, 500))
def test_widening_adds_on_both_sides(one, before, after):
    """A widened window covers the former, and is as much longer as was added."""
    wide = one.widened(before * MINUTE, after * MINUTE)
    assert wide.covers(one)
    assert (one.start - wide.start, wide.end - one.end) == (before * MINUTE, after * MINUTE)
    assert wide.duration == one.duration + (before + after) * MINUTE


@given(one=SMALL, other=st.none() | SMALL)
def test_what_lies_outside_is_every_minute_that_the_other_lacks(one, other):
    """In pieces that share none, each in one go, the earlier first."""
    pieces = one.without(other)
    assert [minute for piece in pieces for minute in sorted(minutes(piece))] == sorted(
        minutes(one) - (minutes(other) if other else set())
    )
    assert len(pieces) <= 2


@given(one=windows(), by=st.integers(-500, 500))
def test_shifting_keeps_the_length(one, by):
    """A shifted window is as long, and can be shifted back."""
    moved = one.shifted(by * MINUTE)
    assert moved.duration == one.duration
    assert moved.start - one.start == by * MINUTE
    assert moved.shifted(-by * MINUTE) == one
