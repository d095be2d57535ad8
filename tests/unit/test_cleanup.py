"""What is left to do before the old planner goes: ticked only where the numbers prove it."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import Mode
from assignment_pipeline.domain.counts import Calls, Outcomes
from assignment_pipeline.domain.metrics import PIPELINE, Metrics
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.rollout.control import LADDER, Answer, Standing, Verdict
from assignment_pipeline.rollout.report import is_due
from assignment_pipeline.rollout.report.cleanup import LAST, checklist
from assignment_pipeline.rollout.watching import Alert, AlertState
from assignment_pipeline.rollout.watching.rules import RULES

NOW = dt.datetime(2031, 5, 20, 12, tzinfo=dt.UTC)
BEGAN = NOW - LAST.min_time
PASSES = tuple(Verdict.of(criterion, Answer.PASS, value=criterion.threshold, sample=500) for criterion in LAST.criteria)
STANDING = Standing(
    revision=RolloutRevision(generation=9, phase=LAST.name, created_at=BEGAN),
    phase=LAST,
    since=BEGAN,
    now=NOW,
    next=None,
    below=None,
    verdicts=PASSES,
    overridden=False,
)
METRICS = Metrics(since=BEGAN, until=NOW, outcomes={PIPELINE: Outcomes(confirmed=500)})
QUIET = Alert(rule=RULES[0], state=AlertState.INACTIVE, at=NOW)


def proved(standing=STANDING, history=(STANDING.revision,), metrics=METRICS, alerts=(QUIET,)):
    """Which of the four that numbers can prove are."""
    return [item.proved for item in checklist(standing, history, metrics, alerts)][:4]


def test_after_a_good_week_all_that_numbers_can_prove_is():
    """And nothing that only people can do."""
    items = checklist(STANDING, (STANDING.revision,), METRICS, (QUIET,))
    assert [item.proved for item in items] == [True] * 4 + [False] * 6


@pytest.mark.parametrize(
    ("short", "due"), [(dt.timedelta(), True), (dt.timedelta(seconds=1), False), (dt.timedelta(days=6), False)]
)
def test_a_week_is_a_week(short, due):
    """To the second is enough; less is not."""
    standing = attrs.evolve(STANDING, since=BEGAN + short)
    assert is_due(standing) is due
    assert proved(standing)[0] is due


def test_an_earlier_phase_is_not_the_last():
    """However long it has lasted."""
    assert not is_due(attrs.evolve(STANDING, phase=LADDER.phases[-2]))
    assert not is_due(attrs.evolve(STANDING, phase=None, since=None))


@pytest.mark.parametrize("answer", [Answer.HOLD, Answer.FAIL])
def test_a_criterion_that_does_not_pass_is_named(answer):
    """And nothing measured proves nothing."""
    standing = attrs.evolve(STANDING, verdicts=(*PASSES[:-1], attrs.evolve(PASSES[-1], answer=answer)))
    item = checklist(standing, (), METRICS, ())[1]
    assert (item.proved, item.note) == (False, f"not yet: {PASSES[-1].metric}")
    assert not proved(attrs.evolve(STANDING, verdicts=()))[1]


def test_an_alert_that_fires_is_named():
    """One that is pending, or over, is not."""
    assert proved(alerts=(attrs.evolve(QUIET, state=AlertState.PENDING),))[2]
    item = checklist(STANDING, (), METRICS, (attrs.evolve(QUIET, state=AlertState.FIRING),))[2]
    assert (item.proved, item.note) == (False, f"firing: {RULES[0].name}")


def test_an_old_planner_that_was_called_is_still_used():
    """Whatever the flags said; and where nobody booked, nothing is proved."""
    calls = {(Owner.LEGACY, Mode.OFF): Calls(bookings=2, calls=2)}
    item = checklist(STANDING, (), attrs.evolve(METRICS, calls=calls), ())[3]
    assert (item.proved, item.note) == (False, "called for 2 bookings")
    assert not proved(metrics=attrs.evolve(METRICS, outcomes={}))[3]
