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
