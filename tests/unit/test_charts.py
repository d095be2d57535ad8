"""What a chart shows of its times."""

import datetime as dt
import re

import pytest

from assignment_pipeline.rollout.report.charts import Line, draw

pytest.importorskip("matplotlib", reason="needs the extra report")

DAY = dt.datetime(2031, 5, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def test_the_axis_spans_the_time_that_is_asked_for():
    """A single point is one of a day, and not of the years around it."""
    point = Line(name="pipeline", points=[(DAY + 12 * HOUR, 97.0)], colour="#1a63c9")
    text = draw([point], (DAY, DAY + 24 * HOUR))
    ticks = re.findall(r">(\d\d:\d\d)</text>", text)
    assert len(ticks) >= 4
    assert not re.search(r">20(2|3)\d</text>", text)


def test_what_is_known_is_a_band():
    """Beside the line, in its colour."""
    points = [(DAY + hour * HOUR, 97.0) for hour in range(5)]
    line = Line(name="pipeline", points=points, colour="#1a63c9")
    banded = Line(name="pipeline", points=points, colour="#1a63c9", band=[(time, 90.0, 99.0) for time, _ in points])
    assert draw([line], (DAY, DAY + 24 * HOUR)).count("fill-opacity") == 0
    assert "0.12" in draw([banded], (DAY, DAY + 24 * HOUR))
